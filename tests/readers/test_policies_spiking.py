"""Spiking checkpoints.

What is read, what is assumed, what a sidecar says, what is refused; the float policy's arithmetic.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.describe import describe
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import Payload, pickled, torch_bytes, write

OBSERVATIONS = 3
ACTIONS = 2
HIDDEN = (8, 6)
WORLD = EnvironmentFacts("World-v4", OBSERVATIONS, 100, -np.ones(ACTIONS), np.ones(ACTIONS))


def actor(
    seed: int = 0, *, span: float = 3.0, population: int = 4, readers: int = 3, plif: bool = False
) -> dict[str, torch.Tensor]:
    """A PopSAN-like state dict whose encoder's means run from -span to span."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return scale * torch.randn(shape, generator=generator)

    means = torch.linspace(-span, span, population).repeat(1, OBSERVATIONS, 1)
    stds = torch.full((1, OBSERVATIONS, population), 0.6)
    tensors = {"encoder.mean": means, "encoder.std": stds}
    widths = (OBSERVATIONS * population, *HIDDEN, ACTIONS * readers)
    names = [f"snn.hidden_layers.{index}" for index in range(len(HIDDEN))] + ["snn.out_pop_layer"]
    for index, name in enumerate(names):
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = (
            random(widths[index + 1], widths[index], scale=0.5),
            random(widths[index + 1], scale=0.2),
        )
    tensors |= {
        "decoder.decoder.weight": random(ACTIONS, 1, readers),
        "decoder.decoder.bias": random(ACTIONS, scale=0.3),
    }
    return tensors | (
        {f"snn.plifnodes.{index}.w": torch.tensor(0.5 + index) for index in range(3)}
        if plif
        else {}
    )


def read(
    folder: Path,
    tensors: dict[str, Any],
    name: str = "actor.pt",
    sidecar: dict[str, Any] | None = None,
    **options: Any,
) -> SpikingPolicy:
    path = write(folder / name, torch_bytes(tensors))
    if sidecar is not None:
        (folder / f"{name.removesuffix('.pt')}.spikeport.json").write_text(json.dumps(sidecar))
    policy = load_policy(path, environment=options.pop("environment", WORLD), **options)
    assert isinstance(policy, SpikingPolicy)
    return policy


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


SIDECARS: list[tuple[str, str]] = [
    ('{"neurn": "lif"}', "unknown key 'neurn' did you mean 'neuron'"),
    (
        '{"neuron": "alif", "timesteps": 0}',
        (
            "2 problems: neuron is 'alif', known are lif, clif, dn, plif; timesteps is 0, a whole"
            " number 1..1024 expected"
        ),
    ),
    ('{"timesteps": true}', "timesteps is True"),
    ('{"timesteps": 5.0}', "timesteps is 5.0"),
    ('{"action_limit": -1}', "action_limit is -1, positive numbers expected"),
    ('{"action_limit": []}', "action_limit is .., positive numbers expected"),
    ('{"action_limit": NaN}', "action_limit is nan, positive numbers expected"),
    ('{"observation": "zscore"}', "observation is 'zscore', known are normalizer, tanh, none"),
    ('{"observation": ["tanh"]}', "observation is .'tanh'., known are"),
    (
        '{"environment": "os:World"}',
        "environment 'os:World' carries a colon, which would import code",
    ),
    ('{"environment": 3}', "environment is '3', a Gymnasium id expected"),
    ('{"encoder": "rate"}', "the checkpoint has a population encoder .got rate"),
    ('["lif"]', "not a JSON object but a list"),
    ("{", "not JSON"),
    ("[" * 5000, "not JSON"),
]


@pytest.mark.parametrize(("text", "message"), SIDECARS)
def test_sidecars_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "actor.pt", torch_bytes(actor()))
    (tmp_path / "actor.spikeport.json").write_text(text)
    with pytest.raises(InputError, match=rf"^actor.spikeport.json: .*{message}"):
        load_policy(tmp_path / "actor.pt", environment=WORLD)


def changed(**tensors: Any) -> dict[str, Any]:
    names = {
        "mean": "encoder.mean",
        "decoder": "decoder.decoder.weight",
        "hidden": "snn.hidden_layers.1.weight",
        "bias": "snn.out_pop_layer.bias",
    }
    result = actor() | {
        names.get(name, name.replace("__", ".")): value for name, value in tensors.items()
    }
    return {name: value for name, value in result.items() if value is not None}


