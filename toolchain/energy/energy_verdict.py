"""The answer in plain words: pays, does not pay, open, does not fit, too late, not judged.

A chip pays where its whole band lies below the cheapest dense int8 baseline, both over the control
period; it does not where its whole band lies above; else the question is open. A chip that ends a
decision after the control period does not pay, whatever it takes. Without a control period the
decision alone is compared, which flatters the chip and is said. Energies of different grade are
named beside each other, never divided by each other. A textbook profile compares the two networks
on equal silicon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from spikeport.toolchain.energy.breakeven import (
    always_on,
    busy_latency,
    policies_that_fit,
    too_late,
)
from spikeport.toolchain.energy.estimate_result import DELTA, DENSE, SPARSE, SPIKING, Estimate
from spikeport.toolchain.energy.placement import Placement
from spikeport.toolchain.energy.units import joules, seconds

PAYS = "pays"
NOT = "does not pay"
OPEN = "open"
UNFIT = "does not fit"
UNJUDGED = "not judged"
LATE = "does not pay: too late"


@dataclass(frozen=True)
class Verdict:
    """One answer about one profile; `question` says what was compared."""

    profile: str
    question: str
    answer: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as JSON data."""
        return asdict(self)


def compare(low: float, high: float, other: Estimate) -> str:
    """Return PAYS or NOT where whole bands lie apart, else OPEN.

    Args:
        low: Of the chip, J.
        high: Of the chip, J.
        other: What it is compared with.
    """
    if high < other.low_j:
        return PAYS
    if low > other.high_j:
        return NOT
    return OPEN


def judge(
    estimates: Sequence[Estimate], baselines: Sequence[Estimate], placed: Sequence[Placement]
) -> list[Verdict]:
    """Return all verdicts, what was asked for first.

    First what does not fit, then chips, equal silicon, the rest.

    Args:
        estimates: Of the chips that were asked for.
        baselines: Of the source policy.
        placed: What fits where.
    """
    found = [_unfit(placement) for placement in placed if placement.violations]
    dense = [
        other
        for other in (*estimates, *baselines)
        if other.runs == DENSE and other.all_in and other.headline
    ]
    for estimate in estimates:
        if estimate.runs != SPIKING:
            continue
        if not estimate.headline:
            found.append(
                Verdict(
                    estimate.profile,
                    "energy",
                    UNJUDGED,
                    f"{estimate.profile} is not judged: its energies are inherited from another"
                    " chip.",
                )
            )
        elif estimate.static_inference_j is not None and dense:
            found += _chip(estimate, min(dense, key=lambda other: other.dynamic_j), baselines)
        elif same := [other for other in baselines if other.profile == estimate.profile]:
            found += _equal_silicon(estimate, same)
        else:
            text = (
                f"{estimate.profile} is not judged: it counts dynamic energy only"
                f" ({joules(estimate.dynamic_j)} per decision)."
            )
            found.append(Verdict(estimate.profile, "energy", UNJUDGED, text))
    judged = [verdict for verdict in found if verdict.answer != UNJUDGED]
    rest = [verdict for verdict in found if verdict.answer == UNJUDGED]
    nothing = Verdict(
        "", "energy", UNJUDGED, "Nothing was judged: it takes a chip with energies of its own."
    )
    return [*judged, *rest] or [nothing]


def _unfit(placement: Placement) -> Verdict:
    listed = "; ".join(
        str(violation).removeprefix(f"{placement.profile}: ") for violation in placement.violations
    )
    return Verdict(placement.profile, "fit", UNFIT, f"Does not fit {placement.profile}: {listed}.")


def _chip(chip: Estimate, cheapest: Estimate, baselines: Sequence[Estimate]) -> Iterator[Verdict]:
    other = (
        f"the dense int8 policy on {cheapest.profile} takes {joules(cheapest.dynamic_j)} all-in"
        f" ({cheapest.grades['dynamic_j']})"
    )
    asleep = ""
    if cheapest.static_period_j is None:
        asleep = ", its sleep between decisions not priced"
    aside = ""
    if chip.not_expressible:
        aside = f" (priced as if it could do what it cannot: {', '.join(chip.not_expressible)})"
    fit = policies_that_fit(chip) or 1
    single = always_on(chip)
    shared = always_on(chip, fit)
    if single is None or shared is None or chip.control_period_s is None:
        yield _decision_alone(chip, cheapest, aside, other)
        return
    rate = f"{1 / chip.control_period_s:.4g} decisions per second"
    for question, (value, low, high), policies in (
        ("one policy per chip", single, 1),
        ("full chip", shared, fit),
    ):
        static = value - chip.dynamic_j
        if too_late(chip, policies):
            answer = LATE
            why = _lateness(chip, policies)
        else:
            answer = compare(low, high, cheapest)
            why = _cause(answer, chip.dynamic_j, static)
        if policies == 1:
            who = f"{aside} with one policy per chip"
        else:
            who = f" with the chip full ({policies} policies)"
        text = (
            f"{_begin(answer)} on {chip.profile}{who}: always on at {rate} a decision takes"
            f" {joules(value)} ({joules(low)} to {joules(high)}; {chip.grade}, {chip.read}),"
            f" {joules(static)} of it static power; {other}{asleep}. Why: {why}."
        )
        yield Verdict(chip.profile, question, answer, text)
    yield _dynamic_alone(chip, cheapest, baselines, other)


