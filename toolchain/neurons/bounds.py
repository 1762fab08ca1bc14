"""Bounds of synaptic sums and accumulators over every input within the declared ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import READOUT, Coding, Network, denominator
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.network.synapses import Synapses

Long = NDArray[np.int64]


@dataclass(frozen=True)
class LayerProof:
    """The largest magnitudes that a layer's synaptic sum and accumulator can reach, [out] each."""

    synaptic: Long
    accumulator: Long

    @property
    def bits(self) -> int:
        """Signed bits that the worst row needs."""
        worst = int(max(self.synaptic.max(initial=0), self.accumulator.max(initial=0)))
        return worst.bit_length() + 1


def payload_ranges(network: Network) -> list[tuple[Long, Long]]:
    """Per layer the declared range [low, high] of the values its inputs announce, [in] each."""
    limit = network.encoder.limit.astype(np.int64)
    ranges = [network.code.input_range(limit)]
    ranges += [
        (layer.payload_low.astype(np.int64), layer.payload_high.astype(np.int64))
        for layer in network.layers[:-1]
    ]
    return ranges


@dataclass(frozen=True)
class RowKind:
    """What a proof must know of a layer besides its integers.

    Attributes:
        coding: What the network's payloads mean.
        timesteps: T.
        readout: Whether the layer is a readout, whose accumulator lasts a whole window.
        first: Whether the host feeds it.
    """

    coding: Coding
    timesteps: int = 1
    readout: bool = False
    first: bool = False

    @classmethod
    def of(cls, network: Network, index: int) -> RowKind:
        """The kind of layer `index` of a network."""
        readout = network.layers[index].neuron == READOUT
        return cls(network.coding, network.timesteps, readout, index == 0)

    @property
    def largest_lambda(self) -> int:
        """Of dc: the largest lambda whose emitted sum c <= 8 lambda T D H_T fits 24 bits."""
        return STATE_LIMIT // (8 * self.timesteps * arriving_units(self.timesteps))


def arriving_units(timesteps: int) -> int:
    """D H_T = sum of D / t: what a payload of 1 in every timestep adds to dc's running mean."""
    return sum(denominator(timesteps) // t for t in range(1, timesteps + 1))


def bound_rows(
    synapses: Synapses, bias: NDArray[np.integer], low: Long, high: Long, kind: RowKind
) -> LayerProof:
    """Worst cases of a layer's rows over all inputs within their ranges.

    Args:
        synapses: Of the layer.
        bias: Integers [out].
        low: Least value that each input announces, [in].
        high: Largest value that each input announces, [in].
        kind: What else decides.

    Returns:
        Magnitudes in the row's units, of dc in 1/D of them.
    """
    b = bias.astype(np.int64)
    timesteps = kind.timesteps
    if kind.coding == Coding.ACROSS:
        largest_payload = high - low  # a payload is the change from one value to another
    else:
        largest_payload = np.maximum(np.abs(low), np.abs(high))
    synaptic = synapses.bound(-largest_payload, largest_payload)[1]
    if kind.coding == Coding.DIFFERENTIAL:
        units = denominator(timesteps)
        arriving = units if kind.first else arriving_units(timesteps)
        return LayerProof(units * synaptic, units * np.abs(b) + arriving * synaptic)
    if kind.coding == Coding.ACROSS:
        bottom, top = synapses.bound(low, high)
        accumulator = np.maximum(np.abs(b + top), np.abs(b + bottom))
        return LayerProof(synaptic, np.maximum(accumulator, np.abs(b)))
    accumulator = np.zeros_like(synaptic)
    if kind.readout:
        accumulator = timesteps * (synaptic + np.abs(b))
    return LayerProof(synaptic + np.abs(b), accumulator)
