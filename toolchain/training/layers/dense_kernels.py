"""Compiled parts of a ReLU network on the CPU.

They are what lies between its large products, one pass over memory each, and its narrow last layer.
Hidden values have the type of the products: float32, float64, or bfloat16 as uint16; parameters,
outputs and their gradients are float32 or float64. Inner loops touch few arrays each: with more,
the compiler gives up on vector instructions.

What each call does is shared among the threads of a `team` (threads.py), each with rows of its own,
as of torch's products: to fetch what another core has just written takes longer than the
arithmetic. Sums over rows are those of the parts, in their order.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import overload

from spikeport.toolchain.compilation import njit
from spikeport.toolchain.training.layers.threads import on_threads, portion

compiled: Any = njit(boundscheck=False, nogil=True, error_model="numpy")
summing: Any = njit(boundscheck=False, nogil=True, fastmath={"reassoc", "contract"})


def widened(source, h):  # noqa: ANN001, ANN201
    """Widen element h of an array of the products' type to the parameters' type."""


def narrow(row, target):  # noqa: ANN001, ANN201
    """Copy the beginning of `row` to `target`, of the products' type.

    To bfloat16 it is rounded half to even, NaN excepted.
    """


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
            target[h] = np.uint16(
                np.uint32(np.uint32(bits[h] + np.uint32(0x7FFF)) + odd) >> np.uint32(16)
            )

    return round_off


@compiled
def activate_rows(part, parts, y, bias, result):  # noqa: ANN001, ANN201
    """Do a part of `activate`."""
    row = np.empty_like(bias)
    zero = bias.dtype.type(0)
    start, stop = portion(y.shape[0], part, parts)
    for r in range(start, stop):
        z = y[r]
        for h in range(bias.size):
            row[h] = widened(z, h) + bias[h]
        for h in range(bias.size):
            row[h] = max(row[h], zero)
        narrow(row, result[r])


@summing
def last_rows(part, parts, x, weight, bias, y):  # noqa: ANN001, ANN201
    """Do a part of `last_forward`."""
    start, stop = portion(x.shape[0], part, parts)
    for r in range(start, stop):
        values = x[r]
        for o in range(weight.shape[0]):
            row = weight[o]
            total = bias[o] - bias[o]
            for h in range(row.size):
                total += widened(values, h) * row[h]
            y[r, o] = total + bias[o]


@compiled
def last_rows_back(part, parts, gradient, x, weight, d_x, found):  # noqa: ANN001, ANN201
    """Do a part of `last_backward`.

    Its d_weight and sums of its rows go to found [parts, outputs + 1, neurons].
    """
    row = np.empty(weight.shape[1], found.dtype)
    own = np.empty(found.shape[1:], found.dtype)
    zero = found.dtype.type(0)
    for o in range(own.shape[0]):
        clear(own[o])
    start, stop = portion(x.shape[0], part, parts)
    for r in range(start, stop):
        values = x[r]
        clear(row)
        for o in range(weight.shape[0]):
            g = gradient[r, o]
            w = weight[o]
            d_w = own[o]
            for h in range(row.size):
                row[h] += g * w[h]
            for h in range(row.size):
                d_w[h] += g * widened(values, h)
        mask(row, values, zero, own[-1])
        narrow(row, d_x[r])
    found[part] = own  # only now, as threads would wait for each other's ends of rows


@compiled
def hidden_rows_back(part, parts, gradient, x, found):  # noqa: ANN001, ANN201
    """Do a part of `hidden_backward`; sums of its rows go to found [parts, neurons]."""
    row = np.empty(found.shape[1], found.dtype)
    own = np.empty(found.shape[1], found.dtype)
    zero = found.dtype.type(0)
    clear(own)
    start, stop = portion(x.shape[0], part, parts)
    for r in range(start, stop):
        given = gradient[r]
        for h in range(row.size):
            row[h] = widened(given, h)
        mask(row, x[r], zero, own)
        narrow(row, given)
    found[part] = own


@compiled
def total(found, sums):  # noqa: ANN001, ANN201
    """Add up what all parts have found -> sums [neurons]."""
    clear(sums)
    for part in range(found.shape[0]):
        own = found[part]
        for h in range(sums.size):
            sums[h] += own[h]


@compiled
def mask(row, values, zero, sums):  # noqa: ANN001, ANN201
    """Zero a row where a ReLU gave 0, and so not where it gave NaN; add it to sums over rows."""
    for h in range(row.size):
        if widened(values, h) <= zero:
            row[h] = zero
        else:
            row[h] = row[h]
    for h in range(row.size):
        sums[h] += row[h]


@compiled
def clear(row):  # noqa: ANN001, ANN201
    """Set to zero."""
    for h in range(row.size):
        row[h] = 0


@compiled
def adam_slices(
    part, parts, parameters, gradients, means, squares, rest, keep, share, rate, scale, eps
):  # noqa: ANN001, ANN201
    """Do a part of `adam`."""
    for k in range(len(parameters)):
        start, stop = portion(parameters[k].size, part, parts)
        move(
            parameters[k][start:stop],
            gradients[k][start:stop],
            means[k][start:stop],
            squares[k][start:stop],
            rest,
            keep,
            share,
            rate,
            scale,
            eps,
        )


@compiled
def move(p, g, m, v, rest, keep, share, rate, scale, eps):  # noqa: ANN001, ANN201
    """Take Adam's step of one slice."""
    for i in range(p.size):
        mean = m[i] + rest * (g[i] - m[i])
        square = keep * v[i] + share * (g[i] * g[i])
        m[i] = mean
        v[i] = square
        p[i] -= rate * mean / (scale * np.sqrt(square) + eps)


