"""Stable-Baselines3 zips that must be refused, each by the name of what is not supported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import edit_json, edit_tensors, model

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")


def saved(tmp_path: Path, algorithm: str) -> Path:
    model(algorithm).save(tmp_path / "model.zip")
    return tmp_path / "model.zip"


REFUSED = [
    (
        "arguments",
        "PPO",
        lambda data: data.update(policy_kwargs=[1]),
        "policy_kwargs is a list, so the activation is not known",
    ),
    (
        "no arguments",
        "PPO",
        lambda data: data.pop("policy_kwargs"),
        "policy_kwargs is missing, so the activation is not known",
    ),
    (
        "policy",
        "PPO",
        lambda data: data["policy_class"].update(__module__="my_policies"),
        r"model\.zip \(data\): the policy class comes from my_policies, a custom policy is not",
    ),
    (
        "unnamed",
        "PPO",
        lambda data: data.pop("policy_class"),
        "the policy class comes from an unnamed module",
    ),
    (
        "recurrent",
        "PPO",
        lambda data: data["policy_class"].update(
            __module__="sb3_contrib.common.recurrent.policies"
        ),
        r"a recurrent policy \(RecurrentPPO\) is not supported",
    ),
    (
        "crossq",
        "SAC",
        lambda data: data["policy_class"].update(__module__="sb3_contrib.crossq.policies"),
        r"a CrossQ policy \(batch normalisation\) is not supported",
    ),
    (
        "activation",
        "PPO",
        lambda data: data["policy_kwargs"].update(
            activation_fn="<class 'torch.nn.modules.activation.Mish'>"
        ),
        "unknown activation <class .*Mish.*known are ReLU, Tanh, ELU",
    ),
    (
        "partial",
        "PPO",
        lambda data: data["policy_kwargs"].update(
            activation_fn="functools.partial(<class 'torch.nn.modules.activation.LeakyReLU'>, 0.2)"
        ),
        r"unknown activation functools\.partial",
    ),
    (
        "extractor",
        "PPO",
        lambda data: data["policy_kwargs"].update(features_extractor_class="<class 'mine.Net'>"),
        "the features extractor <class .*mine.Net.* is not supported, only FlattenExtractor",
    ),
    (
        "argument",
        "PPO",
        lambda data: data["policy_kwargs"].update(dropout=0.1, extra=1),
        r"2 problems: unknown policy argument dropout; unknown policy argument extra",
    ),
    (
        "discrete",
        "SAC",
        lambda data: data["action_space"].update(
            {":type:": "<class 'gymnasium.spaces.discrete.Discrete'>", "n": "3"}
        ),
        "action_space is a discrete space, these actors are continuous",
    ),
    (
        "choices",
        "PPO",
        lambda data: data["action_space"].update(
            {":type:": "<class 'gymnasium.spaces.discrete.Discrete'>", "n": "4", "start": "0"}
        ),
        (
            r"data and policy\.pth do not belong together \(got 3 outputs, limit 4 choices of the"
            r" recorded action space"
        ),
    ),
    (
        "start",
        "PPO",
        lambda data: data.update(
            action_space={
                ":type:": "<class 'gymnasium.spaces.discrete.Discrete'>",
                "n": "x",
                "start": "-1",
            }
        ),
        "action_space has x choices counted from -1, at least one counted from 0 is supported",
    ),
    (
        "multi",
        "PPO",
        lambda data: data["action_space"].update(
            {":type:": "<class 'gym.spaces.multi_discrete.MultiDiscrete'>"}
        ),
        "action_space is a multi-discrete space, only a flat Box or a Discrete is supported",
    ),
    (
        "dict",
        "SAC",
        lambda data: data["observation_space"].update(
            {":type:": "<class 'gymnasium.spaces.dict.Dict'>"}
        ),
        "observation_space is a dict of observations, only a flat Box",
    ),
    (
        "image",
        "SAC",
        lambda data: data["observation_space"].update(_shape=[84, 84, 3]),
        r"observation_space has the shape \[84, 84, 3\], only one dimension is supported",
    ),
    (
        "squash",
        "PPO",
        lambda data: data["policy_kwargs"].update(squash_output=True),
        r"squash_output is only known with gSDE \(got squash_output true, use_sde false",
    ),
    (
        "several",
        "PPO",
        lambda data: (
            data.pop("policy_class"),
            data["policy_kwargs"].update(odd=1),
            data.update(use_sde="x"),
        ),
        "3 problems: ",
    ),
    (
        "sizes",
        "PPO",
        lambda data: data["observation_space"].update(_shape=[9]),
        (
            r"data and policy\.pth do not belong together \(got 5 inputs, limit 9 channels of the"
            r" recorded observation space"
        ),
    ),
    (
        "outputs",
        "PPO",
        lambda data: data["action_space"].update(_shape=[4]),
        (
            r"data and policy\.pth do not belong together \(got 3 outputs, limit 4 channels of the"
            r" recorded action space"
        ),
    ),
    (
        "nan",
        "SAC",
        lambda data: data["action_space"].update(low="[nan -1. -1.]"),
        "action_space has bounds that are not numbers",
    ),
    (
        "order",
        "SAC",
        lambda data: data["action_space"].update(low="[ 9. -1. -1.]"),
        r"the action bounds are not usable \(got low \[9, -1, -1\]",
    ),
    (
        "infinite",
        "SAC",
        lambda data: data["action_space"].update(low="[-inf -inf -inf]", high="[inf inf inf]"),
        (
            r"the action bounds are not usable \(got low \[-inf, -inf, -inf\], high \[inf, inf,"
            r" inf\], limit finite, low < high\)"
        ),
    ),
    (
        "half",
        "PPO",
        lambda data: data["action_space"].update(low="[-inf -1. -1.]"),
        "the action bounds are not usable",
    ),
    (
        "clip_mean",
        "SAC",
        lambda data: data["policy_kwargs"].update(clip_mean=10**400),
        "clip_mean is 1000.* not a number",
    ),
]


@pytest.mark.parametrize(
    ("algorithm", "change", "text"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_refused_by_name(tmp_path: Path, algorithm: str, change: Any, text: str) -> None:
    path = saved(tmp_path, algorithm)
    with pytest.raises(InputError, match=text):
        load_policy(edit_json(path, change))


TENSORS = [
    (
        "cnn",
        "PPO",
        lambda tensors: tensors.update({"features_extractor.cnn.0.weight": torch.zeros(3)}),
        (
            r"model\.zip \(policy\.pth\): a features extractor with parameters \(a CNN or a custom"
            r" one\)"
        ),
    ),
    (
        "lstm",
        "PPO",
        lambda tensors: tensors.update({"lstm_actor.weight_ih_l0": torch.zeros(3)}),
        "an LSTM is not supported",
    ),
    (
        "q",
        "PPO",
        lambda tensors: tensors.update({"q_net.q_net.0.weight": torch.zeros(3)}),
        "a value network in a policy of another kind is not supported",
    ),
    (
        "unknown",
        "SAC",
        lambda tensors: tensors.update(
            {"actor.norm.weight": torch.zeros(3), "odd": torch.zeros(1)}
        ),
        r"2 problems: unknown key actor\.norm\.weight; unknown key odd",
    ),
    (
        "missing",
        "TD3",
        lambda tensors: tensors.pop("actor.mu.2.bias"),
        r"actor\.mu\.2\.bias is missing",
    ),
    (
        "gap",
        "SAC",
        lambda tensors: [tensors.pop(f"actor.latent_pi.0.{part}") for part in ("weight", "bias")],
        r"actor\.latent_pi\.N has the numbers \[2\], expected 0, 2, 4",
    ),
    ("none", "TD3", lambda tensors: tensors.clear(), r"actor\.mu\.0\.weight is missing"),
    (
        "integers",
        "TD3",
        lambda tensors: tensors.update({"actor.mu.2.bias": torch.zeros(300, dtype=torch.int64)}),
        r"actor\.mu\.2\.bias is torch\.int64.*dense CPU tensors",
    ),
    (
        "chain",
        "TD3",
        lambda tensors: tensors.update({"actor.mu.2.weight": torch.zeros(300, 399)}),
        r"model\.zip: layer 1 takes 399 inputs but 400 arrive",
    ),
    (
        "nan",
        "TD3",
        lambda tensors: tensors["actor.mu.4.bias"].__setitem__(1, float("nan")),
        r"layer 2 bias has 1 non-finite values, the first at \(1,\)",
    ),
]


@pytest.mark.parametrize(
    ("algorithm", "change", "text"),
    [case[1:] for case in TENSORS],
    ids=[case[0] for case in TENSORS],
)
def test_tensors_that_are_not_understood(
    tmp_path: Path, algorithm: str, change: Any, text: str
) -> None:
    path = saved(tmp_path, algorithm)
    with pytest.raises(InputError, match=text):
        load_policy(edit_tensors(path, change))
