"""Environments of a user's own module, small and quick.

For example `--env tests.support.toy_environments:Drift-v0`. Importing this module registers them,
as a user's module does.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

CHANNELS = 5
ACTIONS = 2


class Drift(gymnasium.Env):
    """A point that drifts and is pushed; the reward is how near to zero it stays.

    Episodes have `length` decisions. `reward` replaces that reward, `broken` makes the second
    observation NaN.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 40}

    def __init__(
        self,
        length: int = 30,
        reward: float | None = None,
        broken: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (CHANNELS,), np.float64)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (ACTIONS,), np.float32)
        self.length = length
        self.reward = reward
        self.broken = broken
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.decisions, self.place = 0, self.np_random.normal(size=CHANNELS)
        return self.place.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.decisions += 1
        self.place = (
            0.9 * self.place
            + 0.3 * np.resize(action, CHANNELS)
            + 0.1 * self.np_random.normal(size=CHANNELS)
        )
        if self.reward is None:
            reward = 1.0 - float(np.abs(self.place).mean())
        else:
            reward = self.reward
        return (
            self.place * (np.nan if self.broken else 1.0),
            reward,
            False,
            self.decisions >= self.length,
            {},
        )

    def render(self) -> np.ndarray:
        """A grey picture that brightens."""
        return np.full((16, 16, 3), 8 * min(self.decisions, 30), np.uint8)


class Scaled(gymnasium.ObservationWrapper):
    """Drift in other units: what a robot says after its driver was changed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(Drift(**options))

    def observation(self, observation: Any) -> Any:
        return 3.0 * observation


class Sides(gymnasium.Env):
    """A point that is pushed left (0) or right (1).

    The reward is 1 where the push was towards zero.
    """

    metadata: dict[str, Any] = {"render_modes": [], "render_fps": 40}

    def __init__(self, render_mode: str | None = None) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.action_space = gymnasium.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.decisions, self.place = 0, self.np_random.normal(size=4)
        return self.place.copy(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if not self.action_space.contains(action):
            raise TypeError(f"{action!r} is no choice")
        reward = float((self.place.sum() > 0) == bool(action))
        self.decisions, self.place = (
            self.decisions + 1,
            self.place + 0.2 * self.np_random.normal(size=4),
        )
        return self.place.copy(), reward, False, self.decisions >= 30, {}


def _raise(**_: Any) -> None:
    raise RuntimeError("no driver for this robot")


gymnasium.register("Drift-v0", Drift)
gymnasium.register("Sides-v0", Sides)
gymnasium.register("OneStep-v0", Drift, kwargs={"length": 1})
gymnasium.register("NoReward-v0", Drift, kwargs={"reward": 0.0})
gymnasium.register("Diverging-v0", Drift, kwargs={"reward": float("nan")})
gymnasium.register("Broken-v0", Drift, kwargs={"broken": True})
gymnasium.register("Scaled-v0", Scaled)  # type: ignore[arg-type]
gymnasium.register("Raising-v0", _raise)  # type: ignore[arg-type]
