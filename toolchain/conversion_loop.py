"""Conversion with the loop closed: the action error is tightened where the policy's own return asks for it.

Some policies forgive an action error of 0.1 and some fall over it (a clipped PPO policy failed in a tenth of its
episodes). No open-loop number tells them apart, a few dozen episodes do. Their seeds continue the calibration's
and are recorded in the artifact, so that no reported return is measured on them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain import gymnasium_bridge
from toolchain.artifact import Artifact
from toolchain.conversion.calibration import Calibration, calibration_seed, from_arrays, from_environment
from toolchain.convert import DEFAULT_ACTION_ERROR, ConversionOptions, convert
from toolchain.policies.policy import Policy
from toolchain.simulation.fast import FastBackend
from toolchain.simulation.rollout import FloatActor, roll_out
from toolchain.simulation.statistics import return_ratio

EPISODES = 64
LONGEST = 1000  # decisions of an episode of the check
ERRORS = (DEFAULT_ACTION_ERROR, 0.05, 0.025, 0.0125)
LEAST_RATIO = 0.98
MOST_EXTRA_FAILURES = 0.03  # share of episodes below 90 % of the median, more than the source policy's own
OPEN_LOOP_STATES = 2000
DEFAULTS = ConversionOptions()

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Attempt:
    """One action error tried: what the closed loop and the calibration states said."""

    action_error: float
    measured_error: float
    return_ratio: float | None
    failures: int
    ann_failures: int
    episodes: int
    accepted: bool

    def __str__(self) -> str:
        ratio = "none" if self.return_ratio is None else f"{self.return_ratio:.4f}"
        weak = f"weak episodes {self.failures} against {self.ann_failures} of {self.episodes}"
        return (
            f"action error {self.action_error:g} (measured {self.measured_error:.3f}): return ratio {ratio}, {weak}{'' if self.accepted else ', not accepted'}"
        )


def convert_in_environment(
    policy: Policy,
    identifier: str,
    options: ConversionOptions = DEFAULTS,
    *,
    calibration_steps: int = 10_000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Artifact, list[Attempt]]:
    """Calibrate in an environment that the user named (`module:Id` allowed) and convert.

    Where `options.action_error` is None, 0.1 is taken if the closed loop accepts it, else the finest accepted one of
    0.05, 0.025 and 0.0125, else the one with the best mean return. `progress(stage, done, total)` is called as it goes.
    """
    env = gymnasium_bridge.make(identifier, trusted=True)
    try:
        calibration = from_environment(policy, env, calibration_steps, seed, lambda done: progress("calibrate", done, calibration_steps))
        environment = gymnasium_bridge.record(env, identifier)
    finally:
        env.close()
    if options.neuron != "sdn" or options.action_error is not None:
        artifact = convert(policy, calibration, options, environment, seed)
        return _noting(artifact, policy, calibration, []), []

    seeds = [calibration_seed(seed, len(calibration.seeds) + k) for k in range(EPISODES)]

    def returns(actor: Any, stage: str) -> Float:
        return roll_out(
            actor, lambda index: gymnasium_bridge.make(identifier, trusted=True), seeds, lambda done: progress(stage, done, EPISODES), longest=LONGEST
        ).returns

    ann = returns(FloatActor(policy, EPISODES), "source policy")
    calibration = dataclasses.replace(calibration, seeds=(*calibration.seeds, *seeds))
    attempts: list[Attempt] = []
    best_mean, best = -np.inf, None
    for error in ERRORS:
        candidate = convert(policy, calibration, dataclasses.replace(options, action_error=error), environment, seed)
        spiking = returns(FastBackend(candidate, EPISODES), f"action error {error:g}")
        attempts.append(_judge(error, open_loop_error(candidate, policy, calibration), spiking, ann))
        if attempts[-1].accepted or (spiking.mean() > best_mean and not any(attempt.accepted for attempt in attempts)):
            best_mean, best = spiking.mean(), candidate
        if attempts[0].accepted:
            break  # a policy that fell over once is fragile: it gets the finest error that is accepted
    return _noting(best or candidate, policy, calibration, attempts), attempts


def convert_from_observations(
    policy: Policy, observations: NDArray[Any], starts: NDArray[Any] | None = None, options: ConversionOptions = DEFAULTS, seed: int = 0
) -> Artifact:
    """Convert with recorded observations [N, obs] in order and optional episode starts [N]; no loop is closed."""
    calibration = from_arrays(observations, starts, policy.observation.size)
    return _noting(convert(policy, calibration, options, None, seed), policy, calibration, [])


def open_loop_error(artifact: Artifact, policy: Policy, calibration: Calibration) -> float:
    """RMS action error on calibration states, summed over channels, in units of half the action's range."""
    states = slice(0, OPEN_LOOP_STATES)
    flags = calibration.starts[states].astype(np.int64)
    spiking = FastBackend(artifact).trace(calibration.observations[states], flags).actions
    difference = (spiking - policy.act(calibration.observations[states], calibration.decisions[states])) / (policy.action.range / 2)
    return float(np.sqrt((difference**2).sum(1).mean()))


def _judge(error: float, measured: float, spiking: Float, ann: Float) -> Attempt:
    median = float(np.median(ann))
    weak = median - 0.1 * abs(median)
    failures, ann_failures, ratio = int((spiking < weak).sum()), int((ann < weak).sum()), return_ratio(spiking, ann)
    accepted = ratio is not None and ratio >= LEAST_RATIO and failures - ann_failures <= MOST_EXTRA_FAILURES * len(ann)
    return Attempt(error, measured, ratio, failures, ann_failures, len(ann), accepted)


def _noting(artifact: Artifact, policy: Policy, calibration: Calibration, attempts: list[Attempt]) -> Artifact:
    """The artifact with what was measured in its calibration record."""
    notes = {"measured_action_error": open_loop_error(artifact, policy, calibration), "closed_loop": [dataclasses.asdict(attempt) for attempt in attempts]}
    return dataclasses.replace(artifact, calibration=artifact.calibration | notes)
