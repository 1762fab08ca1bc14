"""Compiled parts of a ReLU network on the CPU: what lies between its large products, and a last layer of few outputs.

Arrays of hidden values have the type of the products: float32, float64, or bfloat16 as uint16; parameters, outputs and their gradients
are float32 or float64. Each function is one pass over memory where separate operations would be three or four.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from toolchain.training.scan_kernels import clear, compiled, narrow, widened

summing: Any = numba.njit(cache=True, boundscheck=False, nogil=True, fastmath={"reassoc", "contract"})


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
        row[h] = row[h] if values[h] > 0 else zero
    for h in range(row.size):
        sums[h] += row[h]
