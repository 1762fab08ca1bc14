"""Stable-Baselines3 zips.

The reader's actions are the library's own `predict(deterministic=True)`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.describe import describe
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import (
    HIGH,
    LOW,
    OFF_POLICY,
    ON_POLICY,
    edit_json,
    edit_tensors,
    model,
    normalizer,
    randomize,
)

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")
TOLERANCE = 1e-5  # of the action's range


def assert_same_actions(
    policy: Policy, trained: Any, *, normalize: Any = None, scale: float = 2.0
) -> None:
    """64 random observations, actions compared relative to the width of each channel."""
    observations = np.random.default_rng(1).normal(0.0, scale, (64, policy.observation.size))
    if normalize is None:
        inputs = observations
    else:
        inputs = normalize(observations)
    expected = trained.predict(inputs, deterministic=True)[0]
    low = trained.action_space.low
    high = trained.action_space.high
    deviation = np.abs(policy.act(observations) - expected) / (high - low)
    assert deviation.max() <= TOLERANCE
    assert np.ptp(expected, axis=0).min() > 0.1  # the comparison is not of constants


def saved(tmp_path: Path, algorithm: str, **arguments: Any) -> tuple[Any, Path]:
    trained = randomize(model(algorithm, **arguments))
    trained.save(tmp_path / "model.zip")
    return trained, tmp_path / "model.zip"


CASES = [
    *((name, {}) for name in ON_POLICY + OFF_POLICY),
    *(
        (name, {"policy_kwargs": {"net_arch": [16], "activation_fn": torch.nn.ELU}})
        for name in ON_POLICY + OFF_POLICY
    ),
    *(
        ("PPO", {"policy_kwargs": {"activation_fn": getattr(torch.nn, name)}})
        for name in ("ReLU", "SiLU", "GELU", "LeakyReLU", "Sigmoid", "Softplus", "Tanh")
    ),
    ("PPO", {"policy_kwargs": {"net_arch": {"pi": [12, 7], "vf": [4]}}}),
    ("A2C", {"policy_kwargs": {"net_arch": []}}),
    (
        "SAC",
        {
            "policy_kwargs": {
                "net_arch": {"pi": [12, 9, 7], "qf": [4]},
                "activation_fn": torch.nn.Tanh,
            }
        },
    ),
    ("TD3", {"policy_kwargs": {"net_arch": []}}),
    ("TQC", {"policy_kwargs": {"net_arch": [], "n_quantiles": 5}}),
    ("PPO", {"use_sde": True}),
    ("A2C", {"use_sde": True, "policy_kwargs": {"full_std": False, "use_expln": True}}),
    ("PPO", {"use_sde": True, "policy_kwargs": {"squash_output": True}}),
    ("A2C", {"use_sde": True, "policy_kwargs": {"squash_output": True, "net_arch": [8]}}),
    ("SAC", {"use_sde": True}),
    ("TQC", {"use_sde": True}),
    ("SAC", {"use_sde": True, "policy_kwargs": {"clip_mean": 0.5}}),
    ("TQC", {"use_sde": True, "policy_kwargs": {"clip_mean": 0.0}}),
    ("SAC", {"use_sde": True, "policy_kwargs": {"net_arch": []}}),
    ("SAC", {"policy_kwargs": {"share_features_extractor": True}}),
]


@pytest.mark.parametrize(
    ("algorithm", "arguments"),
    CASES,
    ids=lambda value: (
        value if isinstance(value, str) else re.sub(r"[^\w,.]+", "-", str(value))[:60]
    ),
)
@pytest.mark.proves(direction="in", format="SB3 zip")
def test_actions_equal_predict(tmp_path: Path, algorithm: str, arguments: dict[str, Any]) -> None:
    trained, path = saved(tmp_path, algorithm, **arguments)
    policy = load_policy(path)
    assert policy.provenance.family == algorithm
    assert policy.provenance.format == "stable-baselines3"
    assert_same_actions(policy, trained)
    given = load_policy(path, environment=EnvironmentFacts("Still-v0", 5, 100, LOW, HIGH))
    assert_same_actions(given, trained)


@pytest.mark.parametrize("algorithm", ["PPO", "SAC"])
@pytest.mark.parametrize("place", ["vecnormalize.pkl", "model/vecnormalize.pkl", "elsewhere.pkl"])
def test_normalizer_is_found_and_applied(tmp_path: Path, algorithm: str, place: str) -> None:
    trained, path = saved(tmp_path, algorithm)
    (tmp_path / "model").mkdir()
    wrapped = normalizer(tmp_path / place, 5, clip_obs=1.5, epsilon=1e-3)
    policy = load_policy(path, normalizer=tmp_path / place if place == "elsewhere.pkl" else None)
    assert (policy.observation.clip, policy.observation.epsilon) == (1.5, 1e-3)
    assert policy.provenance.normalizer_file == Path(place).name
    assert len(policy.provenance.normalizer_sha256) == 64
    assert_same_actions(policy, trained, normalize=wrapped.normalize_obs)
    plain = load_policy(path, normalizer="none")
    assert plain.provenance.normalizer_file == ""
    assert not any("normalised" in text for text in plain.provenance.assumptions)
    assert_same_actions(plain, trained)


def test_normalizer_without_observations_changes_nothing(tmp_path: Path) -> None:
    trained, path = saved(tmp_path, "PPO")
    normalizer(tmp_path / "vecnormalize.pkl", 5, norm_obs=False)
    policy = load_policy(path)
    assert policy.observation.mean is None
    assert policy.provenance.normalizer_file == "vecnormalize.pkl"
    assert_same_actions(policy, trained)


def test_normalizer_of_another_policy(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "PPO")
    normalizer(tmp_path / "vecnormalize.pkl", 6)
    with pytest.raises(
        InputError,
        match=(
            r"vecnormalize\.pkl: the normaliser does not fit the policy \(got 6 channels, limit 5"
            r" inputs of model\.zip\).*--normalizer none"
        ),
    ):
        load_policy(path)


def test_several_normalizers(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "PPO")
    normalizer(tmp_path / "vecnormalize.pkl", 5)
    normalizer(tmp_path / "vec_normalize.pkl", 5, seed=2)
    with pytest.raises(
        InputError,
        match=(
            r"model\.zip: several normalisers lie beside the checkpoint \(got vecnormalize\.pkl,"
            r" vec_normalize\.pkl.*--normalizer FILE"
        ),
    ):
        load_policy(path)


def test_assumptions_are_only_what_the_file_does_not_say(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "TQC", use_sde=True)
    texts = load_policy(path).provenance.assumptions
    assert [
        re.match(pattern, text) is not None
        for pattern, text in zip(
            (
                r"assumed by family: activation relu"
                r" \(TQC default of Stable-Baselines3, the file records none\)",
                r"assumed by family: observations are not normalised"
                r" \(no vecnormalize\.pkl beside model\.zip\)",
                r"assumed by family: gSDE clips the mean to \+-2 before tanh",
            ),
            texts,
            strict=True,
        )
    ] == [True] * 3
    _, path = saved(tmp_path, "PPO", policy_kwargs={"activation_fn": torch.nn.Tanh})
    assert load_policy(path, normalizer="none").provenance.assumptions == ()
    _, path = saved(tmp_path, "PPO")
    assert load_policy(path, normalizer="none", activation="relu").layers[0].activation == "relu"


def test_description_is_json(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "SAC", use_sde=True)
    normalizer(tmp_path / "vecnormalize.pkl", 5)
    told = json.loads(json.dumps(describe(load_policy(path)), allow_nan=False))
    assert told["family"] == "SAC"
    assert told["layers"][0] == {"inputs": 5, "outputs": 256, "activation": "relu"}
    assert told["layers"][-1]["activation"] == "identity"
    assert told["macs"] == 5 * 256 + 256 * 256 + 256 * 3
    assert told["observation"]["normalizer"]["file"] == "vecnormalize.pkl"
    assert told["action"]["squash"] == "tanh"
    assert str(tmp_path) not in json.dumps(told)


def test_time_feature(tmp_path: Path) -> None:
    trained, path = saved(tmp_path, "PPO", size=6)
    wrapped = normalizer(tmp_path / "vecnormalize.pkl", 6)
    policy = load_policy(path, environment=EnvironmentFacts("Still-v0", 5, 200, LOW, HIGH))
    assert policy.observation.size == 5
    assert any(
        re.match(
            r"assumed by family: input 6 is the remaining time 1 - decision / 200 \(RL Zoo"
            r" TimeFeatureWrapper; .*6 inputs, Still-v0 5",
            text,
        )
        for text in policy.provenance.assumptions
    )
    observations = np.random.default_rng(0).normal(size=(64, 5))
    decisions = np.arange(64)
    full = np.concatenate([observations, 1 - decisions[:, None] / 200], axis=1)
    expected = trained.predict(wrapped.normalize_obs(full), deterministic=True)[0]
    assert np.abs(policy.act(observations, decisions) - expected).max() < 1e-5
    with pytest.raises(
        InputError,
        match=(
            r"episode's length is not known \(got 6 inputs, limit 5 observation channels of"
            r" Still-v0\)"
        ),
    ):
        load_policy(path, environment=EnvironmentFacts("Still-v0", 5))


@pytest.mark.parametrize(
    ("name", "identifier", "fix"),
    [
        ("Ant-v3.zip", "Ant-v5", "--env Ant-v4, the one whose shapes fit"),
        ("Ant-v3.zip", "", "--env Ant-v4 or --env Ant-v5, the one"),
        ("sac_Ant-v4.zip", "Ant-v5", "--env Ant-v4, "),
        ("Door-v1.zip", "Lock-v2", "--env Door-v1, "),
        ("model.zip", "Ant-v5", "--env with the environment that the policy was trained in"),
    ],
)
def test_wrong_observation_size(tmp_path: Path, name: str, identifier: str, fix: str) -> None:
    _, path = saved(tmp_path, "SAC")
    path = path.rename(tmp_path / name)
    with pytest.raises(
        InputError,
        match=re.escape(
            f"{name}: the policy does not fit the environment (got 5 inputs, limit 8 observation"
            f" channels of {identifier or 'the environment'})"
        ),
    ) as caught:
        load_policy(path, environment=EnvironmentFacts(identifier, 8, 1000, LOW, HIGH))
    assert caught.value.fix.startswith(fix)


def test_the_log_folder_names_the_environment(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "SAC")
    edit_json(path, lambda data: data.update(tensorboard_log="logs/sac/Hopper-v3"))
    with pytest.raises(InputError, match="--env Hopper-v4 or --env Hopper-v5"):
        load_policy(path, environment=EnvironmentFacts("", 8))


BOUNDS = [
    (
        "differ",
        {"environment": EnvironmentFacts("E-v1", 5, None, LOW, HIGH + 1)},
        (
            r"model\.zip: the checkpoint and E-v1 give different action bounds \(got high \[1\.7,"
            r" .*limit high \[2\.7"
        ),
    ),
    (
        "count",
        {"environment": EnvironmentFacts("E-v1", 5, None, LOW[:2], HIGH[:2])},
        r"actions do not fit the environment \(got 3 outputs, limit 2 action channels of E-v1",
    ),
    (
        "squash",
        {"squash": "clip"},
        r"--squash differs from what the policy does \(got clip, limit tanh\)",
    ),
    (
        "limit",
        {"action_limit": 1.0},
        r"--action-limit differs from the action bounds \(got 1\.0, limit low",
    ),
    ("limit text", {"action_limit": "x"}, r"--action-limit is not a number \(got 'x'\)"),
]


@pytest.mark.parametrize(("label", "options", "text"), BOUNDS, ids=[case[0] for case in BOUNDS])
def test_disagreements(tmp_path: Path, label: str, options: dict[str, Any], text: str) -> None:
    _, path = saved(tmp_path, "SAC")
    with pytest.raises(InputError, match=text):
        load_policy(path, **options)


def test_activation_option_against_the_file(tmp_path: Path) -> None:
    _, path = saved(tmp_path, "SAC", policy_kwargs={"activation_fn": torch.nn.ELU})
    with pytest.raises(
        InputError, match=r"--activation differs from what the file records \(got relu, limit elu\)"
    ):
        load_policy(path, activation="relu")


def test_many_channels(tmp_path: Path) -> None:
    wide = np.linspace(-3, -1, 40).astype(np.float32)
    trained, path = saved(tmp_path, "TD3", low=wide, high=-wide[::-1] / 7)
    assert_same_actions(load_policy(path), trained)


def test_abridged_bounds_come_from_the_environment(tmp_path: Path) -> None:
    trained, path = saved(tmp_path, "SAC")
    edit_json(path, lambda data: data["action_space"].update(low="[-0.4 ... -1.]"))
    with pytest.raises(
        InputError,
        match=(
            r"the action bounds are not readable in the checkpoint\. Fix: --env ID or --action-low"
            r" and --action-high"
        ),
    ):
        load_policy(path)
    assert_same_actions(
        load_policy(path, environment=EnvironmentFacts(action_low=LOW, action_high=HIGH)), trained
    )


def test_spaces_as_one_line_of_text(tmp_path: Path) -> None:
    trained, path = saved(tmp_path, "SAC", low=-np.ones(2, np.float32), high=np.ones(2, np.float32))
    edit_json(
        path,
        lambda data: data.update(
            action_space="Box(-1.0, 1.0, (2,), float32)",
            observation_space="Box(-inf, inf, (5,), float64)",
        ),
    )
    assert_same_actions(load_policy(path), trained)


def test_shared_layers_of_old_versions(tmp_path: Path) -> None:
    """net_arch=[7, dict(pi=[6], vf=[])] of versions before 1.8: the shared layers come first."""
    trained, path = saved(tmp_path, "PPO", policy_kwargs={"net_arch": {"pi": [7, 6], "vf": [7]}})

    def share(tensors: dict[str, Any]) -> None:
        for part in ("weight", "bias"):
            tensors[f"mlp_extractor.shared_net.0.{part}"] = tensors.pop(
                f"mlp_extractor.policy_net.0.{part}"
            )
            tensors[f"mlp_extractor.policy_net.0.{part}"] = tensors.pop(
                f"mlp_extractor.policy_net.2.{part}"
            )

    assert_same_actions(load_policy(edit_tensors(path, share)), trained)
