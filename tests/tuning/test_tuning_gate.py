"""The gates of tuning, and the two levers of conversion that it needs.

Event curves and a price on synapses.
"""

from __future__ import annotations

import numpy as np
import pytest

from spikeport.toolchain.conversion.build import convert
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.event_curves import event_curves, event_thresholds
from spikeport.toolchain.conversion.signal_statistics import measure
from spikeport.toolchain.conversion.states import from_environment
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.quantization.rounding import augmented_moments, quantise_rows
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.simulation.backends import open_backend
from spikeport.toolchain.simulation.return_statistics import holds_target
from spikeport.toolchain.tuning.gate import extra_weak, hopeless, median_ratio, safe, steady
from tests.support.front_door import PENDULUM, PENDULUM_ENV

RNG = np.random.default_rng(0)
STEADY = 1000 + RNG.normal(scale=10, size=108)
BIMODAL = np.where(np.arange(108) % 6 == 0, 200.0, 1000.0) + RNG.normal(scale=20, size=108)


def test_safe_has_no_tolerance() -> None:
    """A ratio of 0.985 may hold 0.99 by the rule; it is not safe."""
    assert steady(STEADY) and not steady(BIMODAL)
    near = 0.9895 * STEADY + RNG.normal(scale=60, size=108) * np.resize([1, -1], 108)
    assert safe(STEADY, STEADY, 0.99).holds and not safe(0.985 * STEADY, STEADY, 0.99).holds
    assert holds_target(near, STEADY, 0.98).holds and not safe(near - 10, STEADY, 0.99).holds


def test_lost_episodes_of_a_steady_source() -> None:
    source = np.resize(STEADY, 216)
    returns = source * 1.01
    for lost, holds in ((0, True), (1, False), (2, False)):
        returns[:lost] = 880.0
        assert extra_weak(returns, source) == lost
        assert safe(returns, source, 0.99).holds is holds
    for lost, dropped in (
        (1, False),
        (2, True),
    ):  # at a loss rate of 1 %, one of 12 comes in 11 cases of 100, two in one of 150
        assert (
            bool(hopeless(np.where(np.arange(12) < lost, 800.0, 1100.0), STEADY[:12], 0.9))
            is dropped
        )


def test_a_bimodal_source_is_compared_by_failures_and_medians() -> None:
    assert safe(BIMODAL, BIMODAL, 0.99).holds
    never = np.full(108, 1001.0)
    assert safe(never, BIMODAL, 0.99).holds  # fewer failures than the source's are welcome
    often = np.where(np.arange(108) % 3 == 0, 200.0, 1000.0)
    assert not safe(often, BIMODAL, 0.99).holds
    assert (
        median_ratio(0.95 * BIMODAL, BIMODAL) == pytest.approx(0.95, abs=0.005)
        and not safe(0.95 * BIMODAL, BIMODAL, 0.99).holds
    )
    assert (
        median_ratio(np.zeros(108), BIMODAL) is None
        and not safe(np.zeros(108), BIMODAL, 0.99).holds
    )


def test_hopeless_needs_evidence() -> None:
    assert not hopeless(STEADY[:4] * 0.995, STEADY[:4], 0.99)
    assert "ratio" in hopeless(STEADY[:4] * 0.95, STEADY[:4], 0.99)
    broken = np.where(np.arange(108) == 3, np.nan, STEADY)
    assert "not a number" in hopeless(broken, STEADY, 0.99) and not safe(broken, STEADY, 0.99).holds


