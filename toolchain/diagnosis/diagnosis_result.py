"""A finished diagnosis."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.contracts import Float
from spikeport.toolchain.diagnosis.causes import Cause, Finding
from spikeport.toolchain.diagnosis.diagnosis_evidence import Evidence
from spikeport.toolchain.diagnosis.published_equations import Published


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """`findings[0]` is the verdict. Returns [episodes] of both policies on the same seeds."""

    environment: str
    backend: str
    seed: int
    returns: Float
    ann_returns: Float
    return_ratio: float | None
    failed_episodes: int
    ann_failed_episodes: int
    trivial_return: float
    # of the spiking policy's action error, consecutive decisions, its own states
    lag_correlation: float | None
    on_ann_states: Evidence
    on_spiking_states: Evidence
    published: Published
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Finding:
        """The first finding."""
        return self.findings[0]

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return self.verdict.cause is Cause.HEALTHY

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON-able facts; what is not a number is None."""
        facts = {
            "verdict": _finding(self.verdict),
            "findings": [_finding(finding) for finding in self.findings[1:]],
            "env": self.environment,
            "backend": self.backend,
            "seed": self.seed,
            "episodes": len(self.returns),
            "returns": self.returns.tolist(),
            "mean_return": float(self.returns.mean()),
            "ann_returns": self.ann_returns.tolist(),
            "ann_mean_return": float(self.ann_returns.mean()),
            "return_ratio": self.return_ratio,
            "failed_episodes": self.failed_episodes,
            "ann_failed_episodes": self.ann_failed_episodes,
            "trivial_return": self.trivial_return,
            "lag_correlation": self.lag_correlation,
            "on_ann_states": dataclasses.asdict(self.on_ann_states),
            "on_spiking_states": dataclasses.asdict(self.on_spiking_states),
            "published": dataclasses.asdict(self.published),
        }
        return _numbers_or_none(facts)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.cause.value,
        "layer": finding.layer,
        "weight": finding.weight,
        "sentence": finding.sentence,
        "remedy": finding.remedy,
        "evidence": finding.evidence,
    }


def _numbers_or_none(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: _numbers_or_none(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers_or_none(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
