"""Does the source policy itself do what it was trained for?

No conversion can return what its source does not have. Nothing in a checkpoint says what return is
good. Four signs, each sufficient, do without that knowledge: it is no better than doing nothing or
acting at random on the same seeds; it stays below half of the return at which the environment
counts as solved; the environment ends all its episodes before half their time although every
decision is rewarded; or some of its episodes fail by its own mean (contract section 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeport.toolchain.diagnosis.journey import Episode, travel
from spikeport.toolchain.diagnosis.observation_check import normalised_size
from spikeport.toolchain.host.observations import Float, Mask
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.return_statistics import failed_episodes

SOLVED = 0.5  # of the environment's reward threshold
EARLY = 0.5  # of the time limit
ERRORS = 2.0  # standard errors of the paired difference


class TrivialActor:
    """Acts without looking: the middle of the action range, or anywhere in it."""

    def __init__(self, policy: Policy, rows: int, space: Any, random: bool) -> None:
        self.rows = rows
        self.size = policy.action.size
        self.random = random
        low = np.asarray(space.low, np.float64).reshape(-1)
        high = np.asarray(space.high, np.float64).reshape(-1)
        self.low, self.high = (
            np.where(np.isfinite(end), end, usual)
            for end, usual in ((low, -np.ones_like(low)), (high, np.ones_like(high)))
        )
        self.generator = np.random.default_rng(0)

    def reset(self, mask: Mask | None = None) -> None:
        """Nothing is carried over."""

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Actions [rows, act] that do not depend on the observations."""
        if self.random:
            share = self.generator.random((self.rows, self.size))
        else:
            share = np.full((self.rows, self.size), 0.5)
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class SourceCheck:
    """`failed` names what is wrong with the policy as a whole.

    `weak` counts episodes that fail by its own mean.
    """

    failed: tuple[str, ...]
    weak: int
    trivial_return: float
    normalised: float | None  # as InputReport.normalised, in the states that random actions reach
    evidence: dict[str, float]


def check_source(
    policy: Policy, episodes: Sequence[Episode], make_env: Callable[[], Any], seeds: Sequence[int]
) -> SourceCheck:
    """Compare the source policy with policies that do not look, and with what solves the task.

    Args:
        policy: The source policy.
        episodes: Its own episodes, one per seed.
        make_env: Makes the environment.
        seeds: Of the resets.

    Returns:
        What is wrong with the policy, if anything.
    """
    env = make_env()
    space = env.action_space
    spec = env.spec
    env.close()
    longest = max(len(episode.rewards) for episode in episodes)
    middle, anywhere = (
        travel(
            TrivialActor(policy, len(seeds), space, random), None, make_env, seeds, longest=longest
        )
        for random in (False, True)
    )
    returns = np.array([episode.total for episode in episodes])
    trivial = [np.array([one.total for one in driven]) for driven in (middle, anywhere)]
    best = max(trivial, key=lambda found: float(found.mean()))
    weak = failed_episodes(returns, returns)
    evidence = {"ann_return": float(returns.mean()), "trivial_return": float(best.mean())}
    failed = [
        *_no_better(returns, best),
        *_below_solved(returns, getattr(spec, "reward_threshold", None), evidence),
        *_ended_early(episodes, getattr(spec, "max_episode_steps", None), evidence),
    ]
    inputs = [
        policy.observation.apply(np.array(one.observations), np.arange(len(one.observations)))
        for one in anywhere
    ]
    return SourceCheck(
        tuple(failed),
        weak,
        float(best.mean()),
        normalised_size(policy, np.concatenate(inputs)),
        evidence | {"ann_failed_episodes": float(weak)},
    )


def _no_better(returns: Float, trivial: Float) -> Iterator[str]:
    """A sentence where returns [n] are not clearly above those of a policy that does not look."""
    lead = returns - trivial
    spread = 0.0
    if len(lead) > 1:
        spread = float(np.std(lead, ddof=1))
    if lead.mean() <= ERRORS * spread / np.sqrt(len(lead)):
        yield (
            f"its mean return {returns.mean():.1f} is not above the {trivial.mean():.1f} of a"
            " policy that does not look"
        )


def _below_solved(
    returns: Float, threshold: float | None, evidence: dict[str, float]
) -> Iterator[str]:
    """A sentence, and a number in `evidence`, where returns [n] are far below the threshold."""
    if threshold is not None and threshold > 0 and returns.mean() < SOLVED * threshold:
        evidence["reward_threshold"] = float(threshold)
        yield (
            f"its mean return {returns.mean():.1f} is below half of the {threshold:.0f} at which"
            " the environment counts as solved"
        )


def _ended_early(
    episodes: Sequence[Episode], limit: int | None, evidence: dict[str, float]
) -> Iterator[str]:
    """A sentence, and a number in `evidence`, where rewarded episodes all end long before time."""
    lengths = np.array([len(episode.rewards) for episode in episodes])
    rewards = np.concatenate([episode.rewards for episode in episodes])
    if (
        limit
        and all(episode.terminated for episode in episodes)
        and lengths.max() < EARLY * limit
        and rewards.mean() > 0
    ):
        evidence["mean_length"] = float(lengths.mean())
        yield (
            f"the environment ends every episode early, after {lengths.mean():.0f} of {limit}"
            " decisions, although decisions are rewarded"
        )
