"""What fitting and rounding need of the calibration states, summed up once.

Second moments, for rows are linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.quantization.rounding import Float, Long, augmented_moments


@dataclass(frozen=True, eq=False)
class StateMoments:
    """Moments of integer inputs x [N, in] and wanted outputs y [N, out], states weighed.

    Attributes:
        inputs: E [x 1]^T [x 1].
        cross: E [x 1]^T y.
        wanted: E y^2, [out].
        reach: The largest (x - E x)^2, [in].
    """

    inputs: Float
    cross: Float
    wanted: Float
    reach: Float

    @classmethod
    def of(cls, values: Float | Long, wanted: Float, importance: Float) -> StateMoments:
        """The moments of these states; `importance` [N, 1] weighs them."""
        inputs = np.asarray(values, np.float64)
        weighed = (importance / importance.sum()).reshape(-1, 1) * wanted
        moments = augmented_moments(inputs, importance)
        mean = moments[-1, :-1]
        reach = np.maximum(inputs.max(0) - mean, mean - inputs.min(0)) ** 2
        return cls(
            moments,
            np.concatenate([inputs.T @ weighed, weighed.sum(0, keepdims=True)]),
            (weighed * wanted).sum(0),
            reach,
        )

    def error(self, weights: Float | Long, bias: Float | Long, scale: Float) -> Float:
        """Expected squared error [out] of (weights x + bias) * scale."""
        rows = np.concatenate([weights, bias[:, None]], axis=1) * scale[:, None]
        return np.maximum(
            ((rows @ self.inputs) * rows).sum(1) - 2 * (rows * self.cross.T).sum(1) + self.wanted,
            0.0,
        )


def compensated_rows(
    folded: Float, values: Float | Long, wanted: Float, importance: Float, ridge: float
) -> tuple[Float, Float]:
    """Weights [out, in] and biases [out] that fit integer inputs to pre-activations.

    The expected squared error on the states never exceeds that of `folded` with the bias that
    keeps the mean.

    Args:
        folded: The float layer's rows times the units of the inputs, [out, in].
        values: Integer inputs [N, in].
        wanted: Pre-activations [N, out].
        importance: Weighs the states, [N, 1].
        ridge: Holds weights of inputs that hardly move near `folded`.
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
