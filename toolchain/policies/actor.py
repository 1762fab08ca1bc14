"""What acts in a closed loop: a policy or an artifact, a row per environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]
# What a policy remembers between decisions: arrays [rows, ...]; none where it remembers nothing.
Memory = Sequence[NDArray[Any]]


class Actor(Protocol):
    """What a rollout needs: a Backend, or the float policy."""

    rows: int

    def reset(self, mask: Mask | None = None) -> None:
        """Start an episode in the rows of `mask` [rows], in all rows if None."""
        ...

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Actions [rows, act] for observations [rows, obs]; NaN in rows that are not active."""
        ...


class Responding(Protocol):
    """What `FloatActor` needs of a policy."""

    def at_rest(self, rows: int) -> Memory:
        """The memory of `rows` environments at an episode's start."""
        ...

    def respond(
        self, observations: Float, decisions: NDArray[np.int64], memory: Memory
    ) -> tuple[Float, Memory]:
        """Actions and the memory after them; `memory` itself is left as it is."""
        ...


class FloatActor:
    """A float policy as an actor: it keeps the policy's memory and the decision numbers.

    The decision numbers, counted from 0 at an episode's start, are what a time feature needs.
    """

    def __init__(self, policy: Responding, rows: int = 1) -> None:
        self.policy = policy
        self.rows = rows
        self._decisions = np.zeros(rows, np.int64)
        self._memory = policy.at_rest(rows)

    def reset(self, mask: Mask | None = None) -> None:
        """Start an episode in the rows of `mask`, in all rows if None."""
        chosen = np.ones(self.rows, bool) if mask is None else mask
        self._decisions[chosen] = 0
        self._memory = _merged(chosen, self.policy.at_rest(self.rows), self._memory)

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Actions [rows, act]; rows that are not active keep their memory and give NaN."""
        actions, after = self.policy.respond(observations, self._decisions, self._memory)
        if active is None:
            self._memory = after
            self._decisions += 1
            return actions
        self._memory = _merged(active, after, self._memory)
        self._decisions += active
        actions[~active] = np.nan
        return actions


def _merged(mask: Mask, chosen: Memory, others: Memory) -> Memory:
    """`chosen` in the rows of `mask`, `others` in the rest."""
    return [
        np.where(mask.reshape(-1, *(1,) * (one.ndim - 1)), one, other)
        for one, other in zip(chosen, others, strict=True)
    ]
