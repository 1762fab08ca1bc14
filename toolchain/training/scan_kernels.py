"""Compiled scans over T for arrays on the CPU: the equations of spiking_stack.py, one pass over memory each.

Arrays are [T, n, neurons] unless said otherwise. Drives, spikes and the drive's gradient have the type of the products: float32,
float64, or bfloat16 as uint16; states, biases and scalar arguments are float32 or float64, as a Python float would widen the
loops. Inner loops touch few arrays each: with more, the compiler gives up on vector instructions. `slopes` holds the surrogate;
where `width` > 0 it is empty and the rectangle is meant. Voltages are computed again on the way back, from the drives: that costs
less than to write and read them.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import overload

compiled: Any = numba.njit(cache=True, boundscheck=False, nogil=True)


def widen(source, row):  # noqa: ANN001, ANN201
    """A row of the products' type -> `row` [neurons] of the states' type."""


def narrow(row, target):  # noqa: ANN001, ANN201
    """`row` -> a row of the products' type; to bfloat16 by rounding half to even, NaN excepted."""


@overload(widen)
def _widen(source, row):  # noqa: ANN001, ANN202
    if source.dtype != numba.uint16:

        def copy(source, row):  # noqa: ANN001, ANN202
            row[:] = source

        return copy

    def shift(source, row):  # noqa: ANN001, ANN202
        bits = row.view(np.uint32)
        for h in range(source.size):
            bits[h] = np.uint32(source[h]) << np.uint32(16)

    return shift


@overload(narrow)
def _narrow(row, target):  # noqa: ANN001, ANN202
    if target.dtype != numba.uint16:

        def copy(row, target):  # noqa: ANN001, ANN202
            target[:] = row

        return copy

    def round_off(row, target):  # noqa: ANN001, ANN202
        bits = row.view(np.uint32)
        for h in range(target.size):
            odd = (bits[h] >> np.uint32(16)) & np.uint32(1)
            target[h] = np.uint16((bits[h] + np.uint32(0x7FFF) + odd) >> np.uint32(16))

    return round_off


@compiled
def encode(activations, threshold, one, spikes):  # noqa: ANN001, ANN201
    """activations [n, inputs] -> spikes [T, n, inputs]; `one` is 1 in the type of the spikes."""
    silent = one - one
    zero = threshold - threshold
    v = np.empty_like(activations[0])
    for r in range(activations.shape[0]):
        a = activations[r]
        v[:] = zero
        for t in range(spikes.shape[0]):
            s = spikes[t, r]
            for i in range(a.size):
                v[i] += a[i]
            for i in range(a.size):
                s[i] = one if v[i] > threshold else silent
            for i in range(a.size):
                v[i] -= threshold if v[i] > threshold else zero


@compiled
def leaky_row(drive, r, bias, threshold, voltage_keep, current_keep, current, voltage):  # noqa: ANN001, ANN201
    """Voltages [T, neurons] of row r; `current` [neurons] is room to work in."""
    zero = threshold - threshold
    current[:] = zero
    for t in range(drive.shape[0]):
        v = voltage[t]
        widen(drive[t, r], v)
        for h in range(v.size):
            v[h] += bias[h]
        if current_keep > zero:
            for h in range(v.size):
                current[h] = current_keep * current[h] + v[h]
            v[:] = current
        if t > 0:
            before = voltage[t - 1]
            for h in range(v.size):
                v[h] = (zero if before[h] > threshold else voltage_keep * before[h]) + v[h]


@compiled
def two_state_row(drive, r, bias, constants, current, recovery, voltage):  # noqa: ANN001, ANN201
    """As leaky_row, for dn; constants: threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u."""
    threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u = constants
    zero = threshold - threshold
    current[:] = zero
    recovery[:] = zero
    for t in range(drive.shape[0]):
        v = voltage[t]
        widen(drive[t, r], v)
        for h in range(v.size):
            current[h] = current_keep * current[h] + (v[h] + bias[h])
        if t == 0:
            v[:] = current
            continue
        before = voltage[t - 1]
        for h in range(v.size):
            recovery[h] += reset_u if before[h] > threshold else zero
        for h in range(v.size):
            reset = reset_v if before[h] > threshold else before[h]
            v[h] = reset * reset - recovery[h] + current[h]
        for h in range(v.size):
            recovery[h] = coupling_u * recovery[h] + coupling_v * (reset_v if before[h] > threshold else before[h])


@compiled
def fire(voltage, threshold, one, spikes, r):  # noqa: ANN001, ANN201
    """Spikes of row r of its voltages [T, neurons]."""
    silent = one - one
    for t in range(voltage.shape[0]):
        v, s = voltage[t], spikes[t, r]
        for h in range(v.size):
            s[h] = one if v[h] > threshold else silent


@compiled
def leaky_forward(drive, bias, threshold, voltage_keep, current_keep, one, spikes):  # noqa: ANN001, ANN201
    """lif (current_keep 0) and clif; bias [neurons] is added to the drive; `one` is 1 in the type of the spikes."""
    current, voltage = np.empty_like(bias), np.empty((drive.shape[0], bias.size), bias.dtype)
    for r in range(drive.shape[1]):
        leaky_row(drive, r, bias, threshold, voltage_keep, current_keep, current, voltage)
        fire(voltage, threshold, one, spikes, r)


