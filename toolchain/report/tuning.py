"""A finished search as text."""

from __future__ import annotations

import math

from toolchain.tuning.evidence import Evidence
from toolchain.tuning.point import Point
from toolchain.tuning.result import Tuned


def candidate_line(point: Point, evidence: Evidence) -> str:
    """One candidate, one line."""
    cost = "cost -" if not math.isfinite(evidence.cost) else f"cost {evidence.cost:.4g}, {evidence.synops_per_mac:.3f} synops per MAC"
    word = "safe" if evidence.safe else "out"
    return f"{word:<4}  {cost}, ratio {evidence.ratio:.3f} of {evidence.episodes} episodes  {point}  ({evidence.reason})"


def tuning_text(tuned: Tuned) -> str:
    """The verdict, what it cost before and after, and the Pareto table."""
    options, chosen = tuned.options, tuned.chosen[1]
    unit = "synops per decision" if options.cost == "synops" else f"J per decision on {options.profile}"
    verdict = "HOLDS" if tuned.holds else "DOES NOT HOLD"
    lines = [f"{verdict} {options.target:g} of the source return: {tuned.verdict}"]
    before = (
        ""
        if tuned.plain is None or not tuned.plain[1].cost
        else f", {chosen.cost / tuned.plain[1].cost:.2f} of the plain conversion's {tuned.plain[1].cost:.4g}"
    )
    lines.append(f"  cost {chosen.cost:.4g} {unit} ({chosen.synops_per_mac:.3f} synops per MAC){before}; chatter {chosen.chatter_ratio:.2f} of the source's")
    lines.append(
        f"  {tuned.trials} candidates, {tuned.safe} safe, {tuned.judged} judged on {tuned.judging_episodes} fresh episodes; {tuned.seconds / 60:.1f} minutes"
    )
    lines.append(f"  {tuned.chosen[0]}")
    lines.append(f"  {'cost':>10}  {'per MAC':>7}  {'ratio':>6}  episodes  safe  what cost and return trade for")
    for point, evidence in tuned.pareto:
        safe = "yes" if evidence.safe else "no"
        lines.append(f"  {evidence.cost:>10.4g}  {evidence.synops_per_mac:>7.3f}  {evidence.ratio:>6.3f}  {evidence.episodes:>8}  {safe:<4}  {point}")
    return "\n".join(lines)
