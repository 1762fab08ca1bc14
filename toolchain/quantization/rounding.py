"""Real rows to symmetric integers with a scale per row.

GPTQ-style rounding with the bias as one more column.
Source of the rounding: Frantar et al. 2023 (arXiv 2210.17323): round column by column in order of
decreasing input power and feed each column's error into the columns not yet rounded, through the
inverse second moment. The bias is the column of a constant input 1: its rounding error, which a
rate neuron would add T times, is absorbed by the weights, and the mean output on calibration states
stays that of the real row. With a price on weights, one that costs less error than it is worth
becomes 0 and its error goes into the columns not yet rounded as well (Frantar and Alistarh 2023,
arXiv 2301.00774; the saliency is optimal brain surgeon's).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.compilation import njit
from spikeport.toolchain.errors import InputError

Float = NDArray[np.float64]
Long = NDArray[np.int64]
SEARCH = np.geomspace(1.0, 0.3, 12)  # of the scale at which a row's largest weight just fits
DAMPING = 0.01
ROUNDS = 3  # of refinement
LARGEST_BIAS = 2.0**40  # far beyond what any range proof accepts, far below what 64 bits hold


def quantise_rows(
    weights: Float,
    bias: Float,
    moments: Float | Rounding,
    bits: int,
    least_scale: Float,
    price: Float | None = None,
) -> tuple[Long, Long, Float]:
    """Integer weights [out, in], biases [out] and row scales [out] of real rows.

    The columns of `weights` already carry the payload units. `moments` [in + 1, in + 1] is the
    second moment of the integer inputs with a constant 1 behind them, or its `Rounding`;
    `least_scale` [out] is the finest scale that the range proof allows. Every row takes the
    candidate scale with the least expected squared error after rounding. `price` [out, in] is the
    squared error of the row's output that a weight of 0 may cost; it joins what a row's scale is
    chosen by.
    """
    limit = 2 ** (bits - 1) - 1
    largest = np.abs(weights).max(1)
    if not np.isfinite(largest).all():
        raise InputError(
            "quantisation", "a row's weights are not finite", fix="check the checkpoint"
        )
    rows = np.concatenate([weights, bias[:, None]], axis=1)
    natural = np.where(
        largest > 0,
        natural_scale(largest, bias, limit),
        np.where(np.abs(bias) > 0, np.abs(bias), 1.0),
    )
    if isinstance(moments, Rounding):
        rounding = moments
    else:
        rounding = Rounding(moments)
    best = np.zeros(rows.shape, np.int64)
    best_scale = natural.copy()
    best_error = np.full(len(rows), np.inf)
    for factor in SEARCH:
        scale = np.maximum(natural * factor, least_scale)
        integers = rounding.apply(
            rows / scale[:, None], limit, None if price is None else price / scale[:, None] ** 2
        )
        difference = integers * scale[:, None] - rows
        error = ((difference @ rounding.damped) * difference).sum(1)
        if price is not None:
            error = error + (price * (integers[:, :-1] != 0)).sum(1)
        better = error < best_error
        best[better] = integers[better]
        best_scale[better] = scale[better]
        best_error[better] = error[better]
    best, best_scale = refined(
        best,
        best_scale,
        rows,
        rounding.damped,
        limit,
        least_scale,
        None if price is None else best == 0,
    )
    return best[:, :-1], best[:, -1], best_scale


def natural_scale(largest: Float, bias: Float, limit: int) -> Float:
    """The scale [out] at which a row's largest weight just fits `limit`.

    It is floored so that the row's bias fits an integer as well. Beside a bias of usual size,
    weights of 1e-20 would ask for biases of 10^20; such rows fail the range proof at the floor too
    and become coarser, so their weights round to 0.
    """
    return np.maximum(
        np.maximum(largest / limit, np.abs(bias) / LARGEST_BIAS), np.finfo(np.float64).tiny
    )


def refined(
    integers: Long,
    scale: Float,
    rows: Float,
    moments: Float,
    limit: int,
    least_scale: Float,
    left_out: NDArray[np.bool_] | None = None,
) -> tuple[Long, Float]:
    """Better integers and scales for rows, never worse.

    The best scale for the integers, then the best integer for each column in turn, given all
    others; some rounds of both.

    Args:
        integers: What to start from, [out, in + 1], the bias last.
        scale: Of the rows, [out].
        rows: Real rows [out, in + 1].
        moments: Second moment of the inputs and a constant 1, [in + 1, in + 1].
        limit: Largest magnitude of a weight.
        least_scale: The finest scale that each row may take, [out].
        left_out: Weights [out, in] that stay 0.
    """
    best = integers.astype(np.float64)
    power = np.diag(moments)
    product = rows @ moments
    if left_out is None:
        kept = np.ones(rows.shape, np.bool_)
    else:
        kept = ~left_out
    for _ in range(ROUNDS):
        energy = ((best @ moments) * best).sum(1)
        overlap = (best * product).sum(1)
        fitted = np.maximum(
            np.divide(overlap, energy, out=np.zeros_like(overlap), where=energy > 0), least_scale
        )
        scale = np.where((overlap > 0) & (energy > 0), fitted, scale)
        gradient = best @ moments - product / scale[:, None]
        _descend(best, gradient, moments, np.argsort(-power, kind="stable"), float(limit), kept)
    return best.astype(np.int64), scale


class Rounding:
    """The factorised second moments of one layer's inputs; `apply` rounds any rows on them."""

    def __init__(self, moments: Float) -> None:
        size = len(moments)
        self.damped = moments + np.eye(size) * max(
            DAMPING * float(np.diag(moments)[:-1].mean()) if size > 1 else 0.0, 1e-9
        )
        self.damped[-1, -1] = moments[-1, -1]  # the constant is certain
        self.order = np.concatenate([[size - 1], np.argsort(-np.diag(moments)[:-1], kind="stable")])
        inverse = np.linalg.inv(self.damped[np.ix_(self.order, self.order)] + np.eye(size) * 1e-12)
        self.upper = np.ascontiguousarray(np.linalg.cholesky((inverse + inverse.T) / 2).T)

    def apply(self, rows: Float, limit: int, price: Float | None = None) -> Long:
        """Integers near real rows that keep the rows' outputs.

        Args:
            rows: [out, in + 1] in row units, the bias last.
            limit: Weights are clipped to +-limit.
            price: [out, in]; a weight whose removal adds less than that to the squared error, in
                row units, becomes 0.
        """
        result = np.zeros(rows.shape, np.int64)
        if price is None:
            priced = np.zeros((len(rows), rows.shape[1] - 1))
        else:
            priced = price
        _round(
            np.ascontiguousarray(rows[:, self.order]),
            self.upper,
            self.order,
            float(limit),
            price is not None,
            priced,
            result,
        )
        return result


