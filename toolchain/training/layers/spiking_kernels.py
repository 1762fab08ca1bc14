"""Compiled spiking layers of the CPU: products of spikes by table, scans over T, and their way
back. Equations: spiking_stack.py.

A product of spikes needs no multiplication: four inputs that spike or not have sixteen sums of
weights, which a table holds, so one addition stands for four multiply-adds however dense the spikes
are. (The method of four Russians: Arlazarov et al. 1970.) Floating-point sums come in another order
than a dense product's, nothing else differs. The way back is the same product: a weight's gradient
adds up gradients of drives where its input spiked, four rows to a table.

A row is one timestep of one sample, row t * samples + sample; samples are padded to a whole
multiple of ROWS, and those beyond the real ones change nothing: no result is read from them, and
their gradients are 0. `patterns` [groups, rows] are uint8: bits 3 to 6 of an entry say which of a
group's four inputs spike in a row. `across` [groups of four rows, inputs] are the same spikes the
other way round.

A layer is computed in blocks of LANES neurons: their tables, their drives [rows, LANES], the scan
over T of these, the spikes and their patterns, all of which stay in a core's own cache. Blocks do
not depend on each other, so threads share them. What must stay in registers stands in lanes.py;
other inner loops touch few arrays each, as the compiler makes no vector instructions of many.
Numbers are float32 or float64 throughout, scalar arguments too, as a Python float would widen the
loops. `slopes` holds the surrogate [blocks, rows, LANES]; where `width` > 0 it is empty and the
rectangle is meant. Voltages are computed again on the way back, from the drives: that costs less
than to write and read them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.compilation import njit
from spikeport.toolchain.training.layers.lanes import (
    ENTRIES,
    LANES,
    ROWS,
    SCALE,
    add_entries,
    encoder_spikes,
    fill_table,
    leaky_spikes,
    leaky_voltages,
    move_lanes,
    two_state_spikes,
    two_state_voltages,
)
from spikeport.toolchain.training.layers.threads import on_threads, portion

compiled: Any = njit(boundscheck=False, nogil=True, error_model="numpy")
TABLES = 20  # that lie in the fastest cache together
LINE = 64  # bytes of a line of cache
BLOCK = 1024  # columns of the way back, a whole multiple of LANES


@compiled
def aligned(rows, like):  # noqa: ANN001, ANN201
    """Memory [rows, LANES] for numbers as in `like` that begins with a line of cache.

    Loads of a row that lies in two lines take twice as long.
    """
    size = like.itemsize
    memory = np.empty(rows * LANES + LINE // size, like.dtype)
    start = (-memory.ctypes.data % LINE) // size
    return memory[start : start + rows * LANES].reshape((rows, LANES))


@compiled
def product(patterns, values, tables, out):  # noqa: ANN001, ANN201
    """Out [rows, LANES] = spikes of `patterns` [groups, rows] times values [groups * ROWS, LANES]."""
    size = values.itemsize * LANES
    for first in range(0, patterns.shape[0], tables.shape[0]):
        count = min(tables.shape[0], patterns.shape[0] - first)
        for k in range(count):
            fill_table(values, first + k, tables, k)
        here = patterns[first:].ctypes.data
        there = out.ctypes.data
        for r in range(0, out.shape[0], ROWS):
            add_entries(tables, here + r, patterns.shape[1], count, there + r * size, first == 0)


@compiled
def scan_voltages(drive, bias, constants, timesteps, out):  # noqa: ANN001, ANN201
    """Drives [rows, LANES] of a block, biases [LANES] -> voltages [rows, LANES]. constants:
    threshold, current_keep, voltage_keep, reset_v, reset_u, coupling_v, coupling_u; without
    couplings the neuron is leaky: lif (current_keep 0) or clif, else dn.
    """
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
    """As scan_voltages, but what fired [rows], a bit per lane."""
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
def pack(fired, patterns):  # noqa: ANN001, ANN201
    """What fired [rows], a bit per lane -> patterns [LANES / ROWS, rows]."""
    for g in range(LANES // ROWS):
        target = patterns[g]
        shift = np.uint16(ROWS * g)
        for r in range(fired.size):
            target[r] = np.uint8(
                np.uint16(np.uint16(fired[r] >> shift) << np.uint16(3))
                & np.uint16(SCALE * (ENTRIES - 1))
            )


@compiled
def pack_across(fired, across, first):  # noqa: ANN001, ANN201
    """What fired [rows], a bit per lane -> the columns of across [rows / ROWS, inputs] from `first`
    on.
    """
    for g in range(across.shape[0]):
        target = across[g, first : first + LANES]
        r = ROWS * g
        a = np.uint32(fired[r])
        b = np.uint32(fired[r + 1])
        c = np.uint32(fired[r + 2])
        d = np.uint32(fired[r + 3])
        for h in range(LANES):
            lane = np.uint32(h)
            one = np.uint32(1)
            low = np.uint32(
                np.uint32(np.uint32(a >> lane) & one)
                + np.uint32(np.uint32(np.uint32(b >> lane) & one) << one)
            )
            high = np.uint32(
                np.uint32(np.uint32(c >> lane) & one)
                + np.uint32(np.uint32(np.uint32(d >> lane) & one) << one)
            )
            target[h] = np.uint8(
                np.uint32(np.uint32(low + np.uint32(high << np.uint32(2))) << np.uint32(3))
            )


@compiled
def encode_blocks(part, parts, activations, threshold, timesteps, patterns, across):  # noqa: ANN001, ANN201
    """A part of `encode`."""
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


@compiled
def forward_blocks(
    part, parts, patterns, weight, bias, constants, timesteps, drives, spiking, across, counts
):  # noqa: ANN001, ANN201
    """A part of `layer_forward`."""
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
    """All voltages [blocks, rows, LANES] of a layer, for surrogates that are computed elsewhere."""
    for block in range(voltages.shape[0]):
        scan_voltages(
            drives[block], biases(bias, block * LANES), constants, timesteps, voltages[block]
        )


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
    """A part of `layer_backward`."""
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
    """`count` columns from `start` of source [n, ...] -> those of target [n, ...] from `first` on,
    or added to them.
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
def biases(bias, first):  # noqa: ANN001, ANN201
    """Biases [LANES] of a block, 0 beyond the last neuron."""
    result = np.zeros(LANES, bias.dtype)
    for h in range(min(LANES, bias.size - first)):
        result[h] = bias[first + h]
    return result


