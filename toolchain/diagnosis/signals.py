"""What a spiking network's layers said, as numbers per decision.

Payloads are summed over time in the layer's own coding:

    rate (if, snm, mt)        v = sum_t p(t) / T
    differential (dc)         v = sum_t p(t) / t             the running mean after timestep T
    across decisions (sdn)    v = sum of all p since the last start or resync

The real value of neuron i is v_i times what one unit of payload is worth
(toolchain/diagnosis/worth.py). The input's v is q0: it is sent once and held, or accumulated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.assemble import SYNTHETIC
from spikeport.toolchain.host.observations import Float
from spikeport.toolchain.network.integer_network import Coding, Network
from spikeport.toolchain.simulation.backend import Backend, LayerTrace, Trace


@dataclass(frozen=True, eq=False)
class Signals:
    """What was heard in n states.

    observations [n, obs], decisions [n] (their numbers), actions [n, act], and `values`, the
    payload values of the input and of the hidden layers [n, channels] each.
    """

    observations: Float
    decisions: NDArray[np.int64]
    values: tuple[Float, ...]
    actions: Float
    limit_hits: tuple[float, ...]  # share of membranes at the 24-bit limit, per hidden layer


def listen(backend: Backend, episodes: Sequence[Float], states: int) -> Signals:
    """Trace the first decisions of each episode's observations [n, obs], about `states` in all.

    From the first decision on: residuals, accumulators and a time feature depend on what came
    before.
    """
    share = max(states // len(episodes), 1)
    network = backend.network
    parts = []
    for episode in episodes:
        observations = np.ascontiguousarray(episode[:share])
        flags = np.zeros(len(observations), np.uint8)
        flags[0] = 1
        parts.append((observations, backend.trace(observations, flags)))
    decoded = [_values(network, trace) for _, trace in parts]
    limits = [
        [np.mean(np.abs(layer.states) >= 2**23 - 1) for layer in trace.layers[:-1]]
        for _, trace in parts
    ]
    return Signals(
        np.concatenate([observations for observations, _ in parts]),
        np.concatenate([np.arange(len(observations)) for observations, _ in parts]),
        tuple(
            np.concatenate([values[index] for values in decoded])
            for index in range(len(network.layers))
        ),
        np.concatenate([trace.actions for _, trace in parts]),
        tuple(float(np.mean(column)) for column in zip(*limits, strict=True)),
    )


def listen_to_probe(backend: Backend) -> Signals:
    """The same for the recorded stretches of the artifact's probe: states of calibration."""
    probe = backend.artifact.probe
    recorded = max(len(probe.flags) - SYNTHETIC, 1)
    starts = [0, *(int(row) for row in np.flatnonzero(probe.flags[:recorded] == 1) if row)]
    stretches = [
        probe.observations[first:last]
        for first, last in zip(starts, [*starts[1:], recorded], strict=True)
    ]
    return listen(backend, stretches, len(stretches) * recorded)


def _values(network: Network, trace: Trace) -> list[Float]:
    if network.coding != Coding.ACROSS:
        return [
            trace.inputs.astype(np.float64),
            *(_windowed(network, layer) for layer in trace.layers[:-1]),
        ]
    changes = [trace.inputs, *(layer.payloads[:, 0] for layer in trace.layers[:-1])]
    period = network.resync_every
    count = len(trace.inputs)
    starts = [*range(0, count, period)] if period else [0]
    edges = zip(starts, [*starts[1:], count], strict=True)
    spans = [slice(first, last) for first, last in edges]
    return [
        np.concatenate([np.cumsum(change[span].astype(np.float64), axis=0) for span in spans])
        for change in changes
    ]


def _windowed(network: Network, layer: LayerTrace) -> Float:
    times = np.arange(1, network.timesteps + 1)
    if network.coding == Coding.DIFFERENTIAL:
        weights = 1.0 / times
    else:
        weights = np.full(len(times), 1.0 / network.timesteps)
    return np.einsum("ntj,t->nj", layer.payloads, weights)