def _decision_alone(chip: Estimate, cheapest: Estimate, aside: str, other: str) -> Verdict:
    """Compare the decision alone, where no control period is known."""
    static = chip.static_inference_j or 0.0
    band = chip.static_inference_band_j or (static, static)
    low = chip.low_j + band[0]
    high = chip.high_j + band[1]
    answer = compare(low, high, cheapest)
    what = (
        "over the decision alone, no control period being known,"
        f" {joules(chip.dynamic_j + static)} ({joules(low)} to {joules(high)})"
    )
    sentence = f"{_begin(answer)} on {chip.profile}{aside}: {what}; {other}."
    return Verdict(chip.profile, "decision alone", answer, sentence)


def _dynamic_alone(
    chip: Estimate, cheapest: Estimate, baselines: Sequence[Estimate], other: str
) -> Verdict:
    """Compare dynamic energy alone, with what the baseline takes at best."""
    answer = compare(chip.low_j, chip.high_j, cheapest)
    takes = {PAYS: "takes less", NOT: "takes more"}.get(answer, "is not told apart")
    text = (
        f"On dynamic energy alone {chip.profile} {takes}: {joules(chip.dynamic_j)}"
        f" ({joules(chip.low_j)} to {joules(chip.high_j)}; {chip.grades['dynamic_j']})"
        f" where {other}"
    )
    for bound in baselines:
        if bound.profile == cheapest.profile and bound.runs in (SPARSE, DELTA):
            runs = bound.runs.removeprefix("source policy, int8, ")
            text += f"; {runs} at best {joules(bound.dynamic_j)} there"
    text += ". It counts only where static power is paid for by something else."
    if too_late(chip):
        text += " It comes too late for this control period all the same."
    return Verdict(chip.profile, "dynamic energy alone", answer, text)


def _equal_silicon(estimate: Estimate, same: Sequence[Estimate]) -> Iterator[Verdict]:
    """One verdict against each network on the same table of energies.

    Value with value, low with low, high with high.
    """
    spiking = (
        f"the spiking network takes {joules(estimate.dynamic_j)} ({joules(estimate.low_j)} to"
        f" {joules(estimate.high_j)})"
    )
    for other in same:
        pairs = (
            (estimate.dynamic_j, other.dynamic_j),
            (estimate.low_j, other.low_j),
            (estimate.high_j, other.high_j),
        )
        if all(ours < theirs for ours, theirs in pairs):
            answer = PAYS
        elif all(ours > theirs for ours, theirs in pairs):
            answer = NOT
        else:
            answer = OPEN
        text = (
            f"{_begin(answer)} on equal silicon ({estimate.profile}) against"
            f" {other.runs.removeprefix('source policy, ')}: {spiking}, that one "
        )
        yield Verdict(
            estimate.profile,
            other.runs,
            answer,
            f"{text}{joules(other.dynamic_j)} ({joules(other.low_j)} to {joules(other.high_j)}).",
        )


def _cause(answer: str, work: float, static: float) -> str:
    """What decides an always-on comparison, in words: the two parts have different grades."""
    if answer == OPEN:
        return "the bands overlap"
    if answer == PAYS:
        return "work and waiting together stay below it"
    if static > work:
        return "static power while waiting outweighs the work itself"
    return "the work itself takes most"


def _lateness(chip: Estimate, policies: int) -> str:
    period = chip.control_period_s or 0.0
    latency = busy_latency(chip, policies)
    text = f"a decision takes {seconds(latency)}"
    if latency <= period and chip.response_s is not None and chip.latency_s is not None:
        text += (
            f", {seconds(chip.response_s[0] + latency - chip.latency_s)} or more with host input"
            " and output"
        )
    return f"{text}; the control period is {seconds(period)}"


def _begin(answer: str) -> str:
    return {PAYS: "Pays", NOT: "Does not pay", LATE: "Too late to pay", OPEN: "Open"}[answer]


def realtime_sentence(estimate: Estimate) -> str:
    """Whether a decision is done in time, with and without the host."""
    if estimate.latency_s is None:
        return f"{estimate.profile}: no latency, the profile has no times."
    text = f"{estimate.profile}: a decision takes {seconds(estimate.latency_s)} at most"
    if estimate.response_s is not None:
        text += (
            f", {seconds(estimate.response_s[0])} to {seconds(estimate.response_s[1])} with host"
            " input and output"
        )
    if estimate.control_period_s is None:
        return f"{text}; no control period is known."
    in_time = {
        "yes": "in time either way",
        "no": "too late",
        "open": "in time or not, depending on the host",
    }
    if not estimate.realtime:
        answer = "too late"
    elif estimate.realtime_with_io:
        answer = in_time[estimate.realtime_with_io]
    else:
        answer = "in time"
    return f"{text}; the control period is {seconds(estimate.control_period_s)}: {answer}."
