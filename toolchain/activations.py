"""Scalar activations by name: value and derivative, in float64 or float32.

The names are those of contract section 2 and of torch.nn, with torch's default parameters:
elu alpha 1, leaky_relu slope 0.01, exact (erf) gelu, softplus beta 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

Array = NDArray[np.floating]
INVERSE_SQRT2 = float(1.0 / np.sqrt(2.0))
INVERSE_SQRT2PI = float(1.0 / np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class Activation:
    """An elementwise function f(x) and its derivative; the result keeps the dtype of x."""

    name: str
    value: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


def _gelu_derivative(x: Array) -> Array:
    return 0.5 * (1.0 + erf(x * INVERSE_SQRT2)) + x * np.exp(-0.5 * x * x) * INVERSE_SQRT2PI


_ALL = (
    Activation("identity", lambda x: x, np.ones_like),
    Activation("relu", lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)),
    Activation("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    Activation(
        "elu",
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0))).astype(x.dtype),
    ),
    Activation("silu", lambda x: x * expit(x), lambda x: expit(x) * (1 + x * (1 - expit(x)))),
    Activation("gelu", lambda x: 0.5 * x * (1.0 + erf(x * INVERSE_SQRT2)), _gelu_derivative),
    Activation(
        "leaky_relu",
        lambda x: np.where(x > 0, x, 0.01 * x).astype(x.dtype),
        lambda x: np.where(x > 0, 1, 0.01).astype(x.dtype),
    ),
    Activation("sigmoid", expit, lambda x: expit(x) * (1 - expit(x))),
    Activation("softplus", lambda x: np.logaddexp(0, x).astype(x.dtype), expit),
)
ACTIVATIONS: dict[str, Activation] = {activation.name: activation for activation in _ALL}
