"""Conversion with the loop closed: sdn's action error, dc's thresholds change where the policy's
own return asks for it.

Some policies forgive an action error of 0.1 and some fall over it (a clipped PPO policy failed in a
tenth of its episodes). No open-loop number tells them apart, a few dozen episodes do. Their seeds
continue the calibration's and are recorded in the artifact, so that no reported return is measured
on them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.build import convert
from spikeport.toolchain.conversion.conversion_options import (
    DEFAULT_ACTION_ERROR,
    ConversionOptions,
)
from spikeport.toolchain.conversion.distillation import States, finetune
from spikeport.toolchain.conversion.distillation.distillation_states import Recorder
from spikeport.toolchain.conversion.distillation.pytorch import pytorch
from spikeport.toolchain.conversion.schemes.rate_thresholds import SHARES
from spikeport.toolchain.conversion.signal_statistics import centred, unit
from spikeport.toolchain.conversion.states import (
    Calibration,
    calibration_seed,
    from_arrays,
    from_environment,
)
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.policies.actor import Actor, FloatActor
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.return_statistics import return_ratio
from spikeport.toolchain.simulation.rollout import roll_out

EPISODES = 64
LONGEST = 1000  # decisions of an episode of the check
ERRORS = (DEFAULT_ACTION_ERROR, 0.05, 0.025, 0.0125)
LEAST_RATIO = 0.98
MOST_EXTRA_FAILURES = (
    0.03  # share of episodes below 90 % of the median, more than the source policy's own
)
OPEN_LOOP_STATES = 2000
DEFAULTS = ConversionOptions()
Progress = Callable[[str, int, int], None]  # stage, done, total

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Attempt:
    """One action error (sdn) or list of threshold shares (dc) tried.

    What the closed loop and the calibration states said.
    """

    action_error: float | None
    measured_error: float
    return_ratio: float | None
    failures: int
    ann_failures: int
    episodes: int
    accepted: bool
    threshold_shares: tuple[float, ...] = ()

    @property
    def setting(self) -> str:
        return setting(self.action_error, self.threshold_shares)

    def __str__(self) -> str:
        if self.return_ratio is None:
            ratio = "none"
        else:
            ratio = f"{self.return_ratio:.4f}"
        weak = f"weak episodes {self.failures} against {self.ann_failures} of {self.episodes}"
        return (
            f"{self.setting} (measured {self.measured_error:.3f}): return ratio {ratio},"
            f" {weak}{'' if self.accepted else ', not accepted'}"
        )


def setting(action_error: float | None, threshold_shares: Sequence[float] | None) -> str:
    """What is tried, in words."""
    if threshold_shares:
        return f"threshold shares {','.join(f'{share:g}' for share in threshold_shares)}"
    return f"action error {action_error:g}"


def acceptance(attempts: Sequence[Attempt], taken: str) -> tuple[bool, str]:
    """Whether the closed loop accepted the `taken` setting, one of those tried, and why it was.

    No text where the first was accepted.
    """
    if attempts[0].accepted:
        return True, ""
    best = next(attempt for attempt in attempts if attempt.setting == taken)
    if best.accepted and best.threshold_shares:
        return True, f"{attempts[0].setting} were not accepted, {taken} are the first that were"
    if best.accepted:
        return (
            True,
            (
                f"{attempts[0].setting} was not accepted, which shows a policy that forgives"
                f" little: it gets the finest accepted error, {best.action_error:g}, not the first"
            ),
        )
    if best.return_ratio is None:
        ratio = "none"
    else:
        ratio = f"{best.return_ratio:.4f}"
    allowed = int(best.ann_failures + MOST_EXTRA_FAILURES * best.episodes)
    return (
        False,
        (
            f"NOT ACCEPTED in closed loop: return ratio {ratio} (at least {LEAST_RATIO} wanted),"
            f" {best.failures} of {best.episodes} episodes weak (at most {allowed} allowed, the"
            f" source policy has {best.ann_failures})"
        ),
    )


@dataclass
class Loop:
    """Episodes in the user's environment on seeds that continue the calibration's.

    `seeds` lists all that were used.
    """

    identifier: str
    seed: int
    seeds: list[int]
    progress: Progress

    def fresh(self, count: int) -> list[int]:
        """`count` seeds that nobody used yet."""
        seeds = [calibration_seed(self.seed, len(self.seeds) + k) for k in range(count)]
        self.seeds.extend(seeds)
        return seeds

    def returns(self, actor: Actor, seeds: list[int], stage: str) -> Float:
        """The return of one episode per seed."""
        made = partial(gymnasium_bridge.make, self.identifier, trusted=True)
        return roll_out(
            actor,
            lambda index: made(),
            seeds,
            lambda done: self.progress(stage, done, len(seeds)),
            longest=LONGEST,
        ).returns

    def gather(self, recorder: Recorder, stage: str) -> States:
        """The states that an actor meets in one fresh episode per row."""
        self.returns(recorder, self.fresh(recorder.rows), stage)
        return recorder.states()


def convert_in_environment(
    policy: Policy,
    identifier: str,
    options: ConversionOptions = DEFAULTS,
    *,
    calibration_steps: int = 10_000,
    seed: int = 0,
    progress: Progress = lambda stage, done, total: None,
) -> tuple[Artifact, list[Attempt]]:
    """Calibrate in an environment that the user named (`module:Id` allowed) and convert.

    Where `options.action_error` is None, 0.1 is taken if the closed loop accepts it, else the
    finest accepted one of 0.05, 0.025 and 0.0125, else the one with the best mean return. dc takes
    the first of the lists of threshold shares in toolchain/conversion/schemes/rate_thresholds.py that is
    accepted, else the one with the best mean return. With `options.finetune` the result is then
    distilled and kept if its mean return did not fall. `progress(stage, done, total)` is called as
    it goes.
    """
    if options.finetune:
        pytorch()
    env = gymnasium_bridge.make(identifier, trusted=True)
    try:
        calibration = from_environment(
            policy,
            env,
            calibration_steps,
            seed,
            lambda done: progress("calibrate", done, calibration_steps),
        )
        environment = gymnasium_bridge.record(env, identifier)
    finally:
        env.close()
    loop = Loop(identifier, seed, list(calibration.seeds), progress)
    attempts = list[Attempt]()
    choices: list[ConversionOptions] = []
    if options.neuron == "sdn" and options.action_error is None:
        choices = [dataclasses.replace(options, action_error=error) for error in ERRORS]
    elif options.searches_thresholds and not options.threshold_shares and len(policy.layers) > 1:
        choices = [dataclasses.replace(options, threshold_shares=shares) for shares in SHARES]
    if choices:
        artifact = _chosen(policy, calibration, choices, environment, loop, attempts)
    else:
        artifact = convert(policy, calibration, options, environment, seed)
    if options.finetune:
        artifact = _finetuned(artifact, policy, calibration, options.weight_bits, loop)
    return (
        _noting(
            artifact, policy, dataclasses.replace(calibration, seeds=tuple(loop.seeds)), attempts
        ),
        attempts,
    )


def _chosen(
    policy: Policy,
    calibration: Calibration,
    choices: Sequence[ConversionOptions],
    environment: EnvironmentRecord,
    loop: Loop,
    attempts: list[Attempt],
) -> Artifact:
    """The conversion of `choices` that the closed loop accepts.

    What was tried is appended to `attempts`.
    """
    seeds = loop.fresh(EPISODES)
    ann = loop.returns(FloatActor(policy, EPISODES), seeds, "source policy")
    best_mean = -np.inf
    best = None
    for options in choices:
        candidate = convert(policy, calibration, options, environment, loop.seed)
        spiking = loop.returns(
            FastBackend(candidate, EPISODES),
            seeds,
            setting(options.action_error, options.threshold_shares),
        )
        attempts.append(
            _judge(options, open_loop_error(candidate, policy, calibration), spiking, ann)
        )
        if attempts[-1].accepted or (
            spiking.mean() > best_mean and not any(attempt.accepted for attempt in attempts)
        ):
            best_mean = spiking.mean()
            best = candidate
        if attempts[0].accepted or (options.threshold_shares and attempts[-1].accepted):
            # errors go on: a policy that fell over once is fragile and gets the finest one that is
            # accepted
            break
    return best or candidate


def _finetuned(
    artifact: Artifact, policy: Policy, calibration: Calibration, bits: int, loop: Loop
) -> Artifact:
    """The distilled artifact, or the given one where its mean return is the higher on the same
    fresh episodes.
    """
    trained = finetune(
        artifact,
        policy,
        States(calibration.observations, calibration.decisions),
        bits,
        loop.seed,
        loop.gather,
        loop.progress,
    )
    seeds = loop.fresh(EPISODES)
    means = [
        float(loop.returns(FastBackend(one, EPISODES), seeds, f"finetune: {name}").mean())
        for one, name in ((artifact, "before"), (trained, "after"))
    ]
    if means[1] >= means[0]:
        chosen = trained
    else:
        chosen = dataclasses.replace(
            artifact, calibration=artifact.calibration | {"finetuned": False}
        )
    return dataclasses.replace(
        chosen, calibration=chosen.calibration | {"finetune_mean_returns": means}
    )


def convert_from_observations(
    policy: Policy,
    observations: NDArray[Any],
    starts: NDArray[Any] | None = None,
    options: ConversionOptions = DEFAULTS,
    seed: int = 0,
    progress: Progress = lambda stage, done, total: None,
) -> Artifact:
    """Convert with recorded observations [N, obs] in order and optional episode starts [N].

    No loop is closed.
    """
    if options.finetune:
        pytorch()
    calibration = from_arrays(observations, starts, policy.observation.size)
    artifact = convert(policy, calibration, options, None, seed)
    if options.finetune:
        artifact = finetune(
            artifact,
            policy,
            States(calibration.observations, calibration.decisions),
            options.weight_bits,
            seed,
            None,
            progress,
        )
    return _noting(artifact, policy, calibration, [])


def open_loop_error(artifact: Artifact, policy: Policy, calibration: Calibration) -> float:
    """RMS action error on calibration states, summed over channels, in units of half the action's
    range (discrete: logits.py).
    """
    states = slice(0, OPEN_LOOP_STATES)
    flags = calibration.starts[states].astype(np.int64)
    observations = calibration.observations[states]
    decisions = calibration.decisions[states]
    trace = FastBackend(artifact).trace(observations, flags)
    if policy.action.discrete:
        network = artifact.network
        wanted = policy.outputs(observations, decisions)
        found = trace.layers[-1].states[:, -1] * network.layers[-1].row_scale / network.divisor
        difference = (centred(found) - centred(wanted)) / unit(wanted)
    else:
        difference = (trace.actions - policy.act(observations, decisions)) / (
            policy.action.range / 2
        )
    return float(np.sqrt((difference**2).sum(1).mean()))


def _judge(options: ConversionOptions, measured: float, spiking: Float, ann: Float) -> Attempt:
    median = float(np.median(ann))
    weak = median - 0.1 * abs(median)
    failures = int((spiking < weak).sum())
    ann_failures = int((ann < weak).sum())
    ratio = return_ratio(spiking, ann)
    accepted = (
        ratio is not None
        and ratio >= LEAST_RATIO
        and failures - ann_failures <= MOST_EXTRA_FAILURES * len(ann)
    )
    return Attempt(
        options.action_error,
        measured,
        ratio,
        failures,
        ann_failures,
        len(ann),
        accepted,
        options.threshold_shares,
    )


def _noting(
    artifact: Artifact, policy: Policy, calibration: Calibration, attempts: list[Attempt]
) -> Artifact:
    """The artifact with what was measured in its calibration record."""
    notes: dict[str, Any] = {"seeds": list(calibration.seeds)}
    notes |= {
        "measured_action_error": open_loop_error(artifact, policy, calibration),
        "closed_loop": [dataclasses.asdict(attempt) for attempt in attempts],
    }
    return dataclasses.replace(artifact, calibration=artifact.calibration | notes)
