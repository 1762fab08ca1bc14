"""Population encoder: P Gaussian neurons per feature, each driving a soft-reset neuron for T steps.

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

SPAN = 1.0  # of the features, which are tanh of something
STD = math.sqrt(0.05)


class PopulationEncoder(nn.Module):
    """Features [n, F] -> activations [n, F * population], with mean and std that learn."""

    def __init__(self, features: int, population: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.linspace(-SPAN, SPAN, population).repeat(1, features, 1))
        self.std = nn.Parameter(torch.full((1, features, population), STD))

    def forward(self, features: Tensor) -> Tensor:
        """Activations [n, F * population]."""
        if not torch.is_grad_enabled():
            return activations(features, self.mean, self.std)[0].flatten(1)
        found: Tensor = Gaussians.apply(features, self.mean, self.std)  # type: ignore[assignment]
        return found.flatten(1)


class Gaussians(torch.autograd.Function):
    """Features [n, F], mean and std [1, F, population] -> a [n, F, population].

    With d = (z - mean) / std, da/dmean = a d / std = -da/dz and da/dstd = a d^2 / std.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, features: Tensor, mean: Tensor, std: Tensor
    ) -> Tensor:
        """Activations [n, F, population]."""
        found, distances = activations(features, mean, std)
        ctx.save_for_backward(found, distances, std)
        return found

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, gradient: Tensor
    ) -> tuple[Tensor | None, Tensor, Tensor]:
        """Gradients of features, where they need one, mean and std."""
        found, distances, std = ctx.saved_tensors
        d_features = None
        if ctx.needs_input_grad[0]:
            d_features = -(gradient * found * distances / std).sum(2)
        return d_features, *gradients(gradient, found, distances, std)


def activations(features: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Activations [n, F, population], and how many std each feature is from each mean."""
    distances = (features[:, :, None] - mean).div_(std)
    return (distances * distances).mul_(-0.5).exp_(), distances


def gradients(
    gradient: Tensor, found: Tensor, distances: Tensor, std: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient of the activations -> of mean and std."""
    slope = (gradient * found).mul_(distances)
    d_mean = slope.sum(0, keepdim=True).div_(std)
    return d_mean, slope.mul_(distances).sum(0, keepdim=True).div_(std)
