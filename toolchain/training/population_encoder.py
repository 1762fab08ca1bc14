"""Population encoder: P Gaussian neurons per feature whose activation drives soft-reset neurons for T timesteps.

    a = exp(-(z - mean)^2 / (2 std^2));  v <- v + a;  s = [v > 0.999];  v <- v - 0.999 s

Training takes ds/da = 1 in each timestep (spiking_stack.py). Starting values of Xu et al. 2025: means evenly over [-1, 1], std = sqrt(0.05).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

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
