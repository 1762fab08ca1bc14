"""Stable-Baselines3 zips of models that are not the library's own are refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import model

pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

FOREIGN = [
    (
        "RecurrentPPO",
        "MlpLstmPolicy",
        "flat",
        "box",
        (
            r"2 problems: a recurrent policy \(RecurrentPPO\) is not supported; an LSTM .*Fix:"
            r" train PPO on an"
        ),
    ),
    (
        "MaskablePPO",
        "MlpPolicy",
        "flat",
        "discrete",
        (
            r"a policy with action masks \(MaskablePPO\) is not supported.*Fix: train PPO without"
            r" masks"
        ),
    ),
    (
        "CrossQ",
        "MlpPolicy",
        "flat",
        "box",
        r"a CrossQ policy \(batch normalisation\) is not supported",
    ),
    ("ARS", "MlpPolicy", "flat", "box", "an ARS policy is not supported"),
    (
        "PPO",
        "MlpPolicy",
        "flat",
        "bits",
        "action_space is a multi-binary space, only a flat Box or a Discrete is supported",
    ),
    (
        "DQN",
        "CnnPolicy",
        "image",
        "discrete",
        (
            r"2 problems: observation_space has the shape \[3, 36, 36\].*; a features extractor"
            r" with parameters"
        ),
    ),
    ("PPO", "MlpPolicy", "flat", "several", "action_space is a multi-discrete space"),
    (
        "A2C",
        "MlpPolicy",
        "grid",
        "box",
        r"observation_space has the shape \[2, 3\], only one dimension",
    ),
    (
        "SAC",
        "MultiInputPolicy",
        "dict",
        "box",
        "observation_space is a dict of observations, only a flat Box",
    ),
    (
        "PPO",
        "CnnPolicy",
        "image",
        "box",
        r"observation_space has the shape \[3, 36, 36\], only one dimension",
    ),
    ("PPO", "MlpPolicy", "number", "box", "observation_space is a discrete space"),
]


@pytest.mark.parametrize(
    ("algorithm", "policy", "observation", "action", "text"),
    FOREIGN,
    ids=lambda value: value if value.isalnum() else "",
)
def test_foreign_models_are_refused_by_name(
    tmp_path: Path, algorithm: str, policy: str, observation: str, action: str, text: str
) -> None:
    from gymnasium import spaces

    observations = {
        "flat": spaces.Box(-1.0, 1.0, (4,)),
        "grid": spaces.Box(-1.0, 1.0, (2, 3)),
        "dict": spaces.Dict({"a": spaces.Box(-1.0, 1.0, (2,))}),
        "image": spaces.Box(0, 255, (3, 36, 36), np.uint8),
        "number": spaces.Discrete(4),
    }
    actions = {
        "box": spaces.Box(-1.0, 1.0, (2,)),
        "discrete": spaces.Discrete(3),
        "several": spaces.MultiDiscrete([2, 3]),
        "bits": spaces.MultiBinary(3),
    }
    model(
        algorithm, policy, observation_space=observations[observation], action_space=actions[action]
    ).save(tmp_path / "model.zip")
    with pytest.raises(InputError, match=text):
        load_policy(tmp_path / "model.zip")
