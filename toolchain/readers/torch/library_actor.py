"""What a reader of a library's training checkpoint finds, and the policy that it makes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.readers.facts.action_reader import (
    agreed_bounds,
    discrete_action,
    plain_action,
)
from spikeport.toolchain.readers.facts.observation_reader import read_observation
from spikeport.toolchain.readers.facts.vec_normalize import Normalizer
from spikeport.toolchain.readers.reading_options import NORMALIZER, ReadOptions, missing_fact

Layers = Sequence[tuple[str, NDArray[np.float32], NDArray[np.float32] | None]]
Unsupported = tuple[tuple[re.Pattern[str], str], ...]
RESCALED = "rescaled"  # the output is clipped to +-1, which stands for the action bounds


@dataclass(frozen=True, eq=False)
class LibraryActor:
    """A feed-forward actor and what its library does around it.

    `activation` and `squash` (as ReadOptions.squash, or RESCALED) are the library's defaults;
    `reference` says whose. `asks_normalizer` says why the file cannot hold the observation's
    normaliser, empty where it could.
    """

    format: str
    family: str
    reference: str
    layers: Layers
    activation: str
    squash: str
    action_note: str
    normalizer: Normalizer | None = None
    asks_normalizer: str = ""
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def unsupported_keys(keys: Iterable[str], unsupported: Unsupported) -> list[str]:
    """What the keys show that cannot be converted, one line each with an example."""
    found: dict[str, str] = {}
    for key in keys:
        for pattern, what in unsupported:
            if pattern.fullmatch(key):
                found.setdefault(what, key)
    return [f"{what} is not supported (key {printable(key, 60)})" for what, key in found.items()]


def unknown_keys(keys: Iterable[str], layers: Layers, known: re.Pattern[str]) -> list[str]:
    """Return one line per key that is not understood.

    Args:
        keys: Of the state dict.
        layers: The actor's, whose keys are known.
        known: The other known keys.
    """
    used = {f"{name}.{part}" for name, *_ in layers for part in ("weight", "bias")}
    return [
        f"unknown key {printable(key, 60)}"
        for key in keys
        if key not in used and not known.fullmatch(key)
    ]


def unknown_entries(loaded: Mapping[str, object], known: Iterable[str]) -> list[str]:
    """One line per entry of a checkpoint that the library does not write."""
    return [
        f"unknown entry {printable(key, 60)}, it may belong to the policy"
        for key in loaded
        if key not in set(known)
    ]


def refuse(where: str, problems: Sequence[str], library: str, fix: str | Sequence[str]) -> None:
    """Raise InputError with all problems, if there are any.

    Args:
        where: The file.
        problems: One line each.
        library: Whose checkpoint it is.
        fix: What to do about them.
    """
    if problems:
        raise violations(
            where,
            problems,
            why=(
                f"the file looks like a checkpoint of {library} and each of its entries must be"
                " understood"
            ),
            fix=fix,
        )


def policy_of(actor: LibraryActor, content: FileContent, options: ReadOptions) -> Policy:
    """Return the policy of a library's actor.

    Args:
        actor: What the library's reader found.
        content: The checkpoint.
        options: What the caller says.

    Raises:
        InputError: Where facts are missing or do not fit.
    """
    where = content.name
    assumptions = list(actor.notes)
    if actor.unused:
        assumptions.append(
            f"assumed by family: {shorten(actor.unused, 6)} do not take part in the deterministic"
            f" action ({actor.reference})"
        )
    activation = options.activation
    if activation is None:
        activation = actor.activation
        if len(actor.layers) > 1:
            assumptions.append(f"assumed by family: activation {activation} ({actor.reference})")
    last = len(actor.layers) - 1
    layers = tuple(
        DenseLayer(
            weight,
            np.zeros(len(weight), np.float32) if bias is None else bias,
            "identity" if index == last else activation,
        )
        for index, (_, weight, bias) in enumerate(actor.layers)
    )
    if actor.asks_normalizer and options.normalizer is None:
        raise missing_fact(
            (NORMALIZER,),
            where,
            "the observation's normaliser is not in the file",
            got="no --normalizer",
            why=actor.asks_normalizer,
            fix=(
                "--normalizer FILE.npz with mean, var, epsilon and clip",
                "--normalizer FILE with a VecNormalize pickle",
                "--normalizer none, if trained so",
            ),
        )
    action = _action(layers[-1].outputs, actor, options, assumptions, where)
    observation, file = read_observation(
        layers[0].inputs, content, options, assumptions, own=actor.normalizer
    )
    provenance = Provenance(
        where,
        content.sha256,
        actor.format,
        actor.family,
        tuple(assumptions),
        file.name if file else "",
        file.sha256 if file else "",
    )
    return Policy(layers, observation, action, provenance)


def _action(
    size: int, actor: LibraryActor, options: ReadOptions, assumptions: list[str], where: str
) -> ActionContract:
    """The library's own contract, or the one that the options ask for."""
    if options.squash is not None and (actor.squash == "argmax") != (options.squash == "argmax"):
        raise InputError(
            where,
            "--squash differs from what the policy does",
            got=options.squash,
            limit=actor.squash,
            fix="leave --squash out",
        )
    if actor.squash == "argmax":
        return discrete_action(size, options, where)
    if options.squash is not None:
        return plain_action(size, options, "", None, None, assumptions, where)
    assumptions.append(f"assumed by family: {actor.action_note} ({actor.reference})")
    if actor.squash != RESCALED:
        return plain_action(
            size,
            dataclasses.replace(options, squash=actor.squash),
            "",
            None,
            None,
            assumptions,
            where,
        )
    if options.action_limit is not None:
        fix = ("leave --action-limit out", "--squash clip with --action-limit")
        raise InputError(
            where,
            "the action limit follows from the bounds",
            got=f"--action-limit {options.action_limit}",
            fix=fix,
        )
    low, high = agreed_bounds(size, None, options.environment, where, ())
    return ActionContract(size, "none", (high - low) / 2.0, (high + low) / 2.0, low, high)
