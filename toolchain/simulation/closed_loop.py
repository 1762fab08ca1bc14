"""`simulate`: the artifact's return in its environment, next to the source policy's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.simulation import return_statistics as statistics
from spikeport.toolchain.simulation.backends import backend_class, open_backend
from spikeport.toolchain.simulation.census import Census
from spikeport.toolchain.simulation.latency import Delay, Delayed, delay_of, substeps_of
from spikeport.toolchain.simulation.rollout import Rollout, roll_out
from spikeport.toolchain.simulation.video import Video

MAX_ROWS = 256
MAX_EPISODES = 100_000


@dataclass(frozen=True, eq=False)
class Simulation:
    """A finished closed-loop run.

    Attributes:
        backend: What executed the artifact.
        environment: The environment's id.
        seed: Of episode 0; episode i had seed + i.
        spiking: The artifact's episodes.
        census: What these cost.
        ann: The source policy's episodes, where they were asked for.
        delay: Of the spiking policy's actions; the source policy's are never late.
    """

    backend: str
    environment: str
    seed: int
    spiking: Rollout
    census: Census
    ann: Rollout | None = None
    delay: Delay | None = None

    @property
    def returns(self) -> NDArray[np.float64]:
        """The artifact's returns, [episodes]."""
        return self.spiking.returns

    def to_json(self) -> dict[str, Any]:
        """The fields of contract section 8; what is not a number is None."""
        spiking = self.spiking
        census = self.census
        compared: dict[str, Any] = dict.fromkeys(COMPARED)
        if self.ann is not None:
            compared = _compared(spiking, self.ann)
        interval = None
        if _finite(spiking, self.ann):
            interval = statistics.confidence_interval(spiking.returns)
        facts = {
            "backend": self.backend,
            "env": self.environment,
            "seed": self.seed,
            "episodes": len(spiking.returns),
            "returns": spiking.returns.tolist(),
            "mean_return": float(spiking.returns.mean()),
            "min_return": float(spiking.returns.min()),
            "ci95": interval and list(interval),
            **compared,
            "chatter": spiking.chatter,
            "decisions": spiking.decisions,
            "decisions_per_second": spiking.decisions_per_second,
            "env_seconds": spiking.env_seconds,
            "policy_seconds": spiking.policy_seconds,
            "synops_per_decision": census.synops_per_decision,
            "macs_per_decision": census.macs_per_decision,
            "host_macs_per_decision": census.host_macs_per_decision,
            "saturations": census.saturations,
            "latency_s": self.delay and self.delay.latency_s,
            "latency_applied_s": self.delay and self.delay.applied_s,
        }
        return {name: _numbers_or_none(value) for name, value in facts.items()}


COMPARED = (
    "failed_episodes",
    "ann_failed_episodes",
    "ann_returns",
    "ann_mean_return",
    "ann_min_return",
    "return_ratio",
    "ratio_ci95",
    "return_difference",
    "ann_chatter",
    "chatter_ratio",
)


def _finite(*runs: Rollout | None) -> bool:
    """Whether every return is a number: an environment may diverge."""
    return all(np.isfinite(run.returns).all() for run in runs if run is not None)


def _compared(spiking: Rollout, ann: Rollout) -> dict[str, Any]:
    """The fields of COMPARED."""
    ratio = None
    interval = None
    if _finite(spiking, ann):
        ratio = statistics.return_ratio(spiking.returns, ann.returns)
        interval = statistics.ratio_interval(spiking.returns, ann.returns)
    # an episode whose return is not a number has failed
    counted = np.nan_to_num(spiking.returns, nan=-np.inf)
    values = (
        statistics.failed_episodes(counted, ann.returns),
        statistics.failed_episodes(ann.returns, ann.returns),
        ann.returns.tolist(),
        float(ann.returns.mean()),
        float(ann.returns.min()),
        ratio,
        interval and list(interval),
        float(spiking.returns.mean() - ann.returns.mean()),
        ann.chatter,
        spiking.chatter / ann.chatter if ann.chatter > 0 else None,
    )
    return dict(zip(COMPARED, values, strict=True))


