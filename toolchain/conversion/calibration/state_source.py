"""Where a conversion's states come from: an environment that the user named, or recordings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy, P
from spikeport.toolchain.conversion.calibration.reset_seeds import LARGEST_SEED
from spikeport.toolchain.conversion.calibration.states import from_arrays, from_environment
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.environments.gymnasium_bridge import environment_facts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.progress import Progress


@dataclass(frozen=True, eq=False)
class StateSource:
    """One of an environment and recordings, or neither where a policy needs no states.

    Attributes:
        env: A Gymnasium id, `module:Id` allowed: the user typed it.
        observations: Recorded ones [N, obs], in order.
        episode_starts: Flags [N] of the recorded observations.
        steps: Decisions to visit in the environment.
        seed: The user's --seed.
    """

    env: str | None = None
    observations: NDArray[Any] | None = None
    episode_starts: NDArray[Any] | None = None
    steps: int = 10_000
    seed: int = 0

    def check(self, policy: AnyPolicy) -> None:
        """Raise InputError where the states of `policy` cannot come from here."""
        got = ""
        if self.env is not None and self.observations is not None:
            got = "both"
        if self.env is None and self.observations is None and policy.needs_states:
            got = "neither"
        if got:
            raise InputError(
                "convert",
                "calibration needs the policy's own states",
                got=got,
                limit="--env or --observations",
                fix=("--env ID", "--observations FILE.npy"),
            )
        self._check_starts()
        self._check_seed()
        if self.env is not None:
            facts = environment_facts(self.env)
            gymnasium_bridge.check_fit(facts, policy.observation.size, policy.action)

    def _check_starts(self) -> None:
        if self.episode_starts is None:
            return
        if self.observations is None:
            raise InputError(
                "--episode-starts",
                "marks the rows of recorded observations",
                got="no --observations",
                fix=("--observations FILE.npy", "omit --episode-starts"),
            )
        kind = np.asarray(self.episode_starts).dtype
        if kind.kind not in "biuf":
            raise InputError(
                "--episode-starts",
                "flags are numbers",
                got=kind,
                limit="bool, or numbers of which zero is no start",
                fix="give one flag per observation",
            )

    def _check_seed(self) -> None:
        if self.seed < 0:
            raise InputError(
                "--seed",
                "a seed is never negative",
                got=self.seed,
                limit="0 or more",
                fix="--seed 0",
            )
        if self.seed > LARGEST_SEED:
            raise InputError(
                "--seed",
                "too large",
                got=self.seed,
                limit=LARGEST_SEED,
                why="calibration's reset seeds stay below those of tuning",
                fix="--seed 0",
            )


def visited(policy: P, source: StateSource, progress: Progress) -> CalibratedPolicy[P]:
    """Roll a policy out in its environment, once for all conversions.

    Args:
        policy: The float policy.
        source: Names the environment.
        progress: Is called with the stage `calibrate`.

    Returns:
        The policy with the states that it visited and the environment's record.

    Raises:
        InputError: For an environment that cannot be made or gives unusable observations.
    """
    assert source.env is not None
    env = gymnasium_bridge.make(source.env, trusted=True)
    try:
        calibration = from_environment(
            policy,
            env,
            source.steps,
            source.seed,
            lambda done: progress("calibrate", done, source.steps),
        )
        record = gymnasium_bridge.record(env, source.env)
    finally:
        env.close()
    return CalibratedPolicy(policy, calibration, record, source.seed)


def recorded(policy: P, source: StateSource) -> CalibratedPolicy[P]:
    """A policy with recorded states; raises InputError for arrays that do not fit it."""
    assert source.observations is not None
    observations = np.asarray(source.observations)
    calibration = from_arrays(observations, source.episode_starts, policy.observation.size)
    return CalibratedPolicy(policy, calibration, seed=source.seed)
