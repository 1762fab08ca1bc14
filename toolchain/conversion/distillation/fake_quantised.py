"""An `sdn` network in PyTorch that computes what the integers compute and has gradients.

    q0 = clip(round(x / scale))
    y = row_scale * (round(clip(w)) q) + bias
    q' = clip(round(f(y) / unit), low, high)

Roundings pass gradients straight through (Bengio et al. 2013); scales and units are learned in the
logarithm beside the weights, as in LSQ (Esser et al. 2020, arXiv 1902.08153). Weights live in row
units, so their grid is the integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.quantization.rounding import Float


def pytorch() -> Any:
    """The torch module, imported only when somebody fine-tunes; InputError where it is missing."""
    try:
        import torch
    except ImportError:
        raise InputError(
            "--finetune",
            "needs PyTorch, which is not installed",
            fix=("pip install torch", "omit --finetune"),
        ) from None
    return torch


class FakeQuantised:
    """Learnable copy of a network.

    Args:
        network: The integers to begin with.
        spread: [layer][out], real units in which each row's bias is learned.
        bits: Of the weights.
    """

    def __init__(self, network: Network, spread: list[Float], bits: int) -> None:
        self.torch = pytorch()
        self.network = network
        self.limit = float(2 ** (bits - 1) - 1)
        tensor = self._tensor
        self.encoder_low = tensor(-network.encoder.limit.astype(np.float64))
        self.encoder_high = tensor(network.encoder.limit)
        self.low = [tensor(layer.payload_low) for layer in network.layers]
        self.high = [tensor(layer.payload_high) for layer in network.layers]
        self.spread = [tensor(values) for values in spread]
        self.weights = [tensor(layer.weights, learn=True) for layer in network.layers]
        self.biases = [
            tensor(layer.bias * layer.row_scale / values, learn=True)
            for layer, values in zip(network.layers, spread, strict=True)
        ]
        self.row_scales = [tensor(np.log(layer.row_scale), learn=True) for layer in network.layers]
        self.units = [
            tensor(np.log(unit), learn=True)
            for unit in (network.encoder.scale, *(layer.unit for layer in network.layers[:-1]))
        ]

    def _tensor(self, values: Any, learn: bool = False) -> Any:
        return self.torch.tensor(np.asarray(values), dtype=self.torch.float32, requires_grad=learn)

    def _rounded(self, values: Any) -> Any:
        return values + (values.round() - values).detach()

    def outputs(self, inputs: Any) -> Any:
        """Last pre-activations [n, act] for network inputs [n, features]."""
        torch = self.torch
        payloads = self._rounded(
            torch.clamp(inputs / self.units[0].exp(), self.encoder_low, self.encoder_high)
        )
        for index, layer in enumerate(self.network.layers):
            weights = self._rounded(torch.clamp(self.weights[index], -self.limit, self.limit))
            values = (
                payloads @ weights.T * self.row_scales[index].exp()
                + self.biases[index] * self.spread[index]
            )
            if index == len(self.network.layers) - 1:
                return values
            payloads = self._rounded(
                torch.clamp(
                    self._activated(values, layer.activation) / self._unit(index),
                    self.low[index],
                    self.high[index],
                )
            )

    def _unit(self, index: int) -> Any:
        """Real unit of hidden layer `index`; a threshold makes it a whole number of row scales."""
        unit = self.units[index + 1]
        scale = self.row_scales[index]
        if self.network.layers[index].table is not None:
            return unit.exp()
        return self._rounded((unit - scale).exp()).clamp(min=1) * scale.exp()

    def _activated(self, values: Any, activation: str) -> Any:
        """Torch's functions of the names in toolchain/activations.py."""
        if activation == "identity":
            return values
        return getattr(self.torch.nn.functional, activation)(values)

    def arrays(self, name: str) -> list[Float]:
        """The learned values of `weights`, `biases`, `row_scales` or `units`, per layer or signal.

        All but the weights are real.
        """
        values = getattr(self, name)
        if name == "biases":
            values = [bias * spread for bias, spread in zip(values, self.spread, strict=True)]
        if name in ("row_scales", "units"):
            values = [value.exp() for value in values]
        return [value.detach().numpy().astype(np.float64) for value in values]
