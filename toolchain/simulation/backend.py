"""The interface of everything that executes an artifact (contract section 4)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.host.observations import Float, Mask
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.census import Census


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """What one layer sent in each timestep and its state after it, [decisions, T, neurons] each."""

    payloads: NDArray[np.int32]
    states: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Trace:
    """One stream of decisions, in window time; equal on every backend."""

    inputs: NDArray[np.int32]  # payloads of the encoder [decisions, features]
    layers: tuple[LayerTrace, ...]
    actions: Float  # [decisions, act], or [decisions, 1] where they are discrete
    census: Census


class Backend(ABC):
    """Executes an artifact on `rows` independent environments.

    `reset` announces an episode's start, `resync` a restart of all state inside an episode; both
    take effect in the next decision of the rows in `mask` (all rows if None).

    Attributes:
        name: The backend's name.
        max_rows: The most environments at once; any number for None.
        counterparts: Ids of the neurons that it runs; every one for None.
    """

    name: str
    max_rows: int | None = None
    counterparts: Collection[str] | None = None

    @classmethod
    def missing(cls) -> str:
        """Why this backend cannot run here, with the command that fixes it; empty where it can."""
        return ""

    @classmethod
    def foreign(cls, network: Network) -> list[str]:
        """Neurons of `network` that this backend has no counterpart for, each once."""
        if cls.counterparts is None:
            return []
        return [
            name
            for name in dict.fromkeys(layer.neuron for layer in network.layers)
            if name not in cls.counterparts
        ]

    @classmethod
    def refuse_foreign(cls, network: Network) -> None:
        """Raise InputError that names the neurons which this backend has no counterpart for."""
        if foreign := cls.foreign(network):
            raise InputError(
                f"backend {cls.name}",
                "has no counterpart for the artifact's neurons",
                got=", ".join(foreign),
                fix="--backend reference" if cls.name == "fast" else "--backend fast",
            )

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        """Refuse what this backend cannot run, and start at rest.

        Args:
            artifact: What to execute.
            rows: Environments.

        Raises:
            InputError: For too many rows or a neuron that has no counterpart here.
        """
        if rows < 1 or (self.max_rows is not None and rows > self.max_rows):
            raise InputError(
                f"backend {self.name}",
                "cannot run this many environments at once",
                got=rows,
                limit=f"1 to {self.max_rows or 'any'}",
                fix=f"use rows={self.max_rows or 1} or the fast backend",
            )
        self.refuse_foreign(artifact.network)
        self.artifact = artifact
        self.network = artifact.network
        self.rows = rows
        self.reset()

    @abstractmethod
    def reset(self, mask: Mask | None = None) -> None:
        """The rows in `mask` start an episode: nothing is carried over."""

    @abstractmethod
    def resync(self, mask: Mask | None = None) -> None:
        """The rows in `mask` restart their state in their next decision, inside the episode."""

    @abstractmethod
    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Decide for every active row.

        Args:
            observations: [rows, obs].
            active: Which rows decide, bool [rows]; all for None.

        Returns:
            Actions [rows, act], [rows, 1] where they are discrete; NaN in rows that are not active.

        Raises:
            InputError: For a wrong shape or a channel that is not finite; nothing has changed then.
        """

    @abstractmethod
    def trace(self, observations: Float, flags: NDArray[np.integer]) -> Trace:
        """Run one stream of decisions from rest, apart from this backend's own rows.

        Args:
            observations: [decisions, obs].
            flags: [decisions]: 0 carry, 1 episode start, 2 resync; the first decision starts an
                episode in any case.

        Returns:
            Every payload and state of the stream.
        """

    @abstractmethod
    def census(self) -> Census:
        """Counts of all decisions made by `decide` so far."""

    def close(self) -> None:  # noqa: B027 - most backends hold nothing
        """Release what the backend holds; it cannot be used afterwards."""

    def __enter__(self) -> Backend:
        """Use the backend in a `with` statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()
