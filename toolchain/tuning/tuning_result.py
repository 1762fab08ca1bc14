"""What tuning found: the artifact, what else was tried, and whether it holds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.tuning.point import Point
from spikeport.toolchain.tuning.tuning_evidence import Evidence
from spikeport.toolchain.tuning.tuning_options import TuningOptions

Candidate = tuple[Point, Evidence]


@dataclass(frozen=True, eq=False)
class Tuned:
    """A finished search."""

    artifact: Artifact
    holds: bool
    verdict: str
    chosen: Candidate  # with the judgement on seeds that the search never saw
    plain: Candidate | None  # what `convert` does
    pareto: tuple[Candidate, ...]
    trials: int
    safe: int
    rungs: tuple[int, ...]
    judged: int  # candidates that were judged
    judging_episodes: int
    seconds: float
    options: TuningOptions

    def to_json(self) -> dict[str, Any]:
        """Everything but the artifact as JSON-able facts."""
        return {
            "holds": self.holds,
            "verdict": self.verdict,
            "target": self.options.target,
            "cost": self.options.cost,
            "profile": self.options.profile,
            "chosen": candidate_facts(self.chosen),
            "plain": None if self.plain is None else candidate_facts(self.plain),
            "pareto": [candidate_facts(candidate) for candidate in self.pareto],
            "trials": self.trials,
            "safe": self.safe,
            "rungs": list(self.rungs),
            "judged": self.judged,
            "judging_episodes": self.judging_episodes,
            "seconds": self.seconds,
        }


def candidate_facts(candidate: Candidate) -> dict[str, Any]:
    """A point and its evidence as plain JSON."""
    return {"point": candidate[0].facts(), **dataclasses.asdict(candidate[1])}


def pareto_front(tried: list[Candidate], episodes: int) -> tuple[Candidate, ...]:
    """Candidates that no other beats in cost and ratio, cheapest first.

    Those with less than `episodes` episodes are left out.
    """
    front: list[Candidate] = []
    known = [pair for pair in tried if pair[1].episodes >= episodes]
    for candidate in sorted(known, key=lambda pair: (pair[1].cost, -pair[1].ratio)):
        if not front or candidate[1].ratio > front[-1][1].ratio:
            front.append(candidate)
    return tuple(front)
