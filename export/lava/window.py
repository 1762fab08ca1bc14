"""When a layer works and what it leaves on record.

This is one file, since every process must agree on time. The source sends, with the first step of
each decision, a control word to every neuron process. A neuron counts its steps from that word;
layer l, counted from 0, is active in steps l + 1 .. l + T, since each synapse process in front of
it delays by one step. A decision takes T + L steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# control words: state carries over, state starts afresh (episode start or resync)
CARRY = 1
START = 2
OUTSIDE = -1  # the timestep of a layer that is not in its window


@dataclass(frozen=True, eq=False)
class Record:
    """What one layer did, a ring over decisions.

    Attributes:
        payloads: What was sent, [decisions, T, neurons].
        states: The state after each timestep, the same shape.
        saturations: [decisions].
        idle: Spikes outside windows and the synops that they cost (stock LIF only), [decisions, 2].
    """

    payloads: NDArray[np.int32]
    states: NDArray[np.int32]
    saturations: NDArray[np.int64]
    idle: NDArray[np.int64]

    @classmethod
    def empty(
        cls,
        decisions: int,
        timesteps: int,
        neurons: int,
        allocate: Callable[[tuple[int, ...], Any], NDArray[Any]],
    ) -> Record:
        """A record in memory from `allocate(shape, dtype)`."""
        shape = (decisions, timesteps, neurons)
        return cls(
            allocate(shape, np.int32),
            allocate(shape, np.int32),
            allocate((decisions,), np.int64),
            allocate((decisions, 2), np.int64),
        )


@dataclass(frozen=True, eq=False)
class Recording:
    """Decisions of a run.

    Attributes:
        payloads: What each layer sent, [decisions, T, neurons] per layer.
        states: Its states, the same shapes.
        saturations: [decisions, L].
        idle: Spikes outside windows and the synops that they cost, [decisions, 2].
    """

    payloads: list[NDArray[np.int32]]
    states: list[NDArray[np.int32]]
    saturations: NDArray[np.int64]
    idle: NDArray[np.int64]

    def readout(self, coding: str) -> NDArray[np.integer]:
        """What the host decodes.

        The readout's accumulators, [decisions, act], or a spiking network's counts, [decisions,
        neurons].
        """
        if coding == "spikes":
            return self.payloads[-1].sum(axis=1)
        return self.states[-1][:, -1]


class Window:
    """The step counter of one layer; its process advances it once per step."""

    def __init__(self, layer: int, timesteps: int, record: Record | None = None) -> None:
        self.layer = layer
        self.timesteps = timesteps
        self.record = record
        self.control = 0  # of the current decision; 0: none came yet
        self.decision = -1
        self.step = OUTSIDE

    def advance(self, control: int) -> int:
        """The timestep 0..T-1 of this step, or OUTSIDE; `control` is 0 where nothing arrived."""
        if control:
            self.control = control
            self.step = 0
            self.decision += 1
        elif self.control:
            self.step += 1
        timestep = self.step - self.layer - 1
        if 0 <= timestep < self.timesteps:
            return timestep
        return OUTSIDE

    def keep(
        self,
        timestep: int,
        payloads: NDArray[np.int32] | None,
        state: NDArray[np.int32],
        saturated: int,
    ) -> None:
        """Record a timestep.

        Args:
            timestep: 0..T-1.
            payloads: What was sent; None where nothing ever is.
            state: The state after it.
            saturated: How many neurons saturated.
        """
        if self.record is None:
            return
        entry = self.decision % len(self.record.saturations)
        if payloads is not None:
            self.record.payloads[entry, timestep] = payloads
        self.record.states[entry, timestep] = state
        before = self.record.saturations[entry] if timestep else 0
        self.record.saturations[entry] = before + saturated
