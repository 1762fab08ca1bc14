"""Units of the senders that suit the rounding of the receivers' weights.

The unit of sender i is folded into column i before the rows are rounded, and a row has one scale: a
column with a large unit uses up the integers, one with a small unit gets none. Units in inverse
proportion to the columns' weights share the integers evenly, thresholds from the action's
sensitivity share the events; the geometric mean of both, scaled to spend the same action error,
gave the least error after rounding on the policies measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.signal_statistics import SignalStatistics
from spikeport.toolchain.conversion.thresholds import floored
from spikeport.toolchain.policies.ann_policy import DenseLayer

Float = NDArray[np.float64]
FLOOR = 1e-3  # of the strongest column: a weak sender must not get an endless unit


def equalised(
    thresholds: list[Float], signals: tuple[SignalStatistics, ...], layers: tuple[DenseLayer, ...]
) -> list[Float]:
    """Thresholds [signal][channel] (real units, the input's first) moved half way to even columns.

    No wider than a channel's range.
    """
    result = []
    for theta, signal, layer in zip(thresholds, signals, layers, strict=True):
        blend = np.sqrt(theta / column_strength(layer))
        sensitivity = floored(signal.sensitivity)
        blend *= np.sqrt(
            float((sensitivity * theta**2).sum()) / float((sensitivity * blend**2).sum())
        )
        span = np.where(
            signal.high > signal.low, np.maximum(signal.high, 0) - np.minimum(signal.low, 0), np.inf
        )
        result.append(np.minimum(blend, span))
    return result


def column_strength(layer: DenseLayer) -> Float:
    """RMS of each column's weights after every row is brought to norm 1, [in], floored."""
    weights = layer.weight.astype(np.float64)
    norms = np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-30)
    strength = np.sqrt(((weights / norms) ** 2).mean(0))
    return np.maximum(strength, FLOOR * float(strength.max()) + 1e-30)
