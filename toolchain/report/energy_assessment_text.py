"""An assessment as text: the verdict first, then fit, time, energies, break-evens and caveats."""

from __future__ import annotations

from collections.abc import Sequence

from spikeport.toolchain.energy.assessment import Assessment
from spikeport.toolchain.energy.breakeven import BreakEven
from spikeport.toolchain.energy.energy_verdict import realtime_sentence
from spikeport.toolchain.energy.estimate_result import DENSE, SPIKING, Estimate
from spikeport.toolchain.energy.placement import CoreUse, Placement
from spikeport.toolchain.energy.units import count, joules
from spikeport.toolchain.report.energy_table import INHERITED, row_lines, unpriced_lines


def render_assessment(found: Assessment) -> str:
    """Everything a person needs to decide; `found.as_json()` has the numbers behind it."""
    spiking = [estimate for estimate in found.estimates if estimate.runs == SPIKING]
    cheapest = min(
        (e for e in (*found.estimates, *found.baselines) if e.all_in), key=lambda e: e.dynamic_j
    ).profile
    shown = [
        e
        for e in (*found.estimates, *found.baselines)
        if e.headline and (e.runs in (SPIKING, DENSE) or not e.all_in or e.profile == cheapest)
    ]
    inherited = [estimate for estimate in found.estimates if not estimate.headline]
    lines = [
        f"VERDICT: {found.verdicts[0].answer}",
        "",
        *(f"- {verdict.sentence}" for verdict in found.verdicts),
    ]
    lines += ["", f"Counted on {found.counted_on}."] if found.counted_on else []
    lines += [
        "",
        "Does it fit?",
        *(
            f"- {placement_sentence(placement)}"
            for placement in (*found.placements, *found.elsewhere)
        ),
    ]
    lines += ["", "Is it in time?", *(f"- {realtime_sentence(estimate)}" for estimate in spiking)]
    lines += [
        "",
        "Energy per decision",
        *row_lines(shown),
        "static energy, where it is not inside, comes on top",
    ]
    if inherited:
        lines += ["", INHERITED.removeprefix("* "), *row_lines(inherited)]
    lines += [
        "",
        "What decides",
        *(f"- {break_even_sentence(item)}" for item in found.break_evens),
        work_sentence(found),
    ]
    everything = [*found.estimates, *found.baselines]
    lines += (
        [f"- host: encode and decode of a decision take {host_band(spiking[0])}, in no row"]
        if spiking
        else []
    )
    return "\n".join([*lines, "", "Not priced", *unpriced_lines(everything)])


def host_band(estimate: Estimate) -> str:
    """Encode and decode, from the cheapest to the dearest baseline."""
    low, high = estimate.host_band_j or (None, None)
    return (
        f"{joules(estimate.host_j)} on {estimate.host} ({joules(low)} to {joules(high)} on any"
        " baseline)"
    )


def placement_sentence(placement: Placement) -> str:
    """Cores and how full they are, or every violated limit."""
    if placement.violations:
        return f"{placement.profile}: no. " + "; ".join(
            str(violation).removeprefix(f"{placement.profile}: ")
            for violation in placement.violations
        )
    if not placement.cores:
        return f"{placement.profile}: yes"
    full = {name: max(values) for name, values in _shares(placement.cores).items() if values}
    shares = ", ".join(f"{name} {100 * value:.1f} %" for name, value in full.items())
    if placement.mean_hops is None:
        hops = ""
    else:
        hops = f", {placement.mean_hops:.2g} hops a message"
    codes = sorted({f"{core.weight_bits}-bit {core.encoding}" for core in placement.cores})
    return (
        f"{placement.profile}: yes, {len(placement.cores)} cores; fullest core: {shares}; synapses"
        f" {', '.join(codes)}{hops}"
    )


def _shares(cores: Sequence[CoreUse]) -> dict[str, list[float]]:
    names = {
        "neurons": "compartments",
        "synaptic memory": "memory",
        "input axons": "axons_in",
        "output axons": "axons_out",
    }
    return {
        name: [value for core in cores if (value := getattr(core, field)) is not None]
        for name, field in names.items()
    }


def break_even_sentence(item: BreakEven) -> str:
    """The numbers at which a chip and a dense baseline meet."""
    start = f"{item.profile} against {item.against}: "
    if item.synops_per_mac is None:
        synops = "never, by synops alone"
    else:
        synops = f"at {item.synops_per_mac:.3g} synops per MAC"
    if item.synops_per_mac_now is None:
        now = ""
    else:
        now = f" (now {item.synops_per_mac_now:.3g})"
    text = f"{start}dynamic energies meet {synops}{now}"
    if item.control_rate_hz is None or item.policies_per_chip is None:
        if item.gap_j <= 0:
            return f"{text}; no control rate and no sharing pays"
        return f"{text}; no control period is known"
    too_fast = item.fastest_rate_hz is not None and item.control_rate_hz > item.fastest_rate_hz
    text += (
        f"; one policy per chip pays from {count(item.control_rate_hz)} decisions per second on"
        f" (now {count(item.control_rate_now_hz or 0)}"
    )
    text += (
        f"; the chip makes {count(item.fastest_rate_hz or 0)}: out of reach)" if too_fast else ")"
    )
    if item.late:
        reach = "too late for this rate"
    elif item.reachable:
        reach = "enough"
    else:
        reach = "out of reach"
    if item.policies_that_fit is None:
        held = ""
    else:
        held = f" (it holds {item.policies_that_fit}: {reach})"
    return (
        f"{text}; at this rate {item.policies_per_chip:,} policies would have to share a chip{held}"
    )


def work_sentence(found: Assessment) -> str:
    """What the source policy itself does as an int8 network."""
    work = found.work
    text = f"- the source policy makes {work.dense} multiply-adds"
    if work.sparse is not None:
        text += f", {work.sparse:.0f} of them with a non-zero input and weight"
    if work.delta is not None:
        text += f", {work.delta:.0f} with a changed input ({work.delta_of})"
    return text
