"""Does a spiking policy pay, against the same policy as an int8 network, and what decides it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikeport.hardware_profiles import SPIKING as SPIKING_KINDS
from spikeport.hardware_profiles import load_profile, profile_names
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy.ann_work import AnnWork, with_census
from spikeport.toolchain.energy.baseline import ann_estimates
from spikeport.toolchain.energy.breakeven import BreakEven, break_even
from spikeport.toolchain.energy.energy_verdict import Verdict, judge
from spikeport.toolchain.energy.estimate import estimate_energy
from spikeport.toolchain.energy.estimate_result import DELTA, DENSE, SPIKING, Estimate
from spikeport.toolchain.energy.placement import Placement, placements
from spikeport.toolchain.energy.textbook import textbook_ann_estimates
from spikeport.toolchain.simulation.census import Census

ASSESS_PROFILES = ("loihi1-davies", "loihi2", "asic45")


@dataclass(frozen=True)
class Assessment:
    """Verdicts first, then what they rest on. `elsewhere` are chips that were not asked for."""

    verdicts: tuple[Verdict, ...]
    placements: tuple[Placement, ...]
    elsewhere: tuple[Placement, ...]
    estimates: tuple[Estimate, ...]
    baselines: tuple[Estimate, ...]
    break_evens: tuple[BreakEven, ...]
    control_period_s: float | None
    work: AnnWork
    counted_on: str = ""  # whose decisions, in words

    @property
    def fits(self) -> bool:
        """Whether the network fits every chip that was asked for."""
        return not any(placement.violations for placement in self.placements)

    def as_json(self) -> dict[str, Any]:
        """Return the assessment as JSON data."""
        work = self.work
        return {
            "verdict": self.verdicts[0].answer,
            "verdicts": [verdict.as_json() for verdict in self.verdicts],
            "fits": self.fits,
            "violations": [
                violation.as_json()
                for placement in self.placements
                for violation in placement.violations
            ],
            "placements": [
                placement.as_json() for placement in (*self.placements, *self.elsewhere)
            ],
            "estimates": [estimate.as_json() for estimate in self.estimates],
            "baselines": [estimate.as_json() for estimate in self.baselines],
            "break_evens": [break_even.as_json() for break_even in self.break_evens],
            "control_period_s": self.control_period_s,
            "counted_on": self.counted_on,
            "work": {
                "dense": work.dense,
                "sparse": work.sparse,
                "delta": work.delta,
                "delta_of": work.delta_of,
                "decisions": work.decisions,
            },
        }


def assess(
    census: Census,
    artifact: Artifact,
    work: AnnWork,
    names: Sequence[str] = ASSESS_PROFILES,
    control_period_s: float | None = None,
    counted_on: str = "",
) -> Assessment:
    """Judge the decisions that a census counted.

    Profiles without energies are only checked for what fits. Where the network does not fit a chip,
    that chip is not priced and its verdict says so; nothing is raised for it.

    Args:
        census: What was counted.
        artifact: Whose decisions these are.
        work: The source policy's own work (ann_work.py).
        names: Profiles.
        control_period_s: Between decisions.
        counted_on: Whose decisions were counted, in words.
    """
    work = with_census(work, census, artifact)
    asked = placements(artifact.network, names)
    too_small = {placement.profile for placement in asked if placement.violations}
    priced = [
        name
        for name in names
        if name not in too_small and load_profile(name).kind not in ("convolution", "pool")
    ]
    estimates = estimate_energy(census, artifact, priced, control_period_s)
    asked_for = {(estimate.profile, estimate.runs) for estimate in estimates}
    baselines = [
        other
        for other in (
            *ann_estimates(work, control_period_s),
            *_equal_silicon(artifact, work, priced, control_period_s),
        )
        if (other.profile, other.runs) not in asked_for
    ]
    others = [name for kind in SPIKING_KINDS for name in profile_names(kind) if name not in names]
    return Assessment(
        tuple(judge(estimates, baselines, asked)),
        tuple(asked),
        tuple(placements(artifact.network, others)),
        tuple(estimates),
        tuple(baselines),
        _break_evens(estimates, baselines),
        control_period_s,
        work,
        counted_on,
    )


def _equal_silicon(
    artifact: Artifact, work: AnnWork, names: Sequence[str], period: float | None
) -> list[Estimate]:
    """Price the source policy on the textbook profiles among these."""
    return [
        other
        for name in names
        if load_profile(name).kind == "textbook"
        for other in textbook_ann_estimates(work, load_profile(name), period)
        # a network across decisions is itself what works on changes
        if not (other.runs == DELTA and artifact.network.across_decisions)
    ]


def _break_evens(
    estimates: Sequence[Estimate], baselines: Sequence[Estimate]
) -> tuple[BreakEven, ...]:
    """Return where each chip with energies of its own meets each dense policy."""
    chips = [
        estimate
        for estimate in estimates
        if estimate.runs == SPIKING
        and estimate.headline
        and estimate.static_inference_j is not None
    ]
    dense = [other for other in (*estimates, *baselines) if other.all_in and other.runs == DENSE]
    return tuple(break_even(chip, other) for chip in chips for other in dense)
