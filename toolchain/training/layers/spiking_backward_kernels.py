"""Compiled spiking layers of the CPU, on the way back.

Equations: spiking_stack.py; layout of spikes and blocks: spike_product_kernels.py; `constants`:
spiking_forward_kernels.py. `slopes` holds the surrogate [blocks, rows, LANES]; where `width` > 0 it
is empty and the rectangle is meant. Voltages are computed again from the drives, which costs less
than to write and read them.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.training.layers.lanes import ENTRIES, LANES, move_lanes
from spikeport.toolchain.training.layers.spike_product_kernels import (
    TABLES,
    aligned,
    biases,
    clear,
    compiled,
    product,
)
from spikeport.toolchain.training.layers.spiking_forward_kernels import scan_voltages
from spikeport.toolchain.training.layers.threads import on_threads, portion

BLOCK = 1024  # columns of the way back, a whole multiple of LANES


@compiled
def backward_blocks(
    part,
    parts,
    gradient,
    drives,
    bias,
    slopes,
    width,
    constants,
    timesteps,
    across,
    result,
    d_weight,
    d_bias,
):  # noqa: ANN001, ANN201
    """Do a part of `layer_backward`."""
    n, neurons = gradient.shape[1:]
    samples = drives.shape[1] // timesteps
    each = gradient.shape[0] > 1
    rows = drives.shape[1]
    found = aligned(rows, bias)
    voltage = aligned(rows, bias)
    wanted = aligned(rows, bias)
    sums = aligned(across.shape[1], bias)
    tables = aligned(TABLES * ENTRIES, bias).reshape((TABLES, ENTRIES, LANES))
    wanted[:] = 0
    total = np.empty(LANES, bias.dtype)
    none = np.empty((0, 0), bias.dtype)
    start, stop = portion(drives.shape[0], part, parts)
    for block in range(start, stop):
        first = block * LANES
        count = min(LANES, neurons - first)
        for t in range(gradient.shape[0]):
            move(gradient[t], first, count, wanted[t * samples : t * samples + n], 0, False)
        scan_voltages(drives[block], biases(bias, first), constants, timesteps, voltage)
        clear(total)
        backward(
            wanted,
            each,
            voltage,
            slopes[block] if slopes.size else none,
            width,
            constants,
            timesteps,
            found,
            total,
        )
        for t in range(timesteps):
            summed = result.shape[0] == n
            if summed:
                place = 0
            else:
                place = t * n
            move(
                found[t * samples : t * samples + n],
                0,
                count,
                result[place : place + n],
                first,
                summed and t > 0,
            )
        product(across, found, tables, sums)
        for h in range(count):
            d_bias[first + h] = total[h]
            target = d_weight[first + h]
            for i in range(target.size):
                target[i] = sums[i, h]


@compiled
def move(source, start, count, target, first, adds):  # noqa: ANN001, ANN201
    """Copy `count` columns from `start` of source [n, ...] to target [n, ...] from `first` on.

    Where `adds`, they are added to what is there.
    """
    if count == LANES:
        here = source.ctypes.data + start * source.itemsize
        there = target.ctypes.data + first * target.itemsize
        for r in range(source.shape[0]):
            move_lanes(source, here + r * source.strides[0], there + r * target.strides[0], adds)
        return
    for r in range(source.shape[0]):
        for h in range(count):
            target[r, first + h] = source[r, start + h] + (
                target[r, first + h] if adds else source.dtype.type(0)
            )


@compiled
def backward(  # noqa: ANN001, ANN201
    gradient, each, voltage, slopes, width, constants, timesteps, result, total
):
    """Gradient of a block's spikes -> of its drives in `result`, both [rows, LANES].

    Its sum over rows is added to total [LANES]. Unless there is one for `each` timestep, the
    gradient's first stands for all. A block of columns goes through all timesteps before the next
    one does, so that its states stay in the fastest cache.
    """
    columns = voltage.size // timesteps
    gradients = gradient.reshape((timesteps, columns))
    voltages = voltage.reshape((timesteps, columns))
    results = result.reshape((timesteps, columns))
    if slopes.size:
        given = slopes.reshape((timesteps, columns))
    else:
        given = slopes
    states = np.zeros((6, BLOCK), voltage.dtype)
    sums = states[0]
    slope = states[1]
    d_reset = states[2]
    d_voltage = states[3]
    d_current = states[4]
    d_recovery = states[5]
    for start in range(0, columns, BLOCK):
        stop = min(start + BLOCK, columns)
        clear(d_current)
        clear(d_recovery)
        clear(d_voltage)
        for t in range(timesteps - 1, -1, -1):
            g = gradients[t if each else 0, start:stop]
            v = voltages[t, start:stop]
            surrogate(v, constants[0], width, given, t, start, slope)
            if constants[5] != 0:
                two_state_back(g, v, slope, constants, d_reset, d_recovery, d_voltage)
            else:
                leaky_back(g, v, slope, constants[0], constants[2], d_voltage)
            add_up(d_voltage, constants[1], d_current, sums, results[t, start:stop])
    for c in range(BLOCK):
        total[c % LANES] += sums[c]


@compiled
def leaky_back(g, v, slope, threshold, voltage_keep, d_voltage):  # noqa: ANN001, ANN201
    """Take one timestep back: d_voltage of the timestep after -> of this one.

    g are gradients of the spikes, v voltages.
    """
    zero = threshold - threshold
    for h in range(v.size):
        kept = voltage_keep * d_voltage[h]
        d_voltage[h] = slope[h] * (g[h] - v[h] * kept) + (zero if v[h] > threshold else kept)


@compiled
def two_state_back(g, v, slope, constants, d_reset, d_recovery, d_voltage):  # noqa: ANN001, ANN201
    """Take one timestep back, as leaky_back, for dn."""
    threshold = constants[0]
    reset_v = constants[3]
    reset_u = constants[4]
    coupling_v = constants[5]
    coupling_u = constants[6]
    zero = threshold - threshold
    for h in range(v.size):
        if v[h] > threshold:
            reset = reset_v
        else:
            reset = v[h]
        d_reset[h] = (reset + reset) * d_voltage[h] + coupling_v * d_recovery[h]
    for h in range(v.size):
        d_recovery[h] = coupling_u * d_recovery[h] - d_voltage[h]
    for h in range(v.size):
        d_voltage[h] = g[h] + (reset_v - v[h]) * d_reset[h] + reset_u * d_recovery[h]
    for h in range(v.size):
        d_voltage[h] = slope[h] * d_voltage[h] + (zero if v[h] > threshold else d_reset[h])


@compiled
def surrogate(v, threshold, width, slopes, t, start, slope):  # noqa: ANN001, ANN201
    """Compute the surrogate of one timestep of a block, at voltages v -> slope."""
    if width > 0:
        zero = threshold - threshold
        height = threshold / (threshold * (width + width))
        for h in range(v.size):
            if abs(v[h] - threshold) < width:
                slope[h] = height
            else:
                slope[h] = zero
    else:
        given = slopes[t, start : start + v.size]
        for h in range(v.size):
            slope[h] = given[h]


@compiled
def add_up(d_voltage, current_keep, d_current, sums, result):  # noqa: ANN001, ANN201
    """Compute dx = dV + current_keep dx', into its sums and its place in the result."""
    if current_keep > 0:
        for h in range(result.size):
            d_current[h] = d_voltage[h] + current_keep * d_current[h]
        for h in range(result.size):
            sums[h] += d_current[h]
        for h in range(result.size):
            result[h] = d_current[h]
    else:
        for h in range(result.size):
            sums[h] += d_voltage[h]
        for h in range(result.size):
            result[h] = d_voltage[h]


share_backward = on_threads(backward_blocks)


@compiled
def layer_backward(
    team,
    gradient,
    drives,
    bias,
    slopes,
    width,
    constants,
    timesteps,
    across,
    result,
    d_weight,
    d_bias,
):  # noqa: ANN001, ANN201
    """Gradient [T or 1, n, neurons] of a layer's spikes -> of its drives, weights and biases.

    That of the drives is in result [T * n or n, neurons]: n rows are sums over T. One timestep of
    the gradient stands for all. `across` is of the layer's inputs.
    """
    share_backward(
        team,
        min(team[1], drives.shape[0]),
        (
            gradient,
            drives,
            bias,
            slopes,
            width,
            constants,
            timesteps,
            across,
            result,
            d_weight,
            d_bias,
        ),
    )
