"""Compiled parts of a ReLU network on the CPU: what lies between its large products, one pass over memory each, and its narrow last layer.

Hidden values have the type of the products: float32, float64, or bfloat16 as uint16; parameters, outputs and their gradients are float32
or float64. Inner loops touch few arrays each: with more, the compiler gives up on vector instructions.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import overload

compiled: Any = numba.njit(cache=True, boundscheck=False, nogil=True, error_model="numpy")
summing: Any = numba.njit(cache=True, boundscheck=False, nogil=True, fastmath={"reassoc", "contract"})


def widened(source, h):  # noqa: ANN001, ANN201
    """Element h of an array of the products' type, in the parameters' type."""


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
    """gradient [n, outputs] -> d_x [n, neurons] of what went into x's ReLU, its sum over n in sums [neurons], and d_weight."""
    clear(sums)
    row, zero = np.empty_like(sums), sums[0]
    for o in range(weight.shape[0]):
        clear(d_weight[o])
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
    """The gradient [n, neurons] of x -> of what went into its ReLU, in place; its sum over n in sums [neurons]."""
    clear(sums)
    row, zero = np.empty_like(sums), sums[0]
    for r in range(x.shape[0]):
        given = gradient[r]
        for h in range(row.size):
            row[h] = widened(given, h)
        mask(row, x[r], zero, sums)
        narrow(row, given)


@compiled
def mask(row, values, zero, sums):  # noqa: ANN001, ANN201
    """0 where a ReLU gave 0, and so not where it gave NaN; sums over rows."""
    for h in range(row.size):
        row[h] = zero if widened(values, h) <= zero else row[h]
    for h in range(row.size):
        sums[h] += row[h]


@compiled
def clear(row):  # noqa: ANN001, ANN201
    """Zeros."""
    for h in range(row.size):
        row[h] = 0


@compiled
def adam(parameters, gradients, means, squares, rest, keep, part, rate, scale, eps):  # noqa: ANN001, ANN201
    """Kingma & Ba 2015, algorithm 1, for tuples of arrays: means move by `rest` of the way to the gradient, squares are kept to `keep` and
    take `part` of the gradient's; then p -= rate mean / (scale sqrt(square) + eps). `gradients` holds one tuple or more, summed into the first.
    """
    for k in range(len(parameters)):
        p, g, m, v = parameters[k], gradients[0][k], means[k], squares[k]
        for start in range(0, p.size, 4096):  # what one loop leaves in the fastest cache the next one finds there
            stop = min(start + 4096, p.size)
            for other in range(1, len(gradients)):
                add(gradients[other][k][start:stop], g[start:stop])
            moments(g[start:stop], m[start:stop], v[start:stop], rest, keep, part)
            move(p[start:stop], m[start:stop], v[start:stop], rate, scale, eps)


@compiled
def add(other, g):  # noqa: ANN001, ANN201
    """g += other."""
    for i in range(g.size):
        g[i] += other[i]


@compiled
def moments(g, m, v, rest, keep, part):  # noqa: ANN001, ANN201
    """Running means of the gradient and of its square."""
    for i in range(g.size):
        m[i] += rest * (g[i] - m[i])
        v[i] = keep * v[i] + part * (g[i] * g[i])


@compiled
def move(p, m, v, rate, scale, eps):  # noqa: ANN001, ANN201
    """Adam's step of the parameters."""
    for i in range(p.size):
        p[i] -= rate * m[i] / (scale * np.sqrt(v[i]) + eps)
