"""Which tensors of a Stable-Baselines3 policy are its actor, and which algorithm trained it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable
from spikeport.toolchain.readers.facts.space_text import DiscreteText
from spikeport.toolchain.readers.pickles.tensors import to_float32
from spikeport.toolchain.readers.sb3.sb3_facts import OFF_POLICY, ON_POLICY, VALUES, Sb3Facts
from spikeport.toolchain.readers.torch.families import layer, numbered_layers

# Critics, targets, standard deviations and exploration noise: the deterministic action does not
# depend on them.
_UNUSED = {
    "on": re.compile(r"(mlp_extractor\.)?value_net\..*|log_std|sde_features_extractor\..*"),
    "off": re.compile(
        r"(actor_target|critic|critic_target)\..*|actor\.log_std(\.(weight|bias))?"
        r"|actor\.sde_features_extractor\..*"
    ),
    "values": re.compile(r"(q_net_target|quantile_net_target)\..*"),
}
_REFUSED = (
    (
        re.compile(r"(.*\.)?(features_extractor|pi_features_extractor|vf_features_extractor)\..*"),
        "a features extractor with parameters (a CNN or a custom one)",
    ),
    (re.compile(r"lstm_(actor|critic)\..*"), "an LSTM"),
)
_VALUE_NETWORK = re.compile(r"(q_net|q_net_target|quantile_net|quantile_net_target)\..*")

NamedLayer = tuple[str, NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Sb3Network:
    """The actor's linear layers in order, as (name, weight [out, in], bias [out]).

    `clips_mean`: gSDE clips the output to +-clip_mean before its tanh.
    """

    algorithm: str
    layers: tuple[NamedLayer, ...]
    clips_mean: bool


def unsupported_parts(saved: Mapping[str, object], facts: Sb3Facts) -> list[str]:
    """What the names in policy.pth show that is no feed-forward actor."""
    refused = {name for key in saved for pattern, name in _REFUSED if pattern.fullmatch(key)}
    if facts.module not in VALUES and any(_VALUE_NETWORK.fullmatch(key) for key in saved):
        refused.add("a value network in a policy of another kind")
    return sorted(refused)


def read_network(saved: Mapping[str, object], facts: Sb3Facts, where: str) -> Sb3Network:
    """Return the actor among the tensors of policy.pth.

    Args:
        saved: The names and tensors of policy.pth.
        facts: What the zip's `data` says.
        where: The file, for errors.

    Raises:
        InputError: For keys that are not understood or missing.
    """
    place = f"{where} (policy.pth)"
    if facts.module in ON_POLICY:
        kind = "on"
    elif facts.module in VALUES:
        kind = "values"
    else:
        kind = "off"
    kept = [key for key in saved if not _UNUSED[kind].fullmatch(key)]
    tensors = to_float32({key: saved[key] for key in kept}, place)
    problems: list[str] = []
    clips_mean = False
    if kind == "on":
        layers = [
            *numbered_layers(tensors, "mlp_extractor.shared_net.", problems),
            *numbered_layers(tensors, "mlp_extractor.policy_net.", problems),
            layer(tensors, "action_net", problems),
        ]
    elif kind == "values":
        prefix = VALUES[facts.module][1]
        layers = numbered_layers(tensors, prefix, problems)
        if not layers:
            problems.append(f"{prefix}0.weight is missing")
    elif "TD3" in OFF_POLICY[facts.module]:
        layers = numbered_layers(tensors, "actor.mu.", problems)
        if not layers:
            problems.append("actor.mu.0.weight is missing")
    else:
        clips_mean = facts.use_sde and (facts.clip_mean is None or facts.clip_mean > 0)
        layers = [
            *numbered_layers(tensors, "actor.latent_pi.", problems),
            layer(tensors, "actor.mu.0" if clips_mean else "actor.mu", problems),
        ]
    used = {f"{name}.{part}" for name, *_ in layers for part in ("weight", "bias")}
    problems += [f"unknown key {printable(key, 60)}" for key in kept if key not in used]
    if problems:
        raise violations(
            place,
            problems,
            why=f"the tensors are not those of {facts.module}",
            fix="save the model again with model.save(), without changes to its policy class",
        )
    # a missing bias is among the problems
    complete = [(name, weight, bias) for name, weight, bias in layers if bias is not None]
    if facts.module in VALUES and isinstance(facts.action, DiscreteText):
        complete[-1] = _mean_of_quantiles(complete[-1], facts.action.size, place)
    return Sb3Network(_algorithm(facts), tuple(complete), clips_mean)


def _mean_of_quantiles(layer: NamedLayer, choices: int, place: str) -> NamedLayer:
    """The output layer with one row per choice.

    Row q * choices + k of QR-DQN is quantile q of choice k, and its value their mean.
    """
    name, weight, bias = layer
    quantiles, rest = divmod(len(bias), choices)
    if rest or quantiles == 0:
        raise InputError(
            place,
            "the outputs are not those of the recorded action space",
            got=f"{len(bias)} outputs",
            limit=f"a multiple of {choices} choices",
            fix="save the model again with model.save()",
        )
    if quantiles == 1:
        return layer
    means = (
        part.reshape(quantiles, choices, -1).astype(np.float64).mean(0).astype(np.float32)
        for part in (weight, bias)
    )
    weight, bias = means
    return name, weight, bias[:, 0]


def _algorithm(facts: Sb3Facts) -> str:
    """The algorithm's name, from the fields that only its own models have."""
    training = facts.training
    if facts.module in ON_POLICY:
        if "cg_max_steps" in training:
            return "TRPO"
        if "clip_range" in training:
            return "PPO"
        return "A2C"
    if facts.module in VALUES:
        return VALUES[facts.module][0]
    names = OFF_POLICY[facts.module]
    if len(names) == 1:
        return names[0]
    single = (
        facts.policy_arguments.get("n_critics") == 1
        and training.get("policy_delay") == 1
        and training.get("target_noise_clip") == 0.0
    )
    if single:
        return "DDPG"
    return "TD3"
