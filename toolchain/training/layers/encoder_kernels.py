"""The compiled encoder of the CPU: activations to spikes, as spike_product_kernels.py lays them."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.training.layers.lanes import LANES, ROWS, encoder_spikes
from spikeport.toolchain.training.layers.spike_product_kernels import (
    clear,
    compiled,
    pack,
    pack_across,
)
from spikeport.toolchain.training.layers.threads import on_threads, portion


@compiled
def encode_blocks(  # noqa: ANN001, ANN201
    part, parts, activations, threshold, timesteps, patterns, across
):
    """Do a part of `encode`."""
    n, inputs = activations.shape
    rows = patterns.shape[1]
    samples = rows // timesteps
    fired = np.zeros(rows, np.uint16)
    values = np.zeros(LANES, activations.dtype)
    start, stop = portion(patterns.shape[0] * ROWS // LANES, part, parts)
    for block in range(start, stop):
        first = block * LANES
        count = min(LANES, inputs - first)
        clear(values)
        for r in range(n):
            here = activations[r].ctypes.data + first * values.itemsize
            if count < LANES:
                for h in range(count):
                    values[h] = activations[r, first + h]
                here = values.ctypes.data
            encoder_spikes(
                here,
                timesteps,
                threshold,
                fired.ctypes.data + r * fired.itemsize,
                samples * fired.itemsize,
            )
        pack(fired, patterns[block * (LANES // ROWS) : (block + 1) * (LANES // ROWS)])
        if across.size:
            pack_across(fired, across, first)


share_encoding = on_threads(encode_blocks)


@compiled
def encode(team, activations, threshold, timesteps, patterns, across):  # noqa: ANN001, ANN201
    """Activations [n, inputs] -> spikes of `timesteps` timesteps, as patterns and across.

    Nothing is written to an `across` of size 0.
    """
    share_encoding(team, team[1], (activations, threshold, timesteps, patterns, across))
