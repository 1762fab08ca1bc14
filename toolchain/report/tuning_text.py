"""A finished search as text."""

from __future__ import annotations

import math

from spikeport.toolchain.tuning.point import Point
from spikeport.toolchain.tuning.tuning_evidence import Evidence
from spikeport.toolchain.tuning.tuning_result import Tuned


def candidate_line(point: Point, evidence: Evidence) -> str:
    """One candidate, one line."""
    if not math.isfinite(evidence.cost):
        cost = "cost -"
    else:
        cost = f"cost {evidence.cost:.4g}, {evidence.synops_per_mac:.3f} synops per MAC"
    if evidence.safe:
        word = "safe"
    else:
        word = "out"
    return (
        f"{word:<4}  {cost}, ratio {evidence.ratio:.3f} of {evidence.episodes} episodes  {point} "
        f" ({evidence.reason})"
    )


def tuning_text(tuned: Tuned) -> str:
    """The verdict, what it cost before and after, and the Pareto table."""
    options = tuned.options
    chosen = tuned.chosen[1]
    if options.cost == "synops":
        unit = "synops per decision"
    else:
        unit = f"J per decision on {options.profile}"
    if tuned.holds:
        verdict = "HOLDS"
    else:
        verdict = "DOES NOT HOLD"
    lines = [f"{verdict} {options.target:g} of the source return: {tuned.verdict}"]
    if tuned.plain is None or not tuned.plain[1].cost:
        before = ""
    else:
        before = (
            f", {chosen.cost / tuned.plain[1].cost:.2f} of the plain conversion's"
            f" {tuned.plain[1].cost:.4g}"
        )
    lines.append(
        f"  cost {chosen.cost:.4g} {unit} ({chosen.synops_per_mac:.3f} synops per MAC){before};"
        f" chatter {chosen.chatter_ratio:.2f} of the source's"
    )
    lines.append(
        f"  {tuned.trials} candidates, {tuned.safe} safe, {tuned.judged} judged on"
        f" {tuned.judging_episodes} fresh episodes; {tuned.seconds / 60:.1f} minutes"
    )
    lines.append(f"  {tuned.chosen[0]}")
    lines.append(
        f"  {'cost':>10}  {'per MAC':>7}  {'ratio':>6}  episodes  safe  what cost and return"
        " trade for"
    )
    for point, evidence in tuned.pareto:
        if evidence.safe:
            safe = "yes"
        else:
            safe = "no"
        lines.append(
            f"  {evidence.cost:>10.4g}  {evidence.synops_per_mac:>7.3f}  {evidence.ratio:>6.3f} "
            f" {evidence.episodes:>8}  {safe:<4}  {point}"
        )
    return "\n".join(lines)
