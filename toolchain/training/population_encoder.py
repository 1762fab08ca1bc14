"""Population encoder: P Gaussian neurons per feature whose activation drives soft-reset neurons for T timesteps.

    a = exp(-(z - mean)^2 / (2 std^2));  v <- v + a;  s = [v > 0.999];  v <- v - 0.999 s

Training takes ds/da = 1 in each timestep. Starting values of Xu et al. 2025: means evenly over [-1, 1], std = sqrt(0.05).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from toolchain.spike_coding import ENCODER_THRESHOLD

SPAN = 1.0
STD = math.sqrt(0.05)


class PopulationEncoder(nn.Module):
    """Features [n, F] -> activations [n, F * population]. `mean`, `std` [1, F, population] learn."""

    def __init__(self, features: int, population: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.linspace(-SPAN, SPAN, population).repeat(1, features, 1))
        self.std = nn.Parameter(torch.full((1, features, population), STD))

    def forward(self, features: Tensor) -> Tensor:
        return torch.exp(-0.5 * (features[:, :, None] - self.mean) ** 2 / self.std**2).flatten(1)


class EncodedDrive(torch.autograd.Function):
    """Activations [n, inputs] and a layer's weight [out, inputs], bias [out] -> that layer's drives [T, n, out].

    All T products are one. As ds/da is 1 in each timestep, the activations' gradient needs the drives' gradients
    only in sum, so its product has n rows instead of T * n.
    """

    @staticmethod
    def forward(ctx: Any, activations: Tensor, weight: Tensor, bias: Tensor, timesteps: int) -> Tensor:  # type: ignore[override]
        spikes = encoder_spikes(activations, timesteps)
        rows = spikes.flatten(0, 1)
        ctx.save_for_backward(rows, weight)
        return torch.addmm(bias, rows, weight.t()).view(timesteps, len(activations), -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # type: ignore[override]
        rows, weight = ctx.saved_tensors
        summed = gradient.sum(0)
        return summed @ weight, gradient.flatten(0, 1).t() @ rows, summed.sum(0), None


def encoder_spikes(activations: Tensor, timesteps: int) -> Tensor:
    """Spikes [T, n, inputs] of constant activations [n, inputs]."""
    spikes = torch.empty((timesteps, *activations.shape), dtype=activations.dtype, device=activations.device)
    v = torch.zeros_like(activations)
    for t in range(timesteps):
        v += activations
        torch.gt(v, ENCODER_THRESHOLD, out=spikes[t])
        v.sub_(spikes[t], alpha=ENCODER_THRESHOLD)
    return spikes
