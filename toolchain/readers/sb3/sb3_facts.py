"""The readable part of a Stable-Baselines3 zip's `data`.

It is JSON text; its pickled fields are never decoded.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, short_reason, words
from spikeport.toolchain.readers.facts.space_text import (
    BoxText,
    DiscreteText,
    read_action_space,
    read_space,
)

ON_POLICY = (
    "stable_baselines3.common.policies",
    "stable_baselines3.ppo.policies",
    "stable_baselines3.a2c.policies",
    "sb3_contrib.trpo.policies",
)
OFF_POLICY = {
    "stable_baselines3.td3.policies": ("TD3", "DDPG"),
    "stable_baselines3.ddpg.policies": ("TD3", "DDPG"),
    "stable_baselines3.sac.policies": ("SAC",),
    "sb3_contrib.tqc.policies": ("TQC",),
}
# Networks of one value per choice: the algorithm, and the prefix of its layers.
VALUES = {
    "stable_baselines3.dqn.policies": ("DQN", "q_net.q_net."),
    "sb3_contrib.qrdqn.policies": ("QRDQN", "quantile_net.quantile_net."),
}
REFUSED_MODULES = {
    "sb3_contrib.common.recurrent.policies": "a recurrent policy (RecurrentPPO)",
    "sb3_contrib.ppo_recurrent.policies": "a recurrent policy (RecurrentPPO)",
    "sb3_contrib.common.maskable.policies": "a policy with action masks (MaskablePPO)",
    "sb3_contrib.ppo_mask.policies": "a policy with action masks (MaskablePPO)",
    "sb3_contrib.crossq.policies": "a CrossQ policy (batch normalisation)",
    "sb3_contrib.ars.policies": "an ARS policy",
}
FLAT = "train a feed-forward MlpPolicy with a flat Box observation and a Box or Discrete action"
WAYS_OUT = {
    "recurrent": (
        "train PPO on an environment whose observation holds the history (FrameStackObservation and"
        " FlattenObservation, registered under an id)"
    ),
    "masks": "train PPO without masks, its network then knows which choices are allowed",
}
ACTIVATION_CLASSES = {
    "ReLU": "relu",
    "Tanh": "tanh",
    "ELU": "elu",
    "SiLU": "silu",
    "GELU": "gelu",
    "LeakyReLU": "leaky_relu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
}
FLATTEN = "<class 'stable_baselines3.common.torch_layers.FlattenExtractor'>"
# Policy arguments that are read here, or that training alone depends on.
POLICY_ARGUMENTS = frozenset(
    "net_arch activation_fn ortho_init use_sde log_std_init full_std sde_net_arch use_expln"
    " squash_output clip_mean features_extractor_class features_extractor_kwargs"
    " share_features_extractor normalize_images optimizer_class optimizer_kwargs n_critics"
    " n_quantiles".split()
)
_ACTIVATION = re.compile(r"<class 'torch\.nn\.modules\.activation\.(\w{1,40})'>")
GSDE_CLIP = 2.0  # the library's default clip_mean


@dataclass(frozen=True, eq=False)
class Sb3Facts:
    """What the JSON says, None where it says nothing.

    `training` holds its plain top-level fields, by which algorithms are told apart; `hints` may
    name the environment; `problems` is what is not supported, the file cannot be taken where there
    are any.
    """

    module: str
    activation: str | None
    use_sde: bool
    squash_output: bool
    clip_mean: float | None
    observation: BoxText | None
    action: BoxText | DiscreteText | None
    policy_arguments: dict[str, object] = field(default_factory=dict)
    training: dict[str, object] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def read_facts(data: bytes, where: str) -> Sb3Facts:
    """Read the zip's member `data`, and everything in it that is not supported.

    InputError for text that is not JSON.
    """
    saved = _json(data, f"{where} (data)")
    problems: list[str] = []
    module = _module(saved.get("policy_class"), problems)
    arguments = saved.get("policy_kwargs")
    if not isinstance(arguments, dict):
        problems.append(
            f"policy_kwargs is {'missing' if arguments is None else printable(arguments)}, so the"
            " activation is not known"
        )
        arguments = {}
    arguments = {key: value for key, value in arguments.items() if not key.startswith(":")}
    for name in arguments:
        if name not in POLICY_ARGUMENTS:
            problems.append(f"unknown policy argument {printable(name, 60)}")
    _features(arguments, problems)
    facts = Sb3Facts(
        module,
        _activation(arguments.get("activation_fn"), problems),
        _flag("use_sde", arguments.get("use_sde"), problems)
        or _flag("use_sde", saved.get("use_sde"), problems),
        _flag("squash_output", arguments.get("squash_output"), problems),
        _clip_mean(arguments.get("clip_mean"), problems),
        read_space(saved.get("observation_space"), "observation_space", problems),
        read_action_space(saved.get("action_space"), problems),
        arguments,
        {
            name: value
            for name, value in saved.items()
            if isinstance(value, (int, float, str)) or name == "clip_range"
        },
        tuple(
            value[:400]
            for name in ("tensorboard_log",)
            if isinstance(value := saved.get(name), str)
        ),
    )
    if isinstance(facts.action, DiscreteText) and module in OFF_POLICY:
        problems.append("action_space is a discrete space, these actors are continuous")
    if isinstance(facts.action, BoxText) and module in VALUES:
        problems.append("action_space is a Box, a network of values chooses from a discrete space")
    return dataclasses.replace(facts, problems=tuple(problems))


def _json(data: bytes, place: str) -> dict[str, Any]:
    refused = functools.partial(
        InputError,
        place,
        "not the JSON of a Stable-Baselines3 model",
        fix="save the model again with model.save()",
    )
    try:
        saved = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise refused(why=short_reason(error)) from None
    if not isinstance(saved, dict):
        raise refused(got=f"a {type(saved).__name__}", limit="an object")
    return saved


def refuse(facts: Sb3Facts, parts: Iterable[str], where: str) -> None:
    """Raise InputError that lists everything unsupported in a model.

    Args:
        facts: What `data` says.
        parts: What is not supported in policy.pth.
        where: The file, for errors.
    """
    problems = [*facts.problems, *(f"{name} is not supported" for name in parts)]
    if problems:
        fixes = [
            fix for word, fix in WAYS_OUT.items() if any(word in problem for problem in problems)
        ]
        place = f"{where} ({'data' if facts.problems else 'policy.pth'})"
        raise violations(
            place, problems, why="the action would not be the trained policy's", fix=fixes or FLAT
        )


def _module(entry: object, problems: list[str]) -> str:
    if isinstance(entry, dict):
        module = words(entry.get("__module__"))
    else:
        module = ""
    if module in REFUSED_MODULES:
        problems.append(f"{REFUSED_MODULES[module]} is not supported")
    elif module not in ON_POLICY and module not in OFF_POLICY and module not in VALUES:
        problems.append(
            f"the policy class comes from {printable(module, 80) or 'an unnamed module'}, a custom"
            " policy is not supported"
        )
    return module


def _features(arguments: dict[str, object], problems: list[str]) -> None:
    extractor = arguments.get("features_extractor_class")
    if extractor is not None and extractor != FLATTEN:
        problems.append(
            f"the features extractor {printable(extractor, 100)} is not supported, only"
            " FlattenExtractor"
        )
    if arguments.get("features_extractor_kwargs"):
        problems.append("features_extractor_kwargs are not supported")


def _activation(text: object, problems: list[str]) -> str | None:
    if text is None:
        return None
    found = _ACTIVATION.fullmatch(words(text))
    if found:
        name = ACTIVATION_CLASSES.get(found.group(1))
    else:
        name = None
    if name is None:
        problems.append(
            f"unknown activation {printable(text, 100)}, known are {', '.join(ACTIVATION_CLASSES)}"
            " of torch.nn with their default parameters"
        )
    return name


def _flag(name: str, value: object, problems: list[str]) -> bool:
    if value is not None and not isinstance(value, bool):
        problems.append(f"{name} is {printable(value, 40)}, neither true nor false")
    return value is True


def _clip_mean(value: object, problems: list[str]) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e9:
        problems.append(f"clip_mean is {printable(value, 40)}, not a number")
        return None
    return float(value)
