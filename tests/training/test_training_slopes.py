"""Slope schedules against sums by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.methods.slopes import (
    HIGH,
    LOW,
    Adaptive,
    Fixed,
    Interval,
    SlopeSchedule,
)


@pytest.mark.parametrize(
    ("schedule", "returns", "slope"),
    [
        (Fixed(25.0), [], 25.0),
        (Fixed(25.0), [1e9] * 40, 25.0),
        (Interval(every=2, steps=3, low=1, high=100), [], 1.0),
        (Interval(every=2, steps=3, low=1, high=100), [0.0] * 3, 34.0),
        (Interval(every=2, steps=3, low=1, high=100), [0.0] * 6, 100.0),
        (Interval(every=2, steps=3, low=1, high=100), [0.0] * 60, 100.0),
        (Adaptive(), [], 1.0),
        (Adaptive(), [50.0], 25.0),
        (Adaptive(), [10.0, 20.0], (5 + 10 + 5) / 2),
        (Adaptive(), [20.0, 10.0], (10 + 5 - 5) / 2),
        (Adaptive(), [-500.0], 1.0),
        (Adaptive(), [999.0], 100.0),
        (Adaptive(), [0.0] + [30.0] * 11, 15.0),  # ten epochs back: the jump is forgotten
        (Adaptive(), [0.0] + [30.0] * 10, 15.0 + 1.5),
    ],
)
def test_slopes(schedule: SlopeSchedule, returns: list[float], slope: float) -> None:
    assert schedule.slope(returns) == pytest.approx(slope)


@given(st.lists(st.floats(-1e6, 1e6), max_size=30))
def test_adaptive_stays_within_its_limits(returns: list[float]) -> None:
    assert LOW <= Adaptive().slope(returns) <= HIGH


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Fixed(0.0), "slope schedule fixed: slopes from 0 to 0, 0 < low <= high expected"),
        (
            lambda: Interval(every=0, steps=0, low=5, high=2),
            "3 problems: slopes from 5 to 2, .*; every is 0, at least 1 expected; steps is 0",
        ),
        (lambda: Adaptive(-1, 3), "slope schedule adaptive: slopes from -1 to 3"),
    ],
)
def test_impossible_schedules_are_refused(make, said: str) -> None:  # noqa: ANN001
    with pytest.raises(InputError, match=said):
        make()


def test_a_callback_steepens_the_actor_while_it_trains() -> None:
    from stable_baselines3.common.env_util import make_vec_env

    from spikeport.toolchain.training.layers.surrogates import FastSigmoid
    from spikeport.toolchain.training.methods.slope_callback import SlopeCallback
    from spikeport.toolchain.training.methods.spiking_td3 import SpikingTD3
    from tests.support.toy_environments import Drift

    kwargs = {"net_arch": [8], "population": 3, "surrogate": FastSigmoid(25.0)}
    model = SpikingTD3(
        "MlpPolicy",
        make_vec_env(Drift, seed=0),
        learning_starts=10,
        batch_size=8,
        buffer_size=200,
        policy_kwargs=kwargs,
        seed=0,
        device="cpu",
    )
    callback = SlopeCallback(Interval(every=1, steps=3, low=1, high=100))
    model.learn(20, callback=callback)
    assert model.actor.mu.kind.surrogate == FastSigmoid(1.0)
    model.learn(50, callback=callback, reset_num_timesteps=False)  # two episodes of 30 steps end
    assert len(callback.returns) == 2 and model.actor.mu.kind.surrogate == FastSigmoid(67.0)
