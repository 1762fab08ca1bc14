"""The module that tests export, trace and script.

torch.jit.script needs it at the top level of a file.
"""

from __future__ import annotations

import torch


class Actor(torch.nn.Module):
    """x -> network(clip((x - mean) / sqrt(var + eps))) in one of several output forms."""

    def __init__(
        self,
        network: torch.nn.Sequential,
        inputs: int,
        outputs: int,
        out: str,
        clip: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.network = network
        self.out = out
        self.clip = clip
        self.register_buffer("mean", torch.randn(inputs, generator=generator))
        self.register_buffer("variance", torch.rand(inputs, generator=generator) + 0.1)
        self.register_buffer("scale", torch.rand(outputs, generator=generator) + 0.5)
        self.register_buffer("offset", torch.randn(outputs, generator=generator))

    # torch.jit.script reads annotations itself.
    def forward(self, observation):  # noqa: ANN001, ANN201
        x = (observation - self.mean) / torch.sqrt(self.variance + 1e-8)
        if self.clip > 0:
            x = torch.clamp(x, -self.clip, self.clip)
        y = self.network(x)
        if self.out == "tanh":
            return torch.tanh(y) * self.scale + self.offset
        if self.out == "negative tanh":
            return -torch.tanh(y) * self.scale
        if self.out == "clip":
            return torch.clamp(y * self.scale + self.offset, -0.5, 0.75)
        if self.out == "gsde":
            return torch.tanh(torch.clamp(y, -0.2, 0.2))
        if self.out == "sigmoid":
            return torch.sigmoid(y) * 2.0 - 1.0
        if self.out == "relu":
            return torch.relu(y)
        return y
