"""Closed-loop rollouts.

One environment per episode, episode i starts with reset(seed=S+i), no autoreset.
"""

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
    """Episodes in seed order.

    `chatter` is mean |change of action| per channel and decision, of a discrete action how often it
    changes.
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
        """Of the stepping loop after the warm-up decision."""
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
    """Run one episode per seed, `actor.rows` at a time, each at most `longest` decisions.

    `on_step(env)` sees episode 0's environment after each decision.
    """
    parts = [
        _batch(
            actor,
            [make_env(index) for index in range(first, min(first + actor.rows, len(seeds)))],
            seeds[first : first + actor.rows],
            progress,
            on_step if first == 0 else None,
            longest,
        )
        for first in range(0, len(seeds), actor.rows)
    ]
    decisions = sum(part.decisions for part in parts)
    moved = sum(
        part.chatter * (part.decisions - len(part.lengths)) for part in parts
    )  # an episode's first action changed nothing
    return Rollout(
        np.concatenate([part.returns for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        moved / max(decisions - len(seeds), 1),
        decisions,
        sum(part.env_seconds for part in parts),
        sum(part.policy_seconds for part in parts),
        sum(part.wall_seconds for part in parts),
    )


def _batch(
    actor: Actor,
    envs: list[Any],
    seeds: Sequence[int],
    progress: Callable[[int], None],
    on_step: Callable[[Any], None] | None,
    longest: int | None,
) -> Rollout:
    """All episodes at once.

    The loop is lean on purpose: next to a fast environment every microsecond shows.
    """
    count = len(envs)
    clock = time.perf_counter
    space = envs[0].action_space
    observations = np.zeros((actor.rows, int(np.prod(envs[0].observation_space.shape))))
    totals = [0.0] * count
    lengths = [0] * count
    active = np.arange(actor.rows) < count
    chatter = Chatter(not space.shape)
    if count == actor.rows:
        mask = None
    else:
        mask = active
    reshape = len(space.shape) != 1
    one_dimensional = len(envs[0].observation_space.shape) == 1
    whole = np.issubdtype(
        space.dtype, np.integer
    )  # a discrete action: rows that do not act are NaN, which no integer is
    decisions = warm_decisions = number = 0
    env_seconds = policy_seconds = wall = 0.0
    try:
        with quiet():
            for row, (env, seed) in enumerate(zip(envs, seeds, strict=True)):
                observations[row] = flat(env.reset(seed=int(seed))[0])
            actor.reset()
            running = [(row, env.step, observations[row]) for row, env in enumerate(envs)]
            while running:
                start = clock()
                ended = []
                actions = actor.decide(observations, mask)
                decided = clock()
                typed = (np.nan_to_num(actions) if whole else actions).astype(space.dtype)
                if reshape:
                    typed = typed.reshape(-1, *space.shape)
                stepping = clock()
                for row, step, view in running:
                    observation, reward, terminated, truncated, _ = step(typed[row])
                    if one_dimensional:
                        view[:] = observation
                    else:
                        view[:] = np.asarray(observation).reshape(-1)
                    totals[row] += float(reward)
                    if terminated or truncated:
                        ended.append(row)
                stepped = clock()
                chatter.add(actions)
                number += 1
                decisions += len(running)
                if number == longest:
                    ended = [row for row, _, _ in running]
                if ended:
                    for row in ended:
                        lengths[row] = number
                    running = [entry for entry in running if entry[0] not in ended]
                    active[ended] = False
                    mask = active
                    progress(len(ended))
                if on_step is not None and running and running[0][0] == 0:
                    on_step(envs[0])
                if number > 1:
                    env_seconds = env_seconds + stepped - stepping
                    policy_seconds = policy_seconds + decided - start
                    wall = wall + clock() - start
                else:
                    warm_decisions = decisions
    finally:
        for env in envs:
            env.close()
    scaled = (
        wall * decisions / max(decisions - warm_decisions, 1)
    )  # as if the warm-up decision had taken what the others took
    return Rollout(
        np.array(totals),
        np.array(lengths),
        chatter.mean(),
        decisions,
        env_seconds,
        policy_seconds,
        scaled,
    )


class Chatter:
    """Mean |change of action| per channel, or how often a discrete one changes.

    Rows that do not act are NaN and do not count.
    """

    BLOCK = 512  # decisions kept before they are summed

    def __init__(self, discrete: bool = False) -> None:
        self._kept: list[Float] = []
        if discrete:
            self._most = 1.0
        else:
            self._most = np.inf
        self._sum = 0.0
        self._count = 0

    def add(self, actions: Float) -> None:
        """Actions [rows, act] of the next decision."""
        self._kept.append(actions)
        if len(self._kept) > self.BLOCK:
            self._flush()

    def _flush(self) -> None:
        moved = np.minimum(np.abs(np.diff(np.stack(self._kept), axis=0)), self._most)
        self._sum, self._count = (
            self._sum + float(np.nansum(moved)),
            self._count + int(np.isfinite(moved).sum()),
        )
        del self._kept[:-1]

    def mean(self) -> float:
        """0.0 where no episode had two decisions."""
        if len(self._kept) > 1:
            self._flush()
        return self._sum / max(self._count, 1)
