"""Closed-loop rollouts: one environment per episode, each reset with its own seed, no autoreset."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.environments.gymnasium_bridge import flat, quiet
from spikeport.toolchain.policies.actor import Actor, Float


@dataclass(frozen=True, eq=False)
class Rollout:
    """Episodes in the order of their seeds.

    Attributes:
        returns: [episodes].
        lengths: Decisions, [episodes].
        chatter: Mean |change of action| per channel and decision; of a discrete action how often it
            changes.
        decisions: Of all episodes.
        env_seconds: In the environments' steps.
        policy_seconds: In the actor.
        wall_seconds: Of the stepping loop.
    """

    returns: Float
    lengths: NDArray[np.int64]
    chatter: float
    decisions: int
    env_seconds: float
    policy_seconds: float
    wall_seconds: float

    @property
    def decisions_per_second(self) -> float:
        """Speed of the stepping loop, the first decision apart."""
        if self.wall_seconds > 0:
            return self.decisions / self.wall_seconds
        return float("nan")


def roll_out(
    actor: Actor,
    make_env: Callable[[int], Any],
    seeds: Sequence[int],
    progress: Callable[[int], None] = lambda finished: None,
    on_step: Callable[[Any], None] | None = None,
    longest: int | None = None,
) -> Rollout:
    """Run one episode per seed, `actor.rows` at a time.

    Args:
        actor: Decides for all rows at once.
        make_env: Makes the environment of episode i.
        seeds: Reset seeds, one per episode.
        progress: Called with the number of episodes that have just ended.
        on_step: Sees episode 0's environment after each decision.
        longest: Decisions after which an episode is broken off.

    Returns:
        The episodes in the order of their seeds.
    """
    parts = []
    for first in range(0, len(seeds), actor.rows):
        some = seeds[first : first + actor.rows]
        envs = [make_env(first + index) for index in range(len(some))]
        batch = _Batch(actor, envs, some)
        parts.append(batch.run(progress, None if first else on_step, longest))
    decisions = sum(part.decisions for part in parts)
    # an episode's first action changed nothing
    moved = sum(part.chatter * (part.decisions - len(part.lengths)) for part in parts)
    return Rollout(
        np.concatenate([part.returns for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        moved / max(decisions - len(seeds), 1),
        decisions,
        sum(part.env_seconds for part in parts),
        sum(part.policy_seconds for part in parts),
        sum(part.wall_seconds for part in parts),
    )


class _Batch:
    """Episodes that run at once. Its loop is lean: next to a fast environment microseconds show."""

    def __init__(self, actor: Actor, envs: list[Any], seeds: Sequence[int]) -> None:
        space = envs[0].action_space
        shape = envs[0].observation_space.shape
        self.actor = actor
        self.envs = envs
        self.seeds = seeds
        self.kind = space.dtype
        self.whole = np.issubdtype(space.dtype, np.integer)
        self.action_shape = None if len(space.shape) == 1 else space.shape
        self.one_dimensional = len(shape) == 1
        self.observations = np.zeros((actor.rows, int(np.prod(shape))))
        self.totals = [0.0] * len(envs)
        self.lengths = [0] * len(envs)
        self.chatter = Chatter(not space.shape)
        self.clocks = _Clocks()

    def run(
        self,
        progress: Callable[[int], None],
        on_step: Callable[[Any], None] | None,
        longest: int | None,
    ) -> Rollout:
        """Run all episodes to their end and close the environments."""
        try:
            with quiet():
                self._run(progress, on_step, longest)
        finally:
            for env in self.envs:
                env.close()
        clocks = self.clocks
        return Rollout(
            np.array(self.totals),
            np.array(self.lengths),
            self.chatter.mean(),
            clocks.decisions,
            clocks.env,
            clocks.policy,
            clocks.scaled_wall(),
        )

    def _run(
        self,
        progress: Callable[[int], None],
        on_step: Callable[[Any], None] | None,
        longest: int | None,
    ) -> None:
        clock = time.perf_counter
        observations = self.observations
        active = np.arange(self.actor.rows) < len(self.envs)
        mask = None if active.all() else active
        for row, (env, seed) in enumerate(zip(self.envs, self.seeds, strict=True)):
            observations[row] = flat(env.reset(seed=int(seed))[0])
        self.actor.reset()
        running = [(row, env.step, observations[row]) for row, env in enumerate(self.envs)]
        number = 0
        while running:
            start = clock()
            actions = self.actor.decide(observations, mask)
            decided = clock()
            typed = self._typed(actions)
            stepping = clock()
            ended = self._step(running, typed)
            stepped = clock()
            self.chatter.add(actions)
            number += 1
            stepped_episodes = len(running)
            if number == longest:
                ended = [row for row, _, _ in running]
            if ended:
                for row in ended:
                    self.lengths[row] = number
                running = [entry for entry in running if entry[0] not in ended]
                active[ended] = False
                mask = active
                progress(len(ended))
            if on_step is not None and running and running[0][0] == 0:
                on_step(self.envs[0])
            self.clocks.add(stepped_episodes, decided - start, stepped - stepping, clock() - start)

    def _typed(self, actions: Float) -> NDArray[Any]:
        """Actions as the environments take them; rows that wait are NaN, which no integer is."""
        typed = (np.nan_to_num(actions) if self.whole else actions).astype(self.kind)
        return typed if self.action_shape is None else typed.reshape(-1, *self.action_shape)

    def _step(self, running: list[Any], typed: NDArray[Any]) -> list[int]:
        """Step every running episode; returns the rows that ended."""
        ended = []
        for row, step, view in running:
            observation, reward, terminated, truncated, _ = step(typed[row])
            if self.one_dimensional:
                view[:] = observation
            else:
                view[:] = np.asarray(observation).reshape(-1)
            self.totals[row] += float(reward)
            if terminated or truncated:
                ended.append(row)
        return ended


class _Clocks:
    """Seconds of a batch's decisions; those of the first one, which warms up, are not counted."""

    def __init__(self) -> None:
        self.decisions = 0
        self.warm_decisions = 0
        self.env = 0.0
        self.policy = 0.0
        self.wall = 0.0

    def add(self, decisions: int, policy: float, env: float, wall: float) -> None:
        """Add one decision of all running episodes."""
        self.decisions += decisions
        if not self.warm_decisions:
            self.warm_decisions = decisions
            return
        self.policy += policy
        self.env += env
        self.wall += wall

    def scaled_wall(self) -> float:
        """Seconds as if the first decision had taken what the others took."""
        return self.wall * self.decisions / max(self.decisions - self.warm_decisions, 1)


class Chatter:
    """Mean |change of action| per channel, or how often a discrete one changes.

    Rows that do not act are NaN and do not count.
    """

    BLOCK = 512  # decisions kept before they are summed

    def __init__(self, discrete: bool = False) -> None:
        """Nothing was added yet."""
        self._kept: list[Float] = []
        self._most = 1.0 if discrete else np.inf
        self._sum = 0.0
        self._count = 0

    def add(self, actions: Float) -> None:
        """Add the actions [rows, act] of the next decision."""
        self._kept.append(actions)
        if len(self._kept) > self.BLOCK:
            self._flush()

    def _flush(self) -> None:
        moved = np.minimum(np.abs(np.diff(np.stack(self._kept), axis=0)), self._most)
        self._sum += float(np.nansum(moved))
        self._count += int(np.isfinite(moved).sum())
        del self._kept[:-1]

    def mean(self) -> float:
        """The mean so far; 0.0 where no episode had two decisions."""
        if len(self._kept) > 1:
            self._flush()
        return self._sum / max(self._count, 1)
