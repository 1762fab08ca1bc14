"""State dicts of torch and safetensors: families, options, and everything that must be refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import normalizer, state_dict, torch_bytes, write

torch = pytest.importorskip("torch")
TWO = EnvironmentFacts("Two-v1", 4, 100, -1.5 * np.ones(2), 1.5 * np.ones(2))
FC = ("fc1", "fc2", "fc_mu")
SEQUENTIAL = ("0", "2", "4")
MODULES = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "elu": torch.nn.ELU,
    "silu": torch.nn.SiLU,
    "gelu": torch.nn.GELU,
    "leaky_relu": torch.nn.LeakyReLU,
    "sigmoid": torch.nn.Sigmoid,
    "softplus": torch.nn.Softplus,
    "identity": torch.nn.Identity,
}


def save(tmp_path: Path, stored: object, *, legacy: bool = False, name: str = "actor.pt") -> Path:
    return write(tmp_path / name, torch_bytes(stored, legacy=legacy))


def torch_forward(
    tensors: dict[str, Any], names: tuple[str, ...], inputs: np.ndarray, activation: str = "relu"
) -> np.ndarray:
    """The output layer's values, computed by torch."""
    values = torch.from_numpy(inputs.astype(np.float32))
    for name in names:
        values = torch.nn.functional.linear(
            values, tensors[f"{name}.weight"].float(), tensors[f"{name}.bias"].float()
        )
        if name != names[-1]:
            values = MODULES[activation]()(values)
    return values.numpy().astype(np.float64)


def assert_actions(
    policy: Policy,
    expected_outputs: np.ndarray,
    inputs: np.ndarray,
    scale: Any = 1.5,
    offset: Any = 0.0,
) -> None:
    assert np.abs(policy.act(inputs) - (np.tanh(expected_outputs) * scale + offset)).max() < 1e-5


INPUTS = np.random.default_rng(0).normal(size=(64, 4))
FAMILIES = [
    ("l1,l2,l3", ("l1", "l2", "l3"), {}),
    (
        "l1,l2,l3",
        ("l1", "l2", "l3"),
        {"neuron1.thre": 8, "neuron1.act_buffer": 8, "neuron2.thre": 6},
    ),
    ("fc1,fc2,fc_mu", FC, {}),
    ("fc1,fc2,fc_mu", FC, {"fc_std.weight": (2, 6), "fc_std.bias": 2}),
    (
        "fc1,fc2,fc_mean",
        ("fc1", "fc2", "fc_mean"),
        {"fc_logstd.weight": (2, 6), "fc_logstd.bias": 2},
    ),
]


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("prefix", ["", "actor.", "module.actor."])
@pytest.mark.parametrize(("family", "names", "extra"), FAMILIES)
@pytest.mark.proves(direction="in", format="state dict")
def test_documented_families(
    tmp_path: Path,
    family: str,
    names: tuple[str, ...],
    extra: dict[str, Any],
    prefix: str,
    legacy: bool,
) -> None:
    layers = state_dict(names=names)
    stored = {prefix + key: value for key, value in layers.items()} | {
        prefix + key: torch.zeros(shape) for key, shape in extra.items()
    }
    policy = load_policy(save(tmp_path, stored, legacy=legacy), environment=TWO)
    assert (policy.provenance.family, policy.provenance.format, policy.provenance.file) == (
        family,
        "state-dict",
        "actor.pt",
    )
    assert_actions(policy, torch_forward(layers, names, INPUTS), INPUTS)
    texts = "\n".join(policy.provenance.assumptions)
    assert re.search(
        r"assumed by family: activation relu \(.* actors, (TD3|SAC) reference code", texts
    )
    assert re.search(r"assumed by family: squash tanh", texts)
    assert re.search(r"assumed by family: action limit 1\.5, the environment's bound", texts)
    assert bool(re.search("do not take part in the deterministic action", texts)) == bool(extra)


