"""What acts in a closed loop: a policy or an artifact, a row per environment."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.policies.leaky_policy import decider
from spikeport.toolchain.policies.spiking_policy import AnyPolicy

Float = NDArray[np.float64]


Mask = NDArray[np.bool_]


class Actor(Protocol):
    """What a rollout needs: a Backend, or the float policy."""

    rows: int

    def reset(self, mask: Mask | None = None) -> None: ...

    def decide(self, observations: Float, active: Mask | None = None) -> Float: ...


class FloatActor:
    """The source policy as an actor, with the decision numbers that a time feature needs."""

    def __init__(self, policy: AnyPolicy, rows: int = 1) -> None:
        self.policy = policy
        self.rows = rows
        self._decisions = np.zeros(rows, np.int64)
        self._decide = decider(policy, rows)

    def reset(self, mask: Mask | None = None) -> None:
        self._decisions[slice(None) if mask is None else mask] = 0

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        actions = self._decide(observations, self._decisions, active)
        self._decisions += 1 if active is None else active
        if active is not None:
            actions[~active] = np.nan
        return actions
