"""All findings in order: the first is the verdict.

1  faults of the artifact, by the action error that each brings
2  a source policy that fails as a whole; first its observations where they explain it
3  choices too coarse for the policy, where the closed loop lost return
4  a source policy some of whose episodes fail
5  healthy
"""

from __future__ import annotations

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


def judge(
    network: Network,
    weight_bits: int,
    evidence: Evidence,
    source: SourceCheck,
    reset: ResetCheck | None,
    lag: float | None,
    returns: Float,
    ann_returns: Float,
) -> list[Finding]:
    """The findings, verdict first; `evidence` is that on the ANN's own states."""
    reason = lost_return(returns, ann_returns)
    observation = _observation(evidence, source, reset)
    findings = [
        *(found for found in observation if reset is not None and reset.changed),
        *find_defects(evidence, weight_bits),
    ]
    if source.failed:
        findings += [] if findings else observation
        findings.append(
            Finding(
                Cause.SOURCE_FAILS,
                None,
                1.0,
                f"the source policy itself fails here: {source.failed[0]}",
                source.evidence,
            )
        )
    named = {finding.cause for finding in findings}
    findings += [
        finding
        for finding in find_resolution(network, evidence, lag, bool(reason))
        if finding.cause not in named
    ]
    if source.weak and not source.failed:
        sentence = (
            f"{source.weak} of {len(ann_returns)} episodes of the source policy itself fail, so its"
            " returns say little about the conversion"
        )
        findings.append(
            Finding(
                Cause.SOURCE_FAILS, None, source.weak / len(ann_returns), sentence, source.evidence
            )
        )
    if findings:
        return findings
    ratio = return_ratio(returns, ann_returns)
    if ratio is None:
        kept = ""
    else:
        kept = f"; the return is {ratio:.1%} of the source's"
    numbers = {"action_rmse": evidence.action_rmse} | (
        {} if ratio is None else {"return_ratio": ratio}
    )
    return [
        Finding(
            Cause.HEALTHY,
            None,
            0.0,
            f"no layer says anything else than the source policy{kept}",
            numbers,
        )
    ]


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


def _observation(
    evidence: Evidence, source: SourceCheck, reset: ResetCheck | None
) -> list[Finding]:
    findings = []
    if reset is not None and reset.changed:
        sentence = (
            "the environment gives other observations than in calibration: the first reset of"
            " calibration, repeated, "
        )
        sentence += (
            f"is {reset.gain:.2f} times what it was"
            if reset.misfit < 0.1
            else f"differs by {reset.difference:.0%}"
        )
        findings.append(
            Finding(
                Cause.OBSERVATION_SCALE,
                -1,
                reset.difference,
                sentence,
                {"gain": reset.gain, "difference": reset.difference},
            )
        )
    sizes = [size for size in (evidence.input.normalised, source.normalised) if size is not None]
    size = min(sizes, key=lambda found: abs(float(np.log(max(found, 1e-12)))), default=None)
    if source.failed and size is not None and not 1 / TYPICAL <= size <= TYPICAL:
        sentence = (
            f"the source policy fails and its normaliser makes observations of size {size:.2g}"
            " where it should make 1: it is another policy's"
        )
        findings.append(
            Finding(
                Cause.OBSERVATION_SCALE,
                -1,
                abs(float(np.log(size))),
                sentence,
                {"normalised_rms": size} | source.evidence,
            )
        )
    return findings
