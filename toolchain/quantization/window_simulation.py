"""What the integer neurons of a layer send within a window, by their own reference step, on
calibration states.

A rate is not what arrives at the next layer: a window holds few levels, residues stay behind, a
graded payload overshoots, and the running mean of differential coding may exceed theta.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Coding, Layer
from spikeport.toolchain.neurons import HIDDEN_NEURONS, START

Float = NDArray[np.float64]
Payloads = NDArray[np.int8]
CHUNK = 256  # states at a time: their membranes stay in the cache


def window_payloads(layer: Layer, arriving: NDArray[Any], timesteps: int) -> Payloads:
    """Payloads [N, T, out] of a hidden rate layer for payloads [N, T', in], every state a window
    that starts afresh.

    T' = T, or 1 for the layer that the host feeds: its input comes once.
    """
    neuron = HIDDEN_NEURONS[layer.neuron]
    sent = np.zeros((len(arriving), timesteps, layer.outputs), np.int8)
    weights = layer.weights.T.astype(
        np.float32
    )  # exact: the range proof bounds every partial sum by 2^23
    for first in range(0, len(arriving), CHUNK):
        sums = (arriving[first : first + CHUNK].astype(np.float32) @ weights).astype(np.int64)
        state = neuron.initial(layer, len(sums))
        active = np.ones(len(sums), bool)
        neuron.begin(layer, state, np.full(len(sums), START), timesteps, alpha=0)
        for timestep in range(timesteps):
            if timestep < sums.shape[1]:
                synaptic = sums[:, timestep]
            else:
                synaptic = np.zeros_like(sums[:, 0])
            sent[first : first + CHUNK, timestep] = neuron.step(layer, state, synaptic, active)
    return sent


def decoded_mean(payloads: NDArray[Any], coding: Coding) -> Float:
    """What a window's payloads [N, T, n] mean to the next layer, in payload units [N, n].

    Their mean, or sum_t p_t / t (dc).
    """
    timesteps = payloads.shape[1]
    if coding == Coding.DIFFERENTIAL:
        share = 1 / np.arange(1, timesteps + 1)
    else:
        share = np.full(timesteps, 1 / timesteps)
    return np.einsum("ntj,t->nj", payloads, share, optimize=True)
