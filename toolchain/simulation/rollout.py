"""Closed-loop rollouts: one environment per episode, episode i starts with reset(seed=S+i), no autoreset."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from toolchain.gymnasium_bridge import flat, quiet
from toolchain.policies.policy import Policy

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Actor(Protocol):
    """What a rollout needs: a Backend, or the float policy."""

    rows: int

    def reset(self, mask: Mask | None = None) -> None: ...

    def decide(self, observations: Float, active: Mask | None = None) -> Float: ...


class FloatActor:
    """The source policy as an actor, with the decision numbers that a time feature needs."""

    def __init__(self, policy: Policy, rows: int = 1) -> None:
        self.policy, self.rows = policy, rows
        self._decisions = np.zeros(rows, np.int64)

    def reset(self, mask: Mask | None = None) -> None:
        self._decisions[slice(None) if mask is None else mask] = 0

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        actions = self.policy.act(observations, self._decisions)
        self._decisions += 1 if active is None else active
        return actions


@dataclass(frozen=True, eq=False)
class Rollout:
    """Episodes in seed order; `chatter` is mean |change of action| per channel and decision."""

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
        return self.decisions / self.wall_seconds if self.wall_seconds > 0 else float("nan")


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
    changes = sum(part.chatter * part.decisions for part in parts)
    return Rollout(
        np.concatenate([part.returns for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        changes / max(decisions, 1),
        decisions,
        sum(part.env_seconds for part in parts),
        sum(part.policy_seconds for part in parts),
        sum(part.wall_seconds for part in parts),
    )


def _batch(
    actor: Actor, envs: list[Any], seeds: Sequence[int], progress: Callable[[int], None], on_step: Callable[[Any], None] | None, longest: int | None
) -> Rollout:
    count, clock = len(envs), time.perf_counter
    try:
        with quiet():
            observations = np.zeros((actor.rows, flat(envs[0].reset(seed=int(seeds[0]))[0]).size))
            for row, (env, seed) in enumerate(zip(envs, seeds, strict=True)):
                observations[row] = flat(env.reset(seed=int(seed))[0])
            active = np.arange(actor.rows) < count
            actor.reset()
            space = envs[0].action_space
            returns, lengths, change, changes = np.zeros(count), np.zeros(count, np.int64), 0.0, 0
            before = np.full((actor.rows, int(np.prod(space.shape))), np.nan)
            env_seconds = policy_seconds = wall = 0.0
            decisions, running, warm = 0, list(range(count)), False
            while running:
                start = clock()
                actions = actor.decide(observations, None if len(running) == actor.rows else active)
                decided = clock()
                typed = actions.astype(space.dtype).reshape(-1, *space.shape)
                still = []
                stepping = clock()
                for row in running:
                    observation, reward, terminated, truncated, _ = envs[row].step(typed[row])
                    observations[row] = observation.reshape(-1)
                    returns[row] += reward
                    if not (terminated or truncated or lengths[row] + 1 == longest):
                        still.append(row)
                stepped = clock()
                moved = np.abs(actions - before)[running]
                if lengths[running[0]]:
                    change, changes = change + float(moved.sum()), changes + moved.size
                before = actions
                lengths[running] += 1
                decisions += len(running)
                if len(still) < len(running):
                    progress(len(running) - len(still))
                    active[:] = False
                    active[still] = True
                    running = still
                if on_step is not None and 0 in running:
                    on_step(envs[0])
                if warm:
                    env_seconds, policy_seconds, wall = env_seconds + stepped - stepping, policy_seconds + decided - start, wall + clock() - start
                else:
                    warm, warm_decisions = True, decisions
    finally:
        for env in envs:
            env.close()
    return Rollout(returns, lengths, change / max(changes, 1), decisions, env_seconds, policy_seconds, wall * decisions / max(decisions - warm_decisions, 1))