def test_options_replace_assumptions(tmp_path: Path) -> None:
    layers = state_dict()
    policy = load_policy(save(tmp_path, layers), activation="elu", squash="tanh", action_limit=0.5)
    assert policy.provenance.assumptions == ()
    assert_actions(policy, torch_forward(layers, ("l1", "l2", "l3"), INPUTS, "elu"), INPUTS, 0.5)
    each = load_policy(save(tmp_path, layers), action_limit=[0.5, 2.0], environment=TWO)
    assert each.action.scale.tolist() == [0.5, 2.0]
    assert "exceeds the bounds of Two-v1" in each.provenance.assumptions[-1]
    clipped = load_policy(save(tmp_path, layers), squash="clip", environment=TWO)
    assert clipped.action.low is not None and clipped.action.low.tolist() == [-1.5, -1.5]
    free = load_policy(save(tmp_path, layers), squash="none")
    assert free.action.low is None
    assert np.abs(free.act(INPUTS) - torch_forward(layers, ("l1", "l2", "l3"), INPUTS)).max() < 1e-5
    limited = load_policy(save(tmp_path, layers), squash="clip", action_limit=0.1)
    assert np.abs(limited.act(INPUTS)).max() == 0.1


def test_scale_and_bias_that_the_file_carries(tmp_path: Path) -> None:
    layers = state_dict(names=FC)
    scale = torch.tensor([[1.0, 2.0]])
    bias = torch.tensor([[0.0, 0.5]])
    path = save(tmp_path, {**layers, "action_scale": scale, "action_bias": bias})
    assert_actions(
        load_policy(path), torch_forward(layers, FC, INPUTS), INPUTS, scale.numpy(), bias.numpy()
    )
    agreeing = EnvironmentFacts(action_low=np.array([-1.0, -1.5]), action_high=np.array([1.0, 2.5]))
    assert not any(
        "limit" in text for text in load_policy(path, environment=agreeing).provenance.assumptions
    )
    with pytest.raises(InputError, match=r"the checkpoint and Two-v1 give different action bounds"):
        load_policy(path, environment=TWO)
    with pytest.raises(InputError, match=r"--action-limit differs from the file's action_scale"):
        load_policy(path, action_limit=3)
    with pytest.raises(
        InputError,
        match=r"the file scales a tanh by its action_scale \(got --squash none, limit tanh\)",
    ):
        load_policy(path, squash="none")


@pytest.mark.parametrize("prefix", ["", "net.", "actor.", "mu.", "policy.net."])
def test_sequential_needs_activation_and_squash(tmp_path: Path, prefix: str) -> None:
    layers = {prefix + key: value for key, value in state_dict(names=SEQUENTIAL).items()}
    path = save(tmp_path, layers)
    with pytest.raises(
        InputError,
        match=(
            r"got --activation and --squash not given.*nothing is guessed.*Fix: --activation"
            r" relu\|.* and --squash tanh\|clip\|none"
        ),
    ):
        load_policy(path, environment=TWO)
    with pytest.raises(InputError, match=r"\(got --squash not given\)"):
        load_policy(path, environment=TWO, activation="relu")
    policy = load_policy(path, environment=TWO, activation="relu", squash="tanh")
    assert policy.provenance.family == "sequential"
    assert_actions(
        policy, torch_forward(layers, tuple(prefix + name for name in SEQUENTIAL), INPUTS), INPUTS
    )
    assert not any("assumed by family" in text for text in policy.provenance.assumptions)


def test_layers_come_in_order_of_number(tmp_path: Path) -> None:
    names = tuple(str(2 * index) for index in range(7))  # "10" and "12" sort before "2" as text
    layers = state_dict((4, 5, 6, 7, 8, 9, 10, 2), names)
    shuffled = dict(sorted(layers.items(), reverse=True))
    policy = load_policy(
        save(tmp_path, shuffled), environment=TWO, activation="tanh", squash="tanh"
    )
    assert [layer.outputs for layer in policy.layers] == [5, 6, 7, 8, 9, 10, 2]
    assert_actions(policy, torch_forward(layers, names, INPUTS, "tanh"), INPUTS)


def test_lists_of_layers_and_layers_without_bias(tmp_path: Path) -> None:
    layers = state_dict(names=("layers.0", "layers.1", "layers.2"))
    path = save(tmp_path, {key: value for key, value in layers.items() if key != "layers.1.bias"})
    policy = load_policy(path, environment=TWO, activation="relu", squash="tanh")
    assert (
        "assumed by family: one activation after each hidden layer of a list numbered 0, 1, 2, ..."
        in policy.provenance.assumptions
    )
    layers["layers.1.bias"].zero_()
    assert_actions(
        policy, torch_forward(layers, ("layers.0", "layers.1", "layers.2"), INPUTS), INPUTS
    )


