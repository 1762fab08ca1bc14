"""Reader of Stable-Baselines3 and sb3-contrib models.

They are TD3, DDPG, SAC, TQC, PPO, A2C, TRPO, DQN and QR-DQN. The deterministic action is that of
`model.predict(observation, deterministic=True)`: TD3 and DDPG, SAC and TQC unscale a tanh to the
action bounds; PPO, A2C and TRPO clip the output to them (or unscale a tanh with gSDE's
squash_output). In a Discrete space PPO, A2C and TRPO choose the largest logit, DQN the largest
value, QR-DQN the largest mean of its quantiles.
"""

from __future__ import annotations

from collections.abc import Mapping

from spikeport.toolchain.contracts import ActionContract
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import CHECKPOINT_LIMIT, FileContent
from spikeport.toolchain.files.zip_archive import open_archive, read_member
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.readers.containers import zip_members
from spikeport.toolchain.readers.facts.action_reader import (
    Bounds,
    bounded_action,
    discrete_action,
    limited_bounds,
)
from spikeport.toolchain.readers.facts.observation_reader import read_observation
from spikeport.toolchain.readers.facts.space_text import BoxText, DiscreteText
from spikeport.toolchain.readers.pickles.tensors import load_torch
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions
from spikeport.toolchain.readers.sb3.sb3_facts import (
    GSDE_CLIP,
    ON_POLICY,
    VALUES,
    Sb3Facts,
    read_facts,
    refuse,
)
from spikeport.toolchain.readers.sb3.sb3_network import Sb3Network, read_network, unsupported_parts
from spikeport.toolchain.readers.sb3.spiking_zip import MEMBER, MEMBER_LIMIT, read_spiking_zip

DATA_LIMIT = 64 * 2**20  # bytes of JSON text


def read_sb3_zip(content: FileContent, options: ReadOptions) -> Policy | SpikingPolicy:
    """Read the policy of a model zip; a spiking one where it has a `spiking_policy.json`.

    Raises InputError for damaged or unsupported models, and where file, options and environment
    disagree.
    """
    where = content.name
    with open_archive(content.data, where, CHECKPOINT_LIMIT) as archive:
        data = read_member(archive, "data", where, DATA_LIMIT)
        weights = read_member(archive, "policy.pth", where, CHECKPOINT_LIMIT)
        spiking = None
        if MEMBER in archive.namelist():
            spiking = read_member(archive, MEMBER, where, MEMBER_LIMIT)
    if spiking is not None:
        return read_spiking_zip(content, spiking, weights, options)
    facts = read_facts(data, where)
    network = _network(weights, facts, where)
    assumptions: list[str] = []
    activation = _activation(network, facts, options, assumptions, where)
    last = len(network.layers) - 1
    layers = tuple(
        DenseLayer(weight, bias, "identity" if index == last else activation)
        for index, (_, weight, bias) in enumerate(network.layers)
    )
    if facts.observation is not None and facts.observation.size != layers[0].inputs:
        raise InputError(
            where,
            "data and policy.pth do not belong together",
            got=f"{layers[0].inputs} inputs",
            limit=f"{facts.observation.size} channels of the recorded observation space",
            fix="save the model again with model.save()",
        )
    squash = _squash(facts, options, where)
    outputs = layers[-1].outputs
    bounds = None
    action = None
    if squash == "argmax":
        action = _choice(outputs, facts, options, where)
    if not action:
        bounds = _bounds(outputs, facts, options, where)
    observation, normalizer = read_observation(
        layers[0].inputs, content, options, assumptions, zoo=True, hints=facts.hints
    )
    if bounds is not None:
        action = bounded_action(outputs, squash, bounds, _mean_limit(network, facts, assumptions))
    assert action is not None
    provenance = Provenance(
        where,
        content.sha256,
        "stable-baselines3",
        network.algorithm,
        tuple(assumptions),
        normalizer.name if normalizer else "",
        normalizer.sha256 if normalizer else "",
    )
    return Policy(layers, observation, action, provenance)