@pytest.mark.parametrize(
    ("tensors", "options", "message"),
    [
        (
            changed(mean=torch.zeros(3, 4)),
            {},
            r"encoder.mean has shape \(3, 4\), \(1, obs, P\) expected",
        ),
        (changed(hidden=None), {}, "snn.hidden_layers.1.weight is missing"),
        (changed(bias=None), {}, "snn.out_pop_layer.bias is missing"),
        (
            changed(hidden=torch.zeros(6, 9)),
            {},
            r"layer 1 has a weight of shape \(6, 9\) where 8 inputs arrive",
        ),
        (changed(decoder=torch.zeros(2, 3)), {}, r"decoder.decoder has a weight of shape \(2, 3\)"),
        (
            changed(decoder=torch.zeros(2, 1, 5)),
            {},
            r"the decoder's weight has shape \(2, 5\) for 6 output neurons",
        ),
        (changed(extra__w=torch.zeros(1)), {}, "unknown key extra.w"),
        (changed(bias=torch.full((6,), torch.nan)), {}, "layer 2 bias has non-finite values"),
        (actor() | {"encoder.std": torch.zeros(1, 3, 4)}, {}, "the encoder's std has zeros"),
        (
            actor() | {"encoder.mean": torch.full((1, 3, 4), torch.nan)},
            {},
            "encoder.mean has non-finite values",
        ),
        (
            actor(plif=True) | {"snn.plifnodes.0.w": torch.tensor(torch.inf)},
            {},
            "snn.plifnodes.0.w is not finite",
        ),
        (
            actor(plif=True) | {"snn.plifnodes.9.w": torch.tensor(1.0)},
            {},
            r"snn.plifnodes.9.w has shape \(1,\); one number per layer expected",
        ),
        (
            actor(),
            {"activation": "relu"},
            "a spiking checkpoint has neurons, no activation .got --activation relu",
        ),
        (
            actor(),
            {"environment": EnvironmentFacts("Hopper-v5", 11)},
            "got 3 features, limit 11 observation channels of Hopper-v5",
        ),
        (actor(), {"environment": EnvironmentFacts()}, "does not carry the action limit"),
    ],
)
def test_actors_that_are_refused(
    tmp_path: Path, tensors: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, tensors, **options)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            pickled(Payload(Path("ran"))),
            (
                "the pickle names something that is not loaded .*nothing was executed.*Fix: give"
                " the _mean_var.p"
            ),
        ),
        (pickled({"mean": 1}), "not a list of mean and variance .got dict"),
        (pickled([np.zeros(3)]), "not a list of mean and variance"),
        (
            pickled([np.zeros(4), np.ones(4)]),
            r"does not fit the policy .got \(4,\) and \(4,\), limit \(3,\)",
        ),
        (
            pickled([np.zeros(3), np.array([1.0, -1.0, 1.0])]),
            "must be finite, the variance not negative",
        ),
        (pickled([np.zeros(3), np.array([1.0, np.nan, 1.0])]), "must be finite"),
        (
            pickled([np.zeros(3), np.array(["a", "b", "c"], object)]),
            "var is not a numeric array|not loaded",
        ),
        (b"\x80\x04garbage", "actor_mean_var.p"),
    ],
)
def test_normalisers_that_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    write(tmp_path / "actor_mean_var.p", content)
    with pytest.raises(InputError, match=message):
        read(tmp_path, actor())


def navigation(folder: Path, weights: Any = None, biases: Any = None) -> Path:
    """SDDPG's two files."""
    rng = np.random.default_rng(0)
    widths = (4, 6, 5, 2)
    own = [
        rng.normal(size=pair[::-1]).astype(np.float32)
        for pair in zip(widths[:-1], widths[1:], strict=True)
    ]
    write(folder / "nav_weights.p", pickled(own if weights is None else weights, 3))
    write(
        folder / "nav_bias.p",
        pickled(
            (
                [rng.normal(scale=0.2, size=n).astype(np.float32) for n in widths[1:]]
                if biases is None
                else biases
            ),
            3,
        ),
    )
    return folder / "nav_weights.p"


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


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        (
            Payload(Path("ran")),
            None,
            "nav_weights.p: the pickle names something that is not loaded .*nothing was executed",
        ),
        ({}, None, "nav_weights.p: not a list of arrays .got dict, limit 1..64 arrays"),
        ([], None, "nav_weights.p: not a list of arrays .got 0 entries"),
        ([np.zeros(3)], None, r"array 0 has shape \(3,\), 2 axes expected"),
        ([np.zeros((2, 4))], None, "1 weights and 3 biases"),
        (
            None,
            [np.zeros(6), np.zeros(5), np.zeros(3)],
            r"layer 2 has a bias of shape \(3,\) for 2 outputs",
        ),
        (
            [np.zeros((6, 4)), np.zeros((5, 7)), np.zeros((2, 5))],
            None,
            r"layer 1 has a weight of shape \(5, 7\) where 6 inputs arrive",
        ),
        (["text"], None, "array 0 is not a numeric array"),
        (
            [np.full((6, 4), 1e300), np.zeros((5, 6)), np.zeros((2, 5))],
            None,
            "weight has non-finite values",
        ),
    ],
)
def test_navigation_actors_that_are_refused(
    tmp_path: Path, weights: Any, biases: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_policy(navigation(tmp_path, weights, biases))


def test_a_missing_sibling_is_named(tmp_path: Path) -> None:
    path = navigation(tmp_path)
    (tmp_path / "nav_bias.p").unlink()
    with pytest.raises(InputError, match="nav_weights.p: its sibling nav_bias.p is missing"):
        load_policy(path)
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"squash": "tanh"}, "an SDDPG action is a rate"),
        ({"normalizer": "x.p"}, "have no normaliser"),
        ({"activation": "relu"}, "no activation"),
    )
    for options, message in wrong:
        with pytest.raises(InputError, match=message):
            load_policy(navigation(tmp_path), **options)
