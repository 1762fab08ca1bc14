"""Calibration, thresholds and the conversion as a whole, on the policies that ship with the
project.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport import api
from spikeport.toolchain.conversion import closed_loop_conversion as conversion_loop
from spikeport.toolchain.conversion.artifact_assembly import make_probe
from spikeport.toolchain.conversion.build import convert
from spikeport.toolchain.conversion.calibration.signal_statistics import (
    measure,
    sensitivities,
)
from spikeport.toolchain.conversion.calibration.states import (
    Calibration,
    calibration_seed,
    from_environment,
)
from spikeport.toolchain.conversion.closed_loop_conversion import acceptance
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.pipeline import convert_in_environment
from spikeport.toolchain.conversion.schemes.action_error import open_loop_error
from spikeport.toolchain.conversion.schemes.ann_scheme import without_neurons
from spikeport.toolchain.conversion.schemes.rate_thresholds import SHARES
from spikeport.toolchain.conversion.schemes.thresholds import maximum_thresholds
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons.sigma_delta import quantised_activation
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

ENVIRONMENT = "InvertedDoublePendulum-v5"
FILE = Path(__file__).parents[2] / "examples" / "policies" / "td3-InvertedDoublePendulum-v5.zip"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return api.load_policy(FILE, env=ENVIRONMENT)


@pytest.fixture(scope="module")
def calibration(policy: Policy) -> Calibration:
    env = gymnasium_bridge.make(ENVIRONMENT, trusted=True)
    return from_environment(policy, env, 1500, 3)


def with_activation(policy: Policy, activation: str) -> Policy:
    layers = tuple(
        DenseLayer(layer.weight * 0.2, layer.bias, activation) for layer in policy.layers[:-1]
    )
    return dataclasses.replace(policy, layers=(*layers, policy.layers[-1]))


def test_calibration_resets_as_the_contract_says(calibration: Calibration) -> None:
    assert calibration.seeds == tuple(
        10**6 + 3 * 1000 + k for k in range(int(calibration.starts.sum()))
    )
    assert calibration_seed(3, 0) == 1_003_000
    decisions = calibration.decisions
    assert (decisions[calibration.starts] == 0).all() and (
        np.diff(decisions)[~calibration.starts[1:]] == 1
    ).all()


def test_sensitivity_is_the_actions_jacobian(policy: Policy, calibration: Calibration) -> None:
    """Against finite differences of the float policy."""
    inputs = policy.observation.apply(calibration.observations[:40], calibration.decisions[:40])
    slopes = sensitivities(policy, [np.asarray(pre) for pre in policy.forward(inputs)])[0]
    step = 1e-6
    expected = []
    for channel in range(inputs.shape[1]):
        moved = inputs.copy()
        moved[:, channel] += step
        change = (
            (
                policy.action.apply(policy.forward(moved)[-1])
                - policy.action.apply(policy.forward(inputs)[-1])
            )
            / step
            / (policy.action.range / 2)
        )
        expected.append((change**2).sum(1).mean())
    assert np.allclose(slopes, expected, rtol=1e-3, atol=1e-6)


def test_clipped_actions_have_no_slope_outside_their_bounds(policy: Policy) -> None:
    action = dataclasses.replace(
        policy.action, squash="none", low=-policy.action.scale, high=policy.action.scale
    )
    clipped = dataclasses.replace(policy, action=action)
    pre = [np.zeros((2, layer.outputs)) for layer in policy.layers]
    pre[-1] = np.array([[0.5], [5.0]])
    inside = sensitivities(clipped, [p[:1] for p in pre])[-1]
    assert np.allclose(sensitivities(clipped, pre)[-1], inside / 2)


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu", "identity"])
def test_sdn_computes_the_quantised_forward_pass(
    policy: Policy, calibration: Calibration, activation: str
) -> None:
    """Payloads telescope.

    After any history the readout is that of a direct pass over the current observation.
    """
    artifact = convert(
        with_activation(policy, activation), calibration, ConversionOptions(action_error=0.05)
    )
    network = artifact.network
    rows = slice(0, 300)
    actions = (
        FastBackend(artifact)
        .trace(calibration.observations[rows], calibration.starts[rows].astype(int))
        .actions
    )
    inputs = artifact.observation.apply(calibration.observations[rows], calibration.decisions[rows])
    values = np.clip(
        np.floor(inputs / network.encoder.scale + 0.5),
        -network.encoder.limit,
        network.encoder.limit,
    ).astype(np.int64)
    for layer in network.layers[:-1]:
        values = np.clip(
            quantised_activation(layer, values @ layer.weights.astype(np.int64).T + layer.bias),
            layer.payload_low,
            layer.payload_high,
        )
    last = network.layers[-1]
    direct = artifact.action.apply(
        (values @ last.weights.astype(np.int64).T + last.bias) * last.row_scale
    )
    np.testing.assert_array_max_ulp(
        actions, direct, 2
    )  # the same integers; numpy's tanh may round its last bit otherwise
    assert open_loop_error(artifact, with_activation(policy, activation), calibration) < 0.2


def test_pruning_changes_nothing_where_neurons_were_silent(
    policy: Policy, calibration: Calibration
) -> None:
    silent = measure(policy, calibration).signals[1].high <= 0
    assert silent.any()
    kept = convert(policy, calibration, ConversionOptions(action_error=0.05))
    pruned = convert(policy, calibration, ConversionOptions(action_error=0.05, prune_dead=True))
    assert pruned.network.layers[0].outputs == kept.network.layers[0].outputs - int(silent.sum())
    assert pruned.calibration["pruned"] and pruned.macs == kept.macs
    error = open_loop_error(pruned, policy, calibration)
    assert error < 2 * open_loop_error(kept, policy, calibration) + 0.01


def test_without_silent_neurons_the_float_policy_is_the_same(
    policy: Policy, calibration: Calibration
) -> None:
    states = calibration.observations
    decisions = calibration.decisions
    hidden = [
        np.maximum(pre, 0)
        for pre in policy.forward(policy.observation.apply(states, decisions))[:-1]
    ]
    silent = [values.max(0) <= 0 for values in hidden]
    assert sum(int(mask.sum()) for mask in silent) > 10
    smaller = without_neurons(policy, silent)
    assert [layer.outputs for layer in smaller.layers[:-1]] == [
        int((~mask).sum()) for mask in silent
    ]
    inputs = policy.observation.apply(states, decisions)
    np.testing.assert_allclose(
        smaller.forward(inputs)[-1], policy.forward(inputs)[-1], rtol=0, atol=1e-12
    )  # float64 sums in another order
    one_left = without_neurons(
        policy, [np.ones(layer.outputs, bool) for layer in policy.layers[:-1]]
    )
    assert [layer.outputs for layer in one_left.layers] == [1, 1, policy.action.size]


def float_equations(
    network: Network, inputs: np.ndarray, starts: np.ndarray, alpha: float
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """CRPI's `if` in floating point, arXiv 2601.21778 algorithm 1: spikes and potentials per hidden
    layer [N, T, n].

    No rounding anywhere: v starts at theta / 2 + alpha * dv, clipped to [0, theta].
    """
    hidden = network.layers[:-1]
    thetas = [layer.threshold.astype(float) for layer in hidden]
    v0 = [theta / 2 for theta in thetas]
    v = [start.copy() for start in v0]
    sent = [np.zeros_like(start) for start in v0]
    spikes: list[list[list[np.ndarray]]] = [[] for _ in hidden]
    potentials: list[list[list[np.ndarray]]] = [[] for _ in hidden]
    for x, start in zip(inputs.astype(float), starts, strict=True):
        for index, theta in enumerate(thetas):
            dv = np.maximum(v[index] - v0[index], -sent[index])
            if start:
                v0[index] = theta / 2
            else:
                v0[index] = np.clip(theta / 2 + alpha * dv, 0, theta)
            v[index], sent[index] = v0[index].copy(), np.zeros_like(theta)
            spikes[index].append([])
            potentials[index].append([])
        current = hidden[0].weights.astype(float) @ x + hidden[0].bias
        for _ in range(network.timesteps):
            for index, (layer, theta) in enumerate(zip(hidden, thetas, strict=True)):
                v[index] = v[index] + (
                    current
                    if index == 0
                    else layer.weights.astype(float) @ spikes[index - 1][-1][-1] + layer.bias
                )
                fired = (v[index] > theta).astype(float)
                v[index] = v[index] - theta * fired
                sent[index] = sent[index] + theta * fired
                spikes[index][-1].append(fired)
                potentials[index][-1].append(v[index].copy())
    return [np.array(part) for part in spikes], [np.array(part) for part in potentials]


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_if_is_the_float_equations_spike_by_spike(
    policy: Policy, calibration: Calibration, alpha: float
) -> None:
    """T = 16.

    With alpha 0.5 the residual has halves, which the integers round up; a half below an integer
    threshold never matters.
    """
    network = (
        artifact := convert(
            policy, calibration, ConversionOptions(neuron="if", timesteps=16, alpha=alpha)
        )
    ).network
    rows = slice(0, 250)
    trace = FastBackend(artifact).trace(
        calibration.observations[rows], calibration.starts[rows].astype(int)
    )
    spikes, potentials = float_equations(network, trace.inputs, calibration.starts[rows], alpha)
    rounded = 0
    for index in range(len(network.layers) - 1):
        np.testing.assert_array_equal(trace.layers[index].payloads, spikes[index])
        theta = network.layers[index].threshold
        free = (
            np.maximum.accumulate(np.abs(potentials[index]), axis=1) < STATE_LIMIT - theta
        )  # a held input drives some to the end of 24 bits
        difference = (trace.layers[index].states - potentials[index])[free]
        assert free.mean() > 0.8 and set(np.unique(difference)) <= {0.0, 0.5}
        rounded += int((difference > 0).sum())
    assert (rounded > 0) == (alpha > 0) and min(part.sum() for part in spikes) > 1000
    last = network.layers[-1]
    outputs = (
        (spikes[-1].sum(1) @ last.weights.T.astype(float) + 16 * last.bias) * last.row_scale / 16
    )
    np.testing.assert_array_max_ulp(
        trace.actions, artifact.action.apply(outputs), 4
    )  # numpy's tanh may round its last bit otherwise


def test_if_thresholds_are_even_and_the_maxima(policy: Policy, calibration: Calibration) -> None:
    artifact = convert(policy, calibration, ConversionOptions(neuron="if", timesteps=4, alpha=0.3))
    assert artifact.network.alpha == 19
    maxima = [
        maximum_thresholds(np.maximum(pre, 0))[0]
        for pre in measure(policy, calibration).pre_activations[:-1]
    ]
    for layer, maximum in zip(artifact.network.layers[:-1], maxima, strict=True):
        assert (layer.threshold % 2 == 0).all()
        assert (np.abs(layer.unit - maximum) <= layer.row_scale + 1e-12).all()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"neuron": "sdn", "timesteps": 4},
            r"--neuron sdn: has one timestep and no residual \(got timesteps 4",
        ),
        ({"neuron": "sdn", "alpha": 0.5}, "has one timestep and no residual"),
        ({"weight_bits": 1}, "symmetric weights of 1 bit are all zero"),
        ({"weight_bits": 9}, r"limit 2..8"),
        ({"alpha": 1.5, "neuron": "if"}, r"--alpha: the residual's share is out of range"),
        ({"alpha": float("nan"), "neuron": "if"}, "--alpha"),
        ({"neuron": "fi"}, r"neuron not available \(got fi"),
        ({"action_error": 0.0}, "--action-error"),
        ({"timesteps": 0, "neuron": "if"}, "--timesteps"),
        ({"resync_every": -1}, "--resync-every"),
    ],
)
def test_options_that_conflict_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        ConversionOptions(**options)


def test_what_a_neuron_cannot_carry_is_refused_with_the_way_out(
    policy: Policy, calibration: Calibration
) -> None:
    with pytest.raises(
        InputError,
        match="if neurons carry relu only: layer 0 is tanh, layer 1 is tanh.*Fix: --neuron sdn",
    ):
        convert(with_activation(policy, "tanh"), calibration, ConversionOptions(neuron="if"))


def test_probe(calibration: Calibration) -> None:
    probe = make_probe(calibration)
    assert probe.observations.shape == (256, 9) and probe.flags.shape == (256,)
    assert (probe.flags == 1).sum() >= 3 and (probe.flags == 2).sum() == 1 and probe.flags[0] == 1
    recorded = {tuple(row) for row in calibration.observations}
    assert all(tuple(row) in recorded for row in probe.observations[:224])
    assert (
        np.abs(probe.observations[224:]).max() > 50 * np.abs(calibration.observations).max()
    )  # saturating ones


def test_the_closed_loop_chooses_the_thresholds_of_differential_coding(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first list of shares that is accepted.

    Where none is, the best mean return; none is tried where the user gave one.
    """
    monkeypatch.setattr(conversion_loop, "EPISODES", 8)

    def run(options: ConversionOptions) -> tuple[list[float] | None, list[conversion_loop.Attempt]]:
        artifact, attempts = convert_in_environment(
            policy, ENVIRONMENT, options, calibration_steps=1000
        )
        return artifact.calibration["threshold_shares"], attempts

    options = ConversionOptions(neuron="dc", timesteps=4)
    assert run(dataclasses.replace(options, threshold_shares=(0.9,))) == ([0.9], []) and run(
        dataclasses.replace(options, timesteps=2)
    ) == (None, [])
    monkeypatch.setattr(conversion_loop, "LEAST_RATIO", 2.0)
    taken, attempts = run(options)
    assert [attempt.threshold_shares for attempt in attempts] == list(SHARES) and not any(
        attempt.accepted for attempt in attempts
    )
    best = max(attempts, key=lambda attempt: attempt.return_ratio or 0.0)
    assert taken == list(best.threshold_shares)
    accepted, reason = acceptance(attempts, best.setting)
    assert not accepted and "NOT ACCEPTED in closed loop" in reason
    monkeypatch.setattr(conversion_loop, "LEAST_RATIO", -10.0)
    monkeypatch.setattr(conversion_loop, "MOST_EXTRA_FAILURES", 1.0)
    taken, attempts = run(options)
    assert taken == list(SHARES[0]) and len(attempts) == 1 and attempts[0].accepted
    judge = conversion_loop._judge
    judged = iter((False, True, True, True))
    monkeypatch.setattr(
        conversion_loop,
        "_judge",
        lambda *known: dataclasses.replace(judge(*known), accepted=next(judged)),
    )
    taken, attempts = run(options)
    assert (
        taken == list(SHARES[1]) and len(attempts) == 2
    )  # the first that is accepted, not the finest
    first = (
        "threshold shares 1,0.8,0.6 were not accepted, threshold shares 0.8,0.7,0.6,0.5 are the"
        " first that were"
    )
    assert acceptance(attempts, attempts[1].setting) == (True, first)


def test_closed_loop_check_tightens_what_falls_over(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 0.1 this policy falls; a finer error holds, and the seeds of the check are on record."""
    monkeypatch.setattr(conversion_loop, "EPISODES", 8)
    artifact, attempts = convert_in_environment(policy, ENVIRONMENT, calibration_steps=2000)
    assert attempts[0].action_error == 0.1 and not attempts[0].accepted
    assert artifact.calibration["action_error"] < 0.1
    assert len(artifact.calibration["seeds"]) >= 8 + 2
    assert [attempt["accepted"] for attempt in artifact.calibration["closed_loop"]] == [
        attempt.accepted for attempt in attempts
    ]
