"""Compiled parts of training on the CPU, one pass over memory each: scans over T, and what lies between a ReLU network's large products.

They are one file, as numba's cache on disk sees changes of the file that a function stands in and of no other.

Scans are the equations of spiking_stack.py. Arrays are [T, n * neurons] unless said otherwise. Drives, spikes and the drive's gradient
have the type of the products: float32, float64, or bfloat16 as uint16; states, biases and scalar arguments are float32 or float64, as a
Python float would widen the loops. A block of columns goes through all timesteps before the next one does, so that its states stay in
the fastest cache; a block is whole rows of `neurons`, for the bias. Inner loops touch few arrays each and never two rows of one array:
with more, the compiler gives up on vector instructions; nor does it make any of an assignment to a slice. `slopes` holds the surrogate;
where `width` > 0 it is empty and the rectangle is meant. Voltages are computed again on the way back, from the drives: that costs less
than to write and read them.

Of a ReLU network, hidden values have the type of the products; parameters, outputs and their gradients are float32 or float64.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import overload

compiled: Any = numba.njit(cache=True, boundscheck=False, nogil=True, error_model="numpy")
summing: Any = numba.njit(cache=True, boundscheck=False, nogil=True, fastmath={"reassoc", "contract"})
BLOCK = 1024  # columns, about


def widened(source, h):  # noqa: ANN001, ANN201
    """Element h of an array of the products' type, in the states' type."""


def narrow(row, target):  # noqa: ANN001, ANN201
    """The beginning of `row` -> `target` of the products' type; to bfloat16 by rounding half to even, NaN excepted."""


@overload(widened, inline="always")
def _widened(source, h):  # noqa: ANN001, ANN202
    if source.dtype != numba.uint16:
        return lambda source, h: source[h]
    return lambda source, h: np.uint32(np.uint32(source[h]) << np.uint32(16)).view(np.float32)


@overload(narrow)
def _narrow(row, target):  # noqa: ANN001, ANN202
    if target.dtype != numba.uint16:

        def copy(row, target):  # noqa: ANN001, ANN202
            for h in range(target.size):
                target[h] = row[h]

        return copy

    def round_off(row, target):  # noqa: ANN001, ANN202
        bits = row.view(np.uint32)
        for h in range(target.size):  # each step is brought back to 32 bits: sums would have 64
            odd = np.uint32(np.uint32(bits[h] >> np.uint32(16)) & np.uint32(1))
            target[h] = np.uint16(np.uint32(np.uint32(bits[h] + np.uint32(0x7FFF)) + odd) >> np.uint32(16))

    return round_off


@compiled
def encode(activations, threshold, one, spikes):  # noqa: ANN001, ANN201
    """activations [n * inputs] -> spikes [T, n * inputs]; `one` is 1 in the type of the spikes."""
    zero = threshold - threshold
    voltage = np.empty(BLOCK, activations.dtype)
    for start in range(0, activations.size, BLOCK):
        a = activations[start : start + BLOCK]
        v = voltage[: a.size]
        clear(v)
        for t in range(spikes.shape[0]):
            for i in range(a.size):
                v[i] += a[i]
            fire(v, threshold, one, spikes[t, start : start + BLOCK])
            for i in range(a.size):
                v[i] -= threshold if v[i] > threshold else zero


@compiled
def leaky_forward(drive, bias, threshold, voltage_keep, current_keep, one, spikes):  # noqa: ANN001, ANN201
    """lif (current_keep 0) and clif; bias [neurons] is added to the drive; `one` is 1 in the type of the spikes."""
    biases = tiled(bias)
    current, kept, voltage = np.empty_like(biases), np.empty_like(biases), np.empty_like(biases)
    for start in range(0, drive.shape[1], biases.size):
        stop = min(start + biases.size, drive.shape[1])
        v = voltage[: stop - start]
        clear(current)
        clear(kept)
        for t in range(drive.shape[0]):
            leaky_voltage(drive[t, start:stop], biases, current_keep, current, kept, v)
            fire(v, threshold, one, spikes[t, start:stop])
            leaky_rest(v, threshold, voltage_keep, kept)


@compiled
def leaky_voltages(drive, bias, threshold, voltage_keep, current_keep, voltages):  # noqa: ANN001, ANN201
    """All voltages, for surrogates that are computed elsewhere."""
    biases = tiled(bias)
    current, kept = np.empty_like(biases), np.empty_like(biases)
    for start in range(0, drive.shape[1], biases.size):
        stop = min(start + biases.size, drive.shape[1])
        clear(current)
        clear(kept)
        for t in range(drive.shape[0]):
            leaky_voltage(drive[t, start:stop], biases, current_keep, current, kept, voltages[t, start:stop])
            leaky_rest(voltages[t, start:stop], threshold, voltage_keep, kept)


