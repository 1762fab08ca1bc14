"""Calibration data: the states that the policy itself visits.

Episode k of a rollout with seed S is reset with 10**6 + S*1000 + k (contract section 7); the
artifact lists those seeds and `simulate` refuses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.environments.gymnasium_bridge import flat, quiet, typed_action
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.policy_interface import AnyPolicy

Float = NDArray[np.float64]
SEED_BASE = 10**6
LARGEST = 1e30  # of an observation: weights still multiply it within float32


@dataclass(frozen=True, eq=False)
class Calibration:
    """Observations [N, obs] in order, `starts` [N] marks episode starts, `seeds` the resets used."""

    observations: Float
    starts: NDArray[np.bool_]
    seeds: tuple[int, ...]
    source: str  # the environment's id, or `observations`

    @property
    def decisions(self) -> NDArray[np.int64]:
        """Decision number of each row within its episode, [N]."""
        index = np.arange(len(self.starts))
        return index - np.maximum.accumulate(np.where(self.starts, index, 0))


def calibration_seed(seed: int, episode: int) -> int:
    return SEED_BASE + seed * 1000 + episode


def from_environment(
    policy: AnyPolicy,
    env: Any,
    steps: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Calibration:
    """Roll the deterministic policy out for `steps` decisions."""
    if steps < 100:
        raise InputError(
            "--calibration-steps",
            "too few states to calibrate on",
            got=steps,
            limit="100 or more",
            fix="--calibration-steps 10000",
        )
    observations = np.zeros((steps, policy.observation.size))
    starts = np.zeros(steps, bool)
    seeds = []
    over = True
    observation = None
    actor = policy.actor(1)
    low, high = (
        (None, None) if policy.action.discrete else (env.action_space.low, env.action_space.high)
    )
    with quiet():
        for step in range(steps):
            if over:
                seeds.append(calibration_seed(seed, len(seeds)))
                observation, _ = env.reset(seed=seeds[-1])
                starts[step] = True
                actor.reset()
            observations[step] = flat(observation)
            if not np.isfinite(observations[step]).all():
                raise InputError(
                    f"calibration, decision {step}",
                    "the environment gave a non-finite observation",
                    fix="check the environment, or calibrate on recorded --observations",
                )
            _refuse_too_large(
                observations[step : step + 1],
                f"calibration, decision {step}",
                "check the environment, or calibrate on recorded --observations",
            )
            action = actor.decide(observations[step : step + 1])[0]
            if low is None:
                action = action
            else:
                action = np.clip(action, low, high)
            observation, _, terminated, truncated, _ = env.step(
                typed_action(action, env.action_space)
            )
            over = terminated or truncated
            if step % 100 == 99:
                progress(100)
    return Calibration(
        observations, starts, tuple(seeds), env.spec.id if env.spec is not None else "environment"
    )


def from_arrays(observations: NDArray[Any], starts: NDArray[Any] | None, size: int) -> Calibration:
    """Recorded observations [N, obs] and optional episode starts [N] (non-zero = start)."""
    if (
        observations.dtype.kind not in "fiu"
        or observations.ndim != 2
        or observations.shape[1] != size
    ):
        raise InputError(
            "--observations",
            "array does not fit the policy",
            got=f"{observations.dtype} {observations.shape}",
            limit=f"float (N, {size})",
            fix="record one row per decision, in order",
        )
    values = observations.astype(np.float64)
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise InputError(
            "--observations",
            f"{len(bad)} non-finite values, the first in row {bad[0][0]}, channel {bad[0][1]}",
            got=values[tuple(bad[0])],
            limit="finite numbers",
            fix="remove those rows",
        )
    _refuse_too_large(values, "--observations", "record the environment's own values")
    if len(values) < 100:
        raise InputError(
            "--observations",
            "too few states to calibrate on",
            got=len(values),
            limit="100 or more",
            fix="record more decisions",
        )
    if starts is None:
        flags = np.zeros(len(values), bool)
    else:
        flags = np.asarray(starts).reshape(-1) != 0
    if len(flags) != len(values):
        raise InputError(
            "--episode-starts",
            "length does not fit --observations",
            got=len(flags),
            limit=len(values),
            fix="give one flag per observation",
        )
    flags[0] = True
    return Calibration(values, flags, (), "observations")


def _refuse_too_large(values: Float, where: str, fix: str) -> None:
    largest = float(np.abs(values).max(initial=0.0))
    if largest > LARGEST:
        raise InputError(
            where,
            "the observations are too large",
            got=f"{largest:g}",
            limit=f"{LARGEST:g}",
            why="the policy computes in float32",
            fix=fix,
        )


def subset(count: int, wanted: int) -> NDArray[np.int64]:
    """At most `wanted` row numbers spread evenly over `count`."""
    return np.unique(np.linspace(0, count - 1, min(wanted, count)).astype(np.int64))
