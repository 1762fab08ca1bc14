"""How coarse each signal may be: thresholds from the action's sensitivity (sdn) and from maxima (if)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolchain.conversion.statistics import SignalStatistics

Float = NDArray[np.float64]
FLOOR = 1e-3  # of the median sensitivity and the median change: silent channels must not get endless steps


def sensitivity_thresholds(signals: tuple[SignalStatistics, ...], action_error: float, shares: tuple[float, ...] = ()) -> list[Float]:
    """Resolution of every input and hidden channel for a wanted RMS error of the squashed action.

        theta_i = c (f_i d_i / s_i^2)^(1/3),   sum_i s_i^2 theta_i^2 / 12 = action_error^2

    The Lagrange solution of least expected events times fan-out at a given error, with f_i the fan-out, d_i the
    mean change per decision and s_i^2 the sensitivity. No theta exceeds its channel's range. A channel that never
    varied gets its layer's median. `action_error` is in units of half the action's range. With `shares`, one per
    signal, each signal gets its own c and spends its share of action_error^2.
    """
    shapes, spans, weights = [], [], []
    for signal in signals:
        sensitivity = floored(signal.sensitivity)
        shapes.append(np.cbrt(signal.fan_out * floored(signal.change) / sensitivity))
        spans.append(np.where(signal.high > signal.low, np.maximum(signal.high, 0) - np.minimum(signal.low, 0), np.inf))
        weights.append(sensitivity)
    if shares:
        parts = [action_error * float(np.sqrt(share / sum(shares))) for share in shares]
        constants = [_scale([shape], [span], [weight], part) for shape, span, weight, part in zip(shapes, spans, weights, parts, strict=True)]
    else:
        constants = [_scale(shapes, spans, weights, action_error)] * len(shapes)
    thresholds = [np.minimum(constant * shape, span) for constant, shape, span in zip(constants, shapes, spans, strict=True)]
    return [_median_where(theta, ~np.isfinite(span)) for theta, span in zip(thresholds, spans, strict=True)]


def floored(values: Float) -> Float:
    positive = values[values > 0]
    floor = FLOOR * float(np.median(positive)) if len(positive) else 1.0
    return np.maximum(values, floor)


def _scale(shapes: list[Float], spans: list[Float], weights: list[Float], action_error: float) -> float:
    """c of the constraint, the caps on theta included; monotone, so bisection in the logarithm."""
    budget = 12.0 * action_error**2

    def spent(c: float) -> float:
        return sum(float((w * np.minimum(c * shape, span) ** 2).sum()) for w, shape, span in zip(weights, shapes, spans, strict=True))

    low, high = 1e-12, 1e12
    for _ in range(200):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if spent(middle) < budget else (low, middle)
    return float(np.sqrt(low * high))


def _median_where(theta: Float, mask: NDArray[np.bool_]) -> Float:
    rest = theta[~mask]
    return np.where(mask, float(np.median(rest)) if len(rest) else 1.0, theta)


def maximum_thresholds(activations: Float) -> tuple[Float, NDArray[np.bool_]]:
    """Per-neuron maximum of the activations [N, n], and which neurons never fired.

    A silent neuron gets its layer's median, for it must be able to speak in states that calibration did not visit.
    Source: released CRPI code, per-neuron maximum for linear layers.
    """
    maxima = np.maximum(activations.max(0), 0.0)
    dead = maxima <= 0
    return _median_where(maxima, dead), dead
