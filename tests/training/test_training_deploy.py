"""What training saves is what the toolchain deploys.

Same actions, exact on the backends, damaged facts refused.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecNormalize

from spikeport import api
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.simulation.closed_loop import simulate
from spikeport.toolchain.simulation.return_statistics import holds_target
from spikeport.toolchain.simulation.verification import verify
from spikeport.toolchain.training.methods.proxy_target import ProxyTargetTD3
from spikeport.toolchain.training.methods.spiking_td3 import SpikingTD3
from tests.support.front_door import POLICIES, TOY_ENV, command
from tests.support.policy_files import torch_bytes, write, zip_bytes
from tests.support.toy_environments import ACTIONS, CHANNELS, Drift

LOW = np.array([-2.0, 0.0], np.float32)
HIGH = np.array([2.0, 0.5], np.float32)


class Skewed(gymnasium.Env):
    """Bounds of which no two agree."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (CHANNELS,), np.float64)
    action_space = gymnasium.spaces.Box(LOW, HIGH)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        return np.zeros(CHANNELS), {}


def trained(
    folder: Path,
    neuron: str = "lif",
    kind: type[SpikingTD3] = ProxyTargetTD3,
    env: Any = None,
    environment: str | None = None,
) -> tuple[Any, Path]:
    """A model with weights that make every layer spike, and its zip."""
    torch.manual_seed(0)
    model = kind(
        "MlpPolicy",
        env or Skewed(),
        device="cpu",
        buffer_size=1,
        policy_kwargs={"net_arch": [20, 14], "population": 5, "neuron": neuron},
    )
    with torch.no_grad():
        for parameter in model.actor.mu.snn.parameters():
            parameter.mul_(2.5)
    if environment:
        model.environment_id = environment
    model.save(folder / "policy.zip")
    return model, folder / "policy.zip"


@pytest.mark.parametrize("kind", [ProxyTargetTD3, SpikingTD3])
@pytest.mark.parametrize("neuron", ["lif", "clif", "dn"])
def test_the_reader_gives_the_trained_actions(
    tmp_path: Path, neuron: str, kind: type[SpikingTD3]
) -> None:
    model, file = trained(tmp_path, neuron, kind)
    policy = api.load_policy(file)
    assert isinstance(policy, SpikingPolicy)
    assert (policy.neuron, policy.timesteps, policy.transform, policy.provenance.family) == (
        neuron,
        5,
        "tanh",
        kind.__name__,
    )
    observations = np.random.default_rng(0).normal(size=(500, CHANNELS))
    expected = model.predict(observations, deterministic=True)[0]
    assert np.ptp(expected, axis=0).min() > 0.05
    close = np.abs(policy.act(observations) - expected).max(1) < 1e-5
    assert (
        close.mean() >= 0.99
    )  # a membrane within rounding of the threshold may fall on either side
    assert (policy.act(observations) >= LOW).all() and (policy.act(observations) <= HIGH).all()


@pytest.mark.parametrize("neuron", ["lif", "clif"])
def test_it_converts_and_every_backend_agrees(tmp_path: Path, neuron: str) -> None:
    _, file = trained(tmp_path, neuron, env=gymnasium.make("Drift-v0"), environment="Drift-v0")
    artifact = api.convert(
        api.load_policy(file), neuron="lif", calibration_steps=300
    )  # the environment's id comes with the zip
    assert artifact.environment is not None and artifact.environment.id == "Drift-v0"
    assert artifact.action.size == ACTIONS
    result = verify(artifact, backends=["reference", "fast", "lava-direct"], decisions=64)
    assert result.exact
    run = api.simulate(artifact, episodes=3, seed=1000, compare=True)
    assert run.ann is not None
    np.testing.assert_allclose(run.returns, run.ann.returns, atol=0.5)


def test_dn_has_no_stock_process(tmp_path: Path) -> None:
    _, file = trained(tmp_path, "dn", env=gymnasium.make("Drift-v0"))
    result = command("convert", file, "-o", tmp_path / "policy.spk", "--env", TOY_ENV)
    assert result.exit_code == 2 and "the membrane of dn grows with its own square" in result.stderr


def test_training_then_converting_on_the_command_line(tmp_path: Path) -> None:
    quick = (
        "--steps",
        130,
        "--learning-starts",
        120,
        "--evaluate-every",
        130,
        "--evaluation-episodes",
        1,
    )
    assert (
        command(
            "train", "spiking-td3", "--env", TOY_ENV, "-o", tmp_path / "policy.zip", *quick
        ).exit_code
        == 0
    )
    result = command(
        "convert",
        tmp_path / "policy.zip",
        "-o",
        tmp_path / "policy.spk",
        "--env",
        TOY_ENV,
        "--calibration-steps",
        300,
    )
    assert result.exit_code == 0 and "SpikingTD3 policy policy.zip -> lif@1 (T=5" in result.stdout