def _network(weights: bytes, facts: Sb3Facts, where: str) -> Sb3Network:
    """Return the actor in policy.pth; InputError for whatever is not supported."""
    saved = load_torch(weights, f"{where} (policy.pth)")
    if not isinstance(saved, Mapping) or not all(isinstance(key, str) for key in saved):
        raise InputError(
            f"{where} (policy.pth)",
            "not a state_dict",
            got=f"a {type(saved).__name__}",
            limit="names and tensors",
            fix="save the model again with model.save()",
        )
    refuse(facts, unsupported_parts(saved, facts), where)
    return read_network(saved, facts, where)


def _activation(
    network: Sb3Network, facts: Sb3Facts, options: ReadOptions, assumptions: list[str], where: str
) -> str:
    """The hidden layers' activation: the file's, else the caller's, else the library's default."""
    if facts.activation is not None:
        if options.activation not in (None, facts.activation):
            raise InputError(
                where,
                "--activation differs from what the file records",
                got=options.activation,
                limit=facts.activation,
                fix="leave --activation out",
            )
        return facts.activation
    if options.activation is not None:
        return options.activation
    if facts.module in ON_POLICY:
        default = "tanh"
    else:
        default = "relu"
    if len(network.layers) > 1:
        assumptions.append(
            f"assumed by family: activation {default} ({network.algorithm} default of"
            " Stable-Baselines3, the file records none)"
        )
    return default


def _squash(facts: Sb3Facts, options: ReadOptions, where: str) -> str:
    """Return `tanh`, `clip` or `argmax`, by algorithm and action space.

    InputError where the caller says otherwise.
    """
    if facts.squash_output and not (facts.use_sde and facts.module in ON_POLICY):
        raise InputError(
            f"{where} (data)",
            "squash_output is only known with gSDE",
            got="squash_output true, use_sde false",
            limit="both true",
            fix="train with use_sde=True",
        )
    if facts.module not in ON_POLICY or facts.squash_output:
        squash = "tanh"
    else:
        squash = "clip"
    if facts.module in VALUES or isinstance(facts.action, DiscreteText):
        squash = "argmax"
    if options.squash not in (None, squash):
        raise InputError(
            where,
            "--squash differs from what the policy does",
            got=options.squash,
            limit=squash,
            fix="leave --squash out",
        )
    return squash


def _choice(size: int, facts: Sb3Facts, options: ReadOptions, where: str) -> ActionContract:
    """The contract of a discrete action whose space, outputs and environment agree."""
    if facts.action is not None and facts.action.size != size:
        raise InputError(
            where,
            "data and policy.pth do not belong together",
            got=f"{size} outputs",
            limit=f"{facts.action.size} choices of the recorded action space",
            fix="save the model again with model.save()",
        )
    return discrete_action(size, options, where, facts.hints)


def _bounds(size: int, facts: Sb3Facts, options: ReadOptions, where: str) -> Bounds:
    """The action bounds that file, environment and --action-limit agree on."""
    recorded = None
    if facts.action is not None:
        if facts.action.size != size:
            raise InputError(
                where,
                "data and policy.pth do not belong together",
                got=f"{size} outputs",
                limit=f"{facts.action.size} channels of the recorded action space",
                fix="save the model again with model.save()",
            )
        if (
            isinstance(facts.action, BoxText)
            and facts.action.low is not None
            and facts.action.high is not None
        ):
            recorded = (facts.action.low, facts.action.high)
    return limited_bounds(size, recorded, options, where, facts.hints)


def _mean_limit(network: Sb3Network, facts: Sb3Facts, assumptions: list[str]) -> float | None:
    """What gSDE clips the mean to before its tanh, None where it does not."""
    if not network.clips_mean:
        return None
    if facts.clip_mean is None:
        assumptions.append(
            f"assumed by family: gSDE clips the mean to +-{GSDE_CLIP:g} before tanh"
            f" ({network.algorithm} default of Stable-Baselines3, the file records none)"
        )
        return GSDE_CLIP
    return facts.clip_mean


def is_sb3_zip(content: FileContent) -> bool:
    """Tell whether a file is a model's zip, of Stable-Baselines3 and not of its predecessor."""
    members = zip_members(content)
    predecessor = "parameters" in members or "parameter_list" in members
    return "policy.pth" in members or ("data" in members and not predecessor)


READER = Reader("a Stable-Baselines3 zip", is_sb3_zip, read_sb3_zip)
