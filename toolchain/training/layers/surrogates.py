"""Surrogate derivatives: what training takes for dS/dV of a spike S = [V > threshold].

x is V - threshold, an array of any shape; the derivative has its shape, and is 1 / unit of x.

    rectangle     1 / (2 width) where |x| < width, else 0
                  width 0.5: Xu et al. 2025 (arXiv 2505.24161)
    fast-sigmoid  1 / (1 + slope |x|)^2
                  Zenke & Ganguli 2018, divided by the slope; snnTorch's
    arctan        (slope / 2) / (1 + (pi slope x / 2)^2)
                  Fang et al. 2021 (arXiv 2007.05785)
    gaussian      exp(-x^2 / (2 width^2)) / (width sqrt(2 pi))
                  Yin et al. 2021 (arXiv 2103.12593), its central lobe

A wider or flatter one lets more neurons learn, a narrower or steeper one is nearer to the spike.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from spikeport.toolchain.errors import InputError


@dataclass(frozen=True)
class Surrogate(ABC):
    """A derivative with one positive parameter, `width` (unit of V) or `slope` (1 / unit of V)."""

    name: ClassVar[str]

    def __post_init__(self) -> None:
        value = getattr(self, self.parameter)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not 0 < value < math.inf
        ):
            raise InputError(
                "surrogate",
                f"the {self.parameter} of {self.name} must be a positive number",
                got=value,
                fix=f"{self.parameter} 0.5",
            )

    @property
    def parameter(self) -> str:
        """The name of its parameter."""
        return fields(self)[0].name

    def steepened(self, slope: float) -> Surrogate:
        """The same derivative with another slope.

        A width is half the inverse of its slope, so that peak heights agree for the rectangle.
        """
        value = slope if self.parameter == "slope" else 0.5 / slope
        return replace(self, **{self.parameter: value})

    @abstractmethod
    def derivative(self, x: Any) -> Any:
        """dS/dV at x = V - threshold, a torch tensor."""


@dataclass(frozen=True)
class Rectangle(Surrogate):
    """The same derivative within `width` of the threshold, none beyond."""

    width: float = 0.5
    name: ClassVar[str] = "rectangle"

    def derivative(self, x: Any) -> Any:
        """dS/dV at x."""
        return (x.abs() < self.width).to(x.dtype).mul_(0.5 / self.width)


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """The derivative of a sigmoid that needs no exponential."""

    slope: float = 25.0
    name: ClassVar[str] = "fast-sigmoid"

    def derivative(self, x: Any) -> Any:
        """dS/dV at x."""
        return x.abs().mul_(self.slope).add_(1.0).pow_(-2)


@dataclass(frozen=True)
class Arctan(Surrogate):
    """The derivative of an arc tangent."""

    slope: float = 2.0
    name: ClassVar[str] = "arctan"

    def derivative(self, x: Any) -> Any:
        """dS/dV at x."""
        return (
            (x * (math.pi / 2 * self.slope)).square_().add_(1.0).reciprocal_().mul_(self.slope / 2)
        )


@dataclass(frozen=True)
class Gaussian(Surrogate):
    """A normal density."""

    width: float = 0.5
    name: ClassVar[str] = "gaussian"

    def derivative(self, x: Any) -> Any:
        """dS/dV at x."""
        return (
            (x / self.width)
            .square_()
            .mul_(-0.5)
            .exp_()
            .mul_(1 / (self.width * math.sqrt(2 * math.pi)))
        )


SURROGATES: dict[str, type[Surrogate]] = {
    kind.name: kind for kind in (Rectangle, FastSigmoid, Arctan, Gaussian)
}


PAPER = Rectangle()  # Xu et al. 2025
