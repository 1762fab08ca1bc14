"""Energy, latency and the verdict at the front door."""

from __future__ import annotations

from collections.abc import Sequence

from spikeport.former_names import public, staged
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy import ASSESS_PROFILES, DEFAULT_PROFILES, Assessment, Estimate
from spikeport.toolchain.energy import assess as judge
from spikeport.toolchain.energy import estimate_energy as price
from spikeport.toolchain.energy.estimate_result import check_period
from spikeport.toolchain.energy.measure import EPISODES as EPISODES
from spikeport.toolchain.energy.measure import counted_on, measure_ann_work, measure_census
from spikeport.toolchain.progress import Progress, silent
from spikeport.toolchain.simulation.census import Census


@public()
def estimate_energy(
    artifact: Artifact,
    *,
    profiles: Sequence[str] = DEFAULT_PROFILES,
    census: Census | None = None,
    env: str | None = None,
    episodes: int | None = None,
    seed: int = 1000,
    control_period_s: float | None = None,
    progress: Progress = silent,
) -> list[Estimate]:
    """Estimate joules and seconds per decision on each profile.

    The census is the given one, or that of `episodes` episodes (10) in the environment; an artifact
    without an environment is counted on its probe (`counted_on`). The control period is the
    environment's unless given.

    Args:
        artifact: The policy.
        profiles: Names of hardware profiles.
        census: Counts of a run; None counts episodes first.
        env: Gymnasium id to count in; None takes the artifact's own.
        episodes: How many are counted.
        seed: Episode i starts from reset(seed=seed+i).
        control_period_s: Seconds between two decisions.
        progress: Called as progress(stage, done, total) when episodes end.

    Returns:
        One estimate per profile, in their order.

    Raises:
        InputError: For an unknown profile, episodes without an environment, seeds of calibration.
    """
    check_period(control_period_s)
    if census is None:
        finished = staged(progress, "episodes", episodes or EPISODES)
        census = measure_census(artifact, env=env, episodes=episodes, seed=seed, progress=finished)
    if control_period_s is None and artifact.environment is not None:
        control_period_s = artifact.environment.control_period_s
    return price(census, artifact, tuple(profiles), control_period_s)


@public()
def assess(
    artifact: Artifact,
    *,
    profiles: Sequence[str] = ASSESS_PROFILES,
    env: str | None = None,
    episodes: int | None = None,
    seed: int = 1000,
    control_period_s: float | None = None,
    progress: Progress = silent,
) -> Assessment:
    """Judge whether the spiking policy pays against the same policy as an int8 network.

    Counts `episodes` episodes (10) of the artifact and as many of its source policy on the same
    seeds; without an environment both on the probe (`counted_on`).

    Args:
        artifact: The policy.
        profiles: Names of hardware profiles.
        env: Gymnasium id to count in; None takes the artifact's own.
        episodes: How many are counted of each policy.
        seed: Episode i starts from reset(seed=seed+i).
        control_period_s: Seconds between two decisions.
        progress: Called as progress(stage, done, total) when episodes of either policy end.

    Returns:
        The verdict and what decides it.

    Raises:
        InputError: For an unknown profile, episodes without an environment, seeds of calibration.
    """
    check_period(control_period_s)
    finished = staged(progress, "episodes", 2 * (episodes or EPISODES))
    census = measure_census(artifact, env=env, episodes=episodes, seed=seed, progress=finished)
    work = measure_ann_work(artifact, env=env, episodes=episodes, seed=seed, progress=finished)
    if control_period_s is None and artifact.environment is not None:
        control_period_s = artifact.environment.control_period_s
    return judge(
        census, artifact, work, tuple(profiles), control_period_s, counted_on(artifact, census, env)
    )
