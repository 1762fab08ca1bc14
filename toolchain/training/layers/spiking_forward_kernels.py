"""Compiled spiking layers of the CPU, forward: products of spikes and scans over T.

Equations: spiking_stack.py; layout of spikes and blocks: spike_product_kernels.py. `constants` are
those of scans.py: threshold, current_keep, voltage_keep, reset_v, reset_u, coupling_v, coupling_u.
Without couplings the neuron is leaky, lif where current_keep is 0, else clif; with them it is dn.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.training.layers.lanes import (
    ENTRIES,
    LANES,
    ROWS,
    leaky_spikes,
    leaky_voltages,
    two_state_spikes,
    two_state_voltages,
)
from spikeport.toolchain.training.layers.spike_product_kernels import (
    TABLES,
    aligned,
    biases,
    clear,
    compiled,
    pack,
    pack_across,
    product,
)
from spikeport.toolchain.training.layers.threads import on_threads, portion


@compiled
def scan_voltages(drive, bias, constants, timesteps, out):  # noqa: ANN001, ANN201
    """Drives [rows, LANES] of a block, biases [LANES] -> voltages [rows, LANES]."""
    size = LANES * drive.itemsize
    samples = drive.shape[0] // timesteps
    for r in range(samples):
        here = drive.ctypes.data + r * size
        there = out.ctypes.data + r * size
        if constants[5] != 0:
            two_state_voltages(
                here, samples * size, timesteps, bias.ctypes.data, constants, there, samples * size
            )
        else:
            leaky_voltages(
                here, samples * size, timesteps, bias.ctypes.data, constants, there, samples * size
            )


@compiled
def scan_spikes(drive, bias, constants, timesteps, fired):  # noqa: ANN001, ANN201
    """Drives [rows, LANES] of a block, biases [LANES] -> what fired [rows], a bit per lane."""
    size = LANES * drive.itemsize
    samples = drive.shape[0] // timesteps
    for r in range(samples):
        here = drive.ctypes.data + r * size
        there = fired.ctypes.data + r * fired.itemsize
        if constants[5] != 0:
            two_state_spikes(
                here,
                samples * size,
                timesteps,
                bias.ctypes.data,
                constants,
                there,
                samples * fired.itemsize,
            )
        else:
            leaky_spikes(
                here,
                samples * size,
                timesteps,
                bias.ctypes.data,
                constants,
                there,
                samples * fired.itemsize,
            )


@compiled
def forward_blocks(
    part, parts, patterns, weight, bias, constants, timesteps, drives, spiking, across, counts
):  # noqa: ANN001, ANN201
    """Do a part of `layer_forward`."""
    neurons, inputs = weight.shape
    rows = patterns.shape[1]
    values = aligned(ROWS * patterns.shape[0], weight)
    tables = aligned(TABLES * ENTRIES, weight).reshape((TABLES, ENTRIES, LANES))
    values[inputs:] = 0
    fired = np.empty(rows, np.uint16)
    total = np.empty(LANES, np.uint32)
    blocks = (neurons + LANES - 1) // LANES
    start, stop = portion(blocks, part, parts)
    for block in range(start, stop):
        first = block * LANES
        count = min(LANES, neurons - first)
        for h in range(count):
            its = weight[first + h]
            for i in range(inputs):
                values[i, h] = its[i]
        for h in range(count, LANES):
            for i in range(inputs):
                values[i, h] = 0
        drive = drives[block if drives.shape[0] == blocks else part]
        product(patterns, values, tables, drive)
        scan_spikes(drive, biases(bias, first), constants, timesteps, fired)
        if spiking.size:
            pack(fired, spiking[block * (LANES // ROWS) : (block + 1) * (LANES // ROWS)])
        if across.size:
            pack_across(fired, across, first)
        for r in range(counts.shape[0]):
            clear(total)
            for t in range(timesteps):
                bits = np.uint32(fired[t * (rows // timesteps) + r])
                for h in range(LANES):
                    total[h] += np.uint32(np.uint32(bits >> np.uint32(h)) & np.uint32(1))
            for h in range(count):
                counts[r, first + h] = total[h]


@compiled
def layer_voltages(drives, bias, constants, timesteps, voltages):  # noqa: ANN001, ANN201
    """Compute a layer's voltages [blocks, rows, LANES], for surrogates computed elsewhere."""
    for block in range(voltages.shape[0]):
        scan_voltages(
            drives[block], biases(bias, block * LANES), constants, timesteps, voltages[block]
        )


share_forward = on_threads(forward_blocks)


@compiled
def layer_forward(
    team, patterns, weight, bias, constants, timesteps, drives, spiking, across, counts
):  # noqa: ANN001, ANN201
    """Run a layer of weight [neurons, inputs] and bias [neurons] on the spikes in `patterns`.

    Its own spikes are written as patterns to `spiking`, to `across`, and as counts [n, neurons],
    to each of these that is not of size 0. Drives without bias are kept in drives [blocks, rows,
    LANES]; where that has one block per thread of the team instead, they are overwritten.
    """
    blocks = (weight.shape[0] + LANES - 1) // LANES
    share_forward(
        team,
        min(team[1], blocks),
        (patterns, weight, bias, constants, timesteps, drives, spiking, across, counts),
    )
