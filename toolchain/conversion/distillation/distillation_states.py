"""States to train on: what the policies meet when they drive.

A quantised policy leaves the float policy's paths, and on its own it must know what to do (Ross et
al. 2011, DAgger: roll out the student, label with the teacher).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.policies.actor import Actor, Float, Mask


@dataclass(frozen=True, eq=False)
class States:
    """Observations [N, obs] and their decision numbers [N]."""

    observations: Float
    decisions: NDArray[np.int64]

    def __add__(self, other: States) -> States:
        return States(
            np.concatenate([self.observations, other.observations]),
            np.concatenate([self.decisions, other.decisions]),
        )


class Recorder:
    """An actor that notes the states in which it decides.

    `noise` [act], in the action's units, is the standard deviation of normal noise added to every
    action.
    """

    def __init__(self, actor: Actor, noise: Float | None = None, seed: int = 0) -> None:
        self.actor = actor
        self.rows = actor.rows
        self.noise = noise
        self._random = np.random.default_rng(seed)
        self._decision = 0
        self._kept: list[States] = []

    def reset(self, mask: Mask | None = None) -> None:
        """Start episodes; all rows do at once."""
        self.actor.reset(mask)
        self._decision = 0

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Note the states of the active rows and act in them."""
        kept = observations.copy()
        if active is not None:
            kept = observations[active]
        self._kept.append(States(kept, np.full(len(kept), self._decision, np.int64)))
        self._decision += 1
        actions = self.actor.decide(observations, active)
        if self.noise is None:
            return actions
        return actions + self._random.normal(size=actions.shape) * self.noise

    def states(self) -> States:
        """All that was noted, in order."""
        return States(
            np.concatenate([part.observations for part in self._kept]),
            np.concatenate([part.decisions for part in self._kept]),
        )


# An actor and the name of a stage in, the states of one episode per row out.
Gather = Callable[[Recorder, str], States]
