"""Episodes driven by one policy while another advises.

They hold what both did in the same states, and what the advice was worth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.diagnosis.shadow import Shadow
from spikeport.toolchain.environments.gymnasium_bridge import flat, quiet
from spikeport.toolchain.policies.actor import Actor, Float


@dataclass(eq=False)
class Episode:
    """One episode, a row per decision.

    observations [n, obs]; actions [n, act] of the driver, `advice` of the adviser.
    `advised_rewards` and `advised_observations` are what the adviser's action would have brought in
    the same state; empty where the environment cannot be copied. `terminated`: ended by the
    environment, not by its time limit.
    """

    observations: list[Float] = field(default_factory=list)
    actions: list[Float] = field(default_factory=list)
    advice: list[Float] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    advised_rewards: list[float] = field(default_factory=list)
    advised_observations: list[Float] = field(default_factory=list)
    terminated: bool = False

    @property
    def total(self) -> float:
        """The episode's return."""
        return float(np.sum(self.rewards))

    @property
    def whatif(self) -> bool:
        """Whether every decision has its counterfactual."""
        return len(self.advised_rewards) == len(self.rewards)


def travel(
    driver: Actor,
    adviser: Actor | None,
    make_env: Callable[[], Any],
    seeds: Sequence[int],
    progress: Callable[[int], None] = lambda finished: None,
    longest: int | None = None,
) -> list[Episode]:
    """Run one episode per seed, `driver.rows` at a time.

    Args:
        driver: Whose actions the environments get.
        adviser: Sees every state too; of as many rows. None: nobody advises.
        make_env: Makes an environment.
        seeds: Of the resets.
        progress: Is called with 1 when an episode ends.
        longest: An episode has at most as many decisions; None: as many as the environment lets.

    Returns:
        The episodes in the order of the seeds.
    """
    episodes: list[Episode] = []
    for first in range(0, len(seeds), driver.rows):
        episodes += _batch(
            driver, adviser, make_env, seeds[first : first + driver.rows], progress, longest
        )
    return episodes


def _batch(
    driver: Actor,
    adviser: Actor | None,
    make_env: Callable[[], Any],
    seeds: Sequence[int],
    progress: Callable[[int], None],
    longest: int | None,
) -> list[Episode]:
    with quiet():
        envs = [make_env() for _ in seeds]
        if adviser is not None:
            shadows = [Shadow(env, make_env) for env in envs]
        else:
            shadows = []
        space = envs[0].action_space
        episodes = [Episode() for _ in seeds]
        observations = np.zeros((driver.rows, int(np.prod(envs[0].observation_space.shape))))
        active: NDArray[np.bool_] = np.arange(driver.rows) < len(seeds)
        try:
            for row, (env, seed) in enumerate(zip(envs, seeds, strict=True)):
                observations[row] = flat(env.reset(seed=int(seed))[0])
            driver.reset()
            if adviser is not None:
                adviser.reset()
            while active.any():
                actions = driver.decide(observations, active)
                if adviser is not None:
                    advice = adviser.decide(observations, active)
                else:
                    advice = actions
                for row in np.flatnonzero(active):
                    episode = episodes[row]
                    episode.observations.append(observations[row].copy())
                    episode.actions.append(actions[row])
                    episode.advice.append(advice[row])
                    if (
                        adviser is not None
                        and (answer := shadows[row].step(_typed(advice[row], space))) is not None
                    ):
                        episode.advised_observations.append(answer[0])
                        episode.advised_rewards.append(answer[1])
                    observation, reward, terminated, truncated, _ = envs[row].step(
                        _typed(actions[row], space)
                    )
                    observations[row] = flat(observation)
                    episode.rewards.append(float(reward))
                    if terminated or truncated or len(episode.rewards) == longest:
                        episode.terminated = bool(terminated)
                        active[row] = False
                        progress(1)
        finally:
            for thing in (*envs, *shadows):
                thing.close()
    return episodes


def _typed(action: Float, space: Any) -> Any:
    return action.astype(space.dtype).reshape(space.shape)
