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

import numpy as np

from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.integer_network import Coding, Layer, Network, denominator
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons.bounds import LayerProof, RowKind, bound_rows, payload_ranges
from spikeport.toolchain.neurons.leaky_integrate_and_fire import bound_membrane


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