@compiled
def leaky_backward(gradient, drive, bias, slopes, width, threshold, voltage_keep, current_keep, result, total):  # noqa: ANN001, ANN201
    """Gradient of the spikes -> gradient of the drive in `result`, its sum over T and n in total [neurons].

    A gradient of one timestep stands for all.
    """
    zero = threshold - threshold
    biases = tiled(bias)
    voltage, sums = np.empty((drive.shape[0], biases.size), biases.dtype), np.zeros_like(biases)
    slope, d_voltage, d_current = np.empty_like(biases), np.empty_like(biases), np.empty_like(biases)
    for start in range(0, drive.shape[1], biases.size):
        stop = min(start + biases.size, drive.shape[1])
        size = stop - start
        clear(d_current)
        clear(d_voltage)
        for t in range(drive.shape[0]):
            leaky_voltage(drive[t, start:stop], biases, current_keep, d_current, d_voltage, voltage[t, :size])
            leaky_rest(voltage[t, :size], threshold, voltage_keep, d_voltage)
        clear(d_current)
        clear(d_voltage)
        for t in range(drive.shape[0] - 1, -1, -1):
            g, v = gradient[min(t, gradient.shape[0] - 1), start:stop], voltage[t, :size]
            surrogate(v, threshold, width, slopes, t, start, slope)
            for h in range(size):
                kept = voltage_keep * d_voltage[h]
                d_voltage[h] = slope[h] * (widened(g, h) - v[h] * kept) + (zero if v[h] > threshold else kept)
            add_up(d_voltage, current_keep, d_current, sums, result[t, start:stop])
    fold(sums, total)


@compiled
def two_state_forward(drive, bias, constants, one, spikes):  # noqa: ANN001, ANN201
    """As leaky_forward, for dn; constants: threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u."""
    biases = tiled(bias)
    current, recovery, reset, voltage = np.empty_like(biases), np.empty_like(biases), np.empty_like(biases), np.empty_like(biases)
    for start in range(0, drive.shape[1], biases.size):
        stop = min(start + biases.size, drive.shape[1])
        v = voltage[: stop - start]
        clear(current)
        clear(recovery)
        clear(reset)
        for t in range(drive.shape[0]):
            two_state_voltage(drive[t, start:stop], biases, constants, current, recovery, reset, v)
            fire(v, constants[0], one, spikes[t, start:stop])
            two_state_rest(v, constants, recovery, reset)


@compiled
def two_state_voltages(drive, bias, constants, voltages):  # noqa: ANN001, ANN201
    """As leaky_voltages, for dn."""
    biases = tiled(bias)
    current, recovery, reset = np.empty_like(biases), np.empty_like(biases), np.empty_like(biases)
    for start in range(0, drive.shape[1], biases.size):
        stop = min(start + biases.size, drive.shape[1])
        clear(current)
        clear(recovery)
        clear(reset)
        for t in range(drive.shape[0]):
            two_state_voltage(drive[t, start:stop], biases, constants, current, recovery, reset, voltages[t, start:stop])
            two_state_rest(voltages[t, start:stop], constants, recovery, reset)


@compiled
def two_state_backward(gradient, drive, bias, slopes, width, constants, result, total):  # noqa: ANN001, ANN201
    """As leaky_backward, for dn."""
    threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u = constants
    zero = threshold - threshold
    biases = tiled(bias)
    voltage, sums = np.empty((drive.shape[0], biases.size), biases.dtype), np.zeros_like(biases)
    slope, d_voltage, d_current = np.empty_like(biases), np.empty_like(biases), np.empty_like(biases)
    d_recovery, d_reset = np.empty_like(biases), np.empty_like(biases)
    for start in range(0, drive.shape[1], biases.size):
        stop = min(start + biases.size, drive.shape[1])
        size = stop - start
        clear(d_current)
        clear(d_recovery)
        clear(d_reset)
        for t in range(drive.shape[0]):
            two_state_voltage(drive[t, start:stop], biases, constants, d_current, d_recovery, d_reset, voltage[t, :size])
            two_state_rest(voltage[t, :size], constants, d_recovery, d_reset)
        clear(d_current)
        clear(d_recovery)
        clear(d_voltage)
        for t in range(drive.shape[0] - 1, -1, -1):
            g, v = gradient[min(t, gradient.shape[0] - 1), start:stop], voltage[t, :size]
            surrogate(v, threshold, width, slopes, t, start, slope)
            for h in range(size):
                reset = reset_v if v[h] > threshold else v[h]
                d_reset[h] = (reset + reset) * d_voltage[h] + coupling_v * d_recovery[h]
            for h in range(size):
                d_recovery[h] = coupling_u * d_recovery[h] - d_voltage[h]
            for h in range(size):
                d_voltage[h] = widened(g, h) + (reset_v - v[h]) * d_reset[h] + reset_u * d_recovery[h]
            for h in range(size):
                d_voltage[h] = slope[h] * d_voltage[h] + (zero if v[h] > threshold else d_reset[h])
            add_up(d_voltage, current_keep, d_current, sums, result[t, start:stop])
    fold(sums, total)