FACTS: dict[str, Any] = {
    "format": 1,
    "algorithm": "ProxyTargetTD3",
    "neuron": "lif",
    "timesteps": 5,
    "encoder": "population",
    "observation": "tanh",
    "action_low": [-2.0, 0.0],
    "action_high": [2.0, 0.5],
}


def rewritten(file: Path, facts: Any = None, weights: dict[str, Any] | None = None) -> Path:
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    if facts is not None:
        if isinstance(facts, bytes):
            contents["spiking_policy.json"] = facts
        else:
            contents["spiking_policy.json"] = json.dumps(facts).encode()
    if weights is not None:
        contents["policy.pth"] = torch_bytes(weights)
    return write(file, zip_bytes(contents))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (b"{", r"policy.zip \(spiking_policy.json\): not JSON"),
        ([1], "not a JSON object but a list"),
        (FACTS | {"neurone": "lif"}, "unknown key neurone did you mean 'neuron'"),
        (
            FACTS | {"format": True, "neuron": "plif", "observation": "none"},
            "3 problems: format is True, known are 1; neuron is plif, .*; observation is",
        ),
        (
            FACTS | {"timesteps": 5.0, "environment": "os:system"},
            "2 problems: timesteps is 5.0, .*; environment is os:system, .*without a colon",
        ),
        (
            FACTS | {"action_low": [2.0, 0.0]},
            "action_low and action_high are not lists of numbers below 1e9",
        ),
        (
            FACTS | {"action_high": [2.0, float("inf")]},
            "action_low and action_high are not lists of numbers below 1e9",
        ),
        (
            FACTS | {"action_high": [2.0, 10**400]},
            "action_low and action_high are not lists of numbers below 1e9",
        ),
        (
            FACTS | {"action_high": [True, 1.0]},
            "action_low and action_high are not lists of numbers below 1e9",
        ),
        (
            FACTS | {"action_high": [2.0]},
            "action_low and action_high are not lists of numbers below 1e9",
        ),
        (
            {key: value for key, value in FACTS.items() if key != "action_low"},
            "action_low and action_high",
        ),
        (FACTS | {"action_low": [-2.0], "action_high": [2.0]}, "the decoder's weight has shape"),
    ],
)
def test_damaged_facts_are_refused(tmp_path: Path, facts: Any, said: str) -> None:
    _, file = trained(tmp_path)
    with pytest.raises(InputError, match=said):
        api.load_policy(rewritten(file, facts))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    model, file = trained(tmp_path)
    state = dict(model.policy.state_dict())
    stranger = state | {"sneaky.weight": torch.zeros(2), "actor.mu.snn.extra": torch.zeros(2)}
    with pytest.raises(InputError, match=r"\(policy.pth\): unknown key sneaky.weight"):
        api.load_policy(rewritten(file, weights=stranger))
    del stranger["sneaky.weight"], stranger["actor.mu.encoder.std"]
    with pytest.raises(
        InputError, match=r"2 problems: encoder.std has shape \(0,\), .*; unknown key snn.extra"
    ):
        api.load_policy(rewritten(file, weights=stranger))
    with pytest.raises(InputError, match="no key begins with actor.mu."):
        api.load_policy(rewritten(file, weights={"critic.qf0.0.weight": torch.zeros(2, 2)}))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"squash": "clip"},
            r"--squash differs from what the policy does \(got clip, limit tanh\)",
        ),
        ({"activation": "relu"}, "a spiking checkpoint has neurons, no activation"),
        ({"normalizer": "x.pkl"}, "was trained without a normaliser"),
        ({"action_limit": 3.0}, "--action-limit differs from the action bounds"),
        ({"env": TOY_ENV}, "give different action bounds"),
        (
            {"env": "Pendulum-v1"},
            r"the policy's observations do not fit the environment \(got 5 features, limit 3",
        ),
    ],
)
def test_options_that_contradict_the_zip_are_refused(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    _, file = trained(tmp_path)
    with pytest.raises(InputError, match=said):
        api.load_policy(file, **options)


def test_nothing_pickled_is_decoded(tmp_path: Path) -> None:
    """The member `data`, where Stable-Baselines3 keeps pickles, may hold anything."""
    model, file = trained(tmp_path)
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    write(file, zip_bytes({**contents, "data": b"not even JSON"}))
    assert isinstance(api.load_policy(file), SpikingPolicy)


SHIPPED = POLICIES / "proxy-lif-HalfCheetah-v5.zip"


def test_the_shipped_spiking_policy_is_exact_and_its_record_is_its_own() -> None:
    artifact = api.convert(api.load_policy(SHIPPED, env="HalfCheetah-v5"), env="HalfCheetah-v5")
    assert artifact.network.neuron == "lif@1" and artifact.network.timesteps == 5
    assert verify(artifact, backends=("reference", "fast", "lava-direct"), decisions=24).exact
    record = json.loads(SHIPPED.with_suffix(".json").read_text())
    best = max(record["evaluations"], key=lambda evaluation: evaluation["mean"])
    assert (
        record["exported_steps"] == best["steps"]
        and record["file"] == SHIPPED.name
        and record["plan"]["method"] == "proxy-target"
    )
    with zipfile.ZipFile(SHIPPED) as archive:
        assert (
            sorted(archive.namelist()) == ["data", "policy.pth", "spiking_policy.json"]
            and archive.read("data") == b"{}"
        )


@pytest.mark.slow
def test_the_shipped_spiking_policy_holds_its_return() -> None:
    artifact = api.convert(api.load_policy(SHIPPED, env="HalfCheetah-v5"), env="HalfCheetah-v5")
    simulation = simulate(artifact, episodes=100, compare=True)
    assert simulation.ann is not None
    verdict = holds_target(simulation.returns, simulation.ann.returns, 0.98)
    assert verdict.holds, verdict.reason


def test_observations_that_were_normalised_in_training_are_in_deployment(tmp_path: Path) -> None:
    """Converted with the file that VecNormalize.save wrote, beside the zip or named.

    Never without; also after load and save.
    """
    env = VecNormalize(make_vec_env(lambda: Drift(), n_envs=2, seed=0), clip_obs=3.0)
    made = ProxyTargetTD3(
        "MlpPolicy",
        env,
        learning_starts=60,
        seed=0,
        batch_size=16,
        policy_kwargs={"net_arch": [16, 16], "proxy_arch": [16]},
    )
    made.learn(100)
    made.save(tmp_path / "policy.zip")
    ProxyTargetTD3.load(tmp_path / "policy.zip", device="cpu").save(tmp_path / "again.zip")
    for name in ("policy.zip", "again.zip"):
        with pytest.raises(
            InputError,
            match=(
                "trained on normalised observations, and their normaliser is missing .*Fix:"
                " --normalizer FILE"
            ),
        ):
            api.load_policy(tmp_path / name)
    env.save(str(tmp_path / "elsewhere.pkl"))
    named = api.load_policy(tmp_path / "policy.zip", normalizer=tmp_path / "elsewhere.pkl")
    (tmp_path / "elsewhere.pkl").rename(tmp_path / "vecnormalize.pkl")
    raw = 5 * np.random.default_rng(0).normal(size=(200, *env.observation_space.shape))
    wanted = made.predict(env.normalize_obs(raw), deterministic=True)[0]
    for policy in (
        named,
        api.load_policy(tmp_path / "policy.zip"),
        api.load_policy(tmp_path / "again.zip"),
    ):
        assert (
            policy.provenance.normalizer_file
            and np.isclose(policy.act(raw), wanted, atol=1e-5).mean() > 0.97
        )  # a spike may fall elsewhere
    with pytest.raises(InputError, match="normaliser is missing"):
        api.load_policy(tmp_path / "policy.zip", normalizer="none")
    env.norm_obs = False
    env.save(str(tmp_path / "rewards.pkl"))
    with pytest.raises(InputError, match="normaliser is missing"):  # this one is of rewards alone
        api.load_policy(tmp_path / "policy.zip", normalizer=tmp_path / "rewards.pkl")
    for_rewards = VecNormalize(make_vec_env(lambda: Drift(), n_envs=1, seed=0), norm_obs=False)
    plain = ProxyTargetTD3(
        "MlpPolicy",
        for_rewards,
        learning_starts=60,
        batch_size=16,
        policy_kwargs={"net_arch": [16], "proxy_arch": [16]},
    )
    plain.learn(80)
    (tmp_path / "own").mkdir()
    plain.save(tmp_path / "own" / "plain.zip")
    assert not api.load_policy(tmp_path / "own" / "plain.zip").provenance.normalizer_file
