"""Compensation never costs calibration error.

Fine-tuning lowers the action's error, alike for a seed, or says what it needs.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport import api
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.conversion import closed_loop_conversion as conversion_loop
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.distillation import distillation_training as training
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Coding
from spikeport.toolchain.neurons.bounds import RowKind
from spikeport.toolchain.neurons.proof import prove
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.quantization.fitting import compensated_rows
from spikeport.toolchain.quantization.layer_rounding import InputSignal, round_layer
from spikeport.toolchain.quantization.rounding import augmented_moments, quantise_rows, refined
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from tests.support.front_door import ROOT

finetune_module = sys.modules["spikeport.toolchain.conversion.distillation.finetune"]


def toy_policy(activation: str = "relu", squash: str = "tanh") -> Policy:
    rng = np.random.default_rng(5)
    widths = (4, 24, 24, 2)
    layers = [
        DenseLayer(
            (rng.normal(size=(b, a)) / np.sqrt(a) * 1.5).astype(np.float32),
            rng.normal(size=b).astype(np.float32) * 0.3,
            "identity" if b == 2 else activation,
        )
        for a, b in zip(widths[:-1], widths[1:], strict=True)
    ]
    if squash == "none":
        bounds = {"low": np.full(2, -1.0), "high": np.ones(2)}
    else:
        bounds = {}
    return Policy(
        tuple(layers),
        ObservationContract(4),
        ActionContract(2, squash, np.ones(2), np.zeros(2), **bounds),
        Provenance("toy", "0" * 64, "t", "t"),
    )


def walk(seed: int = 0, count: int = 1500) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.zeros((count, 4))
    for index in range(1, count):
        values[index] = 0.9 * values[index - 1] + rng.normal(size=4) * 0.5
    return values


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(finetune_module, "ROUNDS", 2)
    monkeypatch.setattr(finetune_module, "STEPS", 300)
    monkeypatch.setattr(finetune_module, "ROWS", 2)
    yield


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), ridge=st.floats(1e-6, 1e3))
def test_least_squares_never_costs_calibration_error(seed: int, ridge: float) -> None:
    rng = np.random.default_rng(seed)
    states = np.round(
        rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) * rng.uniform(0.1, 9, 12)
    )
    states[:, 3] = 0
    folded = rng.normal(size=(5, 12))
    importance = rng.uniform(0.01, 1, 300)
    wanted = states @ folded.T + rng.normal(size=(300, 5)) * 3 + rng.normal(size=5)
    weights, bias = compensated_rows(folded, states, wanted, importance, ridge)
    share = (importance / importance.sum())[:, None]

    def error(w: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (share * (states @ w.T + b - wanted) ** 2).sum(0)

    kept = (share * (wanted - states @ folded.T)).sum(0)  # the bias that keeps the mean
    assert (error(weights, bias) <= error(folded, kept) * (1 + 1e-9)).all()
    assert np.allclose(weights[:, 3], folded[:, 3])  # states say nothing about a silent column


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), bits=st.integers(2, 8))
def test_refinement_never_costs_error(seed: int, bits: int) -> None:
    rng = np.random.default_rng(seed)
    states = np.round(rng.normal(size=(200, 9)) @ rng.normal(size=(9, 9)) * 5)
    rows = rng.normal(size=(4, 10))
    moments = augmented_moments(states) + 0.01 * np.eye(10)
    limit = 2 ** (bits - 1) - 1
    scale = np.abs(rows[:, :-1]).max(1) / limit
    start = np.rint(rows / scale[:, None]).astype(np.int64)
    better, better_scale = refined(start, scale, rows, moments, limit, np.zeros(4))

    def error(integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
        difference = integers * scales[:, None] - rows
        return np.einsum("ij,jk,ik->i", difference, moments, difference)

    assert (error(better, better_scale) <= error(start, scale) * (1 + 1e-9)).all()
    assert np.abs(better[:, :-1]).max() <= limit


@pytest.mark.parametrize("bits", [4, 6])
def test_rounding_upstream_is_made_up_for(bits: int) -> None:
    """Inputs that were rounded coarsely.

    Fitted rows come nearer to the float pre-activations than the folded ones.
    """
    rng = np.random.default_rng(bits)
    latent = rng.normal(size=(2000, 5))
    features = np.maximum(latent @ rng.normal(size=(5, 40)), 0)
    unit = np.full(40, 0.8)
    values = np.rint((features + 0.3 * features[:, ::-1]) / unit).astype(
        np.int64
    )  # an error that other features can correct
    dense = DenseLayer(rng.normal(size=(6, 40)).astype(np.float32), np.zeros(6, np.float32))
    wanted = features @ dense.weight.T.astype(float)
    signal = InputSignal(values, unit, np.zeros(40, np.int64), np.full(40, 60))
    rows = round_layer(dense, signal, wanted, bits, RowKind(Coding.ACROSS))
    folded = dense.weight * unit
    plain = quantise_rows(
        folded,
        wanted.mean(0) - folded @ values.mean(0),
        augmented_moments(values),
        bits,
        np.zeros(6),
    )

    def error(weights: np.ndarray, bias: np.ndarray, scale: np.ndarray) -> float:
        return float((((values @ weights.T + bias) * scale - wanted) ** 2).mean())

    assert error(rows.weights, rows.bias, rows.scale) < 0.5 * error(*plain)


def measured(artifact: Artifact, policy: Policy, states: np.ndarray) -> float:
    actions = FastBackend(artifact).trace(states, np.arange(len(states)) == 0).actions
    return float(np.sqrt(((actions - policy.act(states)) ** 2).mean()))


@pytest.mark.parametrize(("activation", "squash"), [("relu", "tanh"), ("elu", "none")])
def test_finetuning_lowers_the_error_on_new_states(
    short: None, activation: str, squash: str
) -> None:
    policy = toy_policy(activation, squash)
    options = ConversionOptions(weight_bits=2)
    plain = api.convert(policy, observations=walk(count=3000), options=options)
    tuned = api.convert(
        policy, observations=walk(count=3000), options=dataclasses.replace(options, finetune=True)
    )
    assert measured(tuned, policy, walk(9)) < 0.9 * measured(plain, policy, walk(9))
    assert (
        tuned.calibration["finetuned"]
        and tuned.calibration["finetune_steps"] == 600
        and "finetuned" not in plain.calibration
    )
    assert max(np.abs(layer.weights).max() for layer in tuned.network.layers) == 1
    prove(tuned.network)


def test_finetuning_is_deterministic(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune_module, "STEPS", 60)
    one, two = (
        api.convert(toy_policy(), observations=walk(), weight_bits=4, finetune=True, seed=3)
        for _ in range(2)
    )
    for a, b in zip(one.network.layers, two.network.layers, strict=True):
        for name in ("weights", "bias", "threshold", "row_scale"):
            assert np.array_equal(getattr(a, name), getattr(b, name))


def test_all_seeds_of_a_closed_loop_finetuning_are_on_record(
    short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion_loop, "EPISODES", 2)
    monkeypatch.setattr(finetune_module, "STEPS", 100)
    policy = api.load_policy(
        ROOT / "examples" / "policies" / "td3-InvertedDoublePendulum-v5.zip",
        env="InvertedDoublePendulum-v5",
    )
    stages: list[str] = []
    artifact = api.convert(
        policy,
        env="InvertedDoublePendulum-v5",
        weight_bits=4,
        action_error=0.05,
        calibration_steps=500,
        finetune=True,
        progress=lambda stage, done, total: stages.append(stage),
    )
    seeds = artifact.calibration["seeds"]
    assert (
        len(seeds) == len(set(seeds)) >= 1 + 2 * 3 + 2
    )  # calibration, noisy and own states, before and after
    assert any(stage.startswith("finetune: round 2 of 2") for stage in stages)
    assert len(artifact.calibration["finetune_mean_returns"]) == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"neuron": "if", "finetune": True},
            (
                r"--finetune: distils into sdn's integers only \(got --neuron if, limit sdn\).*Fix:"
                r" --neuron sdn or omit"
            ),
        )
    ],
)
def test_only_sdn_is_finetuned(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        ConversionOptions(**options)


def test_missing_torch_is_said_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match="--finetune: .*needs PyTorch.*Fix: pip install torch"):
        api.convert(toy_policy(), observations=walk(), finetune=True)


def test_squash_in_torch_is_the_action_contract() -> None:
    import torch

    policy = toy_policy(squash="none")
    student = type("Student", (), {"torch": torch})()
    outputs = np.array([[-3.0, 0.2], [0.5, 9.0]])
    values = training.squashed(student, policy, torch.tensor(outputs, dtype=torch.float32))
    np.testing.assert_allclose(
        values.numpy(), policy.action.apply(outputs) / (policy.action.range / 2), rtol=1e-6
    )
