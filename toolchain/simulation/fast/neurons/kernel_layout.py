"""How a layer lies in the plan's arrays: the rows that kernels read, and each neuron's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Layer, Network

# Kinds of layers, which begin and window branch by. Their order matters: up to DC membranes
# integrate into `sums`, from READOUT_RATE on nothing is sent.
(
    IF,
    SNM,
    MT,
    LEAKY,
    DC,
    SDN_RELU,
    SDN_IDENTITY,
    SDN_TABLE,
    READOUT_RATE,
    READOUT_DIFFERENTIAL,
    READOUT_ACROSS,
) = range(11)
# Rows of a layer's block, one column per neuron.
BIAS, THRESHOLD, LOW, HIGH, MAGIC, MAGIC_SHIFT, TABLE_SHIFT = range(7)
NEURON_ROWS = 7


@dataclass(eq=False)
class Block:
    """One layer while it is laid out.

    Attributes:
        neurons: The rows above, [NEURON_ROWS, outputs].
        trigger: The trigger of sdn; leaky keeps its shift here.
        segments: Segments per neuron of an activation table, or 0.
        tables: Starts, multipliers and offsets, [3, outputs * segments].
    """

    neurons: NDArray[np.int64]
    trigger: int
    segments: int = 0
    tables: NDArray[np.int32] | None = None

    @classmethod
    def of(cls, layer: Layer) -> Block:
        """What is the same for every neuron."""
        neurons = np.zeros((NEURON_ROWS, layer.outputs), np.int64)
        neurons[BIAS] = layer.bias
        neurons[THRESHOLD] = np.maximum(layer.threshold, 1)
        neurons[LOW] = layer.payload_low
        neurons[HIGH] = layer.payload_high
        return cls(neurons, layer.trigger)


def _nothing_more(layer: Layer, block: Block) -> None:
    """Add nothing: what is common to all neurons is enough."""


@dataclass(frozen=True)
class Layout:
    """A neuron in the plan.

    Attributes:
        kind: The kind of a layer of this neuron.
        state: Integers of state per neuron.
        lay_out: Adds to a block what is the neuron's own.
    """

    kind: Callable[[Network, Layer], int]
    state: int
    lay_out: Callable[[Layer, Block], None] = _nothing_more

    @classmethod
    def of_kind(
        cls, kind: int, state: int, lay_out: Callable[[Layer, Block], None] = _nothing_more
    ) -> Layout:
        """The layout of a neuron that is of one kind in every layer."""
        return cls(lambda network, layer: kind, state, lay_out)
