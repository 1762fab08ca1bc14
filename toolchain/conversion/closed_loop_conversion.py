"""Conversion with the loop closed: the candidate whose return the policy's environment accepts.

Some policies forgive an action error of 0.1 and some fall over it (a clipped PPO policy failed in a
tenth of its episodes); what a window's error costs in differential coding differs as much. No
open-loop number tells them apart, a few dozen episodes do. Their seeds continue the calibration's
and are recorded in the artifact, so that no reported return is measured on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.build import build
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.calibration.reset_seeds import calibration_seed
from spikeport.toolchain.conversion.distillation.distillation_states import Recorder, States
from spikeport.toolchain.conversion.schemes.action_error import open_loop_error
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.scheme import Choices
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.policies.actor import Actor
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.progress import Progress
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.return_statistics import return_ratio
from spikeport.toolchain.simulation.rollout import roll_out

Float = NDArray[np.float64]
EPISODES = 64
LONGEST = 1000  # decisions of an episode of the check
LEAST_RATIO = 0.98
WEAK = 0.1  # of the median return, below it: an episode that went wrong
# Share of episodes that may be weak beyond the source policy's own.
MOST_EXTRA_FAILURES = 0.03


@dataclass(frozen=True)
class Attempt:
    """One candidate: an action error (sdn) or a list of threshold shares (dc), and what was found.

    Attributes:
        action_error: What thresholds aimed at; None where another neuron was chosen.
        measured_error: On calibration states.
        return_ratio: Mean return over the source policy's; None where that is about 0.
        failures: Weak episodes.
        ann_failures: Weak episodes of the source policy.
        episodes: Of each.
        accepted: Whether both are good enough.
        threshold_shares: Shares of the largest activation that were tried for each neuron.
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
        """What was tried, in words."""
        return setting(self.action_error, self.threshold_shares)

    @property
    def ratio_text(self) -> str:
        """The return ratio in words."""
        if self.return_ratio is None:
            return "none"
        return f"{self.return_ratio:.4f}"

    def __str__(self) -> str:
        weak = f"weak episodes {self.failures} against {self.ann_failures} of {self.episodes}"
        found = (
            f"{self.setting} (measured {self.measured_error:.3f}):"
            f" return ratio {self.ratio_text}, {weak}"
        )
        if self.accepted:
            return found
        return f"{found}, not accepted"


def setting(action_error: float | None, threshold_shares: Sequence[float] | None) -> str:
    """What is tried, in words."""
    if threshold_shares:
        return f"threshold shares {','.join(f'{share:g}' for share in threshold_shares)}"
    return f"action error {action_error:g}"


def acceptance(attempts: Sequence[Attempt], taken: str) -> tuple[bool, str]:
    """Whether the closed loop accepted the `taken` setting, one of those tried, and why it was.

    No text where the first was accepted.
    """
    first = attempts[0]
    if first.accepted:
        return True, ""
    best = next(attempt for attempt in attempts if attempt.setting == taken)
    if best.accepted and best.threshold_shares:
        return True, f"{first.setting} were not accepted, {taken} are the first that were"
    if best.accepted:
        return True, (
            f"{first.setting} was not accepted, which shows a policy that forgives little: it gets"
            f" the finest accepted error, {best.action_error:g}, not the first"
        )
    allowed = int(best.ann_failures + MOST_EXTRA_FAILURES * best.episodes)
    return False, (
        f"NOT ACCEPTED in closed loop: return ratio {best.ratio_text} (at least {LEAST_RATIO}"
        f" wanted), {best.failures} of {best.episodes} episodes weak (at most {allowed} allowed,"
        f" the source policy has {best.ann_failures})"
    )


@dataclass
class Loop:
    """Episodes in the user's environment on seeds that continue the calibration's.

    Attributes:
        identifier: The environment's id.
        seed: The user's --seed.
        seeds: All that were used, the calibration's first.
        progress: Is called with each stage.
        source_returns: What the source policy got on lists of seeds, run once for all neurons.
    """

    identifier: str
    seed: int
    seeds: list[int]
    progress: Progress
    source_returns: dict[tuple[int, ...], Float] = field(default_factory=dict)

    def again(self, calibration_seeds: Sequence[int]) -> Loop:
        """The loop as it was after the calibration, with what the source policy got."""
        return Loop(
            self.identifier,
            self.seed,
            list(calibration_seeds),
            self.progress,
            self.source_returns,
        )

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

    def returns_of_source(self, policy: Policy, seeds: list[int]) -> Float:
        """The return of one episode of the source policy per seed."""
        key = tuple(seeds)
        if key not in self.source_returns:
            actor = policy.actor(len(seeds))
            self.source_returns[key] = self.returns(actor, seeds, "source policy")
        return self.source_returns[key]

    def gather(self, recorder: Recorder, stage: str) -> States:
        """The states that an actor meets in one fresh episode per row."""
        self.returns(recorder, self.fresh(recorder.rows), stage)
        return recorder.states()


def best_candidate(
    subject: CalibratedPolicy[Policy],
    candidates: Sequence[Choices],
    loop: Loop,
    first_accepted: bool,
) -> tuple[Artifact, list[Attempt]]:
    """The last candidate that the loop accepts; the best mean return where it accepts none.

    Args:
        subject: The policy with its states.
        candidates: Tried in turn.
        loop: Runs the episodes, all candidates on the same fresh seeds.
        first_accepted: Whether the first accepted candidate ends the search. Else only the first
            of all does, and the last accepted one is taken.

    Returns:
        The artifact, and what was found of each candidate.
    """
    seeds = loop.fresh(EPISODES)
    source = loop.returns_of_source(subject.policy, seeds)
    attempts: list[Attempt] = []
    best: Artifact | None = None
    best_mean = -np.inf
    for options in candidates:
        candidate = build(subject, options)
        stage = setting(options.action_error, options.threshold_shares)
        spiking = loop.returns(FastBackend(candidate, len(seeds)), seeds, stage)
        measured = open_loop_error(candidate, subject.policy, subject.calibration)
        attempt = _judge(options, measured, spiking, source)
        attempts.append(attempt)
        none_accepted = not any(known.accepted for known in attempts)
        if best is None or attempt.accepted or (none_accepted and spiking.mean() > best_mean):
            best = candidate
            best_mean = spiking.mean()
        if attempts[0].accepted or (first_accepted and attempt.accepted):
            break
    assert best is not None, "no candidates"
    return best, attempts


def better_of(before: Artifact, after: Artifact, loop: Loop) -> tuple[Artifact, list[float]]:
    """The distilled artifact, or the one before where its mean return is the higher.

    Both run the same fresh episodes; the means come second.
    """
    seeds = loop.fresh(EPISODES)
    means = []
    for artifact, name in ((before, "before"), (after, "after")):
        returns = loop.returns(FastBackend(artifact, EPISODES), seeds, f"finetune: {name}")
        means.append(float(returns.mean()))
    if means[1] >= means[0]:
        return after, means
    return before, means


def _judge(options: ConversionChoices, measured: float, spiking: Float, source: Float) -> Attempt:
    """What the returns of a candidate and of its source policy say, seed by seed."""
    median = float(np.median(source))
    weak = median - WEAK * abs(median)
    failures = int((spiking < weak).sum())
    source_failures = int((source < weak).sum())
    extra = failures - source_failures
    ratio = return_ratio(spiking, source)
    holds = ratio is not None and ratio >= LEAST_RATIO
    return Attempt(
        options.action_error,
        measured,
        ratio,
        failures,
        source_failures,
        len(source),
        holds and extra <= MOST_EXTRA_FAILURES * len(source),
        options.threshold_shares,
    )