@compiled
def leaky_voltage(d, bias, current_keep, current, kept, v):  # noqa: ANN001, ANN201
    """Voltages `v` of one timestep of a block: its drive d, what was `kept` of the voltage before, and the state `current`."""
    if current_keep > 0:
        for h in range(d.size):
            current[h] = current_keep * current[h] + (widened(d, h) + bias[h])
        for h in range(d.size):
            v[h] = kept[h] + current[h]
    else:
        for h in range(d.size):
            v[h] = kept[h] + (widened(d, h) + bias[h])


@compiled
def leaky_rest(v, threshold, voltage_keep, kept):  # noqa: ANN001, ANN201
    """What voltages leave to the next timestep: nothing where they fired."""
    zero = threshold - threshold
    for h in range(v.size):
        kept[h] = zero if v[h] > threshold else voltage_keep * v[h]


@compiled
def two_state_voltage(d, bias, constants, current, recovery, reset, v):  # noqa: ANN001, ANN201
    """As leaky_voltage, for dn; the recovery moves on."""
    current_keep, coupling_v, coupling_u = constants[1], constants[4], constants[5]
    for h in range(d.size):
        current[h] = current_keep * current[h] + (widened(d, h) + bias[h])
    for h in range(d.size):
        v[h] = reset[h] * reset[h] - recovery[h] + current[h]
    for h in range(d.size):
        recovery[h] = coupling_u * recovery[h] + coupling_v * reset[h]


@compiled
def two_state_rest(v, constants, recovery, reset):  # noqa: ANN001, ANN201
    """What voltages leave to the next timestep, and what spikes add to the recovery."""
    threshold, reset_v, reset_u = constants[0], constants[2], constants[3]
    zero = threshold - threshold
    for h in range(v.size):
        recovery[h] += reset_u if v[h] > threshold else zero
    for h in range(v.size):
        reset[h] = reset_v if v[h] > threshold else v[h]


@compiled
def fire(v, threshold, one, s):  # noqa: ANN001, ANN201
    """Spikes of one timestep of a block."""
    silent = one - one
    for h in range(s.size):
        s[h] = one if v[h] > threshold else silent


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
        narrow(d_current, result)
    else:
        for h in range(result.size):
            sums[h] += d_voltage[h]
        narrow(d_voltage, result)


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


@compiled
def activate(y, bias, result):  # noqa: ANN001, ANN201
    """ReLU(y + bias) of y [n, neurons] -> result, which may be y itself."""
    row = np.empty_like(bias)
    zero = bias[0] - bias[0]
    for r in range(y.shape[0]):
        z = y[r]
        for h in range(bias.size):
            row[h] = widened(z, h) + bias[h]
        for h in range(bias.size):
            row[h] = max(row[h], zero)
        narrow(row, result[r])


@summing
def last_forward(x, weight, bias, y):  # noqa: ANN001, ANN201
    """y [n, outputs] = x weight^T + bias of hidden values x [n, neurons]."""
    for r in range(x.shape[0]):
        values = x[r]
        for o in range(weight.shape[0]):
            row = weight[o]
            total = bias[o] - bias[o]
            for h in range(row.size):
                total += widened(values, h) * row[h]
            y[r, o] = total + bias[o]


@compiled
def last_backward(gradient, x, weight, d_x, d_weight, sums):  # noqa: ANN001, ANN201
    """gradient [n, outputs] -> d_x [n, neurons] of what went into x's ReLU, its sum over n in sums [neurons], d_weight, added to."""
    row, zero = np.empty_like(sums), sums[0] - sums[0]
    for r in range(x.shape[0]):
        values = x[r]
        clear(row)
        for o in range(weight.shape[0]):
            g, w, d_w = gradient[r, o], weight[o], d_weight[o]
            for h in range(row.size):
                row[h] += g * w[h]
            for h in range(row.size):
                d_w[h] += g * widened(values, h)
        mask(row, values, zero, sums)
        narrow(row, d_x[r])


@compiled
def hidden_backward(gradient, x, sums):  # noqa: ANN001, ANN201
    """The gradient [n, neurons] of x -> of what went into its ReLU, in place; its sum over n is added to sums [neurons]."""
    row, zero = np.empty_like(sums), sums[0] - sums[0]
    for r in range(x.shape[0]):
        given = gradient[r]
        for h in range(row.size):
            row[h] = widened(given, h)
        mask(row, x[r], zero, sums)
        narrow(row, given)


@compiled
def mask(row, values, zero, sums):  # noqa: ANN001, ANN201
    """0 where a ReLU gave 0; sums over rows."""
    for h in range(row.size):
        row[h] = row[h] if widened(values, h) > zero else zero
    for h in range(row.size):
        sums[h] += row[h]
