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
    lif        |u| and |v| over the T + L steps between two resets

What follows from the coding is in bounds.py, what a neuron adds in its own file (`Neuron.bound`).
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons import neuron_of
from spikeport.toolchain.neurons.bounds import LayerProof


def bound(network: Network, index: int) -> LayerProof:
    """Worst cases of layer `index` of a network."""
    return neuron_of(network, network.layers[index]).bound(network, index)


def prove(network: Network, where: str = "range proof") -> list[LayerProof]:
    """Prove every layer.

    Raises InputError that lists the rows of all layers that leave 24 bits.
    """
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
                (
                    "raise --action-error (narrower payloads)",
                    "lower --weight-bits",
                    "lower --timesteps",
                )
                if network.coding.graded
                else "lower --weight-bits"
            ),
        )
    return proofs
