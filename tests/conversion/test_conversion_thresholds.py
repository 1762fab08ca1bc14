"""Thresholds from statistics: the budget, the caps, silent neurons, maxima."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.conversion.signal_statistics import SignalStatistics
from spikeport.toolchain.conversion.states import from_arrays
from spikeport.toolchain.conversion.thresholds import maximum_thresholds, sensitivity_thresholds
from spikeport.toolchain.errors import InputError


@pytest.mark.parametrize(
    ("observations", "starts", "text"),
    [
        (
            np.zeros((200, 8)),
            None,
            r"array does not fit the policy \(got float64 \(200, 8\), limit float \(N, 9\)\)",
        ),
        (np.full((200, 9), np.nan), None, "1800 non-finite values, the first in row 0, channel 0"),
        (np.zeros((50, 9)), None, r"too few states to calibrate on \(got 50, limit 100 or more\)"),
        (
            np.zeros((200, 9)),
            np.zeros(199),
            r"--episode-starts: length does not fit --observations \(got 199, limit 200\)",
        ),
        (np.zeros((200, 9), complex), None, "array does not fit the policy"),
    ],
)
def test_recorded_observations_are_checked(observations: Any, starts: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        from_arrays(observations, starts, 9)


def test_thresholds_meet_the_budget_and_the_caps() -> None:
    rng = np.random.default_rng(0)
    signals = tuple(
        SignalStatistics(
            -rng.uniform(0, 1, n),
            rng.uniform(5, 50, n),
            rng.uniform(0.1, 3, n),
            rng.uniform(0.1, 2, n),
            64,
        )
        for n in (5, 30)
    )
    for error in (0.3, 0.1, 0.01):
        thresholds = sensitivity_thresholds(signals, error)
        spent = (
            sum(
                float((s.sensitivity * theta**2).sum())
                for s, theta in zip(signals, thresholds, strict=True)
            )
            / 12
        )
        assert spent == pytest.approx(error**2, rel=1e-6)
        for s, theta in zip(signals, thresholds, strict=True):
            ratio = theta / np.cbrt(s.fan_out * s.change / s.sensitivity)
            assert np.allclose(ratio, ratio[0])
            assert (theta <= s.high - s.low).all()
    small = (SignalStatistics(np.zeros(3), np.array([1e-3, 10, 10]), np.ones(3), np.ones(3), 8),)
    assert sensitivity_thresholds(small, 5.0)[0][0] == pytest.approx(
        1e-3
    )  # no step is wider than its channel's range
    still = (SignalStatistics(np.zeros(3), np.array([0.0, 10, 10]), np.ones(3), np.ones(3), 8),)
    theta = sensitivity_thresholds(still, 0.5)[0]
    assert theta[0] == pytest.approx(np.median(theta[1:]))


def test_caps_pass_their_share_of_the_budget_on() -> None:
    """Channels at their range spend less than their share.

    The others take up what is left, and the sum still meets the budget.
    """
    signals = (
        SignalStatistics(
            np.zeros(4),
            np.array([0.01, 0.02, 9.0, 9.0]),
            np.array([1.0, 2, 3, 4]),
            np.array([1.0, 2, 1, 2]),
            16,
        ),
    )
    theta = sensitivity_thresholds(signals, 0.4)[0]
    assert theta[:2].tolist() == [0.01, 0.02]
    assert float((signals[0].sensitivity * theta**2).sum()) / 12 == pytest.approx(0.4**2, rel=1e-6)
    assert theta[2] / theta[3] == pytest.approx(np.cbrt((1 / 3) / (2 / 4)))
    assert sensitivity_thresholds(signals, 1e3)[0] == pytest.approx(
        [0.01, 0.02, 9, 9]
    )  # nothing is left to take it up


def test_silent_neurons_get_the_median_maximum() -> None:
    maxima, dead = maximum_thresholds(
        np.tile([[0.0, 1.0, 5.0, 2.0], [-1.0, 3.0, 4.0, 0.0]], (10, 1))
    )
    assert maxima.tolist() == [3.0, 3.0, 5.0, 2.0]
    assert dead.tolist() == [True, False, False, False]


def test_no_single_stretch_decides_a_maximum() -> None:
    """One episode of ten with activations four times as large moves no threshold by more than a
    quarter.
    """
    activations = np.random.default_rng(0).random((10_000, 5))
    usual, _ = maximum_thresholds(activations)
    np.testing.assert_array_equal(usual, activations.max(0))
    activations[3000:4000] *= 4
    activations[:, 4] = 0
    activations[3500, 4] = 7.0  # spoke once: that is all there is to go by
    maxima, dead = maximum_thresholds(activations)
    others = np.delete(activations, slice(3000, 4000), axis=0).max(0)
    np.testing.assert_allclose(maxima[:4], 1.25 * others[:4])
    assert maxima[4] == 7.0 and not dead.any()
