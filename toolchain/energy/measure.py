"""The counts behind an estimate: of closed-loop episodes, or of the probe."""

from __future__ import annotations

from collections.abc import Callable

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy import AnnWork
from spikeport.toolchain.energy import estimate_energy as price
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.backends import open_backend
from spikeport.toolchain.simulation.census import Census
from spikeport.toolchain.simulation.closed_loop import simulate

EPISODES = 10  # that a census counts


def measure_ann_work(
    artifact: Artifact,
    *,
    env: str | None = None,
    episodes: int | None = None,
    seed: int = 1000,
    progress: Callable[[int], None] = lambda finished: None,
) -> AnnWork:
    """Count what the source policy does as an int8 network.

    It is only its dense work where the artifact has no source ANN inside.

    Args:
        artifact: With the source policy.
        env: Where it decides; the artifact's own environment, else the probe, by default.
        episodes: EPISODES by default.
        seed: Of the first episode.
        progress: Called with the number of episodes that are finished.
    """
    from spikeport.toolchain.energy.ann_work import CountingActor, countable, dense_work, probe_work
    from spikeport.toolchain.simulation.closed_loop import environment_of
    from spikeport.toolchain.simulation.rollout import roll_out

    if not countable(artifact):
        return dense_work(artifact)
    if env is None and artifact.environment is None:
        return probe_work(artifact)
    make_env, _ = environment_of(artifact, env)
    if episodes is None:
        rows = EPISODES
    else:
        rows = episodes
    actor = CountingActor(artifact, rows)
    roll_out(actor, lambda index: make_env(None), range(seed, seed + rows), progress)
    return actor.work()


def measure_census(
    artifact: Artifact,
    *,
    env: str | None = None,
    episodes: int | None = None,
    seed: int = 1000,
    progress: Callable[[int], None] = lambda finished: None,
) -> Census:
    """Count closed-loop episodes, or the probe without its end where there is no environment.

    Args:
        artifact: What decides.
        env: Where it decides; the artifact's own environment by default.
        episodes: EPISODES by default.
        seed: Of the first episode.
        progress: Called with the number of episodes that are finished.

    Raises:
        InputError: For `episodes` that are given without an environment to count them in.
    """
    if episodes is not None and episodes < 1:
        raise InputError(
            "--episodes", "nothing to count", got=episodes, limit="1 or more", fix="--episodes 1"
        )
    if env is not None or artifact.environment is not None:
        return simulate(
            artifact,
            environment=env,
            episodes=EPISODES if episodes is None else episodes,
            seed=seed,
            progress=progress,
        ).census
    if episodes is not None:
        why = "it is counted on the decisions of its probe"
        raise InputError(
            "--episodes",
            "the artifact names no environment",
            got=episodes,
            why=why,
            fix=("--env ID", "omit --episodes"),
        )
    return probe_census(artifact)


def counted_on(artifact: Artifact, census: Census, env: str | None = None) -> str:
    """Say what `measure_census` counted.

    These are decisions in an environment, or recorded or synthetic ones of the probe.

    Args:
        artifact: What decided.
        census: What was counted.
        env: As it was given.
    """
    if env is not None:
        identifier = env
    elif artifact.environment is None:
        identifier = None
    else:
        identifier = artifact.environment.id
    if identifier is not None:
        return f"{census.decisions} decisions in {identifier}"
    if str(artifact.calibration.get("source")).startswith("synthetic"):
        kind = "synthetic"
    else:
        kind = "recorded"
    return f"{census.decisions} {kind} decisions of the probe"


def probe_census(artifact: Artifact) -> Census:
    """Counts of the recorded part of the probe."""
    recorded = slice(0, max(len(artifact.probe.flags) - 32, 1))
    with open_backend("fast", artifact) as backend:
        return backend.trace(
            artifact.probe.observations[recorded], artifact.probe.flags[recorded]
        ).census


def modelled_latency(artifact: Artifact, profile: str, io: str = "floor") -> float:
    """Return seconds from an observation to its action, by the counts of the probe's recorded part.

    On a microcontroller they are the dense source policy's.

    Args:
        artifact: What decides.
        profile: The chip or microcontroller.
        io: Adds host input and output where the profile has them: `floor` or `system`, the ends of
            their band.

    Raises:
        InputError: For a profile without times.
    """
    estimate = price(probe_census(artifact), artifact, (profile,), None)[0]
    if estimate.latency_s is None:
        raise InputError(
            "--latency-from",
            "the profile has no times",
            got=profile,
            limit="a chip or a microcontroller",
            fix="--latency-from loihi1-davies",
        )
    return estimate.latency_s + (0.0 if estimate.io_s is None else estimate.io_s[io == "system"])
