"""Estimates as text: one row per profile, what is unpriced, and a sentence that says who wins."""

from __future__ import annotations

from collections.abc import Sequence

from spikeport.toolchain.energy.estimate_result import Estimate
from spikeport.toolchain.energy.units import joules, seconds
from spikeport.toolchain.report.energy_headline import headline

INHERITED = (
    "* energies inherited from another chip: of what order, no more; in no sentence about who wins"
)


def render_table(estimates: Sequence[Estimate], baselines: Sequence[Estimate] = ()) -> str:
    """Show all estimates per decision, the unpriced terms of each profile, and the sentence."""
    baselines = [
        baseline
        for baseline in baselines
        if baseline.profile not in {estimate.profile for estimate in estimates}
    ]
    everything = [*estimates, *baselines]
    lines = row_lines(everything)
    if any(not estimate.headline for estimate in everything):
        lines.append(INHERITED)
    lines += [
        f"encode and decode of a decision take {joules(e.host_j)} on {e.host}, in no row"
        for e in estimates[:1]
        if e.host_j is not None
    ]
    lines += [
        "",
        "Per decision, in addition to each other. Not priced:",
        *unpriced_lines(everything),
        "",
        headline(estimates, baselines),
    ]
    return "\n".join(lines)


def row_lines(estimates: Sequence[Estimate]) -> list[str]:
    """Head, rule and one row per estimate."""
    rows = [
        (
            "profile",
            "runs",
            "dynamic",
            "low to high",
            "+ static, decision",
            "+ static, period",
            "latency",
            "in time",
            "grade of dynamic",
        )
    ]
    rows += [_row(estimate) for estimate in estimates]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return lines


def _row(estimate: Estimate) -> tuple[str, ...]:
    return (
        estimate.profile + ("" if estimate.headline else " *"),
        estimate.runs,
        joules(estimate.dynamic_j),
        f"{joules(estimate.low_j)} to {joules(estimate.high_j)}"
        if estimate.high_j > estimate.low_j
        else "none published",
        "inside" if estimate.all_in else joules(estimate.static_inference_j),
        joules(estimate.static_period_j),
        seconds(estimate.latency_s),
        {True: "yes", False: "no", None: "-"}[estimate.realtime],
        str(estimate.grades["dynamic_j"]),
    )


def unpriced_lines(estimates: Sequence[Estimate]) -> list[str]:
    """Each unpriced term once, with the profiles that it concerns."""
    concerned: dict[str, list[str]] = {}
    for estimate in estimates:
        for line in estimate.unpriced:
            concerned.setdefault(line, []).append(estimate.profile)
    return [
        f"  - {line} [{', '.join(dict.fromkeys(profiles))}]" for line, profiles in concerned.items()
    ]
