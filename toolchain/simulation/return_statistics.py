"""What may be said about returns (contract section 7): intervals, ratios, failures, a target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Float = NDArray[np.float64]
RESAMPLES = 10_000
STEADY = 0.05  # coefficient of variation of the ANN's returns below which means are compared
TOLERANCE = 0.01


def confidence_interval(returns: Float) -> tuple[float, float] | None:
    """95 % interval of the mean, Student t; None for fewer than two episodes."""
    if len(returns) < 2:
        return None
    half = float(
        stats.t.ppf(0.975, len(returns) - 1) * np.std(returns, ddof=1) / np.sqrt(len(returns))
    )
    return float(np.mean(returns)) - half, float(np.mean(returns)) + half


def return_ratio(spiking: Float, ann: Float) -> float | None:
    """1 + (S - A) / |A|, which also orders negative returns; None where A is about 0."""
    a = float(np.mean(ann))
    s = float(np.mean(spiking))
    if abs(a) < 1e-9:
        return None
    return 1.0 + (s - a) / abs(a)


def ratio_interval(spiking: Float, ann: Float, seed: int = 0) -> tuple[float, float] | None:
    """95 % interval of the ratio by paired bootstrap over episodes (same seed, same pair)."""
    if len(ann) < 2 or return_ratio(spiking, ann) is None:
        return None
    chosen = np.random.default_rng(seed).integers(0, len(ann), (RESAMPLES, len(ann)))
    a = ann[chosen].mean(1)
    s = spiking[chosen].mean(1)
    usable = np.abs(a) >= 1e-9
    low, high = np.quantile(1.0 + (s[usable] - a[usable]) / np.abs(a[usable]), [0.025, 0.975])
    return float(low), float(high)


def failed_episodes(returns: Float, ann: Float) -> int:
    """Episodes below A - 0.5 |A|, A the ANN's mean return."""
    mean = float(np.mean(ann))
    return int((returns < mean - 0.5 * abs(mean)).sum())


def variation(returns: Float) -> float:
    """Coefficient of variation of returns."""
    return float(np.std(returns, ddof=1) / abs(np.mean(returns)))


@dataclass(frozen=True)
class Verdict:
    """Whether a spiking policy holds a target ratio, and the sentence that says why."""

    holds: bool
    reason: str


def holds_target(spiking: Float, ann: Float, target: float) -> Verdict:
    """Contract section 7: means for steady source policies, failures and medians for the others."""
    ratio = return_ratio(spiking, ann)
    interval = ratio_interval(spiking, ann)
    if ratio is None or interval is None:
        return Verdict(False, "no ratio: too few episodes or an ANN return of about zero")
    varies = variation(ann)
    if varies < STEADY:
        holds = ratio >= target - TOLERANCE and interval[1] >= target
        return Verdict(
            holds,
            f"ratio {ratio:.4f} (>= {target - TOLERANCE:.2f}), upper end {interval[1]:.4f} (>="
            f" {target}), ANN variation {varies:.1%}",
        )
    failed = failed_episodes(spiking, ann)
    ann_failed = failed_episodes(ann, ann)
    n = len(ann)
    p = float(
        np.asarray(stats.fisher_exact([[failed, n - failed], [ann_failed, n - ann_failed]]))[1]
    )
    limit = float(np.mean(ann)) - 0.5 * abs(float(np.mean(ann)))
    kept = spiking[spiking >= limit]
    kept_ann = ann[ann >= limit]
    if not len(kept) or not len(kept_ann):
        return Verdict(False, "every episode failed")
    centre = float(np.median(kept_ann))
    median = 1.0 + (float(np.median(kept)) - centre) / abs(centre)
    failures = f"failed {failed} against {ann_failed} of {n} (p = {p:.2f} > .05)"
    medians = f"median ratio {median:.4f} (>= {target - TOLERANCE:.2f})"
    return Verdict(
        p > 0.05 and median >= target - TOLERANCE,
        f"{failures}, {medians}, ANN variation {varies:.1%}",
    )
