"""Compiled step of `snm@1`; toolchain/neurons/signed_memory.py has the rule."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.simulation.fast.neurons.events import compiled
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import SNM, Layout


@compiled
def fire_signed(state, where, outputs, sums, total, neurons, first, count, scratch, leaving):
    """snm@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    net = where + outputs + outputs
    thresholds = first + count
    for j in range(outputs):
        raw = state[where + j] + sums[total + j] + neurons[first + j]
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        threshold = neurons[thresholds + j]
        spike = np.int32(value >= threshold) - np.int32((value < 0) & (state[net + j] >= 1))
        state[where + j] = value - threshold * spike
        state[net + j] += spike
        scratch[leaving + j] = spike
    return clipped


LAYOUT = Layout.of_kind(SNM, state=3)  # v, v_start, net
