"""Does the source policy itself do what it was trained for? No conversion can return what it does
not have.

Nothing in a checkpoint says what return is good. Four signs, each sufficient, do without that
knowledge: it is no better than doing nothing or acting at random on the same seeds; it stays below
half of the return at which the environment counts as solved; the environment ends all its episodes
before half their time although every decision is rewarded; or some of its episodes fail by its own
mean (contract section 7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    """`episodes` are the source policy's own, one per seed."""
    env = make_env()
    space = env.action_space
    spec = env.spec
    env.close()
    longest = max(len(episode.rewards) for episode in episodes)
    without_looking = [
        travel(
            TrivialActor(policy, len(seeds), space, random), None, make_env, seeds, longest=longest
        )
        for random in (False, True)
    ]
    trivial = [np.array([episode.total for episode in driven]) for driven in without_looking]
    returns = np.array([episode.total for episode in episodes])
    best = max(trivial, key=lambda found: float(found.mean()))
    lead = returns - best
    if len(seeds) > 1:
        spread = float(np.std(returns - best, ddof=1))
    else:
        spread = 0.0
    evidence = {"ann_return": float(returns.mean()), "trivial_return": float(best.mean())}
    failed = []
    if lead.mean() <= ERRORS * spread / np.sqrt(len(seeds)):
        failed.append(
            f"its mean return {returns.mean():.1f} is not above the {best.mean():.1f} of a policy"
            " that does not look"
        )
    threshold, limit = (
        getattr(spec, name, None) for name in ("reward_threshold", "max_episode_steps")
    )
    if threshold is not None and threshold > 0 and returns.mean() < SOLVED * threshold:
        evidence["reward_threshold"] = float(threshold)
        failed.append(
            f"its mean return {returns.mean():.1f} is below half of the {threshold:.0f} at which"
            " the environment counts as solved"
        )
    lengths = np.array([len(episode.rewards) for episode in episodes])
    rewards = np.concatenate([episode.rewards for episode in episodes])
    if (
        limit
        and all(episode.terminated for episode in episodes)
        and lengths.max() < EARLY * limit
        and rewards.mean() > 0
    ):
        evidence["mean_length"] = float(lengths.mean())
        failed.append(
            f"the environment ends every episode early, after {lengths.mean():.0f} of {limit}"
            " decisions, although decisions are rewarded"
        )
    weak = failed_episodes(returns, returns)
    shaken = [
        policy.observation.apply(
            np.array(episode.observations), np.arange(len(episode.observations))
        )
        for episode in without_looking[1]
    ]
    return SourceCheck(
        tuple(failed),
        weak,
        float(best.mean()),
        normalised_size(policy, np.concatenate(shaken)),
        evidence | {"ann_failed_episodes": float(weak)},
    )
