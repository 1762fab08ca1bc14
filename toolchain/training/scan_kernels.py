"""Compiled scans over T for arrays on the CPU: the equations of spiking_layer.py, one pass over memory each.

Arrays are [T, n, neurons] unless said otherwise, float32 or float64; the scalar arguments have the arrays' type, as a
Python float would widen the loops. Inner loops touch few arrays each: with more, the compiler gives up on vector
instructions. `slopes` holds the surrogate; where `width` > 0 it is empty and the rectangle is meant.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

compiled: Any = numba.njit(cache=True, boundscheck=False, nogil=True)


@compiled
def encode(activations, threshold, one, spikes):  # noqa: ANN001, ANN201
    """activations [n, inputs] -> spikes [T, n, inputs]."""
    zero = one - one
    for r in range(activations.shape[0]):
        a = activations[r]
        v = np.zeros_like(a)
        for t in range(spikes.shape[0]):
            s = spikes[t, r]
            for i in range(a.size):
                v[i] += a[i]
            for i in range(a.size):
                s[i] = one if v[i] > threshold else zero
            for i in range(a.size):
                v[i] -= threshold if v[i] > threshold else zero


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
                    v[h] = x[h] + bias[h]
                if current_keep > zero:
                    current[:] = v
            else:
                before = voltage[t - 1, r]
                if current_keep > zero:
                    for h in range(x.size):
                        current[h] = current_keep * current[h] + (x[h] + bias[h])
                    for h in range(x.size):
                        v[h] = (zero if before[h] > threshold else voltage_keep * before[h]) + current[h]
                else:
                    for h in range(x.size):
                        v[h] = (zero if before[h] > threshold else voltage_keep * before[h]) + (x[h] + bias[h])
            for h in range(x.size):
                s[h] = one if v[h] > threshold else zero


@compiled
def leaky_backward(gradient, voltage, slopes, width, threshold, voltage_keep, current_keep, one, result, total):  # noqa: ANN001, ANN201
    """Gradient of the spikes -> gradient of the drive in `result`, its sum over T and n in total [neurons]."""
    zero = one - one
    height = one / (width + width) if width > zero else zero
    d_voltage = np.zeros_like(total)
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
            else:
                for h in range(g.size):
                    kept = voltage_keep * d_voltage[h]
                    d_voltage[h] = slope[h] * (g[h] - v[h] * kept) + (zero if v[h] > threshold else kept)
            if t == last or current_keep == zero:
                out[:] = d_voltage
            else:
                after = result[t + 1, r]
                for h in range(g.size):
                    out[h] = d_voltage[h] + current_keep * after[h]
            for h in range(g.size):
                total[h] += out[h]


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
                recovery[:] = zero
                v[:] = current
            else:
                before = voltage[t - 1, r]
                for h in range(x.size):
                    current[h] = current_keep * current[h] + (x[h] + bias[h])
                for h in range(x.size):
                    recovery[h] += reset_u if before[h] > threshold else zero
                for h in range(x.size):
                    reset = reset_v if before[h] > threshold else before[h]
                    v[h] = reset * reset - recovery[h] + current[h]
                for h in range(x.size):
                    recovery[h] = coupling_u * recovery[h] + coupling_v * (reset_v if before[h] > threshold else before[h])
            for h in range(x.size):
                s[h] = one if v[h] > threshold else zero


@compiled
def two_state_backward(gradient, voltage, slopes, width, constants, one, result, total):  # noqa: ANN001, ANN201
    """As leaky_backward, for dn."""
    threshold, current_keep, reset_v, reset_u, coupling_v, coupling_u = constants
    zero = one - one
    height = one / (width + width) if width > zero else zero
    d_voltage, d_reset, d_recovery = np.zeros_like(total), np.zeros_like(total), np.zeros_like(total)
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
                d_recovery[:] = zero
                out[:] = d_voltage
            else:
                for h in range(g.size):
                    reset = reset_v if v[h] > threshold else v[h]
                    d_reset[h] = (reset + reset) * d_voltage[h] + coupling_v * d_recovery[h]
                for h in range(g.size):
                    d_recovery[h] = coupling_u * d_recovery[h] - d_voltage[h]
                for h in range(g.size):
                    d_voltage[h] = g[h] + (reset_v - v[h]) * d_reset[h] + reset_u * d_recovery[h]
                for h in range(g.size):
                    d_voltage[h] = slope[h] * d_voltage[h] + (zero if v[h] > threshold else d_reset[h])
                after = result[t + 1, r]
                for h in range(g.size):
                    out[h] = d_voltage[h] + current_keep * after[h]
            for h in range(g.size):
                total[h] += out[h]
