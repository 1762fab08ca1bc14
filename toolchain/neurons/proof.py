"""The range proof: no synaptic sum and no persistent accumulator ever leaves 24 bits.

It holds for every input within the declared payload widths and for every order of partial sums
(contract section 1.4). With r_i = the payloads that input i may carry:

    sum_j      = sum_i |w_ji| * max|r_i| + |b_j|      synaptic sum of a timestep, bias included
    sdn        q_i in [low_i, high_i], so d_i in [low_i - high_i, high_i - low_i] and, since
        payloads telescope,
               acc_j in b_j + [sum_i min(w q), sum_i max(w q)], at every moment of a decision
    readout    rate neurons: |T b_j| + T * sum_i |w_ji| * max|r_i|
    dc         everything in units of 1/D, D = lcm(1..T), H = sum 1/t over the timesteps in which
        input may come
               (t = 1 only for the first layer): ein and the readout |D b_j| + D H sum_i |w_ji|
               max|r_i|; eout <= 8 lambda_j D H_T, and c = t * eout <= T * that
    leaky      the synaptic sum times 2^shift, bias added; v saturates
    lif        |u| and |v| over the T + L steps between two resets (membrane_proof.py)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.integer_network import (
    READOUT,
    STATE_LIMIT,
    Coding,
    Layer,
    Network,
    denominator,
)
from spikeport.toolchain.quantization.membrane_proof import bound_membrane

Long = NDArray[np.int64]


@dataclass(frozen=True)
class LayerProof:
    """The largest magnitude that a layer's synaptic sum and accumulator can reach, per row [out]."""

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
    ranges = [
        (
            (-limit, limit)
            if network.coding != Coding.SPIKES
            else (np.zeros_like(limit), np.ones_like(limit))
        )
    ]
    ranges += [
        (layer.payload_low.astype(np.int64), layer.payload_high.astype(np.int64))
        for layer in network.layers[:-1]
    ]
    return ranges


@dataclass(frozen=True)
class RowKind:
    """What a proof must know of a layer besides its integers.

    `first` is the layer that the host feeds.
    """

    coding: Coding
    timesteps: int = 1
    readout: bool = False
    first: bool = False

    @classmethod
    def of(cls, network: Network, index: int) -> RowKind:
        return cls(
            network.coding, network.timesteps, network.layers[index].neuron == READOUT, index == 0
        )

    @property
    def largest_lambda(self) -> int:
        """Of dc.

        The largest lambda whose emitted sum c <= 8 lambda T D H_T stays within 24 bits.
        """
        units = sum(denominator(self.timesteps) // t for t in range(1, self.timesteps + 1))
        return STATE_LIMIT // (8 * self.timesteps * units)


def bound_rows(weights: NDArray, bias: NDArray, low: Long, high: Long, kind: RowKind) -> LayerProof:
    """Worst cases of rows with integer `weights` [out, in] and `bias` [out], input values in [low,
    high].
    """
    w = weights.astype(np.int64)
    b = bias.astype(np.int64)
    timesteps = kind.timesteps
    if kind.coding == Coding.ACROSS:
        largest_payload = high - low
    else:
        largest_payload = np.maximum(np.abs(low), np.abs(high))
    synaptic = np.abs(w) @ largest_payload
    if kind.coding == Coding.DIFFERENTIAL:
        units = denominator(timesteps)
        if kind.first:
            arriving = units
        else:
            arriving = sum(units // t for t in range(1, timesteps + 1))
        return LayerProof(units * synaptic, units * np.abs(b) + arriving * synaptic)
    if kind.coding == Coding.ACROSS:
        top = b + np.maximum(w, 0) @ high + np.minimum(w, 0) @ low
        bottom = b + np.maximum(w, 0) @ low + np.minimum(w, 0) @ high
        accumulator = np.maximum(np.abs(top), np.abs(bottom))
        return LayerProof(synaptic, np.maximum(accumulator, np.abs(b)))
    if kind.readout:
        accumulator = timesteps * (synaptic + np.abs(b))
    else:
        accumulator = np.zeros_like(synaptic)
    return LayerProof(synaptic + np.abs(b), accumulator)


def bound(network: Network, index: int) -> LayerProof:
    """Worst cases of layer `index` of a network."""
    layer: Layer = network.layers[index]
    if layer.dynamics is not None:
        u, v = bound_membrane(layer.weights, layer.bias, layer.dynamics, network.chip_steps)
        return LayerProof(u, v)
    low, high = payload_ranges(network)[index]
    kind = RowKind.of(network, index)
    proof = bound_rows(layer.weights, layer.bias, low, high, kind)
    if layer.leak is not None:
        bias = np.abs(layer.bias.astype(np.int64))
        return LayerProof(((proof.synaptic - bias) << layer.leak.shift) + bias, proof.accumulator)
    if kind.coding != Coding.DIFFERENTIAL or kind.readout:
        return proof
    units = sum(denominator(kind.timesteps) // t for t in range(1, kind.timesteps + 1))
    emitted = 8 * kind.timesteps * units * layer.threshold.astype(np.int64)
    return LayerProof(proof.synaptic, np.maximum(proof.accumulator, emitted))


def prove(network: Network, where: str = "range proof") -> list[LayerProof]:
    """Prove every layer, or raise one InputError that lists all rows' violations by layer."""
    proofs = [bound(network, index) for index in range(len(network.layers))]
    problems = []
    for index, proof in enumerate(proofs):
        for name in ("synaptic", "accumulator"):
            values = getattr(proof, name)
            bad = np.flatnonzero(values > STATE_LIMIT)
            if len(bad):
                problems.append(
                    f"layer {index}: {len(bad)} rows' {name} sum may reach {int(values.max())},"
                    f" limit {STATE_LIMIT}"
                )
    if problems:
        raise violations(
            where,
            problems,
            why="24-bit state must hold for every input within the declared widths",
            fix=(
                "lower --weight-bits"
                if network.coding == Coding.SPIKES
                else (
                    "raise --action-error (narrower payloads)",
                    "lower --weight-bits",
                    "lower --timesteps",
                )
            ),
        )
    return proofs