@njit(nogil=True)
def _round(remaining, upper, order, limit, has_price, price, result):
    """Column by column, each row by itself.

    `remaining` [out, in + 1] is in the order of `order` and used up.
    """
    for row in range(remaining.shape[0]):
        rest = remaining[row]
        for column in range(len(order)):
            value = rest[column]
            original = order[column]
            rounded = np.rint(value)
            if column:  # column 0 is the bias, which is not limited
                rounded = min(max(rounded, -limit), limit)
                if (
                    has_price
                    and value**2 - (value - rounded) ** 2
                    < price[row, original] * upper[column, column] ** 2
                ):
                    rounded = 0.0
            result[row, original] = np.int64(rounded)
            error = (value - rounded) / upper[column, column]
            for other in range(column + 1, len(order)):
                rest[other] -= error * upper[column, other]


@njit(nogil=True)
def _descend(best, gradient, moments, order, limit, kept):
    """The best integer for each column in turn, all rows.

    `best` and `gradient` [out, in + 1] are changed in place.
    """
    last = best.shape[1] - 1
    for row in range(best.shape[0]):
        for column in order:
            moved = np.rint(best[row, column] - gradient[row, column] / moments[column, column])
            if column < last:  # the last one is the bias, which is not limited
                if kept[row, column]:
                    moved = min(max(moved, -limit), limit)
                else:
                    moved = 0.0
            step = moved - best[row, column]
            if step != 0.0:
                for other in range(last + 1):
                    gradient[row, other] += step * moments[column, other]
                best[row, column] = moved


def augmented_moments(inputs: Long | Float, importance: Float | None = None) -> Float:
    """E[x x^T] of inputs [N, in] with a constant 1 behind them.

    `importance` [N] weighs the states.
    """
    values = np.concatenate([np.asarray(inputs, np.float64), np.ones((len(inputs), 1))], axis=1)
    if importance is None:
        share = np.full(len(values), 1 / len(values))
    else:
        share = importance / importance.sum()
    values *= np.sqrt(share)[:, None]
    return values.T @ values  # one matrix with itself: half the work
