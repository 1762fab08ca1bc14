"""What a layer of a spiking network is made of."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.toolchain.training.layers.surrogates import PAPER, Surrogate


@dataclass(frozen=True)
class LayerKind:
    """What a layer is besides its weights: its neuron, and the surrogate of its way back."""

    neuron: str = "lif"
    surrogate: Surrogate = PAPER
