"""State dicts of torch and safetensors: families and options."""

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
from tests.support.policy_files import (
    SEQUENTIAL,
    TWO,
    normalizer,
    save,
    state_dict,
    write,
)

torch = pytest.importorskip("torch")
FC = ("fc1", "fc2", "fc_mu")
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