@pytest.mark.parametrize("outer", ["state_dict", "actor", "actor_state_dict", "model"])
def test_one_level_of_nesting(tmp_path: Path, outer: str) -> None:
    layers = state_dict()
    path = save(
        tmp_path,
        {outer: layers, "critic": state_dict(), "actor_optimizer": {"lr": 0.1}, "epoch": 3},
    )
    assert_actions(
        load_policy(path, environment=TWO),
        torch_forward(layers, ("l1", "l2", "l3"), INPUTS),
        INPUTS,
    )


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_float_types_become_float32(tmp_path: Path, dtype: str) -> None:
    layers = {key: value.to(getattr(torch, dtype)) for key, value in state_dict().items()}
    policy = load_policy(save(tmp_path, layers), environment=TWO)
    assert policy.layers[0].weight.dtype == np.float32
    assert_actions(policy, torch_forward(layers, ("l1", "l2", "l3"), INPUTS), INPUTS)


@pytest.mark.proves(direction="in", format="safetensors")
def test_safetensors(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    layers = state_dict()
    policy = load_policy(write(tmp_path / "actor.bin", safetensors.save(layers)), environment=TWO)
    assert policy.provenance.format == "safetensors"
    assert_actions(policy, torch_forward(layers, ("l1", "l2", "l3"), INPUTS), INPUTS)


L = state_dict()
S = state_dict(names=SEQUENTIAL)
PLAIN = {"activation": "relu", "squash": "tanh"}
REFUSED: list[tuple[str, object, dict[str, Any], str]] = [
    (
        "tensor",
        torch.zeros(3),
        {},
        (
            r"actor\.pt: not a state_dict \(got a Tensor, limit a dict of names and"
            r" tensors\).*torch\.save\(actor\.state_dict\(\), FILE\)"
        ),
    ),
    ("list", [1, 2], {}, r"not a state_dict \(got a list"),
    ("empty", {}, {}, r"not a state_dict \(got an empty dict"),
    ("numbers", {1: torch.zeros(2)}, {}, r"some keys are not names \(got int, limit str\)"),
    (
        "extras",
        {
            **L,
            "bn.weight": torch.zeros(8),
            "l22.weight": torch.zeros(2, 2),
            "other": torch.zeros(1),
        },
        {},
        r"layers are numbered 1, 2, 3, 22",
    ),
    (
        "unknown",
        {**L, "bn.weight": torch.zeros(8), "l1.wieght": torch.zeros(1)},
        {},
        r"2 problems: unknown key bn\.weight.*unknown key l1\.wieght did you mean 'l1\.weight'",
    ),
    (
        "missing bias",
        {key: value for key, value in L.items() if key != "l2.bias"},
        {},
        r"l2\.bias is missing",
    ),
    (
        "missing layer",
        {key: value for key, value in L.items() if "l2" not in key},
        {},
        "layers are numbered 1, 3, expected 1, 2, 3",
    ),
    ("not a tensor", {**L, "steps": 3}, {}, r"steps is a int, not a tensor"),
    (
        "integers",
        {**L, "l2.bias": torch.zeros(6, dtype=torch.int32)},
        {},
        r"l2\.bias is torch\.int32",
    ),
    (
        "sparse",
        {**L, "l2.weight": torch.zeros(6, 8).to_sparse()},
        {},
        r"l2\.weight is torch\.float32, torch\.sparse_coo",
    ),
    (
        "convolution",
        {**L, "l2.weight": torch.zeros(6, 8, 3, 3)},
        {},
        r"l2\.weight has shape \(6, 8, 3, 3\), a linear layer has \[out, in\]",
    ),
    ("empty layer", {**L, "l2.weight": torch.zeros(6, 0)}, {}, r"l2\.weight has shape \(6, 0\)"),
    (
        "bias",
        {**L, "l2.bias": torch.zeros(5)},
        {},
        r"l2\.bias has shape \(5,\), its weight \(6, 8\)",
    ),
    (
        "chain",
        {**L, "l2.weight": torch.zeros(6, 9)},
        {},
        r"actor\.pt: layer 1 takes 9 inputs but 8 arrive",
    ),
    (
        "nan",
        {**L, "l2.weight": torch.full((6, 8), float("nan"))},
        {},
        r"layer 1 weight has 48 non-finite values, the first at \(0, 0\)",
    ),
    (
        "too large",
        {**L, "l2.weight": torch.full((6, 8), 1e300, dtype=torch.float64)},
        {},
        r"layer 1 weight has 48 non-finite values",
    ),
    (
        "names",
        {"a.weight": torch.zeros(2, 2), "b.c": torch.zeros(1)},
        {},
        (
            r"no documented family has these keys: a\.weight, b\.c.*known are l1\.\.lN.*rename the"
            r" layers like an nn\.Sequential"
        ),
    ),
    (
        "popsan",
        {"encoder.mean": torch.zeros(2), "snn.out_pop_layer.weight": torch.zeros(2)},
        {},
        "snn.out_pop_layer.weight has shape .*decoder.decoder has",
    ),
    ("normalised", {**S, "1.running_mean": torch.zeros(8)}, PLAIN, r"unknown key 1\.running_mean"),
    (
        "layer norm",
        {**S, "1.weight": torch.zeros(8), "1.bias": torch.zeros(8)},
        PLAIN,
        r"layers are numbered 0, 1, 2, 4, expected 0, 2, 4.*1\.weight has shape \(8,\)",
    ),
    (
        "gap",
        state_dict(names=("0", "3", "6")),
        PLAIN,
        r"layers are numbered 0, 3, 6, expected 0, 2, 4, \.\.\. \(one activation between\)",
    ),
    (
        "two actors",
        {"actor": L, "policy": L},
        {},
        r"which entry is the actor is not clear \(got actor, policy",
    ),
    (
        "no actor",
        {"critic": L, "value": L},
        {},
        r"which entry is the actor is not clear \(got critic, value",
    ),
    (
        "normaliser",
        {"actor": L, "obs_rms": {"mean": torch.zeros(2)}, "gain": 2},
        {},
        (
            r"2 problems: unknown entry obs_rms beside actor; unknown entry gain beside actor.*as a"
            r" normaliser does"
        ),
    ),
    ("inner", {"actor": {}}, {}, r"actor\.pt \(actor\): not a state_dict"),
    ("deep", {"actor": {"net": L}}, {}, r"net is a dict, not a tensor"),
    (
        "long number",
        {"1" * 5000 + ".weight": torch.zeros(2, 2)},
        PLAIN,
        r"no documented family has these keys: 1{60}\.",
    ),
    (
        "many",
        {f"{index}.weight": torch.zeros(1, 1) for index in range(3000)},
        PLAIN,
        "too many entries for an actor \\(got 3000",
    ),
    (
        "activation",
        L,
        {"activation": "rely"},
        r"options: unknown activation 'rely', known are identity, relu.*did you mean 'relu'",
    ),
    (
        "squash",
        L,
        {"squash": "tan"},
        r"options: unknown squash 'tan', known are tanh, clip, none, argmax did you mean 'tanh'",
    ),
    (
        "zero limit",
        L,
        {"action_limit": 0},
        (
            r"--action-limit does not fit the action \(got \[0\.0\], limit one positive number, or"
            r" 2 of them\)"
        ),
    ),
    (
        "limits",
        L,
        {"action_limit": [1, 1, 1]},
        r"--action-limit does not fit the action \(got \[1\.0, 1\.0, 1\.0\]",
    ),
    (
        "limit without squash",
        L,
        {"squash": "none", "action_limit": 1},
        "an action limit needs a squash",
    ),
    (
        "no bounds",
        L,
        {"environment": EnvironmentFacts()},
        (
            r"does not carry the action limit \(got no action bounds\).*--env ID or --action-low"
            r" and --action-high or --action-limit"
        ),
    ),
    (
        "clip alone",
        L,
        {"squash": "clip", "environment": EnvironmentFacts()},
        r"a clipped action needs its bounds \(got --squash clip alone\)",
    ),
    (
        "asymmetric",
        L,
        {"environment": EnvironmentFacts(action_low=[-1, -1], action_high=[1, 2])},
        r"the action limit does not follow from the bounds \(got low \[-1, -1\], high \[1, 2\]",
    ),
    (
        "infinite",
        L,
        {"environment": EnvironmentFacts(action_low=[-np.inf] * 2, action_high=[np.inf] * 2)},
        "the action limit does not follow from the bounds",
    ),
    (
        "observations",
        L,
        {"environment": EnvironmentFacts("Two-v1", 3)},
        (
            r"the policy does not fit the environment \(got 4 inputs, limit 3 observation channels"
            r" of Two-v1\)"
        ),
    ),
    (
        "actions",
        L,
        {"environment": EnvironmentFacts("Two-v1", action_low=[-1.0], action_high=[1.0])},
        r"\(got 2 outputs, limit 1 action channels of Two-v1\)",
    ),
]


@pytest.mark.parametrize(
    ("stored", "options", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(tmp_path: Path, stored: object, options: dict[str, Any], text: str) -> None:
    path = save(tmp_path, stored)
    with pytest.raises(InputError, match=text):
        load_policy(path, **{"environment": TWO, **options})


def test_a_normalizer_of_the_library_beside_a_state_dict(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    layers = state_dict()
    path = save(tmp_path, layers)
    wrapped = normalizer(tmp_path / "vecnormalize.pkl", 4)
    assert load_policy(path, environment=TWO).observation.mean is None  # only what is named is used
    policy = load_policy(path, environment=TWO, normalizer=tmp_path / "vecnormalize.pkl")
    assert_actions(
        policy, torch_forward(layers, ("l1", "l2", "l3"), wrapped.normalize_obs(INPUTS)), INPUTS
    )


def test_reading_starts_without_torch() -> None:
    code = (
        "import sys, spikeport.toolchain.readers.load\n"
        "libraries = ('torch', 'safetensors', 'gymnasium', 'stable_baselines3')\n"
        "sys.exit(any(name in sys.modules for name in libraries))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False
        ).returncode
        == 0
    )


def test_a_torch_that_is_missing_or_unsafe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path, state_dict())
    monkeypatch.setattr(torch, "__version__", "2.5.1+cpu")
    with pytest.raises(
        InputError,
        match=(
            r"cannot load foreign files safely \(got 2\.5\.1\+cpu, limit 2\.6 or newer\)\."
            r" CVE-2025-32434"
        ),
    ):
        load_policy(path, environment=TWO)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        InputError,
        match=(
            r"actor\.pt: reading this checkpoint needs PyTorch, which is not installed\. Fix: pip"
            r" install torch"
        ),
    ):
        load_policy(path, environment=TWO)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"observation_size": 0}, r"observation_size must be a positive integer \(got 0\)"),
        ({"max_episode_steps": True}, "max_episode_steps must be a positive integer"),
        ({"action_low": ["a"], "action_high": [1.0]}, "action bounds must be numbers"),
        (
            {"action_low": [1.0]},
            "action bounds need both ends. Fix: give --action-low and --action-high",
        ),
        ({"action_low": [1.0], "action_high": [1.0]}, "low < high in every channel"),
        ({"action_low": [np.nan], "action_high": [1.0]}, "low < high in every channel"),
        ({"action_low": [0, 0], "action_high": [1.0]}, r"of one size \(got \(2,\) and \(1,\)\)"),
    ],
)
def test_environment_facts(facts: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match="environment facts: .*" + text):
        EnvironmentFacts(**facts)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    squash=st.sampled_from(["tanh", "clip", "none"]),
    prefix=st.sampled_from(["", "net.", "a.b."]),
    seed=st.integers(0, 2**16),
)
@pytest.mark.proves(direction="in", format=["state dict", "state dict, tanh units"])
def test_any_sequential_round_trips(
    tmp_path_factory: pytest.TempPathFactory,
    sizes: list[int],
    activation: str,
    squash: str,
    prefix: str,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    modules: list[Any] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        modules += [torch.nn.Linear(inputs, outputs), MODULES[activation]()]
    network = torch.nn.Sequential(*modules[:-1])
    stored = {prefix + key: value for key, value in network.state_dict().items()}
    path = save(tmp_path_factory.mktemp("sequential"), stored)
    policy = load_policy(
        path, activation=activation, squash=squash, action_limit=None if squash == "none" else 0.7
    )
    inputs = np.random.default_rng(seed).normal(size=(16, sizes[0]))
    with torch.no_grad():
        outputs = network(torch.from_numpy(inputs.astype(np.float32))).numpy().astype(np.float64)
    expected = {
        "tanh": 0.7 * np.tanh(outputs),
        "clip": np.clip(outputs, -0.7, 0.7),
        "none": outputs,
    }[squash]
    assert np.abs(policy.act(inputs) - expected).max() < 1e-5
