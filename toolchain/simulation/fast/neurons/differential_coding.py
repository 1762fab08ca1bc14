"""Compiled step of `dc@1`; toolchain/neurons/differential_coding.py has the rule."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.simulation.fast.neurons.events import CARRY, FOUR, ONE, TWO, compiled
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import DC, Layout
from spikeport.toolchain.simulation.fast.neurons.multi_threshold import graded_spike
from spikeport.toolchain.simulation.fast.neurons.window_start import carried_over


@compiled
def fire_differential(
    state,
    where,
    outputs,
    sums,
    total,
    neurons,
    first,
    count,
    scratch,
    leaving,
    timestep,
    denominator,
):
    """dc@1, one timestep of one layer, all state in units of 1/D.

    Returns how many membranes were clipped.
    """
    clipped = np.int32(0)
    thresholds = first + count
    net = where + TWO * outputs
    mean_in = where + (TWO + ONE) * outputs
    mean_out = where + FOUR * outputs
    units = np.int32(denominator)
    share = np.int32(denominator // (timestep + 1))
    for j in range(outputs):
        synaptic = sums[total + j]
        raw = state[where + j] + units * synaptic + state[mean_in + j] - state[mean_out + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        threshold = neurons[thresholds + j]
        unit = units * threshold
        emitted = state[net + j] + state[mean_out + j]
        payload = graded_spike(value, unit, emitted, unit)
        state[where + j] = value - unit * payload
        state[net + j] = emitted + unit * payload
        state[mean_in + j] += share * synaptic
        state[mean_out + j] += share * payload * threshold
        scratch[leaving + j] = payload
    return clipped


@compiled
def carry_over_differential(
    state, where, outputs, neurons, first, count, control, alpha, denominator
):
    """dc@1, a window's start."""
    start_at = where + outputs
    thresholds = first + count
    units = np.int32(denominator)
    net = where + TWO * outputs
    mean_in = where + (TWO + ONE) * outputs
    mean_out = where + FOUR * outputs
    for j in range(outputs):
        half = 4 * units * neurons[thresholds + j]
        start = np.int32(0)
        if control == CARRY:
            start = carried_over(
                state[where + j],
                state[start_at + j],
                0,
                np.int64(state[net + j]),
                -half,
                half,
                alpha,
            )
        state[where + j] = start
        state[start_at + j] = start
        state[net + j] = np.int32(0)
        state[mean_in + j] = units * neurons[first + j]
        state[mean_out + j] = np.int32(0)


LAYOUT = Layout.of_kind(DC, state=5)  # v, v_start, net, and the running means ein and eout