@compiled
def backward(gradient, each, voltage, slopes, width, constants, timesteps, result, total):  # noqa: ANN001, ANN201
    """Gradient of a block's spikes -> that of its drives in `result`, its sum over rows added to
    total; all [rows, LANES], total [LANES].

    Unless there is one for `each` timestep, the gradient's first stands for all. A block of columns
    goes through all timesteps before the next one does, so that its states stay in the fastest
    cache.
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
    """One timestep back.

    Gradients of spikes g, voltages v, and d_voltage of the timestep after -> of this one.
    """
    zero = threshold - threshold
    for h in range(v.size):
        kept = voltage_keep * d_voltage[h]
        d_voltage[h] = slope[h] * (g[h] - v[h] * kept) + (zero if v[h] > threshold else kept)


@compiled
def two_state_back(g, v, slope, constants, d_reset, d_recovery, d_voltage):  # noqa: ANN001, ANN201
    """As leaky_back, for dn."""
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
    """The surrogate of one timestep of a block, at voltages v -> slope."""
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
    """Dx = dV + current_keep dx', into its sums and its place in the result."""
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


@compiled
def clear(row):  # noqa: ANN001, ANN201
    """Zeros."""
    for h in range(row.size):
        row[h] = 0


share_encoding = on_threads(encode_blocks)
share_forward = on_threads(forward_blocks)
share_backward = on_threads(backward_blocks)


@compiled
def encode(crew, activations, threshold, timesteps, patterns, across):  # noqa: ANN001, ANN201
    """Activations [n, inputs] -> spikes of `timesteps` timesteps as patterns and, where it has
    room, across.
    """
    share_encoding(crew, crew[1], (activations, threshold, timesteps, patterns, across))


@compiled
def layer_forward(
    crew, patterns, weight, bias, constants, timesteps, drives, spiking, across, counts
):  # noqa: ANN001, ANN201
    """Spikes of a layer of weight [neurons, inputs] and bias [neurons], as far as there is room for
    their patterns in `spiking`, for `across` and for counts [n, neurons]. Drives without bias are
    kept in drives [blocks, rows, LANES], or overwritten where there is room for one block per
    thread of the crew.
    """
    blocks = (weight.shape[0] + LANES - 1) // LANES
    share_forward(
        crew,
        min(crew[1], blocks),
        (patterns, weight, bias, constants, timesteps, drives, spiking, across, counts),
    )


@compiled
def layer_backward(
    crew,
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
    """Gradient [T or 1, n, neurons] of a layer's spikes -> of the drives in result [T * n or n,
    neurons], of its weights and biases. One timestep of the gradient stands for all; n rows of the
    result are sums over T. `across` is of the layer's inputs.
    """
    share_backward(
        crew,
        min(crew[1], drives.shape[0]),
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
