"""Compiled step of `leaky@1`; toolchain/neurons/leaky.py has the rule."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons.leaky import leak_of
from spikeport.toolchain.simulation.fast.neurons.events import FOUR, compiled
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import (
    LEAKY,
    MAGIC,
    THRESHOLD,
    Block,
    Layout,
)


@compiled
def fire_leaky(state, where, outputs, sums, total, neurons, first, count, shift, scratch, leaving):
    """leaky@1, one timestep of one layer. Returns how many membranes were clipped."""
    clipped = np.int32(0)
    thresholds = first + count
    keeps = first + FOUR * count
    shift = np.int32(shift)
    for j in range(outputs):
        v = state[where + j]
        threshold = neurons[thresholds + j]
        kept = np.int32((np.int64(abs(v)) * np.int64(neurons[keeps + j])) >> 12)
        raw = (kept if v >= 0 else -kept) + (sums[total + j] << shift) + neurons[first + j]
        raw -= threshold if v > threshold else np.int32(0)
        value = min(max(raw, np.int32(-STATE_LIMIT)), np.int32(STATE_LIMIT))
        clipped += np.int32(value != raw)
        state[where + j] = value
        scratch[leaving + j] = np.int32(threshold < value)
    return clipped


def lay_out(layer: Layer, block: Block) -> None:
    """Put the leak where the kernel reads it: `keep` in MAGIC, the shift in the trigger's place."""
    leak = leak_of(layer)
    block.neurons[THRESHOLD] = layer.threshold  # trained thresholds may be zero or negative
    block.neurons[MAGIC] = leak.keep
    block.trigger = leak.shift


LAYOUT = Layout.of_kind(LEAKY, state=1, lay_out=lay_out)  # v
