"""`<checkpoint stem>.spikeport.json`: what a spiking checkpoint does not carry.

One JSON object; every key may be left out:

    neuron            lif | clif | dn | plif
    timesteps         T, 1..1024
    action_limit      positive number, or a list of one per action channel
    observation       normalizer | tanh | none: what happens to an observation before it is encoded
    encoder           population | rate
    environment       Gymnasium id, without a colon
    nir               what a NIR graph leaves open, an object (readers/nir/nir_policy.py)
    netx              what a netx file leaves open, an object (readers/netx/netx_policy.py)

Unknown keys are errors. Options of the command line go before the sidecar, the sidecar before the
family.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeport.toolchain.errors import did_you_mean, violations
from spikeport.toolchain.files.regular_file import read_content
from spikeport.toolchain.policies.spiking_policy import NEURONS

SIDECAR_LIMIT = 2**16  # bytes
OBSERVATIONS = ("normalizer", "tanh", "none")
ENCODERS = ("population", "rate")
# Neurons that a sidecar may name; a netx file carries its own.
TRAINED = tuple(name for name in NEURONS if name != "cuba")
PAIR = ("_weights.p", "_bias.p")  # the two files of an SDDPG actor
# What ends a checkpoint's name. `..._actor` files have no such end, and dots in their names.
SUFFIXES = tuple(".pt .pth .p .pkl .safetensors .bin .nir .net .h5 .hdf5".split())


@dataclass(frozen=True)
class Sidecar:
    """The facts of a sidecar, None where it is silent.

    `file` is its name, empty where there is none.
    """

    file: str = ""
    neuron: str | None = None
    timesteps: int | None = None
    action_limit: float | list[float] | None = None
    observation: str | None = None
    encoder: str | None = None
    environment: str | None = None
    nir: dict[str, Any] | None = None
    netx: dict[str, Any] | None = None


KEYS = tuple(name for name in Sidecar.__dataclass_fields__ if name != "file")


def sidecar_path(checkpoint: Path) -> Path:
    """Return `<stem>.spikeport.json`; the stem of SDDPG's two files is their common beginning."""
    name = checkpoint.name
    pair = next((end for end in PAIR if name.endswith(end)), None)
    if pair is not None:
        stem = name.removesuffix(pair)
    elif checkpoint.suffix in SUFFIXES:
        stem = checkpoint.stem
    else:
        stem = name
    return checkpoint.with_name(f"{stem}.spikeport.json")


def read_sidecar(checkpoint: Path) -> Sidecar:
    """The sidecar beside a checkpoint; an empty one where there is none.

    InputError lists all that is wrong in it.
    """
    path = sidecar_path(checkpoint)
    if not path.exists():
        return Sidecar()
    content = read_content(path, "sidecar", SIDECAR_LIMIT)
    try:
        facts = json.loads(content.data)
    except (ValueError, RecursionError) as error:
        raise violations(
            content.name, [f"not JSON: {error}"], fix=f"one object with the keys {', '.join(KEYS)}"
        ) from None
    if not isinstance(facts, dict):
        raise violations(
            content.name,
            [f"not a JSON object but a {type(facts).__name__}"],
            fix=f"one object with the keys {', '.join(KEYS)}",
        )
    problems = [
        f"unknown key {str(key)[:60]!r} {did_you_mean(str(key), KEYS)}".rstrip()
        for key in facts
        if key not in KEYS
    ]
    problems += [problem for key in KEYS if key in facts and (problem := _problem(key, facts[key]))]
    if problems:
        raise violations(
            content.name,
            problems,
            why="a fact that is misread changes the policy",
            fix=f"keys are {', '.join(KEYS)}",
        )
    return Sidecar(content.name, **facts)


def undeclared(sidecar: Sidecar, squash: str | None) -> list[str]:
    """What a file that holds a network alone (NIR, netx) still needs around it, one line each."""
    problems = [
        f"{name} is not declared"
        for name in ("timesteps", "encoder", "observation")
        if getattr(sidecar, name) is None
    ]
    if sidecar.encoder not in (None, "rate") or sidecar.observation not in (None, "none", "tanh"):
        problems.append(
            f"encoder {sidecar.encoder}, observation {sidecar.observation}: a graph takes"
            " rate-coded observations, as they are or through tanh"
        )
    if squash is None:
        problems.append("the squash behind the output is not said (--squash tanh, clip or none)")
    return problems


def environment_in_sidecar(checkpoint: str | os.PathLike[str]) -> str | None:
    """The environment that the sidecar of a checkpoint names, if there is one."""
    return read_sidecar(Path(checkpoint)).environment


def _problem(key: str, value: Any) -> str:
    choices = {"neuron": TRAINED, "observation": OBSERVATIONS, "encoder": ENCODERS}.get(key)
    if choices is not None:
        if value in choices:
            return ""
        return f"{key} is {value!r}, known are {', '.join(choices)}"
    if key == "timesteps":
        if type(value) is int and 1 <= value <= 1024:
            return ""
        return f"timesteps is {value!r}, a whole number 1..1024 expected"
    if key == "action_limit":
        if isinstance(value, list):
            numbers = value
        else:
            numbers = [value]
        usable = numbers and all(
            isinstance(number, int | float) and not isinstance(number, bool) and 0 < number < 1e9
            for number in numbers
        )
        if usable:
            return ""
        return f"action_limit is {str(value)[:60]}, positive numbers expected"
    if key in ("nir", "netx"):
        if isinstance(value, dict):
            return ""
        return f"{key} is a {type(value).__name__}, an object expected"
    if not isinstance(value, str) or not value:
        return f"environment is {str(value)[:60]!r}, a Gymnasium id expected"
    if ":" in value:
        return (
            f"environment {value[:60]!r} carries a colon, which would import code; give it as --env"
        )
    return ""