def _numbers_or_none(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, list):
        return [_numbers_or_none(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def simulate(
    artifact: Artifact,
    *,
    environment: str | None = None,
    backend: str = "fast",
    episodes: int = 10,
    seed: int = 1000,
    compare: bool = False,
    source: AnyPolicy | None = None,
    video: str | Path | None = None,
    latency_s: float | None = None,
    progress: Callable[[int], None] = lambda finished: None,
) -> Simulation:
    """Run episodes in the environment, episode i from reset(seed=seed+i).

    Args:
        artifact: What decides.
        environment: Gymnasium id, trusted as typed (it may be `module:Id`); None takes the
            artifact's own.
        backend: A backend's name.
        episodes: How many.
        seed: Of episode 0.
        compare: Whether the source policy runs on the same seeds, too.
        source: That policy; None takes the one inside the artifact.
        video: Episode 0 is filmed into this file, .mp4 or .gif.
        latency_s: Seconds that the spiking policy's actions reach the environment later
            (latency.py); the source policy's reach it at once.
        progress: Called with the number of episodes that have just ended.

    Returns:
        Returns, counts and times.

    Raises:
        InputError: For seeds that calibration used, shapes that do not fit, a missing source.
    """
    check_episodes(episodes)
    _check_seed(artifact, seed, episodes)
    make_env, identifier = environment_of(artifact, environment)
    policy = _source(artifact, source) if compare else None
    delay = None if latency_s is None else _delay(make_env, identifier, latency_s)
    recorder = None if video is None else Video(Path(video))

    def late_env(index: int) -> Any:
        env = make_env("rgb_array" if recorder and index == 0 else None)
        return env if delay is None else Delayed(env, delay)

    seeds = range(seed, seed + episodes)
    rows = min(episodes, backend_class(backend).max_rows or MAX_ROWS)
    with open_backend(backend, artifact, rows) as actor:
        spiking = roll_out(actor, late_env, seeds, progress, recorder and recorder.frame)
        census = actor.census()
    if recorder is not None:
        recorder.save(artifact.environment and artifact.environment.control_period_s)
    ann = None
    if policy is not None:
        own = policy.actor(min(episodes, MAX_ROWS))
        ann = roll_out(own, lambda index: make_env(None), seeds, progress)
    return Simulation(backend, identifier, seed, spiking, census, ann, delay)


def _check_seed(artifact: Artifact, seed: int, episodes: int) -> None:
    if seed < 0:
        raise InputError(
            "--seed", "a seed is never negative", got=seed, limit="0 or more", fix="--seed 1000"
        )
    refuse_calibration_seeds(artifact, seed, episodes)


def _source(artifact: Artifact, source: AnyPolicy | None) -> AnyPolicy:
    """The policy to compare with; it must have the artifact's channels."""
    policy = source or artifact.source
    if policy is None:
        raise InputError(
            "--compare",
            "the artifact was converted with --no-source",
            fix=("--source CHECKPOINT", "reconvert without --no-source"),
        )
    got, limit = (
        f"{p.observation.size} observation and {p.action.size} action channels"
        for p in (policy, artifact)
    )
    if got != limit:
        raise InputError(
            "--source",
            "the source policy does not fit the artifact",
            got=got,
            limit=limit,
            fix="give the policy that the artifact was converted from",
        )
    return policy


def check_episodes(episodes: int) -> None:
    """Raise InputError for a number of episodes that is none, or that no run ever ends."""
    if episodes < 1:
        raise InputError(
            "--episodes", "nothing to run", got=episodes, limit="1 or more", fix="--episodes 10"
        )
    if episodes > MAX_EPISODES:
        raise InputError(
            "--episodes",
            "more than a run can keep",
            got=episodes,
            limit=MAX_EPISODES,
            fix="--episodes 100, and more runs with other seeds",
        )


def _delay(make_env: Callable[[str | None], Any], identifier: str, latency_s: float) -> Delay:
    """The latency in this environment's control steps and substeps."""
    env = make_env(None)
    period = gymnasium_bridge.control_period(env)
    substeps = substeps_of(env)
    env.close()
    if period is None:
        raise InputError(
            f"environment {identifier}",
            "has no control period",
            why="a latency is counted in control steps",
            fix="an environment with `dt` or a frame rate",
        )
    return delay_of(latency_s, period, substeps)


def refuse_calibration_seeds(artifact: Artifact, seed: int, episodes: int) -> None:
    """Raise InputError where a reported seed was used to calibrate or tune."""
    used = sorted(
        set(range(seed, seed + episodes)) & {int(s) for s in artifact.calibration.get("seeds", ())}
    )
    if used:
        raise InputError(
            "--seed",
            "these seeds were used for calibration",
            got=f"{used[0]}..{used[-1]}",
            limit="seeds that calibration did not see",
            why="a return on them would flatter the conversion",
            fix="--seed 1000",
        )


def environment_of(
    artifact: Artifact, environment: str | None
) -> tuple[Callable[[str | None], Any], str]:
    """A maker of environments that fit the artifact (render mode in), and their id.

    Raises InputError where there is no environment or its spaces do not fit.
    """
    recorded = artifact.environment
    if environment is None and recorded is None:
        raise InputError(
            "--env",
            "the artifact was calibrated on recorded observations and names no environment",
            fix="--env ID",
        )
    own = recorded.id if recorded else ""
    identifier = own if environment is None else environment
    kwargs = recorded.kwargs if recorded and identifier == own else {}

    def make(render_mode: str | None) -> Any:
        return gymnasium_bridge.make(
            identifier, trusted=environment is not None, kwargs=kwargs, render_mode=render_mode
        )

    probe = make(None)
    facts = gymnasium_bridge.facts(probe, identifier)
    probe.close()
    fix = f"--env {own}" if recorded else "use the environment that the policy was trained in"
    gymnasium_bridge.check_fit(facts, artifact.observation.size, artifact.action, fix)
    return make, identifier
