"""Where a membrane starts its window: the carry-over of the residual, contract section 1.5."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.simulation.fast.neurons.events import CARRY, compiled


@compiled
def carried_over(v, v_start, v_init, emitted, low, high, alpha):
    """Where a window starts when the last one's residual is carried over (contract section 1.5).

    64 bits: a long window may have emitted more than 2^31, and nothing of v_init + r is near the
    limit.
    """
    residual = max(np.int64(v - v_start), -np.int64(emitted))
    return np.int32(
        min(max(v_init + ((alpha * residual + 32) >> 6), np.int64(low)), np.int64(high))
    )


@compiled
def carry_over(state, where, outputs, neurons, first, count, control, alpha):
    """if@1 and snm@1, a window's start."""
    start_at = where + outputs
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        threshold = neurons[thresholds + j]
        start = threshold >> np.int32(1)
        if control == CARRY:
            start = carried_over(
                state[where + j],
                state[start_at + j],
                start,
                np.int64(state[net + j]) * threshold,
                0,
                threshold,
                alpha,
            )
        state[where + j] = start
        state[start_at + j] = start
        state[net + j] = np.int32(0)
