"""Thresholds of differential coding are chosen on what the integer layers really send within a
window.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from spikeport import api
from spikeport.toolchain.conversion.build import convert
from spikeport.toolchain.conversion.calibration.signal_statistics import measure
from spikeport.toolchain.conversion.calibration.states import Calibration, from_environment
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.schemes.action_error import open_loop_error
from spikeport.toolchain.conversion.schemes.rate_thresholds import (
    SHARES,
    decoded_mean,
    least_error_thresholds,
    window_payloads,
    with_threshold,
)
from spikeport.toolchain.conversion.schemes.thresholds import maximum_thresholds
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from tests.support.networks import random_artifact

ENVIRONMENT = "InvertedDoublePendulum-v5"
FILE = Path(__file__).parents[2] / "examples" / "policies" / "td3-InvertedDoublePendulum-v5.zip"
NEURONS = [("if", 8), ("snm", 8), ("mt", 4), ("dc", 4)]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return api.load_policy(FILE, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def calibration(policy: Policy) -> Calibration:
    return from_environment(policy, gymnasium_bridge.make(ENVIRONMENT, trusted=True), 1500, 3)


@pytest.mark.parametrize(
    ("neuron", "timesteps"), [(f"{neuron}@1", timesteps) for neuron, timesteps in NEURONS]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_search_sees_what_a_backend_sends(neuron: str, timesteps: int, seed: int) -> None:
    """Payloads of every hidden layer, and the readout from their decoded mean, are the fast
    backend's on fresh windows.
    """
    artifact = random_artifact(seed, neuron=neuron, timesteps=timesteps, alpha=0)
    # more than one chunk
    network = artifact.network
    count = 300
    observations = np.random.default_rng(seed).normal(size=(count, artifact.observation.size)) * 3
    trace = FastBackend(artifact).trace(observations, np.ones(count, np.int64))
    arriving = trace.inputs[:, None]
    for layer, expected in zip(network.layers[:-1], trace.layers, strict=False):
        arriving = window_payloads(layer, arriving, timesteps)
        np.testing.assert_array_equal(arriving, expected.payloads)
    last = network.layers[-1]
    readout = network.divisor * (
        decoded_mean(arriving, network.coding) @ last.weights.T.astype(float) + last.bias
    )
    np.testing.assert_allclose(readout, trace.layers[-1].states[:, -1], rtol=1e-12, atol=1e-6)


@pytest.mark.parametrize(("neuron", "timesteps"), [("dc", 2), ("dc", 4)])
def test_thresholds_never_exceed_the_maxima_and_err_least(
    policy: Policy, calibration: Calibration, neuron: str, timesteps: int
) -> None:
    statistics = measure(policy, calibration)
    network = convert(
        policy,
        calibration,
        ConversionOptions(neuron=neuron, timesteps=timesteps, alpha=0.0),
        statistics=statistics,
    ).network
    if neuron in ("mt", "dc"):
        levels = 8
    else:
        levels = 1
    shares = []
    for layer, pre in zip(network.layers[:-1], statistics.pre_activations, strict=False):
        maximum, _ = maximum_thresholds(np.maximum(pre, 0))
        share = layer.unit * levels / maximum
        slack = (
            2 * levels * layer.row_scale / maximum
        )  # an integer theta, even where the neuron wants it
        assert (share <= 1 + slack).all() and (share >= min(SHARES[0]) - slack).all()
        assert levels == 8 or (layer.threshold % 2 == 0).all()
        shares.append(share)
    assert (np.concatenate(shares) < 0.9).any()


def test_a_neuron_keeps_its_threshold_unless_a_smaller_one_errs_less() -> None:
    """One that nothing moves keeps it.

    One that is always at the end of its range keeps it; a long tail gives it up.
    """
    layer = random_artifact(0, neuron="if@1", timesteps=8, alpha=0).network.layers[0]
    layer = dataclasses.replace(
        layer,
        synapses=Dense(np.eye(layer.outputs, layer.inputs, dtype=np.int8)),
        bias=np.zeros(layer.outputs, np.int32),
        row_scale=np.ones(layer.outputs),
        hold_input=True,
    )
    layer = with_threshold(layer, np.full(layer.outputs, 1000))
    arriving = np.zeros((1000, 1, layer.inputs), np.int64)
    arriving[:, 0, 1] = 1000
    arriving[:, 0, 2] = np.where(np.arange(1000) == 500, 1000, np.arange(1000) % 240)
    activations = np.maximum((arriving[:, 0] @ layer.weights.T.astype(np.int64)).astype(float), 0)
    found = least_error_thresholds(
        layer,
        arriving,
        activations,
        8,
        random_artifact(0, neuron="if@1", timesteps=8, alpha=0).network.coding,
        SHARES[0],
    )
    assert found.threshold[0] == 1000 and found.threshold[1] == 1000 and found.threshold[2] == 600
    np.testing.assert_array_equal(found.unit, found.threshold * found.row_scale)


@pytest.mark.parametrize("timesteps", [3, 4, 8])
@pytest.mark.parametrize("share", [1.3, 1.7, 3.0, 20.0])
def test_shares_beyond_the_maximum_leave_room_for_themselves(
    policy: Policy, calibration: Calibration, share: float, timesteps: int
) -> None:
    """A threshold above the maximum is kept as it is, and the range proof still passes."""
    maxima = [
        maximum_thresholds(np.maximum(pre, 0))
        for pre in measure(policy, calibration).pre_activations[:-1]
    ]
    artifact = convert(
        policy,
        calibration,
        ConversionOptions(neuron="dc", timesteps=timesteps, threshold_shares=(share,)),
    )
    for layer, (maximum, _) in zip(artifact.network.layers[:-1], maxima, strict=True):
        assert (
            np.abs(8 * layer.unit - share * maximum) <= 8 * (share + 1) * layer.row_scale
        ).all()  # theta is an integer before and after
    assert artifact.calibration["threshold_shares"] == [share]


@pytest.mark.parametrize(("neuron", "timesteps"), [("dc", 4)])
def test_thresholds_found_act_closer_to_the_policy_than_the_maxima(
    policy: Policy, calibration: Calibration, neuron: str, timesteps: int
) -> None:
    options = ConversionOptions(neuron=neuron, timesteps=timesteps, alpha=0.0)
    found = open_loop_error(convert(policy, calibration, options), policy, calibration)
    maxima = dataclasses.replace(options, threshold_shares=(1.0,))
    assert found < open_loop_error(convert(policy, calibration, maxima), policy, calibration)
