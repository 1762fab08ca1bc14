"""Compiled step of `if@1`; toolchain/neurons/integrate_and_fire.py has the rule."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.simulation.fast.neurons.events import compiled
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import IF, Layout


@compiled
def fire(state, where, outputs, sums, total, neurons, first, count, scratch, leaving):
    """if@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        raw = state[where + j] + sums[total + j] + neurons[first + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        threshold = neurons[thresholds + j]
        spike = np.int32(value > threshold)
        state[where + j] = value - threshold * spike
        state[net + j] += spike
        scratch[leaving + j] = spike
    return clipped


LAYOUT = Layout.of_kind(IF, state=3)  # v, v_start, net
