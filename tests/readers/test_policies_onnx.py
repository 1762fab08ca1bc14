"""ONNX policies.

The actions are onnxruntime's on the same file, the contracts are where they belong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.readers.reading_options import ReadOptions
from tests.support.front_door import TOY_ENV, answer, refusal, toy_checkpoint
from tests.support.graph_files import (
    OBSERVATIONS,
    actor,
    agree,
    computed,
    dense,
    exported,
    graph,
    scripted,
    small_onnx,
)
from tests.support.graph_parts import AFTER, CONSTANTS
from tests.support.policy_files import model, normalizer, randomize, write

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
torch = pytest.importorskip("torch")
ACTIVATIONS = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "elu": torch.nn.ELU,
    "silu": torch.nn.SiLU,
    "gelu": torch.nn.GELU,
    "leaky_relu": torch.nn.LeakyReLU,
    "sigmoid": torch.nn.Sigmoid,
    "softplus": torch.nn.Softplus,
}
BOX = EnvironmentFacts("E-v1", 4, 100, -np.ones(2), np.ones(2))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_as_torch_exports_them(tmp_path: Path, name: str) -> None:
    path = exported(actor(ACTIVATIONS[name](), clip=1.5), 4, tmp_path / "a.onnx")
    policy = load_policy(path)
    assert [layer.activation for layer in policy.layers] == [name, name, "identity"]
    assert policy.provenance.format == "onnx" and policy.provenance.family == "pytorch"
    assert (
        policy.observation.mean is not None
        and policy.observation.clip == 1.5
        and policy.action.squash == "tanh"
    )
    agree(policy, computed(path, OBSERVATIONS))


@pytest.mark.parametrize(
    ("out", "squash", "clips", "layers"),
    [
        ("tanh", "tanh", False, 3),
        ("negative tanh", "tanh", False, 3),
        ("clip", "none", True, 3),
        ("gsde", "tanh", True, 3),
        ("sigmoid", "tanh", False, 3),
        ("relu", "none", False, 4),
        ("raw", "none", False, 3),
    ],
)
def test_outputs(tmp_path: Path, out: str, squash: str, clips: bool, layers: int) -> None:
    path = exported(actor(torch.nn.ReLU(), out=out), 4, tmp_path / "a.onnx")
    policy = load_policy(path)
    assert (
        policy.action.squash == squash
        and (policy.action.low is not None) == clips
        and len(policy.layers) == layers
    )
    assert (policy.action.scale > 0).all() and policy.observation.clip is None
    agree(policy, computed(path, OBSERVATIONS))


def test_weights_without_a_merge_are_the_files_own(tmp_path: Path) -> None:
    module = actor(torch.nn.ELU(), out="tanh", clip=2.0)
    policy = load_policy(exported(module, 4, tmp_path / "a.onnx"))
    for layer, linear in zip(
        policy.layers,
        [part for part in module.network if isinstance(part, torch.nn.Linear)],
        strict=True,
    ):
        assert (layer.weight == linear.weight.detach().numpy()).all() and (
            layer.bias == linear.bias.detach().numpy()
        ).all()
    np.testing.assert_array_equal(policy.observation.shift, module.mean.numpy().astype(np.float64))
    np.testing.assert_array_equal(policy.action.scale, module.scale.numpy().astype(np.float64))


@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "SAC", "TD3"])
def test_stable_baselines3_as_its_documentation_exports_it(tmp_path: Path, algorithm: str) -> None:
    """The recipe of SB3's export page; its graph leaves scaling and clipping to the caller."""
    pytest.importorskip("stable_baselines3")
    bounds = np.full(3, 2.0, np.float32)
    trained = randomize(model(algorithm, low=-bounds, high=bounds))
    arguments = {} if algorithm == "TD3" else {"deterministic": True}
    on_policy = algorithm in ("PPO", "A2C")

    class Onnxable(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.policy = trained.policy if on_policy else trained.policy.actor

        def forward(self, observation: Any) -> Any:
            return self.policy(observation, **arguments)

    path = exported(
        Onnxable().eval(), 5, tmp_path / "sb3.onnx", input_names=["input"], dynamic_axes={}
    )
    facts = EnvironmentFacts("E-v1", 5, 100, -bounds, bounds)
    if on_policy:
        text = (
            r"which output is the deterministic action is not clear \(got outputs .*Fix:"
            r" --action-output NAME"
        )
        options = {"action_output": options_of(path), "squash": "clip"}
    else:
        text = (
            r"the file's tanh ends at -1 and 1, the bounds of E-v1 are others \(got a tanh"
            r" without scale"
        )
        options = {"action_limit": 2.0}
    with pytest.raises(InputError, match=text):
        load_policy(path, environment=facts)
    policy = load_policy(path, environment=facts, **options)
    observations = np.random.default_rng(0).normal(size=(50, 5))
    wanted = np.array(
        [trained.predict(observation, deterministic=True)[0] for observation in observations]
    )
    agree(policy, wanted, observations)
    statistics = normalizer(tmp_path / "vecnormalize.pkl", 5, clip_obs=1.0)
    policy = load_policy(
        path,
        environment=facts,
        action_output=options_of(path),
        squash=None,
        action_limit=None if on_policy else 2.0,
        normalizer=tmp_path / "vecnormalize.pkl",
    )
    assert (
        policy.observation.clip == 1.0
        and (policy.observation.mean == statistics.obs_rms.mean).all()
    )


def options_of(path: Path) -> str | None:
    """--action-output where the file has several outputs."""
    import onnx

    names = [output.name for output in onnx.load(path).graph.output]
    if len(names) > 1:
        return names[0]
    return None


def written(tmp_path: Path, after: str, **weights: Any) -> Path:
    nodes = [
        ("Gemm", "obs,w0,b0", "h"),
        ("Relu", "h", "r"),
        ("Gemm", "r,w1,b1", "m"),
        *(
            (operator, reads.format(x="m"), makes.format(y="action"), *rest)
            for operator, reads, makes, *rest in AFTER[after]
        ),
    ]
    return write(tmp_path / "g.onnx", graph(nodes, dense() | CONSTANTS | weights))


@pytest.mark.parametrize(
    ("after", "options", "text"),
    [
        (
            "tanh",
            {"squash": "clip"},
            r"--squash differs from what the file does \(got clip, limit tanh\)",
        ),
        (
            "tanh",
            {"activation": "tanh"},
            r"--activation differs from what the file does \(got tanh, limit relu\)",
        ),
        (
            "clip",
            {"squash": "tanh"},
            r"--squash differs from what the file does \(got tanh, limit clip\)",
        ),
        (
            "scaled tanh",
            {"action_limit": 2.0},
            r"--action-limit differs from the file's own \(got 2.0, limit \[0.5, 0.5\]\)",
        ),
        (
            "scaled tanh",
            {"environment": BOX},
            (
                r"the file's actions reach beyond the bounds of E-v1 \(got low \[0.5, 0.5\], high"
                r" \[1.5, 1.5\]"
            ),
        ),
        ("raw", {"action_limit": 1.0}, r"an action limit needs a squash"),
        ("raw", {"squash": "clip"}, r"a clipped action needs its bounds"),
        (
            "raw",
            {"environment": EnvironmentFacts("E-v1", 7)},
            (
                r"the policy does not fit the environment \(got 4 inputs, limit 7 observation"
                r" channels of E-v1"
            ),
        ),
        (
            "raw",
            {"environment": EnvironmentFacts("E-v1", 4, None, -np.ones(3), np.ones(3))},
            r"the policy's actions do not fit the environment",
        ),
    ],
)
def test_what_the_file_says_wins(
    tmp_path: Path, after: str, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError, match=text) as caught:
        load_policy(written(tmp_path, after), **options)
    assert caught.value.where == "g.onnx" and caught.value.fix


def test_options_that_agree(tmp_path: Path) -> None:
    assert (
        load_policy(
            written(tmp_path, "scaled tanh"), squash="tanh", activation="relu", action_limit=0.5
        ).action.scale
        == 0.5
    ).all()
    assert (load_policy(written(tmp_path, "tanh"), environment=BOX).action.scale == 1).all()
    assert (
        load_policy(written(tmp_path, "raw"), environment=BOX, squash="clip").action.low is not None
    )
    raw = load_policy(written(tmp_path, "raw"))
    assert any("give --squash clip" in text for text in raw.provenance.assumptions)
    assert ReadOptions().action_output is None


def test_a_second_normaliser_is_refused(tmp_path: Path) -> None:
    normalizer(tmp_path / "n.pkl", 4)
    with pytest.raises(InputError, match="the file normalises its observations itself"):
        load_policy(write(tmp_path / "g.onnx", small_onnx()), normalizer=tmp_path / "n.pkl")


def test_external_data_beside_the_file(tmp_path: Path) -> None:
    import onnx

    stored = onnx.load_model_from_string(small_onnx())
    onnx.save(
        stored, tmp_path / "e.onnx", save_as_external_data=True, location="e.data", size_threshold=0
    )
    policy = load_policy(tmp_path / "e.onnx")
    agree(policy, computed(tmp_path / "e.onnx", OBSERVATIONS))
    assert any(
        text.startswith("weights in e.data, SHA-256 ") for text in policy.provenance.assumptions
    )


def test_convert_and_simulate(tmp_path: Path) -> None:
    path = exported(
        actor(torch.nn.Tanh(), out="raw", clip=3.0, sizes=(5, 12, 2)), 5, tmp_path / "toy.onnx"
    )
    facts = answer(
        "convert",
        path,
        "-o",
        tmp_path / "toy.spk",
        "--env",
        TOY_ENV,
        "--squash",
        "clip",
        "--calibration-steps",
        300,
        "--action-error",
        0.1,
    )
    assert facts["family"] == "pytorch" and [layer["activation"] for layer in facts["layers"]] == [
        "tanh",
        "identity",
    ]
    artifact = spikeport.load(tmp_path / "toy.spk")
    assert artifact.provenance.format == "onnx" and artifact.observation.clip == 3.0
    result = answer(
        "simulate",
        tmp_path / "toy.spk",
        "--env",
        TOY_ENV,
        "--episodes",
        2,
        "--compare",
        "--source",
        path,
    )
    assert len(result["returns"]) == 2 and np.isfinite(result["return_ratio"])
    shown = answer("inspect", path)
    assert (
        shown["format"] == "onnx"
        and shown["observation"]["normalizer"]["clip"] == 3.0
        and str(tmp_path) not in json.dumps(shown)
    )
    write(tmp_path / "plain.pt", toy_checkpoint())
    assert "only a graph has named outputs" in refusal(
        "inspect", tmp_path / "plain.pt", "--action-output", "x"
    )


@pytest.mark.parametrize("kind", ["onnx", "pt"])
def test_inspect_lists_the_limit_behind_a_bare_tanh(tmp_path: Path, kind: str) -> None:
    """With an environment of other bounds, and without one, where -1 and 1 would be assumed."""
    module = torch.nn.Sequential(
        torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 1), torch.nn.Tanh()
    ).eval()
    if kind == "onnx":
        path = exported(module, 3, tmp_path / "a.onnx")
    else:
        path = scripted(module, 3, tmp_path / "a.pt", "trace")
    for options, missing in (
        ((), 1),
        (("--env", "Pendulum-v1"), 1),
        (("--action-limit", 2), 0),
        (("--env", "Pendulum-v1", "--action-limit", 2), 0),
    ):
        facts = answer("inspect", path, *options)
        assert [one["fact"] for one in facts["missing"]] == ["action limit"] * missing and (
            facts["action"]["scale"] is None
        ) == bool(missing)
        assert all(
            one["give"].startswith("--action-limit with the factor behind the tanh")
            for one in facts["missing"]
        )
    assert answer("inspect", path, "--action-low", -1, "--action-high", 1)["missing"] == []


