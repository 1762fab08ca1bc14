"""One sentence: who wins on dynamic energy, and what static power does to it."""

from __future__ import annotations

from collections.abc import Sequence

from spikeport.toolchain.energy.estimate_result import DENSE, SPIKING, Estimate
from spikeport.toolchain.energy.units import joules, seconds

SILENT = "Who wins is not said: it takes a chip with energies of its own and a dense baseline."


def headline(estimates: Sequence[Estimate], baselines: Sequence[Estimate]) -> str:
    """Say how the first chip with energies of its own compares with all dense baselines.

    Inherited energies never appear. Less or more is said only where the whole bands are apart. No
    ratio is given: the grades differ.
    """
    spiking = next(
        (
            e
            for e in estimates
            if e.runs == SPIKING and e.headline and e.static_inference_j is not None
        ),
        None,
    )
    dense = sorted(
        (e for e in (*estimates, *baselines) if e.runs == DENSE and e.headline and e.all_in),
        key=lambda e: e.dynamic_j,
    )
    if spiking is None or not dense:
        return SILENT
    if spiking.not_expressible:
        aside = f", priced as if it could do what it cannot ({', '.join(spiking.not_expressible)}),"
    else:
        aside = ""
    band = f"{joules(spiking.low_j)} to {joules(spiking.high_j)}; {spiking.grades['dynamic_j']}"
    cheapest = dense[0]
    text = (
        f"On dynamic energy {spiking.profile}{aside} takes {joules(spiking.dynamic_j)} per decision"
        f" ({band}), {_verdict(spiking, dense)}"
    )
    text += (
        f", the cheapest being {cheapest.profile} with {joules(cheapest.dynamic_j)} all-in"
        f" ({cheapest.grades['dynamic_j']})"
    )
    return f"{text}; {_static(spiking, dense)}."


def _verdict(spiking: Estimate, dense: Sequence[Estimate]) -> str:
    less = sum(spiking.high_j < other.low_j for other in dense)
    more = sum(spiking.low_j > other.high_j for other in dense)
    counts = (
        ("less energy than", less),
        ("more energy than", more),
        ("within its band neither less nor more than", len(dense) - less - more),
    )
    found = [f"{word} {count}" for word, count in counts if count]
    return (
        f"{' and '.join(found)} of the {len(dense)} dense int8 baselines, static power while"
        " running inside theirs"
    )


def _static(spiking: Estimate, dense: Sequence[Estimate]) -> str:
    if spiking.static_period_j is None or spiking.control_period_s is None:
        return (
            f"its static power adds {joules(spiking.static_inference_j)} over the decision alone,"
            " over a control period more, but none is known"
        )
    total = spiking.dynamic_j + spiking.static_period_j
    more = sum(total > other.dynamic_j + (other.static_period_j or 0.0) for other in dense)
    if all(other.static_period_j is not None for other in dense):
        asleep = ""
    else:
        asleep = ", their sleep power not priced"
    period = (
        f"always on, its static power adds {joules(spiking.static_period_j)} over the control"
        f" period of {seconds(spiking.control_period_s)}"
    )
    return (
        f"{period}, and {joules(total)} in all are more energy than {more} of the {len(dense)}"
        f" take{asleep}"
    )