share_activate = on_threads(activate_rows)
share_adam = on_threads(adam_slices)
share_last_forward = on_threads(last_rows)
share_last_backward = on_threads(last_rows_back)
share_hidden_backward = on_threads(hidden_rows_back)


@compiled
def activate(team, y, bias, result):  # noqa: ANN001, ANN201
    """Compute ReLU(y + bias) of y [n, neurons] -> result, which may be y itself."""
    share_activate(team, team[1], (y, bias, result))


@compiled
def last_forward(team, x, weight, bias, y):  # noqa: ANN001, ANN201
    """Compute y [n, outputs] = x weight^T + bias of hidden values x [n, neurons]."""
    share_last_forward(team, team[1], (x, weight, bias, y))


@compiled
def last_backward(team, gradient, x, weight, d_x, d_weight, sums):  # noqa: ANN001, ANN201
    """Gradient [n, outputs] -> d_weight, and d_x [n, neurons] of what went into x's ReLU.

    The sum of d_x over n goes to sums [neurons].
    """
    found = np.empty((team[1], weight.shape[0] + 1, weight.shape[1]), weight.dtype)
    share_last_backward(team, team[1], (gradient, x, weight, d_x, found))
    for o in range(weight.shape[0]):
        total(found[:, o], d_weight[o])
    total(found[:, weight.shape[0]], sums)


@compiled
def hidden_backward(team, gradient, x, sums):  # noqa: ANN001, ANN201
    """Gradient [n, neurons] of x -> of what went into its ReLU, in place.

    Its sum over n goes to sums [neurons].
    """
    found = np.empty((team[1], sums.size), sums.dtype)
    share_hidden_backward(team, team[1], (gradient, x, found))
    total(found, sums)


@compiled
def adam(  # noqa: ANN001, ANN201
    team, parameters, gradients, means, squares, rest, keep, share, rate, scale, eps
):
    """Take a step of Kingma & Ba 2015, algorithm 1, for tuples of flat arrays.

    Means move by `rest` of the way to the gradient, squares are kept to `keep` and take a `share`
    of the gradient's; then p -= rate mean / (scale sqrt(square) + eps).
    """
    share_adam(
        team, team[1], (parameters, gradients, means, squares, rest, keep, share, rate, scale, eps)
    )
