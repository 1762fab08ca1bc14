"""Rows that make up for the rounding before them.

The inputs of a layer are integers that carry every rounding upstream. Its rows are therefore fitted
anew: on those inputs they shall give what the float network's layer gave on its own,

    min over W, b   E w |W x + b - wanted|^2  +  ridge * sum_ji r_i^2 (W_ji - folded_ji)^2

x the integer inputs, r_i the largest |x_i| about its mean, `wanted` the float pre-activations, w a
weight per state. Hidden features are correlated, so a handful of them can correct the others. The
ridge keeps columns that the states say little about where they were; it is in units of the range,
for with a variance in its place a channel that moves rarely, such as a stumble's, was free to do
harm.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.quantization.fitting import StateMoments
from spikeport.toolchain.quantization.rounding import Float, Long


def compensated_rows(
    folded: Float, values: Float | Long, wanted: Float, importance: Float, ridge: float
) -> tuple[Float, Float]:
    """Weights [out, in] and biases [out] for integer inputs `values` [N, in] and pre-activations
    `wanted` [N, out].

    `folded` [out, in] are the float layer's rows times the units of the inputs. The expected
    squared error on the states never exceeds that of `folded` with the bias that keeps the mean.
    """
    return fitted_rows(folded, StateMoments.of(values, wanted, importance), ridge)


def fitted_rows(folded: Float, moments: StateMoments, ridge: float) -> tuple[Float, Float]:
    """The same from the states' moments."""
    mean = moments.inputs[-1, :-1]
    target = moments.cross[-1]
    centred = moments.inputs[:-1, :-1] - np.outer(mean, mean)
    rest = moments.cross[:-1] - np.outer(mean, target) - centred @ folded.T
    scale = 1 / np.sqrt(np.maximum(moments.reach, 1.0))
    system = centred * scale[:, None] * scale + ridge * np.eye(len(scale))
    moved = np.linalg.solve(system, scale[:, None] * rest)
    weights = np.asarray(folded + (scale[:, None] * moved).T, np.float64)
    return weights, np.asarray(target - weights @ mean, np.float64)
