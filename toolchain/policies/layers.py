"""The weight layers of a policy, as its checkpoint has them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class AnyLayer(ABC):
    """What every weight layer of a policy offers; weight [out, in] and bias [out], float32."""

    # Names of the arrays that an artifact keeps of the layer.
    arrays: ClassVar[tuple[str, ...]] = ("weight", "bias")

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str  # what reports call the layer's non-linearity

    @property
    def inputs(self) -> int:
        """Number of input channels."""
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        """Number of output channels."""
        return self.weight.shape[0]

    @property
    def macs(self) -> int:
        """Dense multiply-adds of one pass."""
        return self.inputs * self.outputs

    @property
    @abstractmethod
    def record(self) -> Any:
        """What an artifact's description keeps of the layer beside its arrays, as JSON data."""


@dataclass(frozen=True, eq=False)
class DenseLayer(AnyLayer):
    """y = activation(weight @ x + bias); weight [out, in], bias [out], float32."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    activation: str = "identity"

    @property
    def record(self) -> str:
        """The activation's name."""
        return self.activation
