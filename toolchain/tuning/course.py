"""The course that every candidate runs: ever more episodes, and out as soon as they say so."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolchain.artifact import Artifact, EnvironmentRecord
from toolchain.conversion.calibration import Calibration
from toolchain.conversion.statistics import PolicyStatistics
from toolchain.convert import convert
from toolchain.errors import InputError
from toolchain.policies.policy import Policy
from toolchain.simulation.fast import FastBackend
from toolchain.simulation.rollout import FloatActor
from toolchain.simulation.statistics import holds_target
from toolchain.tuning.evidence import MAX_ROWS, Episodes, Evidence, gather
from toolchain.tuning.gate import hopeless, safe
from toolchain.tuning.options import TuningOptions
from toolchain.tuning.point import Point

RUNGS = (4, 12, 36, 108)  # episodes
SHARE_OF_TIME = 1 / 4  # of the minutes, that one candidate may take on the whole course
CHEAPER = 0.99  # of the incumbent's cost: below it a candidate is worth the next rung
EARLY_CHATTER = 1.05  # room over the limit while few episodes have been run


@dataclass(frozen=True, eq=False)
class Course:
    """The facts that all candidates share. `ann` has run all rungs."""

    policy: Policy
    calibration: Calibration
    statistics: PolicyStatistics
    environment: EnvironmentRecord
    make_env: Callable[[], Any]
    options: TuningOptions
    ann: Episodes
    rungs: tuple[int, ...]
    seconds_per_episode: float

    def build(self, point: Point) -> Artifact:
        """Convert; raises InputError where the proof or a neuron refuses."""
        return convert(self.policy, self.calibration, point.options(self.options.keep_source), self.environment, self.options.seed, self.statistics)

    def run(self, point: Point, incumbent: float, deadline: float) -> Evidence:
        """Send a candidate over the rungs; `incumbent` is the least cost that is known to be safe, inf for none."""
        try:
            artifact = self.build(point)
        except InputError as error:
            return Evidence(0, 0.0, 0.0, np.inf, np.inf, False, f"not convertible: {error.what}")
        return self.judge(artifact, self.ann, self.rungs, incumbent, deadline)

    def holds(self, artifact: Artifact, ann: Episodes, count: int) -> Evidence:
        """Whether an artifact holds target and chatter by the reports' own rule on `count` episodes that the source policy has run."""
        spiking = Episodes(FastBackend(artifact, min(count, MAX_ROWS)), self.make_env, ann.seeds)
        spiking.extend(count)
        verdict = holds_target(spiking.returns, ann.returns[:count], self.options.target)
        found = gather(artifact, spiking, ann, self.options, verdict.holds, verdict.reason)
        if found.chatter_ratio > self.options.chatter:
            return dataclasses.replace(found, safe=False, reason=f"chatter {found.chatter_ratio:.2f}; {found.reason}")
        return found

    def judge(self, artifact: Artifact, ann: Episodes, rungs: Sequence[int], incumbent: float, deadline: float) -> Evidence:
        """The same as `run` for an artifact and any seeds that the source policy has run."""
        chatter, target = self.options.chatter, self.options.target
        rows = min(max(np.diff((0, *rungs))), MAX_ROWS)
        spiking = Episodes(FastBackend(artifact, int(rows)), self.make_env, ann.seeds)
        for rung in rungs:
            spiking.extend(rung)
            found = gather(artifact, spiking, ann, self.options, False, "")
            last = rung == rungs[-1]
            reason = "" if found.cost < CHEAPER * incumbent else "no cheaper than the best"
            if found.chatter_ratio > chatter * (1.0 if last else EARLY_CHATTER):
                reason = f"chatter {found.chatter_ratio:.2f}"
            reason = hopeless(spiking.returns, ann.returns[:rung], target) or reason
            if not reason and not last and time.monotonic() > deadline:
                reason = "out of time"
            if reason:
                return dataclasses.replace(found, reason=reason)
        verdict = safe(spiking.returns, ann.returns[: rungs[-1]], target)
        return dataclasses.replace(found, safe=verdict.holds, reason=verdict.reason)

    def source_episodes(self, seeds: Sequence[int], count: int, rungs: Sequence[int]) -> Episodes:
        """The source policy's episodes, rung by rung."""
        ann = Episodes(FloatActor(self.policy, min(count, MAX_ROWS)), self.make_env, seeds)
        for rung in rungs:
            ann.extend(rung)
        return ann


def affordable_rungs(seconds_per_episode: float, seconds: float) -> tuple[int, ...]:
    """The rungs that one candidate can run in its share of the time; two at least."""
    fit = tuple(rung for rung in RUNGS if rung * seconds_per_episode <= seconds * SHARE_OF_TIME)
    return fit if len(fit) > 1 else RUNGS[:2]
