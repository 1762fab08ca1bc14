"""Compiled scans over T for arrays on the CPU: the equations of spiking_layer.py, one pass over memory each.

Arrays are [T, n, neurons] unless said otherwise, float32 or float64; the scalar arguments have the arrays' type, as a
Python float would widen the loops. `slopes` holds the surrogate; where `width` > 0 it is empty and the rectangle is meant.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(cache=True, boundscheck=False, nogil=True)


@compiled
def encode(activations, threshold, one, spikes):  # noqa: ANN001, ANN201
    """activations [n, inputs] -> spikes [T, n, inputs]."""
    for r in range(activations.shape[0]):
        a = activations[r]
        v = np.zeros_like(a)
        for t in range(spikes.shape[0]):
            s = spikes[t, r]
            for i in range(a.size):
                grown = v[i] + a[i]
                fires = grown > threshold
                s[i] = one if fires else one - one
                v[i] = grown - threshold if fires else grown


@compiled
def leaky_forward(drive, bias, threshold, voltage_keep, current_keep, one, voltage, spikes):  # noqa: ANN001, ANN201
    """lif (current_keep 0) and clif; bias [neurons] is added to the drive."""
    zero = one - one
    current = np.zeros_like(bias)
    for r in range(drive.shape[1]):
        for t in range(drive.shape[0]):
            x, v, s = drive[t, r], voltage[t, r], spikes[t, r]
            if t == 0:
                for h in range(x.size):
                    current[h] = x[h] + bias[h]
                    v[h] = current[h]
                    s[h] = one if v[h] > threshold else zero
            else:
                before = voltage[t - 1, r]
                for h in range(x.size):
                    c = current_keep * current[h] + (x[h] + bias[h])
                    current[h] = c
                    rest = zero if before[h] > threshold else voltage_keep * before[h]
                    v[h] = rest + c
                    s[h] = one if v[h] > threshold else zero


@compiled
def leaky_backward(gradient, voltage, slopes, width, threshold, voltage_keep, current_keep, one, result, total):  # noqa: ANN001, ANN201
    """Gradient of the spikes -> gradient of the drive in `result`, its sum over T and n in total [neurons]."""
    zero = one - one
    height = one / (width + width) if width > zero else zero
    d_voltage, d_current = np.zeros_like(total), np.zeros_like(total)
    slope = np.zeros_like(total)
    last = gradient.shape[0] - 1
    for r in range(gradient.shape[1]):
        for t in range(last, -1, -1):
            g, v, out = gradient[t, r], voltage[t, r], result[t, r]
            if width > zero:
                for h in range(g.size):
                    slope[h] = height if abs(v[h] - threshold) < width else zero
            else:
                slope[:] = slopes[t, r]
            if t == last:
                for h in range(g.size):
                    d_voltage[h] = slope[h] * g[h]
                    d_current[h] = d_voltage[h]
            else:
                for h in range(g.size):
                    kept = voltage_keep * d_voltage[h]
                    d_voltage[h] = slope[h] * (g[h] - v[h] * kept) + (zero if v[h] > threshold else kept)
                    d_current[h] = d_voltage[h] + current_keep * d_current[h]
            for h in range(g.size):
                out[h] = d_current[h]
                total[h] += d_current[h]


@compiled
def two_state_forward(drive, bias, constants, one, voltage, spikes):  # noqa: ANN001, ANN201
    """dn; constants: threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u."""
    threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u = constants
    zero = one - one
    current, recovery = np.zeros_like(bias), np.zeros_like(bias)
    for r in range(drive.shape[1]):
        for t in range(drive.shape[0]):
            x, v, s = drive[t, r], voltage[t, r], spikes[t, r]
            if t == 0:
                for h in range(x.size):
                    current[h] = x[h] + bias[h]
                    recovery[h] = zero
                    v[h] = current[h]
                    s[h] = one if v[h] > threshold else zero
            else:
                before = voltage[t - 1, r]
                for h in range(x.size):
                    c = current_keep * current[h] + (x[h] + bias[h])
                    current[h] = c
                    fired = before[h] > threshold
                    reset = reset_v if fired else before[h]
                    u = recovery[h] + reset_u if fired else recovery[h]
                    recovery[h] = coupling_u * u + coupling_v * reset
                    v[h] = reset * reset - u + c
                    s[h] = one if v[h] > threshold else zero


@compiled
def two_state_backward(gradient, voltage, slopes, width, constants, one, result, total):  # noqa: ANN001, ANN201
    """As leaky_backward, for dn."""
    threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u = constants
    zero = one - one
    height = one / (width + width) if width > zero else zero
    d_voltage, d_current, d_recovery = np.zeros_like(total), np.zeros_like(total), np.zeros_like(total)
    slope = np.zeros_like(total)
    last = gradient.shape[0] - 1
    for r in range(gradient.shape[1]):
        for t in range(last, -1, -1):
            g, v, out = gradient[t, r], voltage[t, r], result[t, r]
            if width > zero:
                for h in range(g.size):
                    slope[h] = height if abs(v[h] - threshold) < width else zero
            else:
                slope[:] = slopes[t, r]
            if t == last:
                for h in range(g.size):
                    d_voltage[h] = slope[h] * g[h]
                    d_current[h] = d_voltage[h]
                    d_recovery[h] = zero
            else:
                for h in range(g.size):
                    fired = v[h] > threshold
                    reset = reset_v if fired else v[h]
                    d_reset = (reset + reset) * d_voltage[h] + coupling_v * d_recovery[h]
                    d_recovery[h] = coupling_u * d_recovery[h] - d_voltage[h]
                    d_spike = g[h] + (reset_v - v[h]) * d_reset + reset_u * d_recovery[h]
                    d_voltage[h] = slope[h] * d_spike + (zero if fired else d_reset)
                    d_current[h] = d_voltage[h] + current_keep * d_current[h]
            for h in range(g.size):
                out[h] = d_current[h]
                total[h] += d_current[h]
