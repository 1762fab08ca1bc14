"""What a layer of a spiking network is made of, and what its way back needs of the way there."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spikeport.toolchain.training.layers.surrogates import PAPER, Surrogate


@dataclass(frozen=True)
class LayerKind:
    """What a layer is besides its weights: its neuron, and the surrogate of its way back."""

    neuron: str = "lif"
    surrogate: Surrogate = PAPER


@dataclass(frozen=True)
class KeptLayer:
    """A layer's parameters and what its forward pass kept, in the form of the module that ran it.

    Attributes:
        weight: [neurons, inputs].
        bias: [neurons].
        spikes: Of its inputs.
        drives: Of its neurons.
    """

    weight: Tensor
    bias: Tensor
    spikes: Tensor
    drives: Tensor
