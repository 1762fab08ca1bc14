"""The course that every candidate runs: ever more episodes, and out as soon as they say so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.build import convert
from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.calibration.states import Calibration
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.return_statistics import holds_target
from spikeport.toolchain.tuning.gate import hopeless, safe
from spikeport.toolchain.tuning.point import Point
from spikeport.toolchain.tuning.tuning_evidence import Episodes, Evidence, gather
from spikeport.toolchain.tuning.tuning_options import TuningOptions

RUNGS = (4, 12, 36, 108)  # episodes
SHARE_OF_TIME = 1 / 4  # of the minutes, that one candidate may take on the whole course
CHEAPER = 0.99  # of the incumbent's cost: below it a candidate is worth the next rung
EARLY_CHATTER = 1.05  # of the limit, while few episodes have been run


@dataclass(frozen=True, eq=False)
class Course:
    """The facts that all candidates share."""

    policy: Policy
    calibration: Calibration
    statistics: PolicyStatistics
    environment: EnvironmentRecord
    make_env: Callable[[], Any]
    options: TuningOptions

    def build(self, point: Point) -> Artifact:
        """Convert; raises InputError where the proof or a neuron refuses."""
        return convert(
            self.policy,
            self.calibration,
            point.options(self.options.keep_source),
            self.environment,
            self.options.seed,
            self.statistics,
        )

    def assess(self, artifact: Artifact, spiking: Episodes, ann: Episodes, last: bool) -> Evidence:
        """What a candidate's episodes say after a rung.

        Args:
            artifact: The candidate, converted.
            spiking: Its episodes.
            ann: The source policy's, at least as many on the same seeds.
            last: Whether it is the rung after which a candidate is safe or not.

        Returns:
            The evidence, with a reason if it is out.
        """
        found = gather(artifact, spiking, ann, self.options)
        target = self.options.target
        most = self.options.chatter * (1.0 if last else EARLY_CHATTER)
        source = ann.returns[: spiking.count]
        reason = hopeless(spiking.returns, source, target)
        if not reason and found.chatter_ratio > most:
            reason = f"chatter {found.chatter_ratio:.2f}"
        if reason or not last:
            return dataclasses.replace(found, reason=reason, failed=bool(reason))
        verdict = safe(spiking.returns, source, target)
        return dataclasses.replace(
            found, safe=verdict.holds, reason=verdict.reason, failed=not verdict.holds
        )

    def holds(self, artifact: Artifact, spiking: Episodes, ann: Episodes) -> Evidence:
        """Whether episodes hold target and chatter by the reports' own rule."""
        found = gather(artifact, spiking, ann, self.options)
        verdict = holds_target(spiking.returns, ann.returns[: spiking.count], self.options.target)
        if found.chatter_ratio > self.options.chatter:
            return dataclasses.replace(
                found, reason=f"chatter {found.chatter_ratio:.2f}; {verdict.reason}", failed=True
            )
        return dataclasses.replace(
            found, safe=verdict.holds, reason=verdict.reason, failed=not verdict.holds
        )


def affordable_rungs(seconds_per_episode: float, seconds: float) -> tuple[int, ...]:
    """The rungs that one candidate can run in its share of the time; two at least."""
    fit = tuple(rung for rung in RUNGS if rung * seconds_per_episode <= seconds * SHARE_OF_TIME)
    if len(fit) > 1:
        return fit
    return RUNGS[:2]
