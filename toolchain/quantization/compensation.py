"""Rows that make up for the rounding before them.

The inputs of a layer are integers that carry every rounding upstream. Its rows are therefore fitted anew: on those
inputs they shall give what the float network's layer gave on its own,

    min over W, b   E w |W x + b - wanted|^2  +  ridge * sum_ji r_i^2 (W_ji - folded_ji)^2

x the integer inputs, r_i the largest |x_i| about its mean, `wanted` the float pre-activations, w a weight per state.
Hidden features are correlated, so a handful of them can correct the others. The ridge keeps columns that the states
say little about where they were; it is in units of the range, for with a variance in its place a channel that moves
rarely, such as a stumble's, was free to do harm.
"""

from __future__ import annotations

import numpy as np

from toolchain.quantization.rounding import Float, Long


def compensated_rows(folded: Float, values: Float | Long, wanted: Float, importance: Float, ridge: float) -> tuple[Float, Float]:
    """Weights [out, in] and biases [out] for integer inputs `values` [N, in] and pre-activations `wanted` [N, out].

    `folded` [out, in] are the float layer's rows times the units of the inputs. The expected squared error on the
    states never exceeds that of `folded` with the bias that keeps the mean.
    """
    inputs = np.asarray(values, np.float64)
    share = (importance / importance.sum())[:, None]
    mean, target = (share * inputs).sum(0), (share * wanted).sum(0)
    centred, rest = inputs - mean, wanted - target - (inputs - mean) @ folded.T
    moments, cross = centred.T @ (share * centred), centred.T @ (share * rest)
    power = np.maximum((centred**2).max(0), 1.0)
    scale = 1 / np.sqrt(power)
    system = moments * scale[:, None] * scale + ridge * np.eye(len(scale))
    weights = folded + (scale[:, None] * np.linalg.solve(system, scale[:, None] * cross)).T
    return weights, target - weights @ mean
