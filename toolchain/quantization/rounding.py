"""Real rows to symmetric integers: GPTQ-style rounding, a scale per row, corrected biases.

Source of the rounding: Frantar et al. 2023 (arXiv 2210.17323): round column by column in order of decreasing
input power and feed each column's error into the columns not yet rounded, through the inverse second moment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolchain.errors import InputError

Float = NDArray[np.float64]
SEARCH = np.linspace(0.3, 1.0, 29)  # of the scale at which a row's largest weight just fits
DAMPING = 0.01


def quantise_rows(weights: Float, moments: Float, bits: int, least_scale: Float) -> tuple[NDArray[np.int64], Float]:
    """Integer weights [out, in] and row scales [out] of real `weights`, whose columns already carry the payload units.

    `moments` [in, in] is the second moment of the integer inputs, `least_scale` [out] the finest scale that the
    range proof allows a row. Raises InputError for weights that cannot be scaled.
    """
    limit = 2 ** (bits - 1) - 1
    power = np.maximum(np.diag(moments), 0)
    largest = np.abs(weights).max(1)
    if not np.isfinite(largest).all():
        raise InputError("quantisation", "a row's weights are not finite", fix="check the checkpoint")
    natural = np.where(largest > 0, largest / limit, 1.0)
    scale = np.maximum(_best_scale(weights, power, natural, limit), least_scale)
    return _gptq(weights / scale[:, None], moments, limit), scale


def _best_scale(weights: Float, power: Float, natural: Float, limit: int) -> Float:
    """Per row the candidate with the least power-weighted squared rounding error."""
    importance = power + DAMPING * power.mean() + 1e-12
    best, best_error = natural.copy(), np.full(len(natural), np.inf)
    for factor in SEARCH[::-1]:
        scale = natural * factor
        rounded = np.clip(np.rint(weights / scale[:, None]), -limit, limit) * scale[:, None]
        error = (weights - rounded) ** 2 @ importance
        better = error < best_error
        best, best_error = np.where(better, scale, best), np.where(better, error, best_error)
    return best


def _gptq(weights: Float, moments: Float, limit: int) -> NDArray[np.int64]:
    """Integers near `weights` [out, in] that keep the rows' outputs on the calibration inputs."""
    size = weights.shape[1]
    order = np.argsort(-np.diag(moments), kind="stable")
    hessian = moments[np.ix_(order, order)] + np.eye(size) * max(DAMPING * float(np.diag(moments).mean()), 1e-9)
    inverse = np.linalg.inv(hessian)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    remaining, result = weights[:, order].copy(), np.zeros(weights.shape, np.int64)
    for column in range(size):
        rounded = np.clip(np.rint(remaining[:, column]), -limit, limit)
        result[:, order[column]] = rounded.astype(np.int64)
        error = (remaining[:, column] - rounded) / upper[column, column]
        remaining[:, column + 1 :] -= error[:, None] * upper[column, column + 1 :]
    return result


def second_moments(inputs: NDArray[np.integer] | Float) -> Float:
    """E[x x^T] of inputs [N, in]."""
    values = np.asarray(inputs, np.float64)
    return values.T @ values / len(values)


def corrected_bias(wanted_mean: Float, weights: NDArray[np.int64], mean_input: Float, scale: Float) -> NDArray[np.int64]:
    """Integer bias with which the mean pre-activation on calibration states is the float network's `wanted_mean`."""
    return np.rint(wanted_mean / scale - weights @ mean_input).astype(np.int64)
