"""All findings in order: the first is the verdict.

1  faults of the artifact, by the action error that each brings
2  a source policy that fails as a whole; first its observations where they explain it
3  choices too coarse for the policy, where the closed loop lost return
4  a source policy some of whose episodes fail
5  healthy
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.diagnosis.causes import Cause, Finding
from spikeport.toolchain.diagnosis.defects import find_defects
from spikeport.toolchain.diagnosis.diagnosis_evidence import Evidence
from spikeport.toolchain.diagnosis.observation_check import TYPICAL, ResetCheck
from spikeport.toolchain.diagnosis.resolution import find_resolution
from spikeport.toolchain.diagnosis.source_check import SourceCheck
from spikeport.toolchain.host.observations import Float
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.return_statistics import (
    failed_episodes,
    holds_target,
    ratio_interval,
    return_ratio,
)

TARGET = 0.95  # of the source's return that a healthy conversion keeps
SCALED = 0.1  # misfit below which a reset differs from calibration's by one common factor


@dataclass(frozen=True, eq=False)
class Observed:
    """Everything that a verdict rests on."""

    network: Network
    weight_bits: int  # that the artifact says it has
    evidence: Evidence  # on the ANN's own states
    source: SourceCheck
    reset: ResetCheck | None
    lag: float | None  # correlation of consecutive action errors of the spiking policy
    returns: Float  # [episodes] of the spiking policy
    ann_returns: Float  # [episodes] of the source policy, on the same seeds


def judge(observed: Observed) -> list[Finding]:
    """The findings, verdict first."""
    source = observed.source
    lost = bool(lost_return(observed.returns, observed.ann_returns))
    observation = [*_other_resets(observed.reset), *_other_normaliser(observed.evidence, source)]
    findings = find_defects(observed.evidence, observed.weight_bits)
    if observed.reset is not None and observed.reset.changed:
        findings = [*observation, *findings]
    if source.failed:
        findings += [] if findings else observation
        sentence = f"the source policy itself fails here: {source.failed[0]}"
        findings.append(Finding(Cause.SOURCE_FAILS, None, 1.0, sentence, source.evidence))
    named = {finding.cause for finding in findings}
    findings += [
        finding
        for finding in find_resolution(observed.network, observed.evidence, observed.lag, lost)
        if finding.cause not in named
    ]
    if source.weak and not source.failed:
        count = len(observed.ann_returns)
        sentence = (
            f"{source.weak} of {count} episodes of the source policy itself fail, so its returns"
            " say little about the conversion"
        )
        share = source.weak / count
        findings.append(Finding(Cause.SOURCE_FAILS, None, share, sentence, source.evidence))
    return findings or [_healthy(observed)]


def _healthy(observed: Observed) -> Finding:
    """The verdict where nothing was found."""
    sentence = "no layer says anything else than the source policy"
    numbers = {"action_rmse": observed.evidence.action_rmse}
    ratio = return_ratio(observed.returns, observed.ann_returns)
    if ratio is not None:
        sentence += f"; the return is {ratio:.1%} of the source's"
        numbers["return_ratio"] = ratio
    return Finding(Cause.HEALTHY, None, 0.0, sentence, numbers)


def lost_return(returns: Float, ann_returns: Float) -> str:
    """Why the spiking policy does not hold 95 % of the source's return (contract section 7).

    Empty where it does.
    """
    if not np.isfinite(returns).all() or not np.isfinite(ann_returns).all():
        return "a return is not a number"
    ratio = return_ratio(returns, ann_returns)
    if ratio is None or ratio_interval(returns, ann_returns) is None:
        extra = failed_episodes(returns, ann_returns) - failed_episodes(ann_returns, ann_returns)
        if extra > 0:
            return f"{extra} more episodes fail"
        return ""
    found = holds_target(returns, ann_returns, TARGET)
    if found.holds or ratio >= 1:
        return ""
    return found.reason


def _other_resets(reset: ResetCheck | None) -> Iterator[Finding]:
    """A finding where the environment resets to other observations than in calibration."""
    if reset is None or not reset.changed:
        return
    if reset.misfit < SCALED:
        difference = f"is {reset.gain:.2f} times what it was"
    else:
        difference = f"differs by {reset.difference:.0%}"
    sentence = (
        "the environment gives other observations than in calibration: the first reset of"
        f" calibration, repeated, {difference}"
    )
    numbers = {"gain": reset.gain, "difference": reset.difference}
    yield Finding(Cause.OBSERVATION_SCALE, -1, reset.difference, sentence, numbers)


def _other_normaliser(evidence: Evidence, source: SourceCheck) -> Iterator[Finding]:
    """A finding where the source fails and its normaliser does not normalise."""
    sizes = [size for size in (evidence.input.normalised, source.normalised) if size is not None]
    size = min(sizes, key=_distance_from_one, default=None)
    if source.failed and size is not None and not 1 / TYPICAL <= size <= TYPICAL:
        sentence = (
            f"the source policy fails and its normaliser makes observations of size {size:.2g}"
            " where it should make 1: it is another policy's"
        )
        weight = abs(float(np.log(size)))
        numbers = {"normalised_rms": size} | source.evidence
        yield Finding(Cause.OBSERVATION_SCALE, -1, weight, sentence, numbers)


def _distance_from_one(size: float) -> float:
    """|log size|; a size of 0 is as far away as one of 1e-12."""
    return abs(float(np.log(max(size, 1e-12))))
