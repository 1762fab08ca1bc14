"""Reader of torch files: state dicts, safetensors, and the checkpoints of RL libraries."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.readers.containers import (
    LEGACY_TORCH,
    SAVE_AGAIN,
    below_top,
    is_safetensors,
    zip_members,
)
from spikeport.toolchain.readers.facts.action_reader import plain_action
from spikeport.toolchain.readers.facts.observation_reader import read_observation
from spikeport.toolchain.readers.pickles.tensors import load_safetensors, load_torch, to_float32
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import (
    ACTIVATION,
    SQUASH,
    ReadOptions,
    missing_fact,
)
from spikeport.toolchain.readers.torch.cleanrl import (
    actor_alone,
    first_of_several,
    is_cleanrl_discrete,
    is_cleanrl_ppo,
    read_cleanrl_discrete,
    read_cleanrl_ppo,
)
from spikeport.toolchain.readers.torch.families import (
    SCALES,
    ActorKeys,
    common_prefix,
    match_family,
)
from spikeport.toolchain.readers.torch.leaky_actor import is_leaky_actor, read_leaky_actor
from spikeport.toolchain.readers.torch.library_actor import LibraryActor, policy_of
from spikeport.toolchain.readers.torch.population_actor import (
    is_population_actor,
    read_population_actor,
)
from spikeport.toolchain.readers.torch.rl_games import is_rl_games, read_rl_games
from spikeport.toolchain.readers.torch.rsl_rl import is_rsl_rl, read_rsl_rl
from spikeport.toolchain.readers.torch.slayer_state import refuse_slayer_state

ACTOR_ENTRIES = (
    "actor",
    "actor_state_dict",
    "state_dict",
    "model_state_dict",
    "policy",
    "policy_state_dict",
    "model",
)
# Entries of a training checkpoint that the deterministic action does not depend on.
TRAINING_ENTRIES = (
    "critic",
    "optim",
    "target",
    "epoch",
    "step",
    "iter",
    "episode",
    "seed",
    "loss",
    "reward",
    "return",
    "log_alpha",
    "scheduler",
    "version",
)

# Checkpoints of libraries that hold more than a state dict: whether the content is one, and its
# reader.
LIBRARIES: tuple[
    tuple[Callable[[object], bool], Callable[[Any, FileContent], LibraryActor]], ...
] = (
    (is_rsl_rl, read_rsl_rl),
    (is_rl_games, read_rl_games),
    (is_cleanrl_ppo, read_cleanrl_ppo),
)


def read_state_dict(
    content: FileContent, options: ReadOptions, *, safetensors: bool = False
) -> AnyPolicy:
    """Read a checkpoint of an RL library, or a plain state dict, at most one level deep.

    Args:
        content: The file.
        options: What the caller says.
        safetensors: Whether it is a safetensors file, else one of torch.save.

    Raises:
        InputError: For content that is not a state dict, for unknown keys (all at once), for facts
            that neither the file, nor its documented family, nor the options give, and for shapes
            that do not fit.
    """
    where = content.name
    if safetensors:
        kind = "safetensors"
        loaded = load_safetensors(content.data, where)
    else:
        kind = "state-dict"
        loaded = load_torch(content.data, where)
    for recognises, read in LIBRARIES:
        if recognises(loaded):
            return policy_of(read(loaded, content), content, options)
    if isinstance(loaded, Mapping) and is_cleanrl_discrete(loaded, options):
        return policy_of(read_cleanrl_discrete(loaded, content), content, options)
    loaded, notes = first_of_several(loaded, where)
    entries = _actor_entries(loaded, where)
    refuse_slayer_state(entries, where)
    if is_leaky_actor(entries):
        return read_leaky_actor(entries, content, options, kind)
    tensors = to_float32(actor_alone(entries) or entries, where)
    prefix = common_prefix(tensors)
    tensors = {key[len(prefix) :]: value for key, value in tensors.items()}
    if is_population_actor(tensors):
        return read_population_actor(tensors, content, options, kind)
    return _feed_forward(tensors, content, options, kind, notes)


def _feed_forward(
    tensors: Mapping[str, NDArray[np.float32]],
    content: FileContent,
    options: ReadOptions,
    kind: str,
    assumptions: list[str],
) -> Policy:
    """Read the actor of a documented family, or of a plain nn.Sequential."""
    where = content.name
    actor = match_family(tensors, where)
    layers = _layers(actor, _activation(actor, options, assumptions, where))
    scale, bias = (tensors.get(name) if actor.family.head else None for name in SCALES)
    if actor.unused:
        assumptions.append(
            f"assumed by family: {shorten(actor.unused, 6)} do not take part in the deterministic"
            f" action ({actor.family.reference})"
        )
    observation, normalizer = read_observation(layers[0].inputs, content, options, assumptions)
    action = plain_action(
        layers[-1].outputs,
        options,
        actor.family.reference,
        _flat(scale),
        _flat(bias),
        assumptions,
        where,
    )
    provenance = Provenance(
        where,
        content.sha256,
        kind,
        actor.family.name,
        tuple(assumptions),
        normalizer.name if normalizer else "",
        normalizer.sha256 if normalizer else "",
    )
    return Policy(layers, observation, action, provenance)


def _flat(values: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
    if values is None:
        return None
    return values.astype(np.float64).ravel()


def _actor_entries(loaded: object, where: str) -> Mapping[str, object]:
    """Return the mapping of names to tensors, unwrapped from `{"actor": {...}}` and the like.

    InputError otherwise.
    """
    if not isinstance(loaded, Mapping) or len(loaded) == 0:
        raise InputError(
            where,
            "not a state_dict",
            got=f"{'an empty' if isinstance(loaded, Mapping) else 'a'} {type(loaded).__name__}",
            limit="a dict of names and tensors",
            fix=SAVE_AGAIN,
        )
    if not all(isinstance(key, str) for key in loaded):
        raise InputError(
            where,
            "not a state_dict: some keys are not names",
            got=", ".join(sorted({type(key).__name__ for key in loaded}))[:80],
            limit="str",
            fix=SAVE_AGAIN,
        )
    nested = {key: value for key, value in loaded.items() if isinstance(value, Mapping)}
    if not nested:
        return loaded
    actors = [key for key in ACTOR_ENTRIES if key in nested]
    if len(actors) != 1:
        raise InputError(
            where,
            "which entry is the actor is not clear",
            got=shorten(actors or loaded),
            limit=f"exactly one of {', '.join(ACTOR_ENTRIES)}",
            fix=SAVE_AGAIN,
        )
    others = [
        key
        for key in loaded
        if key != actors[0] and not any(word in key.lower() for word in TRAINING_ENTRIES)
    ]
    if others:
        raise violations(
            where,
            [f"unknown entry {printable(key, 60)} beside {actors[0]}" for key in others],
            why="it may belong to the policy, as a normaliser does",
            fix=SAVE_AGAIN,
        )
    inner = nested[actors[0]]
    if not inner or not all(isinstance(key, str) for key in inner):
        raise InputError(
            f"{where} ({actors[0]})",
            "not a state_dict",
            got=f"{len(inner)} entries",
            limit="names and tensors",
            fix=SAVE_AGAIN,
        )
    return inner


def _activation(actor: ActorKeys, options: ReadOptions, assumptions: list[str], where: str) -> str:
    """Return the hidden layers' activation.

    InputError asks for the options where the family documents none.
    """
    family = actor.family
    if not family.reference:
        missing = [
            f"--{name}"
            for name in ("activation", "squash")
            if getattr(options, name) is None and (name == "squash" or len(actor.layers) > 1)
        ]
        if missing:
            raise missing_fact(
                tuple(
                    name
                    for name, option in ((ACTIVATION, "--activation"), (SQUASH, "--squash"))
                    if option in missing
                ),
                where,
                "a state_dict does not say its activation and squash",
                got=f"{' and '.join(missing)} not given",
                why="for a plain nn.Sequential nothing is guessed",
                fix=(
                    "--activation relu|tanh|elu|silu|gelu|... and --squash tanh|clip|none|argmax,"
                    " as the policy was trained"
                ),
            )
        if actor.stride == 1 and len(actor.layers) > 1:
            assumptions.append(
                "assumed by family: one activation after each hidden layer of a list numbered 0, 1,"
                " 2, ..."
            )
        return options.activation or "identity"
    if options.activation is not None:
        return options.activation
    assumptions.append(f"assumed by family: activation relu ({family.reference})")
    return "relu"


def _layers(actor: ActorKeys, activation: str) -> tuple[DenseLayer, ...]:
    last = len(actor.layers) - 1
    return tuple(
        DenseLayer(
            weight,
            np.zeros(weight.shape[0], np.float32) if bias is None else bias,
            "identity" if index == last else activation,
        )
        for index, (_, weight, bias) in enumerate(actor.layers)
    )


def is_torch(content: FileContent) -> bool:
    """Tell whether torch.save wrote a file; programs and TorchScript go before in the table."""
    return content.data.startswith(LEGACY_TORCH) or "data.pkl" in below_top(zip_members(content))


TORCH = Reader("a PyTorch checkpoint", is_torch, read_state_dict)
SAFETENSORS = Reader(
    "a safetensors file", is_safetensors, functools.partial(read_state_dict, safetensors=True)
)
