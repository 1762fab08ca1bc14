"""Spiking checkpoints: what is read and assumed, what a sidecar says, the float arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.describe import describe
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import pickled, write
from tests.support.spiking_files import (
    ACTIONS,
    HIDDEN,
    OBSERVATIONS,
    actor,
    navigation,
    read,
)


def forward(
    tensors: dict[str, torch.Tensor],
    inputs: torch.Tensor,
    neuron: str,
    timesteps: int,
    tanh: bool,
    limit: float = 1.0,
) -> torch.Tensor:
    """The published forward passes once more, in torch."""
    if tanh:
        z = torch.tanh(inputs)
    else:
        z = inputs
    activation = torch.exp(
        -0.5 * (z[:, :, None] - tensors["encoder.mean"]) ** 2 / tensors["encoder.std"] ** 2
    ).flatten(1)
    names = [f"snn.hidden_layers.{index}" for index in range(len(HIDDEN))] + ["snn.out_pop_layer"]
    encoder = torch.zeros_like(activation)
    states = {
        name: [torch.zeros(len(inputs), len(tensors[f"{name}.bias"])) for _ in range(4)]
        for name in names
    }
    counts = torch.zeros(len(inputs), len(tensors["snn.out_pop_layer.bias"]))
    for _ in range(timesteps):
        encoder = encoder + activation
        spikes = (encoder > 0.999).float()
        encoder = encoder - 0.999 * spikes
        for index, name in enumerate(names):
            current, v, u, s = states[name]
            drive = torch.nn.functional.linear(
                spikes, tensors[f"{name}.weight"], tensors[f"{name}.bias"]
            )
            if neuron in ("clif", "dn"):
                drive = current = 0.5 * current + drive
            if neuron == "dn":
                v = v * (1 - s) + 0.021 * s
                u = u + 0.132 * s
                v, u = v + (v * v - v - u + drive), u + (-0.172 * v + 0.529 * u)
            else:
                if neuron == "plif":
                    keep = torch.sigmoid(tensors[f"snn.plifnodes.{index}.w"])
                else:
                    keep = 0.75
                v = v * keep * (1 - s) + drive
            spikes = (v > 0.5).float()
            states[name] = [current, v, u, spikes]
        counts = counts + spikes
    decoder = tensors["decoder.decoder.weight"]
    y = (counts / timesteps).view(len(inputs), ACTIONS, -1).mul(decoder[:, 0]).sum(2) + tensors[
        "decoder.decoder.bias"
    ]
    return limit * torch.tanh(y)


@pytest.mark.parametrize("timesteps", [1, 5, 8])
@pytest.mark.parametrize("neuron", ["lif", "clif", "dn", "plif"])
@pytest.mark.proves(direction="in", format=["PopSAN", "Proxy-Target"])
def test_the_float_policy_is_the_published_network(
    tmp_path: Path, neuron: str, timesteps: int
) -> None:
    tensors = actor(plif=neuron == "plif", span=1.0)
    policy = read(
        tmp_path, tensors, sidecar={"neuron": neuron, "timesteps": timesteps, "observation": "tanh"}
    )
    observations = np.random.default_rng(0).normal(size=(200, OBSERVATIONS))
    expected = forward(
        tensors, torch.as_tensor(observations, dtype=torch.float32), neuron, timesteps, tanh=True
    ).numpy()
    assert np.ptp(expected, axis=0).min() > 0.05
    close = np.abs(policy.act(observations) - expected).max(1) < 1e-5
    assert (
        close.mean() >= 0.99
    )  # a membrane within rounding of the threshold may fall on either side
    assert describe(policy)["neuron"] == neuron and describe(policy)["timesteps"] == timesteps


def test_a_leak_at_its_end_is_read(tmp_path: Path) -> None:
    tensors = actor(plif=True) | {
        "snn.plifnodes.0.w": torch.tensor(-1e30),
        "snn.plifnodes.1.w": torch.tensor(1e30),
    }
    keeps = [
        layer.voltage_keep for layer in read(tmp_path, tensors, sidecar={"neuron": "plif"}).layers
    ]
    assert keeps[0] < 1e-300 and keeps[1] == 1.0


def test_rows_do_not_depend_on_one_another(tmp_path: Path) -> None:
    policy = read(tmp_path, actor())
    observations = np.random.default_rng(1).normal(size=(40, OBSERVATIONS))
    np.testing.assert_allclose(
        policy.act(observations),
        np.concatenate([policy.act(row[None]) for row in observations]),
        atol=1e-6,
    )
    assert policy.macs == 12 * 8 + 8 * 6 + 6 * 6


def test_popsan_takes_the_normaliser_beside_it(tmp_path: Path) -> None:
    mean = np.array([1.0, -2.0, 0.0])
    variance = np.array([4.0, 0.25, 1.0])
    write(tmp_path / "actor_mean_var.p", pickled([mean, variance]))
    policy = read(tmp_path, actor())
    assert (
        policy.provenance.family == "PopSAN"
        and policy.provenance.normalizer_file == "actor_mean_var.p"
        and policy.neuron == "clif"
    )
    text = " | ".join(policy.provenance.assumptions)
    for wanted in (
        "PopSAN (the encoder's means span 6.00",
        "clif neurons, threshold 0.5",
        "5 timesteps",
        "clipped at 3",
        "normaliser actor_mean_var.p",
    ):
        assert f"assumed by family: {wanted}" in text or wanted in text
    values = policy.observation.apply(np.array([[3.0, -2.5, 100.0]]), np.zeros(1, np.int64))
    np.testing.assert_allclose(values, [[1.0, -1.0, 3.0]], rtol=1e-6)
    without = read(tmp_path, actor(), normalizer="none")
    assert (
        without.observation.mean is None
        and without.transform == "none"
        and "warning" not in " ".join(without.provenance.assumptions)
    )


def test_a_popsan_actor_without_its_normaliser_is_warned_about(tmp_path: Path) -> None:
    assumptions = read(tmp_path, actor()).provenance.assumptions
    assert any(
        text.startswith(
            "warning: no normaliser was found (actor_mean_var.p beside actor.pt); PopSAN needs"
        )
        for text in assumptions
    )


@pytest.mark.parametrize(
    ("name", "neuron"),
    [
        ("LIF_HalfCheetah-v4_0_actor", "lif"),
        ("CLIF_Ant-v4_1_actor", "clif"),
        ("DN_x_actor.pt", "dn"),
    ],
)
@pytest.mark.proves(direction="in", format="Proxy-Target")
def test_proxy_target_is_told_by_its_means_and_its_file_name(
    tmp_path: Path, name: str, neuron: str
) -> None:
    policy = read(tmp_path, actor(span=1.0, plif=True), name)
    assert (policy.provenance.family, policy.transform, policy.neuron) == (
        "Proxy Target",
        "tanh",
        neuron,
    )
    assert (
        f"assumed by family: {neuron} neurons, threshold 0.5 (as the file's name says)"
        in policy.provenance.assumptions
    )


def test_the_neurons_of_proxy_target_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=(
            r"does not say which neurons.*limit lif, clif, dn or plif.*Fix: actor.spikeport.json"
            r" with ..neuron.: .lif.."
        ),
    ):
        read(tmp_path, actor(span=1.0))


def test_a_sidecar_goes_before_the_family_and_options_before_the_sidecar(tmp_path: Path) -> None:
    facts = {
        "neuron": "plif",
        "timesteps": 7,
        "action_limit": 0.5,
        "observation": "none",
        "encoder": "population",
        "environment": "World-v4",
    }
    policy = read(tmp_path, actor(plif=True), sidecar=facts)
    assert (policy.neuron, policy.timesteps, policy.transform, policy.environment) == (
        "plif",
        7,
        "none",
        "World-v4",
    )
    assert policy.action.scale.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(
        [layer.voltage_keep for layer in policy.layers],
        1 / (1 + np.exp([-0.5, -1.5, -2.5])),
        rtol=1e-6,
    )
    assert any(
        text.startswith("actor.spikeport.json gives neuron, timesteps, action_limit")
        for text in policy.provenance.assumptions
    )
    assert read(tmp_path, actor(plif=True), action_limit=0.25).action.scale.tolist() == [0.25, 0.25]


@pytest.mark.proves(direction="in", format="SDDPG")
def test_sddpg_is_read_from_either_file(tmp_path: Path) -> None:
    path = navigation(tmp_path)
    one = load_policy(path)
    other = load_policy(tmp_path / "nav_bias.p")
    assert isinstance(one, SpikingPolicy) and one.provenance == other.provenance
    assert (one.provenance.family, one.neuron, one.timesteps, one.population) == (
        "SDDPG",
        "clif",
        5,
        1,
    )
    assert any("instead of Poisson spikes" in text for text in one.provenance.assumptions)
    assert any(text.startswith("biases from nav_bias.p") for text in one.provenance.assumptions)
    rates = one.act(np.random.default_rng(0).random((50, 4)))
    assert (
        ((rates >= 0) & (rates <= 1)).all()
        and np.ptp(rates) > 0.5
        and np.allclose(np.rint(rates * 5), rates * 5, atol=1e-5)
    )
    bounded = load_policy(
        path,
        environment=EnvironmentFacts(
            action_low=np.array([-1.0, 0.0]), action_high=np.array([1.0, 0.5])
        ),
    )
    np.testing.assert_allclose(
        bounded.act(np.ones((1, 4))), one.act(np.ones((1, 4))) * [2.0, 0.5] + [-1.0, 0.0]
    )


def test_sddpg_has_one_sidecar_for_both_files(tmp_path: Path) -> None:
    path = navigation(tmp_path)
    (tmp_path / "nav.spikeport.json").write_text(
        '{"neuron": "lif", "timesteps": 9, "action_limit": [0.5, 2.0]}'
    )
    for name in (path, tmp_path / "nav_bias.p"):
        policy = load_policy(name)
        assert isinstance(policy, SpikingPolicy) and (
            policy.neuron,
            policy.timesteps,
            policy.action.scale.tolist(),
        ) == ("lif", 9, [0.5, 2.0])
