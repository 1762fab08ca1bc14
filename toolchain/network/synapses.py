"""Synapses: what connects the payloads that arrive to the sums of a layer's neurons.

    sum_j = sum_i w_ji r_i        integers; r_i the payload of input i, w_ji the weight to neuron j

A kind of synapses is a class here and a line in KINDS. It owns the sum, its bounds and its counts,
and names the arrays that `.spk` keeps of it; everything else may ask for the matrix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

Long = NDArray[np.int64]


class Synapses(ABC):
    """What every kind offers.

    Attributes:
        kind: Its name in `.spk`.
        arrays: The arrays that `.spk` keeps of it: names and types.
    """

    kind: ClassVar[str]
    arrays: ClassVar[Mapping[str, type]]

    @classmethod
    @abstractmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Synapses:
        """The synapses whose arrays, by the names of `arrays`, these are."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Senders."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Neurons that receive."""

    @property
    @abstractmethod
    def matrix(self) -> NDArray[Any]:
        """The weights as one matrix [out, in]."""

    @abstractmethod
    def sum(self, payloads: NDArray[np.integer]) -> Long:
        """Sums [..., out] of payloads [..., in]."""

    @abstractmethod
    def bound(self, low: Long, high: Long) -> tuple[Long, Long]:
        """The least and the largest sum of each neuron, [out] each.

        Args:
            low: The least payload of each input, [in].
            high: The largest payload of each input, [in].
        """

    @property
    @abstractmethod
    def fan_out(self) -> Long:
        """Non-zero weights per input, [in]: the synops that one non-zero payload causes."""

    @property
    @abstractmethod
    def macs(self) -> int:
        """Multiply-adds of the sums computed without skipping zeros."""

    def problems(self, inputs: int) -> list[str]:
        """What is wrong with the arrays where so many inputs arrive."""
        return []


@final
@dataclass(frozen=True, eq=False)
class Dense(Synapses):
    """Every input to every neuron: `weights` [out, in], int8 in a network.

    Conversion tries wider integers before it knows whether they pass the proof.
    """

    weights: NDArray[Any]

    kind = "dense"
    arrays = {"weights": np.int8}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Dense:
        """The synapses with these `weights`."""
        return cls(arrays["weights"])

    @property
    def inputs(self) -> int:
        """Columns of the matrix."""
        return self.weights.shape[1]

    @property
    def outputs(self) -> int:
        """Rows of the matrix."""
        return self.weights.shape[0]

    @property
    def matrix(self) -> NDArray[Any]:
        """The weights themselves."""
        return self.weights

    def sum(self, payloads: NDArray[np.integer]) -> Long:
        """Return payloads times the transposed matrix."""
        return payloads @ self._columns

    def bound(self, low: Long, high: Long) -> tuple[Long, Long]:
        """Return the sums in which every weight meets the end that suits its sign."""
        excite = np.maximum(self.weights.astype(np.int64), 0)
        inhibit = np.minimum(self.weights.astype(np.int64), 0)
        return excite @ low + inhibit @ high, excite @ high + inhibit @ low

    @cached_property
    def fan_out(self) -> Long:
        """Non-zero entries of each column."""
        return np.count_nonzero(self.weights, axis=0).astype(np.int64)

    @property
    def macs(self) -> int:
        """One per entry of the matrix."""
        return self.weights.size

    def problems(self, inputs: int) -> list[str]:
        """Problems of the matrix's shape, then of its numbers."""
        shape = self.weights.shape
        if len(shape) != 2 or shape[1] != inputs or shape[0] < 1:
            return [f"weights of shape {shape} where {inputs} inputs arrive"]
        if self.weights.min(initial=0) < -127:
            return ["weights must be symmetric, -127..127"]
        return []

    @cached_property
    def _columns(self) -> Long:
        return self.weights.astype(np.int64).T


KINDS: dict[str, type[Synapses]] = {Dense.kind: Dense}
