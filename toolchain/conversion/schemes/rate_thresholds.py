"""The full scale of every neuron of differential coding: the least error of what it sends.

The largest activation as theta never saturates but spends the few levels of a short window on
states that hardly occur; activations of trained policies have long tails. Differential coding may
exceed theta besides: its running mean reaches theta (1 + 1/2 + ... + 1/T). So each neuron takes, of
a few shares of the maximum, the one with the least mean squared error against the float activation
on calibration states. Saturation counts with its square: a tail that matters keeps its range.

What a window error costs in the closed loop differs by policy: one that falls over small errors
wants small thresholds, another the tails. The closed loop tries SHARES one after another.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.states import subset
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.network.integer_network import Coding, Layer
from spikeport.toolchain.neurons import HIDDEN_NEURONS, START

Float = NDArray[np.float64]
Payloads = NDArray[np.int8]
SHARES = (  # of the largest activation
    (1.0, 0.8, 0.6),
    (0.8, 0.7, 0.6, 0.5),
    (1.3, 1.0, 0.8, 0.6),
    (1.0,),
)
STATES = 1500
CHUNK = 256  # states at a time: their membranes stay in the cache


def shares_to_try(choices: ConversionChoices) -> tuple[float, ...]:
    """The user's list of shares, or the first of SHARES."""
    return choices.threshold_shares or SHARES[0]


def least_error_thresholds(
    layer: Layer,
    arriving: NDArray[Any],
    activations: Float,
    timesteps: int,
    coding: Coding,
    shares: tuple[float, ...],
    largest: float = np.inf,
) -> Layer:
    """The layer with each neuron's best share of its threshold.

    Of equals the first in the list is taken, so that is what a silent neuron gets.

    Args:
        layer: Its thresholds are the whole of which shares are tried.
        arriving: Payloads [N, T', in] that reach it, T' = T or 1.
        activations: Float ones [N, out] that it should send.
        timesteps: Of a window.
        coding: What its payloads mean.
        shares: Tried in turn.
        largest: The largest integer threshold.

    Returns:
        The layer with new thresholds and units.
    """
    chosen = subset(len(arriving), STATES)
    payloads = arriving[chosen]
    wanted = activations[chosen]
    best = layer
    least = np.full(layer.outputs, np.inf)
    for share in shares:
        candidate = with_threshold(layer, np.minimum(share * layer.threshold, largest))
        sent = window_payloads(candidate, payloads, timesteps)
        found = decoded_mean(sent, coding) * candidate.unit
        error = ((found - wanted) ** 2).mean(0)
        best = with_threshold(layer, np.where(error < least, candidate.threshold, best.threshold))
        least = np.minimum(error, least)
    return best


def with_threshold(layer: Layer, threshold: NDArray[Any]) -> Layer:
    """The layer with the nearest thresholds that its neuron allows, in row units [out].

    An even theta (if, snm) makes theta // 2 exact.
    """
    step = 1
    if HIDDEN_NEURONS[layer.neuron].traits.levels == 1:
        step = 2
    integers = step * np.maximum(np.rint(threshold / step), 1).astype(np.int32)
    return dataclasses.replace(layer, threshold=integers, unit=integers * layer.row_scale)


def window_payloads(layer: Layer, arriving: NDArray[Any], timesteps: int) -> Payloads:
    """Payloads [N, T, out] of a hidden rate layer for payloads [N, T', in].

    Every state is a window that starts afresh. T' = T, or 1 for the layer that the host feeds: its
    input comes once.
    """
    neuron = HIDDEN_NEURONS[layer.neuron]
    sent = np.zeros((len(arriving), timesteps, layer.outputs), np.int8)
    # float32 is exact: the range proof bounds every partial sum by 2^23
    weights = layer.weights.T.astype(np.float32)
    for first in range(0, len(arriving), CHUNK):
        rows = slice(first, first + CHUNK)
        sums = (arriving[rows].astype(np.float32) @ weights).astype(np.int64)
        state = neuron.initial(layer, len(sums))
        active = np.ones(len(sums), bool)
        neuron.begin(layer, state, np.full(len(sums), START), timesteps, alpha=0)
        for timestep in range(timesteps):
            synaptic = np.zeros_like(sums[:, 0])
            if timestep < sums.shape[1]:
                synaptic = sums[:, timestep]
            sent[rows, timestep] = neuron.step(layer, state, synaptic, active)
    return sent


def decoded_mean(payloads: NDArray[Any], coding: Coding) -> Float:
    """What a window's payloads [N, T, n] mean to the next layer, in payload units [N, n].

    Their mean, or sum_t p_t / t (dc).
    """
    timesteps = payloads.shape[1]
    share = np.full(timesteps, 1 / timesteps)
    if coding == Coding.DIFFERENTIAL:
        share = 1 / np.arange(1, timesteps + 1)
    return np.einsum("ntj,t->nj", payloads, share, optimize=True)
