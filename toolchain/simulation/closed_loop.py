"""`simulate`.

The artifact's return in its environment, next to the source policy's on the same seeds.
"""

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

    `to_json` has the fields of contract section 8; what is not a number is None.
    """

    backend: str
    environment: str
    seed: int
    spiking: Rollout
    census: Census
    ann: Rollout | None = None
    delay: Delay | None = (
        None  # of the spiking policy's actions; the source policy's are never late
    )

    @property
    def returns(self) -> NDArray[np.float64]:
        return self.spiking.returns

    def to_json(self) -> dict[str, Any]:
        spiking = self.spiking
        ann = self.ann
        census = self.census
        finite = all(
            np.isfinite(run.returns).all() for run in (spiking, ann) if run is not None
        )  # an environment may diverge
        if finite:
            interval = statistics.confidence_interval(spiking.returns)
        else:
            interval = None
        compared: dict[str, Any] = dict.fromkeys(
            (
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
        )
        if ann is not None:
            if finite:
                ratio_interval = statistics.ratio_interval(spiking.returns, ann.returns)
            else:
                ratio_interval = None
            counted = np.nan_to_num(
                spiking.returns, nan=-np.inf
            )  # an episode whose return is not a number has failed
            compared = {
                "failed_episodes": statistics.failed_episodes(counted, ann.returns),
                "ann_failed_episodes": statistics.failed_episodes(ann.returns, ann.returns),
                "ann_returns": ann.returns.tolist(),
                "ann_mean_return": float(ann.returns.mean()),
                "ann_min_return": float(ann.returns.min()),
                "return_ratio": statistics.return_ratio(spiking.returns, ann.returns)
                if finite
                else None,
                "ratio_ci95": None if ratio_interval is None else list(ratio_interval),
                "return_difference": float(spiking.returns.mean() - ann.returns.mean()),
                "ann_chatter": ann.chatter,
                "chatter_ratio": spiking.chatter / ann.chatter if ann.chatter > 0 else None,
            }
        facts = {
            "backend": self.backend,
            "env": self.environment,
            "seed": self.seed,
            "episodes": len(spiking.returns),
            "returns": spiking.returns.tolist(),
            "mean_return": float(spiking.returns.mean()),
            "min_return": float(spiking.returns.min()),
            "ci95": None if interval is None else list(interval),
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
    """Run `episodes` episodes, episode i from reset(seed=seed+i).

    `environment` is trusted as typed by the user (it may be `module:Id`); without it the artifact's
    own is used. `compare` also runs the source policy: the one given, or the one inside the
    artifact. With `latency_s` the spiking policy's actions reach the environment that much later
    (latency.py), the source policy's at once. Raises InputError for seeds that calibration used,
    shapes that do not fit, or a source that is not there.
    """
    check_episodes(episodes)
    if seed < 0:
        raise InputError(
            "--seed", "a seed is never negative", got=seed, limit="0 or more", fix="--seed 1000"
        )
    refuse_calibration_seeds(artifact, seed, episodes)
    make_env, identifier = environment_of(artifact, environment)
    policy = source or artifact.source
    if compare and policy is None:
        raise InputError(
            "--compare",
            "the artifact was converted with --no-source",
            fix=("--source CHECKPOINT", "reconvert without --no-source"),
        )
    if (
        compare
        and policy is not None
        and (policy.observation.size, policy.action.size)
        != (artifact.observation.size, artifact.action.size)
    ):
        got, limit = (
            f"{p.observation.size} observation and {p.action.size} action channels"
            for p in (policy, artifact)
        )
        raise InputError(
            "--source",
            "the source policy does not fit the artifact",
            got=got,
            limit=limit,
            fix="give the policy that the artifact was converted from",
        )
    if latency_s is None:
        delay = None
    else:
        delay = _delay(make_env, identifier, latency_s)

    def late_env(render_mode: str | None) -> Any:
        env = make_env(render_mode)
        if delay is None:
            return env
        return Delayed(env, delay)

    seeds = range(seed, seed + episodes)
    if video is not None:
        recorder = Video(Path(video))
    else:
        recorder = None
    rows = min(episodes, backend_class(backend).max_rows or MAX_ROWS)
    with open_backend(backend, artifact, rows) as actor:
        spiking = roll_out(
            actor,
            lambda index: late_env("rgb_array" if recorder and index == 0 else None),
            seeds,
            progress,
            recorder and recorder.frame,
        )
        census = actor.census()
    if recorder is not None:
        recorder.save(artifact.environment.control_period_s if artifact.environment else None)
    ann = None
    if compare and policy is not None:
        ann = roll_out(
            policy.actor(min(episodes, MAX_ROWS)),
            lambda index: make_env(None),
            seeds,
            progress,
        )
    return Simulation(backend, identifier, seed, spiking, census, ann, delay)


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
    """A maker of environments (render mode in, environment out) that fit the artifact, and their
    id.
    """
    recorded = artifact.environment
    if environment is None and recorded is None:
        raise InputError(
            "--env",
            "the artifact was calibrated on recorded observations and names no environment",
            fix="--env ID",
        )
    if environment is not None:
        identifier = environment
    elif recorded:
        identifier = recorded.id
    else:
        identifier = ""
    if recorded is not None and recorded.id == identifier:
        kwargs = recorded.kwargs
    else:
        kwargs = {}

    def make(render_mode: str | None) -> Any:
        return gymnasium_bridge.make(
            identifier, trusted=environment is not None, kwargs=kwargs, render_mode=render_mode
        )

    probe = make(None)
    facts = gymnasium_bridge.facts(probe, identifier)
    probe.close()
    if recorded:
        fix = f"--env {recorded.id}"
    else:
        fix = "use the environment that the policy was trained in"
    gymnasium_bridge.check_fit(facts, artifact.observation.size, artifact.action, fix)
    return make, identifier
