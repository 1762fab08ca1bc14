"""Returns: intervals, ratios, failures and what holding a target means (contract section 7)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from spikeport.toolchain.simulation.return_statistics import (
    confidence_interval,
    failed_episodes,
    holds_target,
    ratio_interval,
    return_ratio,
)

STEADY = np.linspace(990.0, 1010.0, 20)
BIMODAL = np.where(np.arange(20) < 6, 300.0, 1000.0) + np.arange(20)


def test_interval_by_hand() -> None:
    """Five returns, mean 3, standard deviation sqrt(2.5).

    T(0.975, 4) = 2.7764 from a printed table.
    """
    low, high = confidence_interval(np.arange(1.0, 6.0)) or (0, 0)
    half = 2.7764 * np.sqrt(2.5 / 5)
    assert (low, high) == (pytest.approx(3 - half, abs=1e-4), pytest.approx(3 + half, abs=1e-4))


def test_fishers_test_by_hand() -> None:
    """Failures 12 against 6 of 20.

    The tables with these margins that are no more likely than this one sum to p = 0.11.
    """
    ways = {k: math.comb(20, k) * math.comb(20, 18 - k) for k in range(19)}
    p = sum(ways[k] for k in ways if ways[k] <= ways[12]) / math.comb(40, 18)
    spiking = np.where(np.arange(20) < 12, 300.0, 1000.0) + np.arange(20)
    verdict = holds_target(spiking, BIMODAL, 0.9)
    assert f"failed 12 against 6 of 20 (p = {p:.2f} > .05)" in verdict.reason and verdict.holds
    assert 0.05 < p < 0.2


def test_bootstrap_against_the_exact_distribution() -> None:
    """Two episodes.

    A resample takes one of them twice or both, so the ratio is 0.5, 0.75 or 1 in the proportion 1 :
    2 : 1.
    """
    low, high = ratio_interval(np.array([50.0, 100.0]), np.array([100.0, 100.0])) or (0, 0)
    assert (low, high) == (0.5, 1.0)
    three = ratio_interval(np.array([90.0, 100.0, 110.0]), np.full(3, 100.0), seed=1) or (0, 0)
    assert three == (
        pytest.approx(0.9, abs=0.011),
        pytest.approx(1.1, abs=0.011),
    )  # all three alike: 1/27 > 2.5 %


def test_interval_is_student_t() -> None:
    low, high = confidence_interval(STEADY) or (0, 0)
    expected = stats.t.interval(0.95, 19, loc=STEADY.mean(), scale=stats.sem(STEADY))
    assert (low, high) == pytest.approx(expected)
    assert confidence_interval(STEADY[:1]) is None


@pytest.mark.parametrize(
    ("spiking", "ann", "ratio"),
    [
        ([90.0], [100.0], 0.9),
        ([-110.0], [-100.0], 0.9),
        ([-90.0], [-100.0], 1.1),
        ([5.0], [1e-12], None),
        ([110.0, 90.0], [100.0, 100.0], 1.0),
    ],
)
def test_ratio_orders_negative_returns_too(
    spiking: list[float], ann: list[float], ratio: float | None
) -> None:
    assert return_ratio(np.array(spiking), np.array(ann)) == (
        None if ratio is None else pytest.approx(ratio)
    )


def test_bootstrap_is_paired_and_repeatable() -> None:
    interval = ratio_interval(STEADY * 0.95, STEADY)
    assert interval == pytest.approx((0.95, 0.95))  # unpaired resampling would spread
    assert ratio_interval(STEADY[::-1], STEADY) == ratio_interval(STEADY[::-1], STEADY)
    assert ratio_interval(STEADY[:1], STEADY[:1]) is None


@pytest.mark.parametrize(
    ("ann", "returns", "count"),
    [
        ([100.0], [49.0, 50.0, 51.0], 1),
        ([-100.0], [-151.0, -150.0, -149.0], 1),
        ([0.0], [-1.0, 0.0, 1.0], 1),
    ],
)
def test_failed_episodes(ann: list[float], returns: list[float], count: int) -> None:
    assert failed_episodes(np.array(returns), np.array(ann)) == count


@pytest.mark.parametrize(
    ("spiking", "ann", "target", "holds", "reason"),
    [
        (
            STEADY * 0.985,
            STEADY,
            0.99,
            False,
            "upper end 0.985",
        ),  # point estimate passes, the interval does not reach
        (STEADY * 0.97, STEADY, 0.99, False, "ratio 0.97"),
        (STEADY[::-1] * 0.9901, STEADY, 0.99, True, "ratio 0.99"),
        (STEADY * 0.961, STEADY, 0.96, True, "ratio 0.961"),
        (BIMODAL, BIMODAL, 0.99, True, "failed 6 against 6 of 20"),
        (BIMODAL * 0.9, BIMODAL, 0.99, False, "median ratio 0.9"),
        (np.full(20, 300.0), BIMODAL, 0.5, False, "every episode failed"),
        (np.where(np.arange(20) < 15, 300.0, 1000.0), BIMODAL, 0.9, False, "failed 15 against 6"),
        (STEADY[:1], STEADY[:1], 0.9, False, "too few episodes"),
    ],
)
def test_holding_a_target(
    spiking: np.ndarray, ann: np.ndarray, target: float, holds: bool, reason: str
) -> None:
    verdict = holds_target(spiking, ann, target)
    assert verdict.holds is holds
    assert reason in verdict.reason
