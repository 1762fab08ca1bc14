"""The states that a policy is converted on: visited by the policy itself, recorded, or synthetic.

Episode k of a calibration is reset with a seed of reset_seeds.py; the artifact lists those seeds
and `simulate` refuses them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.reset_seeds import calibration_seed
from spikeport.toolchain.environments.gymnasium_bridge import flat, quiet, typed_action
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.policy_interface import AnyPolicy

Float = NDArray[np.float64]
LEAST = 100  # states: fewer say nothing about a signal's range
LARGEST = 1e30  # of an observation: weights still multiply it within float32
SYNTHETIC = 1000  # states
SYNTHETIC_EPISODE = 100  # states
REPORT = 100  # states between two calls of `progress`


@dataclass(frozen=True, eq=False)
class Calibration:
    """States in the order in which they came.

    Attributes:
        observations: [N, obs], of the environment.
        starts: [N], marks episode starts; the first row is one.
        seeds: Those that reset the environment; none of recorded states.
        source: The environment's id, `observations`, or what synthetic states are.
    """

    observations: Float
    starts: NDArray[np.bool_]
    seeds: tuple[int, ...]
    source: str

    @property
    def decisions(self) -> NDArray[np.int64]:
        """Decision number of each row within its episode, [N]."""
        index = np.arange(len(self.starts))
        return index - np.maximum.accumulate(np.where(self.starts, index, 0))


def from_environment(
    policy: AnyPolicy,
    env: Any,
    steps: int,
    seed: int,
    progress: Callable[[int], None] = lambda done: None,
) -> Calibration:
    """Roll the deterministic policy out.

    Args:
        policy: What decides.
        env: A Gymnasium environment that fits the policy.
        steps: Decisions in all, over as many episodes as they fill.
        seed: The user's --seed, from which the episodes' reset seeds follow.
        progress: Is called with the number of decisions since its last call.

    Returns:
        `steps` states.

    Raises:
        InputError: For too few steps, and for observations that are not finite or too large.
    """
    if steps < LEAST:
        raise InputError(
            "--calibration-steps",
            "too few states to calibrate on",
            got=steps,
            limit=f"{LEAST} or more",
            fix="--calibration-steps 10000",
        )
    observations = np.zeros((steps, policy.observation.size))
    starts = np.zeros(steps, bool)
    seeds = []
    over = True
    observation = None
    actor = policy.actor(1)
    with quiet():
        for step in range(steps):
            if over:
                seeds.append(calibration_seed(seed, len(seeds)))
                observation, _ = env.reset(seed=seeds[-1])
                starts[step] = True
                actor.reset()
            observations[step] = flat(observation)
            state = observations[step : step + 1]
            _refuse_unusable(state, step)
            action = actor.decide(state)[0]
            if not policy.action.discrete:
                action = np.clip(action, env.action_space.low, env.action_space.high)
            observation, _, terminated, truncated, _ = env.step(
                typed_action(action, env.action_space)
            )
            over = terminated or truncated
            if step % REPORT == REPORT - 1:
                progress(REPORT)
    source = "environment"
    if env.spec is not None:
        source = env.spec.id
    return Calibration(observations, starts, tuple(seeds), source)


def from_arrays(observations: NDArray[Any], starts: NDArray[Any] | None, size: int) -> Calibration:
    """Check recorded states.

    Args:
        observations: [N, size], numbers, in order.
        starts: [N], not zero where an episode starts; None where only the first row does.
        size: Observation channels of the policy.

    Returns:
        The states as float64.

    Raises:
        InputError: For arrays that do not fit, for fewer than 100 states, and for values that are
            not finite or too large.
    """
    fits = observations.ndim == 2 and observations.shape[1] == size
    if observations.dtype.kind not in "fiu" or not fits:
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
    if len(values) < LEAST:
        raise InputError(
            "--observations",
            "too few states to calibrate on",
            got=len(values),
            limit=f"{LEAST} or more",
            fix="record more decisions",
        )
    flags = np.zeros(len(values), bool)
    if starts is not None:
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


def synthetic_rates(size: int) -> Calibration:
    """States [1000, size] of a policy whose inputs are rates, so that they lie in 0..1.

    Half of them are random walks, reflected at the ends, half uniform.
    """
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(scale=0.05, size=(SYNTHETIC // 2, size)), axis=0) + rng.random(size)
    reflected = np.abs((walk + 1) % 2 - 1)
    values = np.concatenate([reflected, rng.random((SYNTHETIC - len(walk), size))])
    starts = np.arange(SYNTHETIC) % SYNTHETIC_EPISODE == 0
    return Calibration(values, starts, (), "synthetic rates in 0..1")


def _refuse_unusable(state: Float, step: int) -> None:
    """Raise InputError where the observation [1, obs] of decision `step` cannot be used."""
    where = f"calibration, decision {step}"
    fix = "check the environment, or calibrate on recorded --observations"
    if not np.isfinite(state).all():
        raise InputError(where, "the environment gave a non-finite observation", fix=fix)
    _refuse_too_large(state, where, fix)


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
