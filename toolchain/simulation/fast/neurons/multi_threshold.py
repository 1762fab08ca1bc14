"""Compiled step of `mt@1`; toolchain/neurons/multi_threshold.py has the rule."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.simulation.fast.neurons.events import CARRY, compiled
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import MT, Layout
from spikeport.toolchain.simulation.fast.neurons.window_start import carried_over


@compiled
def graded_spike(value, unit, emitted, one):
    """The payload of mt@1 and dc@1: the largest power of two that the membrane asks for.

    A negative one p needs emitted >= p * one. Counting the thresholds passed leaves no branch: p =
    2^(count - 1).
    """
    four = np.int32(4) * value
    at = np.int32(3) * unit
    up = (
        np.int32(four >= at)
        + np.int32(four >= 2 * at)
        + np.int32(four >= 4 * at)
        + np.int32(four >= 8 * at)
    )
    down = np.int32((four <= -at) & (emitted >= one)) + np.int32(
        (four <= -2 * at) & (emitted >= 2 * one)
    )
    down += np.int32((four <= -4 * at) & (emitted >= 4 * one)) + np.int32(
        (four <= -8 * at) & (emitted >= 8 * one)
    )
    return ((np.int32(1) << up) >> np.int32(1)) - ((np.int32(1) << down) >> np.int32(1))


@compiled
def fire_graded(state, where, outputs, sums, total, neurons, first, count, scratch, leaving):
    """mt@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        raw = state[where + j] + sums[total + j] + neurons[first + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        unit = neurons[thresholds + j]
        payload = graded_spike(value, unit, state[net + j], np.int32(1))
        state[where + j] = value - unit * payload
        state[net + j] += payload
        scratch[leaving + j] = payload
    return clipped


@compiled
def carry_over_graded(state, where, outputs, neurons, first, count, control, alpha):
    """mt@1, a window's start."""
    start_at = where + outputs
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        unit = neurons[thresholds + j]
        start = np.int32(0)
        if control == CARRY:
            start = carried_over(
                state[where + j],
                state[start_at + j],
                0,
                np.int64(state[net + j]) * unit,
                -4 * unit,
                4 * unit,
                alpha,
            )
        state[where + j] = start
        state[start_at + j] = start
        state[net + j] = np.int32(0)


LAYOUT = Layout.of_kind(MT, state=3)  # v, v_start, net
