"""How coarse each signal may be: by the action's sensitivity (sdn), by maxima (rate neurons)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.signal_statistics import SignalStatistics
from spikeport.toolchain.policies.ann_policy import DenseLayer

Float = NDArray[np.float64]
# Of the median sensitivity and the median change: silent channels must not get endless steps.
FLOOR = 1e-3
COLUMN_FLOOR = 1e-3  # of the strongest column: a weak sender must not get an endless unit
STRETCHES = 10
BEYOND_THE_REST = 1.25


def sensitivity_thresholds(
    signals: tuple[SignalStatistics, ...], action_error: float, shares: tuple[float, ...] = ()
) -> list[Float]:
    """Resolution of every input and hidden channel for a wanted RMS error of the squashed action.

        theta_i = c (f_i d_i / s_i^2)^(1/3),   sum_i s_i^2 theta_i^2 / 12 = action_error^2

    The Lagrange solution of least expected events times fan-out at a given error, with f_i the
    fan-out, d_i the mean change per decision and s_i^2 the sensitivity. No theta exceeds its
    channel's range. A channel that never varied gets its layer's median.

    Args:
        signals: The input's statistics, then those of every hidden layer.
        action_error: In units of half the action's range.
        shares: One per signal: each gets its own c and spends its share of action_error^2. () is
            one c for all.

    Returns:
        Thresholds [signal][channel] in real units.
    """
    weights = [floored(signal.sensitivity) for signal in signals]
    shapes = [
        np.cbrt(signal.fan_out * floored(signal.change) / weight)
        for signal, weight in zip(signals, weights, strict=True)
    ]
    spans = [span_of(signal) for signal in signals]
    if shares:
        parts = [action_error * float(np.sqrt(share / sum(shares))) for share in shares]
        constants = [
            _scale([shape], [span], [weight], part)
            for shape, span, weight, part in zip(shapes, spans, weights, parts, strict=True)
        ]
    else:
        constants = [_scale(shapes, spans, weights, action_error)] * len(shapes)
    thresholds = [
        np.minimum(constant * shape, span)
        for constant, shape, span in zip(constants, shapes, spans, strict=True)
    ]
    return [
        _median_where(theta, ~np.isfinite(span))
        for theta, span in zip(thresholds, spans, strict=True)
    ]


def span_of(signal: SignalStatistics) -> Float:
    """Range of each channel with 0 in it; infinite where it never varied."""
    span = np.maximum(signal.high, 0) - np.minimum(signal.low, 0)
    return np.where(signal.high > signal.low, span, np.inf)


def floored(values: Float) -> Float:
    """Values with a floor of 1e-3 of the median of the positive ones; 1 where none is."""
    positive = values[values > 0]
    floor = 1.0
    if len(positive):
        floor = FLOOR * float(np.median(positive))
    return np.maximum(values, floor)


def _scale(
    shapes: list[Float], spans: list[Float], weights: list[Float], action_error: float
) -> float:
    """C of the constraint, the caps on theta included; monotone, so bisection in the logarithm."""
    budget = 12.0 * action_error**2

    def spent(c: float) -> float:
        return sum(
            float((w * np.minimum(c * shape, span) ** 2).sum())
            for w, shape, span in zip(weights, shapes, spans, strict=True)
        )

    low = 1e-12
    high = 1e12
    for _ in range(200):
        middle = float(np.sqrt(low * high))
        if spent(middle) < budget:
            low = middle
        else:
            high = middle
    return float(np.sqrt(low * high))


def _median_where(theta: Float, mask: NDArray[np.bool_]) -> Float:
    """Thresholds with the median of the others where `mask` is set; 1 where there are no others."""
    rest = theta[~mask]
    usual = 1.0
    if len(rest):
        usual = float(np.median(rest))
    return np.where(mask, usual, theta)


def usual_where_silent(span: Float) -> Float:
    """Spans with the median of the others where a channel was always 0; 1 where all were."""
    return _median_where(span, span <= 0)


def maximum_thresholds(activations: Float) -> tuple[Float, NDArray[np.bool_]]:
    """Largest activation [n] of every neuron in states [N, n] in order, and which never fired.

    A maximum hangs on one state: a single bad episode doubled the largest threshold of a policy
    measured. So the states are cut into ten stretches, and a neuron's threshold is at most 1.25
    times its maximum over all stretches but the one where it is largest. A silent neuron gets its
    layer's median, for it must be able to speak in states that calibration did not visit. Source of
    the maximum: released CRPI code, per-neuron maximum for linear layers.
    """
    maxima = np.sort(
        [stretch.max(0, initial=0.0) for stretch in np.array_split(activations, STRETCHES)], axis=0
    )
    # a neuron that fired in one stretch only keeps its maximum
    usual = np.where(maxima[-2] > 0, BEYOND_THE_REST * maxima[-2], np.inf)
    dead = maxima[-1] <= 0
    return _median_where(np.minimum(maxima[-1], usual), dead), dead


def equalised(
    thresholds: list[Float], signals: tuple[SignalStatistics, ...], layers: tuple[DenseLayer, ...]
) -> list[Float]:
    """Thresholds moved half way to columns of equal strength.

    Args:
        thresholds: [signal][channel] in real units, the input's first.
        signals: Their statistics.
        layers: The layers that they reach.

    Returns:
        Thresholds that cost the action as much, none wider than its channel's range.
    """
    result = []
    for theta, signal, layer in zip(thresholds, signals, layers, strict=True):
        blend = np.sqrt(theta / column_strength(layer))
        sensitivity = floored(signal.sensitivity)
        before = float((sensitivity * theta**2).sum())
        blend *= np.sqrt(before / float((sensitivity * blend**2).sum()))
        result.append(np.minimum(blend, span_of(signal)))
    return result


def column_strength(layer: DenseLayer) -> Float:
    """RMS of each column's weights after every row is brought to norm 1, [in], floored."""
    weights = layer.weight.astype(np.float64)
    norms = np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-30)
    strength = np.sqrt(((weights / norms) ** 2).mean(0))
    return np.maximum(strength, COLUMN_FLOOR * float(strength.max()) + 1e-30)
