"""Compiled spiking layers of the CPU: products of spikes by table, scans over T, and their way back. Equations: spiking_stack.py.

A product of spikes needs no multiplication: four inputs that spike or not have sixteen sums of weights, which a table holds, so one
addition stands for four multiply-adds however dense the spikes are. (The method of four Russians: Arlazarov et al. 1970.) Floating-point
sums come in another order than a dense product's, nothing else differs. The way back is the same product: a weight's gradient adds up
gradients of drives where its input spiked, four rows to a table.

`patterns` [groups, rows] are uint8: bits 3 to 6 of an entry say which of a group's four inputs spike in a row, a row being one timestep
of one sample, row t * n + sample. `across` [groups of four rows, inputs] are the same spikes the other way round. Rows of patterns,
drives and inputs of `across` are whole multiples of ROWS; what lies beyond the real ones is silent or never read.

A layer is computed in blocks of LANES neurons: their tables, their drives [rows, LANES], the scan over T of these, the spikes and their
patterns, all of which stay in a core's own cache. In a scan's blocks of columns, too, states stay in the fastest one; inner loops touch
few arrays each and never two rows of one array: with more, the compiler gives up on vector instructions; nor does it make any of an
assignment to a slice. Numbers are float32 or float64 throughout, scalar arguments too, as a Python float would widen the loops.
`slopes` holds the surrogate [blocks, T, n * LANES]; where `width` > 0 it is empty and the rectangle is meant. Voltages are computed again on
the way back, from the drives: that costs less than to write and read them.

All of this is one file, as numba's cache on disk sees changes of the file that a function stands in and of no other.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

compiled: Any = numba.njit(cache=True, boundscheck=False, nogil=True, error_model="numpy")
LANES = 16  # neurons of a block: of float32, a line of cache
ROWS = 4  # that are summed at once, and inputs of a group
ENTRIES = 16  # of a group's table
SCALE = 8  # a pattern's unit: the smallest that a byte's offset into a table may have
TABLES = 20  # that lie in the fastest cache together
BLOCK = 1024  # columns of a scan, about


@intrinsic
def add_entries(context, tables, patterns, stride, groups, sums, fresh):  # noqa: ANN001, ANN201
    """Sums [ROWS, LANES] of one entry per group, as its pattern says. `patterns` and `sums` are addresses; `stride` lies between two groups.

    Written out in the compiler's own language: sums must stay in registers, patterns be read as one word.
    """
    number = tables.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, patterns, stride, groups, sums, fresh = arguments
        scalar, address, byte, word = context.get_data_type(number), groups.type, ir.IntType(8), ir.IntType(8 * ROWS)
        row, size = ir.VectorType(scalar, LANES), number.bitwidth // 8
        zero = ir.Constant(row, [ir.Constant(scalar, 0.0)] * LANES)
        entry, load, begin, head, body, end = builder.block, *(builder.append_basic_block(name) for name in ("load", "begin", "head", "body", "end"))
        base = builder.ptrtoint(context.make_array(signature.args[0])(context, builder, array).data, address)
        places = [builder.inttoptr(builder.add(sums, ir.Constant(address, k * LANES * size)), row.as_pointer()) for k in range(ROWS)]
        builder.cbranch(fresh, begin, load)

        builder.position_at_end(load)
        before = [builder.load(place, align=size) for place in places]
        builder.branch(begin)

        builder.position_at_end(begin)
        first = [_phi(builder, row, (zero, entry), (value, load)) for value in before]
        builder.branch(head)

        builder.position_at_end(head)
        left, pattern, table = (_phi(builder, address, (value, begin)) for value in (groups, patterns, base))
        totals = [_phi(builder, row, (value, begin)) for value in first]
        builder.cbranch(builder.icmp_signed(">", left, ir.Constant(address, 0)), body, end)

        builder.position_at_end(body)
        four = builder.load(builder.inttoptr(pattern, word.as_pointer()), align=1)
        units = builder.inttoptr(table, ir.ArrayType(byte, LANES * size // SCALE).as_pointer())
        for k, total in enumerate(totals):
            unit = builder.zext(builder.trunc(builder.lshr(four, ir.Constant(word, 8 * k)), byte), address)
            found = builder.load(builder.bitcast(builder.gep(units, [unit]), row.as_pointer()), align=size)
            total.add_incoming(builder.fadd(total, found), body)
        left.add_incoming(builder.sub(left, ir.Constant(address, 1)), body)
        pattern.add_incoming(builder.add(pattern, stride), body)
        table.add_incoming(builder.add(table, ir.Constant(address, ENTRIES * LANES * size)), body)
        builder.branch(head)

        builder.position_at_end(end)
        for total, place in zip(totals, places, strict=True):
            builder.store(total, place, align=size)
        return context.get_dummy_value()

    return types.void(tables, types.intp, types.intp, types.intp, types.intp, types.boolean), generate


@intrinsic
def fill_table(context, values, g, tables, k):  # noqa: ANN001, ANN201
    """tables[k] = the sixteen sums of values[4 g : 4 g + 4], both contiguous with LANES columns."""
    number = values.dtype

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row, size = ir.VectorType(context.get_data_type(number), LANES), number.bitwidth // 8

        def start(index: int, which: int, rows: int) -> Any:
            data = context.make_array(signature.args[index])(context, builder, arguments[index]).data
            return builder.gep(builder.bitcast(data, row.as_pointer()), [builder.mul(arguments[which], ir.Constant(arguments[which].type, rows))])

        def at(pointer: Any, index: int) -> Any:
            return builder.gep(pointer, [ir.Constant(ir.IntType(64), index)])

        weights, table = start(0, 1, ROWS), start(2, 3, ENTRIES)
        entries = [ir.Constant(row, [ir.Constant(row.element, 0.0)] * LANES)]
        for bit in range(ROWS):
            weight = builder.load(at(weights, bit), align=size)
            entries += [weight if entry is entries[0] else builder.fadd(entry, weight) for entry in entries]
        for index, entry in enumerate(entries):
            builder.store(entry, at(table, index), align=size)
        return context.get_dummy_value()

    return types.void(values, types.intp, tables, types.intp), generate


def _phi(builder: Any, kind: Any, *incoming: tuple[Any, Any]) -> Any:
    phi = builder.phi(kind)
    for value, block in incoming:
        phi.add_incoming(value, block)
    return phi


@compiled
def product(patterns, values, tables, out):  # noqa: ANN001, ANN201
    """out [rows, LANES] = spikes of `patterns` [groups, rows] times values [groups * ROWS, LANES]."""
    size = values.itemsize * LANES
    for first in range(0, patterns.shape[0], tables.shape[0]):
        count = min(tables.shape[0], patterns.shape[0] - first)
        for k in range(count):
            fill_table(values, first + k, tables, k)
        here, there = patterns[first:].ctypes.data, out.ctypes.data
        for r in range(0, out.shape[0], ROWS):
            add_entries(tables, here + r, patterns.shape[1], count, there + r * size, first == 0)


@compiled
def pack(spikes, patterns):  # noqa: ANN001, ANN201
    """Spikes [rows, inputs], 0 or 1 -> patterns of their groups; inputs beyond the last and rows beyond the last are silent."""
    rows, inputs = spikes.shape
    for g in range(patterns.shape[0]):
        target, i = patterns[g], ROWS * g
        if i + ROWS <= inputs:
            for r in range(rows):
                target[r] = SCALE * (spikes[r, i] + 2 * spikes[r, i + 1] + 4 * spikes[r, i + 2] + 8 * spikes[r, i + 3])
        else:
            clear(target)
            for k in range(inputs - i):
                for r in range(rows):
                    target[r] += spikes[r, i + k] << (3 + k)
        for r in range(rows, target.size):
            target[r] = 0


@compiled
def pack_across(spikes, across):  # noqa: ANN001, ANN201
    """Spikes [rows, inputs], 0 or 1 -> across [groups of rows, inputs or more]."""
    rows, inputs = spikes.shape
    for g in range(across.shape[0]):
        target = across[g]
        clear(target)
        for k in range(min(ROWS, rows - ROWS * g)):
            row, shift = spikes[ROWS * g + k], np.uint8(3 + k)
            for i in range(inputs):
                target[i] += np.uint8(row[i] << shift)


@compiled
def encode(activations, threshold, timesteps, patterns, across):  # noqa: ANN001, ANN201
    """Activations [n, inputs] -> spikes of `timesteps` timesteps as patterns and, where it has room, across."""
    zero = threshold - threshold
    flat = activations.reshape(activations.size)
    spikes, voltage = np.empty((timesteps, activations.size), np.uint8), np.empty(BLOCK, activations.dtype)
    for start in range(0, flat.size, BLOCK):
        a = flat[start : start + BLOCK]
        v = voltage[: a.size]
        clear(v)
        for t in range(timesteps):
            for i in range(a.size):
                v[i] += a[i]
            fire(v, threshold, spikes[t, start : start + BLOCK])
            for i in range(a.size):
                v[i] -= threshold if v[i] > threshold else zero
    rows = spikes.reshape((timesteps * activations.shape[0], activations.shape[1]))
    pack(rows, patterns)
    if across.size:
        pack_across(rows, across)


@compiled
def layer_forward(patterns, weight, bias, constants, timesteps, n, drives, spiking, across, counts):  # noqa: ANN001, ANN201
    """Spikes of a layer of weight [neurons, inputs] and bias [neurons], as far as there is room for their patterns in `spiking`, for
    `across` and for counts [n, neurons]. Drives [blocks, rows, LANES] without bias are kept, or overwritten where they have one block.
    """
    neurons, inputs = weight.shape
    values, tables = np.zeros((ROWS * patterns.shape[0], LANES), weight.dtype), np.empty((TABLES, ENTRIES, LANES), weight.dtype)
    spikes, groups = np.empty((timesteps, n * LANES), np.uint8), LANES // ROWS
    rows = spikes.reshape((timesteps * n, LANES))
    for block in range((neurons + LANES - 1) // LANES):
        first = block * LANES
        count = min(LANES, neurons - first)
        for h in range(count):
            its = weight[first + h]
            for i in range(inputs):
                values[i, h] = its[i]
        for h in range(count, LANES):
            for i in range(inputs):
                values[i, h] = 0
        drive = drives[min(block, drives.shape[0] - 1)]
        product(patterns, values, tables, drive)
        forward(drive[: timesteps * n].reshape((timesteps, n * LANES)), biases(bias, first), constants, spikes)
        if spiking.size:
            pack(rows, spiking[block * groups : (block + 1) * groups])
        if across.size:
            pack_across(rows, across[:, first : first + LANES])
        if counts.size:
            add_counts(spikes, counts[:, first : first + count])


@compiled
def add_counts(spikes, counts):  # noqa: ANN001, ANN201
    """Spikes [T, n * LANES] -> their sums over T in counts [n, at most LANES]."""
    for r in range(counts.shape[0]):
        for h in range(counts.shape[1]):
            total = spikes[0, r * LANES + h]
            for t in range(1, spikes.shape[0]):
                total += spikes[t, r * LANES + h]
            counts[r, h] = total


@compiled
def layer_voltages(drives, bias, constants, voltages):  # noqa: ANN001, ANN201
    """All voltages [blocks, T, n * LANES] of a layer, for surrogates that are computed elsewhere."""
    timesteps, width = voltages.shape[1:]
    for block in range(voltages.shape[0]):
        drive = drives[block, : timesteps * (width // LANES)].reshape((timesteps, width))
        its = tiled(biases(bias, block * LANES))
        states = np.empty((3, its.size), bias.dtype)
        for start in range(0, width, its.size):
            stop = min(start + its.size, width)
            fill_voltages(drive[:, start:stop], its, constants, states, voltages[block, :, start:stop])


@compiled
def layer_backward(gradient, drives, bias, slopes, width, constants, timesteps, across, result, d_weight, d_bias):  # noqa: ANN001, ANN201
    """Gradient [T or 1, n, neurons] of a layer's spikes -> that of its drives in result [T * n or n, neurons], of its weights and biases.

    One timestep of the gradient stands for all; n rows of the result are sums over T. `across` is of the layer's inputs.
    """
    n, neurons = gradient.shape[1:]
    found, wanted = np.zeros((drives.shape[1], LANES), bias.dtype), np.zeros((gradient.shape[0], n * LANES), bias.dtype)
    sums, tables, total = np.empty((across.shape[1], LANES), bias.dtype), np.empty((TABLES, ENTRIES, LANES), bias.dtype), np.empty(LANES, bias.dtype)
    columns, none = found[: timesteps * n].reshape((timesteps, n * LANES)), np.empty((0, 0), bias.dtype)
    for block in range(drives.shape[0]):
        first = block * LANES
        count = min(LANES, neurons - first)
        for t in range(gradient.shape[0]):
            for r in range(n):
                for h in range(count):
                    wanted[t, r * LANES + h] = gradient[t, r, first + h]
                for h in range(count, LANES):
                    wanted[t, r * LANES + h] = 0
        drive = drives[block, : timesteps * n].reshape((timesteps, n * LANES))
        clear(total)
        backward(wanted, drive, biases(bias, first), slopes[block] if slopes.size else none, width, constants, columns, total)
        for r in range(timesteps * n):
            target, source = result[r % result.shape[0]], found[r]
            if r < result.shape[0]:
                for h in range(count):
                    target[first + h] = source[h]
            else:
                for h in range(count):
                    target[first + h] += source[h]
        product(across, found, tables, sums)
        for h in range(count):
            d_bias[first + h] = total[h]
            target = d_weight[first + h]
            for i in range(target.size):
                target[i] = sums[i, h]


@compiled
def biases(bias, first):  # noqa: ANN001, ANN201
    """Biases [LANES] of a block, 0 beyond the last neuron."""
    result = np.zeros(LANES, bias.dtype)
    for h in range(min(LANES, bias.size - first)):
        result[h] = bias[first + h]
    return result


@compiled
def forward(drive, bias, constants, spikes):  # noqa: ANN001, ANN201
    """Drives [T, n * neurons], to which the bias [neurons] is added -> spikes, 0 or 1."""
    its = tiled(bias)
    states, voltage = np.empty((3, its.size), its.dtype), np.empty((drive.shape[0], its.size), its.dtype)
    for start in range(0, drive.shape[1], its.size):
        stop = min(start + its.size, drive.shape[1])
        fill_voltages(drive[:, start:stop], its, constants, states, voltage)
        for t in range(drive.shape[0]):
            fire(voltage[t], constants[0], spikes[t, start:stop])


@compiled
def fill_voltages(drive, bias, constants, states, voltage):  # noqa: ANN001, ANN201
    """Drives [T, columns] and each column's bias -> voltages. constants: threshold, current_keep, voltage_keep, reset_v, reset_u, coupling_v,
    coupling_u; without couplings the neuron is leaky: lif (current_keep 0) or clif, else dn.
    """
    current, kept, recovery = states[0, : drive.shape[1]], states[1, : drive.shape[1]], states[2, : drive.shape[1]]
    clear(current)
    clear(kept)
    clear(recovery)
    for t in range(drive.shape[0]):
        v = voltage[t, : drive.shape[1]]
        if constants[5] != 0:
            two_state_voltage(drive[t], bias, constants, current, recovery, kept, v)
            two_state_rest(v, constants, recovery, kept)
        else:
            leaky_voltage(drive[t], bias, constants[1], current, kept, v)
            leaky_rest(v, constants[0], constants[2], kept)


@compiled
def backward(gradient, drive, bias, slopes, width, constants, result, total):  # noqa: ANN001, ANN201
    """Gradient of the spikes -> gradient of the drive in `result`, its sum over T and n added to total [neurons].

    A gradient of one timestep stands for all.
    """
    its = tiled(bias)
    states, voltage = np.empty((3, its.size), its.dtype), np.empty((drive.shape[0], its.size), its.dtype)
    sums, slope, d_reset, d_voltage = np.zeros_like(its), np.empty_like(its), np.empty_like(its), np.empty_like(its)
    d_current, d_recovery = np.empty_like(its), np.empty_like(its)
    for start in range(0, drive.shape[1], its.size):
        stop = min(start + its.size, drive.shape[1])
        fill_voltages(drive[:, start:stop], its, constants, states, voltage)
        clear(d_current)
        clear(d_recovery)
        clear(d_voltage)
        for t in range(drive.shape[0] - 1, -1, -1):
            g, v = gradient[min(t, gradient.shape[0] - 1), start:stop], voltage[t, : stop - start]
            surrogate(v, constants[0], width, slopes, t, start, slope)
            if constants[5] != 0:
                two_state_back(g, v, slope, constants, d_reset, d_recovery, d_voltage)
            else:
                leaky_back(g, v, slope, constants[0], constants[2], d_voltage)
            add_up(d_voltage, constants[1], d_current, sums, result[t, start:stop])
    fold(sums, total)


@compiled
def leaky_back(g, v, slope, threshold, voltage_keep, d_voltage):  # noqa: ANN001, ANN201
    """One timestep back: gradients of spikes g, voltages v, and d_voltage of the timestep after -> of this one."""
    zero = threshold - threshold
    for h in range(v.size):
        kept = voltage_keep * d_voltage[h]
        d_voltage[h] = slope[h] * (g[h] - v[h] * kept) + (zero if v[h] > threshold else kept)


@compiled
def two_state_back(g, v, slope, constants, d_reset, d_recovery, d_voltage):  # noqa: ANN001, ANN201
    """As leaky_back, for dn."""
    threshold, reset_v, reset_u, coupling_v, coupling_u = constants[0], constants[3], constants[4], constants[5], constants[6]
    zero = threshold - threshold
    for h in range(v.size):
        reset = reset_v if v[h] > threshold else v[h]
        d_reset[h] = (reset + reset) * d_voltage[h] + coupling_v * d_recovery[h]
    for h in range(v.size):
        d_recovery[h] = coupling_u * d_recovery[h] - d_voltage[h]
    for h in range(v.size):
        d_voltage[h] = g[h] + (reset_v - v[h]) * d_reset[h] + reset_u * d_recovery[h]
    for h in range(v.size):
        d_voltage[h] = slope[h] * d_voltage[h] + (zero if v[h] > threshold else d_reset[h])


@compiled
def leaky_voltage(d, bias, current_keep, current, kept, v):  # noqa: ANN001, ANN201
    """Voltages `v` of one timestep of a block: its drive d, what was `kept` of the voltage before, and the state `current`."""
    if current_keep > 0:
        for h in range(d.size):
            current[h] = current_keep * current[h] + (d[h] + bias[h])
        for h in range(d.size):
            v[h] = kept[h] + current[h]
    else:
        for h in range(d.size):
            v[h] = kept[h] + (d[h] + bias[h])


@compiled
def leaky_rest(v, threshold, voltage_keep, kept):  # noqa: ANN001, ANN201
    """What voltages leave to the next timestep: nothing where they fired."""
    zero = threshold - threshold
    for h in range(v.size):
        kept[h] = zero if v[h] > threshold else voltage_keep * v[h]


@compiled
def two_state_voltage(d, bias, constants, current, recovery, reset, v):  # noqa: ANN001, ANN201
    """As leaky_voltage, for dn; the recovery moves on."""
    current_keep, coupling_v, coupling_u = constants[1], constants[5], constants[6]
    for h in range(d.size):
        current[h] = current_keep * current[h] + (d[h] + bias[h])
    for h in range(d.size):
        v[h] = reset[h] * reset[h] - recovery[h] + current[h]
    for h in range(d.size):
        recovery[h] = coupling_u * recovery[h] + coupling_v * reset[h]


@compiled
def two_state_rest(v, constants, recovery, reset):  # noqa: ANN001, ANN201
    """What voltages leave to the next timestep, and what spikes add to the recovery."""
    threshold, reset_v, reset_u = constants[0], constants[3], constants[4]
    zero = threshold - threshold
    for h in range(v.size):
        recovery[h] += reset_u if v[h] > threshold else zero
    for h in range(v.size):
        reset[h] = reset_v if v[h] > threshold else v[h]


@compiled
def fire(v, threshold, s):  # noqa: ANN001, ANN201
    """Spikes, 0 or 1, of one timestep of a block."""
    for h in range(s.size):
        s[h] = v[h] > threshold


@compiled
def surrogate(v, threshold, width, slopes, t, start, slope):  # noqa: ANN001, ANN201
    """The surrogate of one timestep of a block, at voltages v -> slope."""
    if width > 0:
        zero = threshold - threshold
        height = threshold / (threshold * (width + width))
        for h in range(v.size):
            slope[h] = height if abs(v[h] - threshold) < width else zero
    else:
        given = slopes[t, start : start + v.size]
        for h in range(v.size):
            slope[h] = given[h]


@compiled
def add_up(d_voltage, current_keep, d_current, sums, result):  # noqa: ANN001, ANN201
    """dx = dV + current_keep dx', into its sums and its place in the result."""
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
def tiled(bias):  # noqa: ANN001, ANN201
    """The bias [neurons] of each column of a block."""
    rows = max(1, BLOCK // bias.size)
    result = np.empty(rows * bias.size, bias.dtype)
    for r in range(rows):
        for h in range(bias.size):
            result[r * bias.size + h] = bias[h]
    return result


@compiled
def fold(sums, total):  # noqa: ANN001, ANN201
    """Sums of a block's columns are added to total [neurons]."""
    for r in range(sums.size // total.size):
        for h in range(total.size):
            total[h] += sums[r * total.size + h]


@compiled
def clear(row):  # noqa: ANN001, ANN201
    """Zeros."""
    for h in range(row.size):
        row[h] = 0
