"""The public checkpoints: read as their own libraries run them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy

torch = pytest.importorskip("torch")

ACTORS = [
    ("TD3_Hopper-v4_actor", ("l1", "l2", "l3"), 11, 3, [256, 256]),
    ("TD3_Walker2d-v4_actor", ("l1", "l2", "l3"), 17, 6, [256, 256]),
    ("TD3_HalfCheetah-v4_actor", ("l1", "l2", "l3"), 17, 6, [256, 256]),
    ("DDPG_HalfCheetah-v4_actor", ("l1", "l2", "l3"), 17, 6, [400, 300]),
    ("SAC_Hopper-v4_actor", ("fc1", "fc2", "fc_mu"), 11, 3, [256, 256]),
]
MODELS = [
    ("tqc-Hopper-v3.zip", "TQC", 11, 3, "relu", False),
    ("sac-Swimmer-v3.zip", "SAC", 8, 2, "relu", False),
    ("ppo-HalfCheetah-v3/HalfCheetah-v3.zip", "PPO", 17, 6, "relu", True),
    ("trpo-Walker2d-v3/Walker2d-v3.zip", "TRPO", 17, 6, "tanh", True),
]


@pytest.mark.parametrize(
    ("name", "layers", "inputs", "outputs", "hidden"), ACTORS, ids=[case[0] for case in ACTORS]
)
def test_state_dict_actors(
    policies: Path, name: str, layers: tuple[str, ...], inputs: int, outputs: int, hidden: list[int]
) -> None:
    path = policies / "td3_style" / name
    policy = load_policy(
        path, environment=EnvironmentFacts("", inputs, 1000, -np.ones(outputs), np.ones(outputs))
    )
    assert [layer.outputs for layer in policy.layers] == [*hidden, outputs]
    assert [layer.activation for layer in policy.layers] == ["relu", "relu", "identity"]
    stored = torch.load(path, weights_only=True, map_location="cpu")
    observations = np.random.default_rng(0).normal(size=(64, inputs))
    exact, rounded = (
        torch.from_numpy(observations).to(dtype) for dtype in (torch.float64, torch.float32)
    )
    for index, layer in enumerate(layers):
        if index == len(layers) - 1:
            squash = torch.tanh
        else:
            squash = torch.relu
        weight = stored[f"{layer}.weight"]
        bias = stored[f"{layer}.bias"]
        exact, rounded = (
            squash(
                torch.nn.functional.linear(values, weight.to(values.dtype), bias.to(values.dtype))
            )
            for values in (exact, rounded)
        )
    assert (
        np.abs(policy.action.apply(policy.forward(observations)[-1]) - exact.numpy()).max() < 1e-9
    )
    # In float32 two orders of summation differ by as much as rounding does; saturated actors
    # amplify it.
    assert np.abs(policy.act(observations) - rounded.numpy()).max() < 1e-4
    assert any("neuron1.thre, neuron1.act_buffer" in text for text in policy.provenance.assumptions)
    with pytest.raises(InputError, match="does not carry the action limit"):
        load_policy(path)


@pytest.mark.parametrize(
    ("name", "algorithm", "inputs", "outputs", "activation", "normalized"),
    MODELS,
    ids=[case[0].split("/")[0] for case in MODELS],
)
def test_stable_baselines3_zips(
    policies: Path,
    name: str,
    algorithm: str,
    inputs: int,
    outputs: int,
    activation: str,
    normalized: bool,
) -> None:
    path = policies / "sb3" / name
    policy = load_policy(path)
    assert policy.provenance.family == algorithm
    assert (policy.observation.size, policy.action.size) == (inputs, outputs)
    assert policy.layers[0].activation == activation
    assert policy.provenance.normalizer_file == ("vecnormalize.pkl" if normalized else "")
    trained = library_model(path, algorithm, inputs, outputs)
    observations = np.random.default_rng(0).normal(size=(64, inputs))
    features = observations
    if normalized:
        statistics = library_normalizer(path.parent / "vecnormalize.pkl", inputs)
        features = np.clip(
            (observations - statistics.mean) / np.sqrt(statistics.var + 1e-8), -10.0, 10.0
        )
    expected = trained.predict(features, deterministic=True)[0]
    assert np.ptp(expected, axis=0).min() > 0.1
    assert np.abs(policy.act(observations) - expected).max() / 2.0 <= 1e-5


def test_hints_for_the_ids_that_gymnasium_removed(policies: Path) -> None:
    path = policies / "sb3" / "tqc-Hopper-v3.zip"
    with pytest.raises(
        InputError,
        match=(
            r"got 11 inputs, limit 17 observation channels of Walker2d-v5\).*--env Hopper-v4 or"
            r" --env Hopper-v5"
        ),
    ):
        load_policy(path, environment=EnvironmentFacts("Walker2d-v5", 17, 1000))


@pytest.mark.parametrize(
    "name",
    ["popsan/model0_e100_mean_var.p", "sb3/ppo-HalfCheetah-v3/vecnormalize.pkl", "sb3/LICENSE"],
)
def test_what_is_no_policy(policies: Path, name: str) -> None:
    with pytest.raises(
        InputError, match="a raw pickle is never loaded as a checkpoint|unknown content"
    ):
        load_policy(policies / name)


def library_model(path: Path, algorithm: str, inputs: int, outputs: int) -> Any:
    """The zip as the library loads it.

    What its old pickles hold is replaced, as their modules are gone.
    """
    gymnasium = pytest.importorskip("gymnasium")
    stable_baselines3 = pytest.importorskip("stable_baselines3")
    sb3_contrib = pytest.importorskip("sb3_contrib")
    kind = getattr(stable_baselines3, algorithm, None) or getattr(sb3_contrib, algorithm)
    replaced = {
        name: None
        for name in (
            "ep_info_buffer",
            "ep_success_buffer",
            "_last_obs",
            "_last_original_obs",
            "_last_episode_starts",
        )
    }
    replaced |= {
        name: 0.0 for name in ("learning_rate", "lr_schedule", "clip_range", "target_entropy")
    }
    replaced |= {
        "observation_space": gymnasium.spaces.Box(-np.inf, np.inf, (inputs,), np.float64),
        "action_space": gymnasium.spaces.Box(-1.0, 1.0, (outputs,)),
        "lr_schedule": lambda _: 0.0,
        "clip_range": lambda _: 0.2,
        "buffer_size": 1,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind.load(path, device="cpu", custom_objects=replaced)


def library_normalizer(path: Path, inputs: int) -> Any:
    """The statistics of a VecNormalize pickle, unpickled by the library (the file is known and
    trusted).
    """
    import pickle
    import sys
    import types

    gymnasium = pytest.importorskip("gymnasium")
    replaced = {
        "gym": types.ModuleType("gym"),
        "gym.spaces": gymnasium.spaces,
        "gym.spaces.box": gymnasium.spaces.box,
    }
    before = {name: sys.modules.get(name) for name in replaced}
    sys.modules.update(replaced)
    try:
        with path.open("rb") as stream, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pickle.load(stream).obs_rms
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
