"""When a candidate is dropped early, and when its return is safe.

Holding a target is contract section 7's rule. What was chosen among hundreds of candidates looks
better than it is on the seeds it was chosen on, so tuning asks for more: no tolerance on the ratio,
and no more weak episodes than a steady source's own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from spikeport.toolchain.simulation.return_statistics import (
    STEADY,
    Verdict,
    failed_episodes,
    holds_target,
    return_ratio,
)

Float = NDArray[np.float64]
# below the source's median by this share of it: an episode that a steady policy has lost
WEAK = 0.1
OFTEN = 0.05  # share of weak episodes from which on a source counts as bimodal
# share of episodes that may fail beyond a bimodal source's own; for a steady one no weak episode
# more
EXTRA_FAILED = 0.02
# the share that weak episodes must contradict for a candidate to be dropped early
LIKELY_WEAK = 0.01
# probabilities below which the episodes so far speak against a candidate
HOPELESS = 0.05
HOPELESSLY_WEAK = 0.02


def steady(ann: Float) -> bool:
    """Whether the source hardly ever loses an episode.

    The rule of holding looks at the spread alone, which one lost episode in a hundred lifts above 5
    %; 20 others of the same policy would be compared by their mean.
    """
    centre = float(np.median(ann))
    usual = ann[ann >= centre - WEAK * abs(centre)]
    return bool(
        len(usual) >= (1 - OFTEN) * len(ann) and np.std(usual, ddof=1) < STEADY * abs(centre)
    )


def median_ratio(spiking: Float, ann: Float) -> float | None:
    """Ratio of the medians of the episodes that did not fail; None where all did."""
    limit = float(np.mean(ann)) - 0.5 * abs(float(np.mean(ann)))
    kept = spiking[spiking >= limit]
    kept_ann = ann[ann >= limit]
    if not len(kept) or not len(kept_ann):
        return None
    centre = float(np.median(kept_ann))
    return 1.0 + (float(np.median(kept)) - centre) / abs(centre)


def extra_weak(spiking: Float, ann: Float) -> int:
    """Episodes below 90 % of the source's median, beyond the source's own."""
    centre = float(np.median(ann))
    limit = centre - WEAK * abs(centre)
    return int((spiking < limit).sum()) - int((ann < limit).sum())


def safe(spiking: Float, ann: Float, target: float) -> Verdict:
    """Whether returns [n] hold the target with the margin that a choice among many needs.

    `ann` [n] are the source's on the same seeds.
    """
    if not np.isfinite(spiking).all():
        return Verdict(False, "a return is not a number")
    verdict = holds_target(spiking, ann, target)
    n = len(ann)
    if steady(ann):
        ratio = return_ratio(spiking, ann) or 0.0
        weak = extra_weak(spiking, ann)
        return Verdict(
            verdict.holds and ratio >= target and weak <= 0,
            f"{verdict.reason}; weak episodes beyond the source's {weak} of {n}",
        )
    failed = failed_episodes(spiking, ann)
    ann_failed = failed_episodes(ann, ann)
    median = median_ratio(spiking, ann)
    # fewer failures than the source's are no reason to refuse
    holds = verdict.holds or failed < ann_failed
    kept = median is not None and median >= target
    return Verdict(holds and kept and failed <= ann_failed + EXTRA_FAILED * n, verdict.reason)


def hopeless(spiking: Float, ann: Float, target: float) -> str:
    """Why the episodes so far rule a candidate out; empty where they do not."""
    if not np.isfinite(spiking).all():
        return "a return is not a number"
    n = len(ann)
    scale = abs(float(np.mean(ann)))
    ratio = return_ratio(spiking, ann) or 0.0
    spread = float(np.std(spiking - ann, ddof=1)) / np.sqrt(n) / scale
    if ratio + 2 * spread < target:
        return f"ratio {ratio:.3f} +- {spread:.3f}"
    if steady(ann):
        weak = extra_weak(spiking, ann)
        # as many or more, were the share allowed
        probability = float(np.asarray(stats.binom.sf(weak - 1, n, LIKELY_WEAK)))
        if weak > 0 and probability < HOPELESSLY_WEAK:
            return f"{weak} weak episodes of {n}"
        return ""
    failed = failed_episodes(spiking, ann)
    ann_failed = failed_episodes(ann, ann)
    table = [[failed, n - failed], [ann_failed, n - ann_failed]]
    probability = float(np.asarray(stats.fisher_exact(table, alternative="greater"))[1])
    if probability < HOPELESS:
        return f"failed {failed} against {ann_failed} of {n}"
    return ""
