"""Actions that reach the environment late: return against latency.

The action in force is the last one whose latency has passed, counted from the observation that it
answers. A new decision still begins with every observation. MuJoCo environments advance
`frame_skip` substeps per decision, so there a latency is rounded up to whole substeps: for the
first of them the older action is in force, for the rest the newer one. Any other environment takes
whole control steps, rounded up. Before the first action arrives the environment gets zeros, clipped
to its bounds. The reward of a step sees the newer of its two actions.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError

TOLERANCE = 1e-9  # of a substep: a latency of exactly n substeps is n


@dataclass(frozen=True)
class Delay:
    """A latency in an environment's steps.

    Attributes:
        latency_s: What was asked for.
        period_s: The control period.
        late: Whole control steps.
        part: Substeps besides, of `parts`.
        parts: Substeps per control step; 1 where only whole steps can be driven.
    """

    latency_s: float
    period_s: float
    late: int
    part: int
    parts: int

    @property
    def applied_s(self) -> float:
        """What the latency was rounded up to."""
        return (self.late + self.part / self.parts) * self.period_s


def delay_of(latency_s: float, period_s: float, substeps: int) -> Delay:
    """The delay of a latency, rounded up to whole substeps.

    Raises InputError for what is not a time.
    """
    if not (math.isfinite(latency_s) and latency_s >= 0):
        raise InputError(
            "latency",
            "is not a time",
            got=latency_s,
            limit="0 s or more, finite",
            fix="use a profile with times",
        )
    total = math.ceil(latency_s / period_s * substeps - TOLERANCE)
    late, part = divmod(total, substeps)
    return Delay(latency_s, period_s, late, part, substeps)


def substeps_of(env: Any) -> int:
    """Substeps per decision that can be driven one by one: MuJoCo's frame_skip, else 1."""
    inner = env.unwrapped
    if hasattr(inner, "do_simulation") and isinstance(getattr(inner, "frame_skip", None), int):
        return int(inner.frame_skip)
    return 1


class Delayed:
    """An environment whose actions arrive late. Everything else is the environment's own."""

    def __init__(self, env: Any, delay: Delay) -> None:
        self.env = env
        self.delay = delay
        space = env.action_space
        self._nothing: NDArray[Any] = np.clip(
            np.zeros(space.shape, space.dtype), space.low, space.high
        )
        self._sent: deque[NDArray[Any]] = deque()
        if delay.part:
            self._simulate = env.unwrapped.do_simulation
            env.unwrapped.do_simulation = self._in_two_parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.env, name)

    def reset(self, **options: Any) -> Any:
        """Start an episode: no action is under way."""
        self._sent = deque([self._nothing] * (self.delay.late + 2), maxlen=self.delay.late + 2)
        return self.env.reset(**options)

    def step(self, action: NDArray[Any]) -> Any:
        """Advance one control step with the actions in force; `action` is sent now."""
        self._sent.append(np.array(action))
        return self.env.step(self._sent[1])

    def _in_two_parts(self, control: Any, frames: int) -> None:
        """The older action for the first substeps, the one that arrives for the rest."""
        self._simulate(self._sent[0], self.delay.part)
        self._simulate(control, frames - self.delay.part)