def test_discrete_graph_of_stable_baselines3_says_which_output_to_export(tmp_path: Path) -> None:
    """The documented recipe ends in ArgMax and is refused with the logits' expression.

    The logits alone are read.
    """
    sb3 = pytest.importorskip("stable_baselines3")
    policy = randomize(sb3.PPO("MlpPolicy", "CartPole-v1", device="cpu")).policy

    class Onnxable(torch.nn.Module):
        def __init__(self, logits: bool) -> None:
            super().__init__()
            self.policy = policy
            self.logits = logits

        def forward(self, observation: Any) -> Any:
            if self.logits:
                return policy.action_net(
                    policy.mlp_extractor.forward_actor(policy.extract_features(observation))
                )
            return policy(observation, deterministic=True)

    path = exported(
        Onnxable(False).eval(), 4, tmp_path / "sb3.onnx", input_names=["input"], dynamic_axes={}
    )
    with pytest.raises(
        InputError,
        match=(
            r"ArgMax makes discrete actions, .* export the logits before it as the output and give"
            r" --squash argmax .*action_net"
        ),
    ):
        load_policy(path, action_output=options_of(path))
    read = load_policy(
        exported(Onnxable(True).eval(), 4, tmp_path / "logits.onnx"), squash="argmax"
    )
    observations = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    assert (
        read.act(observations)[:, 0].tolist()
        == policy.predict(observations, deterministic=True)[0].tolist()
    )
