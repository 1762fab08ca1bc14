"""Population encoder: P Gaussian neurons per feature whose activation drives soft-reset neurons for
T timesteps.

    a = exp(-(z - mean)^2 / (2 std^2));  v <- v + a;  s = [v > 0.999];  v <- v - 0.999 s

Training takes ds/da = 1 in each timestep (spiking_stack.py). Starting values of Xu et al. 2025:
means evenly over [-1, 1], std = sqrt(0.05).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SPAN = 1.0
STD = math.sqrt(0.05)


class PopulationEncoder(nn.Module):
    """Features [n, F] -> activations [n, F * population].

    `mean`, `std` [1, F, population] learn.
    """

    def __init__(self, features: int, population: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.linspace(-SPAN, SPAN, population).repeat(1, features, 1))
        self.std = nn.Parameter(torch.full((1, features, population), STD))

    def forward(self, features: Tensor) -> Tensor:
        if not torch.is_grad_enabled():
            return activations(features, self.mean, self.std)[0].flatten(1)
        found: Tensor = Gaussians.apply(features, self.mean, self.std)  # type: ignore[assignment]
        return found.flatten(1)


class Gaussians(torch.autograd.Function):
    """Features [n, F], mean and std [1, F, population] -> a [n, F, population].

    With d = (z - mean) / std, da/dmean = a d / std = -da/dz and da/dstd = a d^2 / std.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, mean: Tensor, std: Tensor) -> Tensor:  # type: ignore[override]
        found, distances = activations(features, mean, std)
        ctx.save_for_backward(found, distances, std)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, Tensor]:  # type: ignore[override]
        found, distances, std = ctx.saved_tensors
        if ctx.needs_input_grad[0]:
            d_features = -(gradient * found * distances / std).sum(2)
        else:
            d_features = None
        return d_features, *gradients(gradient, found, distances, std)


def activations(features: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """A [n, F, population], and how many std each feature is from each mean."""
    distances = (features[:, :, None] - mean).div_(std)
    return (distances * distances).mul_(-0.5).exp_(), distances


def gradients(
    gradient: Tensor, found: Tensor, distances: Tensor, std: Tensor
) -> tuple[Tensor, Tensor]:
    """Of mean and std, for that of the activations."""
    slope = (gradient * found).mul_(distances)
    d_mean = slope.sum(0, keepdim=True).div_(std)
    return d_mean, slope.mul_(distances).sum(0, keepdim=True).div_(std)