def test_event_curves_count_what_a_neuron_would_send() -> None:
    """A ramp of 100 states over 0..1 crosses each resolution once.

    A trigger of 4 sends a quarter of that.
    """
    values = np.linspace(0, 1, 101)[:, None]
    starts = np.arange(101) == 0
    curves = event_curves(values, starts, 1)
    coarse = int(np.argmin(np.abs(curves.theta[:, 0] - 0.1)))
    assert curves.events[coarse, 0] * 101 == pytest.approx(1 / curves.theta[coarse, 0], abs=1)
    assert curves.error[coarse, 0] == pytest.approx(curves.theta[coarse, 0] ** 2 / 12, rel=0.2)
    assert curves.events[-1, 0] == 0 and curves.error[-1, 0] == pytest.approx(values.var())
    fourth = event_curves(values, starts, 4)
    assert np.allclose(4 * fourth.theta, curves.theta)
    assert fourth.events[coarse, 0] * 101 == pytest.approx(1 / curves.theta[coarse, 0], abs=1.5)


@pytest.fixture(scope="module")
def pendulum() -> tuple[Policy, object]:
    env = gymnasium_bridge.make(PENDULUM_ENV, trusted=True)
    policy = load_policy(PENDULUM, environment=gymnasium_bridge.facts(env, PENDULUM_ENV))
    calibration = from_environment(policy, env, 400, 0)
    env.close()
    return policy, calibration


def test_event_thresholds_spend_their_budget(pendulum: tuple) -> None:
    statistics = measure(*pendulum)
    fine, coarse = (event_thresholds(statistics, error) for error in (0.02, 0.2))
    assert all((big >= small - 1e-12).mean() > 0.9 for big, small in zip(coarse, fine, strict=True))
    split = event_thresholds(
        statistics, 0.2, (16.0, *(1.0,) * (len(coarse) - 1)), (2,) * (len(coarse) - 1)
    )
    assert split[0].mean() > event_thresholds(statistics, 0.2, (1.0,) * len(coarse))[0].mean()


def test_a_search_keeps_the_disturbed_states_of_its_last_conversion_alone(pendulum: tuple) -> None:
    """They depend on the action error, and are tens of megabytes for a wide policy."""
    statistics = measure(*pendulum)
    for error in (0.02, 0.05, 0.08):
        convert(*pendulum, ConversionOptions(action_error=error), statistics=statistics)
        assert len(statistics.shaken) == 1


def test_a_price_leaves_synapses_out_and_the_rest_makes_up_for_them() -> None:
    states = np.rint(
        40
        * (
            RNG.normal(size=(2000, 6)) @ RNG.normal(size=(6, 20))
            + 0.1 * RNG.normal(size=(2000, 20))
        )
    )
    weights = RNG.normal(size=(6, 20))
    bias = RNG.normal(size=6)
    moments = augmented_moments(states)
    plain = quantise_rows(weights, bias, moments, 8, np.zeros(6))
    free = quantise_rows(weights, bias, moments, 8, np.zeros(6), np.zeros((6, 20)))
    assert all(np.array_equal(one, other) for one, other in zip(plain, free, strict=True))
    wanted = states @ weights.T + bias
    spread = wanted.var(0).mean()
    integers, integer_bias, scale = quantise_rows(
        weights, bias, moments, 8, np.zeros(6), np.full((6, 20), 0.003 * spread)
    )
    left_out = integers == 0
    assert 0.2 < left_out.mean() < 0.9 and (plain[0] == 0).mean() < 0.05

    def error(matrix: np.ndarray, offset: np.ndarray, unit: np.ndarray) -> float:
        return float((((states @ matrix.T + offset) * unit - wanted) ** 2).mean())

    assert error(integers, integer_bias, scale) < 0.5 * error(
        np.where(left_out, 0, plain[0]), plain[1], plain[2]
    )


def test_thrift_is_an_option_of_convert(pendulum: tuple) -> None:
    for rule in ("sensitivity", "events"):
        options = [
            ConversionOptions(action_error=0.1, thrift=thrift, allocation=rule)
            for thrift in (0.0, 0.1, 1.0)
        ]
        synops = []
        for chosen in options:
            artifact = convert(*pendulum, chosen)
            with open_backend("fast", artifact) as backend:
                synops.append(
                    backend.trace(
                        artifact.probe.observations[:224], artifact.probe.flags[:224]
                    ).census.synops
                )
        assert synops[0] > 1.05 * synops[1] > 1.05 * 1.05 * synops[2]