@compiled
def two_state_forward(drive, bias, constants, one, spikes):  # noqa: ANN001, ANN201
    """As leaky_forward, for dn."""
    current, recovery, voltage = np.empty_like(bias), np.empty_like(bias), np.empty((drive.shape[0], bias.size), bias.dtype)
    for r in range(drive.shape[1]):
        two_state_row(drive, r, bias, constants, current, recovery, voltage)
        fire(voltage, constants[0], one, spikes, r)


@compiled
def surrogate(v, threshold, width, slope):  # noqa: ANN001, ANN201
    """The rectangle at voltages [neurons] -> slope [neurons]."""
    zero = threshold - threshold
    height = threshold / (threshold * (width + width))
    for h in range(v.size):
        slope[h] = height if abs(v[h] - threshold) < width else zero


@compiled
def add_up(d_voltage, current_keep, d_current, total, out):  # noqa: ANN001, ANN201
    """dx = dV + current_keep dx', its sum and its place in the result."""
    for h in range(d_voltage.size):
        d_current[h] = d_voltage[h] + current_keep * d_current[h]
    for h in range(d_voltage.size):
        total[h] += d_current[h]
    narrow(d_current, out)


@compiled
def leaky_backward(gradient, drive, bias, slopes, width, threshold, voltage_keep, current_keep, result, total):  # noqa: ANN001, ANN201
    """Gradient of the spikes -> gradient of the drive in `result`, its sum over T and n in total [neurons].

    A gradient of one timestep stands for all.
    """
    zero = threshold - threshold
    voltage = np.empty((drive.shape[0], bias.size), bias.dtype)
    g, slope, d_voltage, d_current = np.empty_like(bias), np.empty_like(bias), np.empty_like(bias), np.empty_like(bias)
    for r in range(drive.shape[1]):
        leaky_row(drive, r, bias, threshold, voltage_keep, current_keep, d_current, voltage)
        d_voltage[:] = zero
        d_current[:] = zero
        for t in range(drive.shape[0] - 1, -1, -1):
            widen(gradient[min(t, gradient.shape[0] - 1), r], g)
            v = voltage[t]
            if width > zero:
                surrogate(v, threshold, width, slope)
            else:
                slope[:] = slopes[t, r]
            for h in range(g.size):
                kept = voltage_keep * d_voltage[h]
                d_voltage[h] = slope[h] * (g[h] - v[h] * kept) + (zero if v[h] > threshold else kept)
            add_up(d_voltage, current_keep, d_current, total, result[t, r])


@compiled
def two_state_backward(gradient, drive, bias, slopes, width, constants, result, total):  # noqa: ANN001, ANN201
    """As leaky_backward, for dn."""
    threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u = constants
    zero = threshold - threshold
    voltage = np.empty((drive.shape[0], bias.size), bias.dtype)
    g, slope, d_current = np.empty_like(bias), np.empty_like(bias), np.empty_like(bias)
    d_voltage, d_reset, d_recovery = np.empty_like(bias), np.empty_like(bias), np.empty_like(bias)
    for r in range(drive.shape[1]):
        two_state_row(drive, r, bias, constants, d_current, d_recovery, voltage)
        d_voltage[:] = zero
        d_recovery[:] = zero
        d_current[:] = zero
        for t in range(drive.shape[0] - 1, -1, -1):
            widen(gradient[min(t, gradient.shape[0] - 1), r], g)
            v = voltage[t]
            if width > zero:
                surrogate(v, threshold, width, slope)
            else:
                slope[:] = slopes[t, r]
            for h in range(g.size):
                reset = reset_v if v[h] > threshold else v[h]
                d_reset[h] = (reset + reset) * d_voltage[h] + coupling_v * d_recovery[h]
            for h in range(g.size):
                d_recovery[h] = coupling_u * d_recovery[h] - d_voltage[h]
            for h in range(g.size):
                d_voltage[h] = g[h] + (reset_v - v[h]) * d_reset[h] + reset_u * d_recovery[h]
            for h in range(g.size):
                d_voltage[h] = slope[h] * d_voltage[h] + (zero if v[h] > threshold else d_reset[h])
            add_up(d_voltage, current_keep, d_current, total, result[t, r])


@compiled
def leaky_voltages(drive, bias, threshold, voltage_keep, current_keep, voltages):  # noqa: ANN001, ANN201
    """All voltages [T, n, neurons], for surrogates that are computed elsewhere."""
    current, voltage = np.empty_like(bias), np.empty((drive.shape[0], bias.size), bias.dtype)
    for r in range(drive.shape[1]):
        leaky_row(drive, r, bias, threshold, voltage_keep, current_keep, current, voltage)
        voltages[:, r] = voltage


@compiled
def two_state_voltages(drive, bias, constants, voltages):  # noqa: ANN001, ANN201
    """As leaky_voltages, for dn."""
    current, recovery, voltage = np.empty_like(bias), np.empty_like(bias), np.empty((drive.shape[0], bias.size), bias.dtype)
    for r in range(drive.shape[1]):
        two_state_row(drive, r, bias, constants, current, recovery, voltage)
        voltages[:, r] = voltage
