"""The golden vectors as files that any language reads: one JSON text per case, whole numbers only.

The layout is described by `readme()`, which is written beside them.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.toolchain.checkers.golden import (
    LAYER_ARRAYS,
    TABLE_ARRAYS,
    Golden,
)
from spikeport.toolchain.checkers.golden import names as recorded_names
from spikeport.toolchain.checkers.golden import read as read_golden
from spikeport.toolchain.checkers.vector_readme import readme
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.network.parameters import Dynamics

VECTOR_VERSION = 1
# Parts of a layer that only some neurons have, and what is written of each.
PARTS = {
    "table": TABLE_ARRAYS,
    "leak": ("keep", "shift"),
    "dynamics": tuple(field.name for field in fields(Dynamics)),
}


def short_name(case: str) -> str:
    """The neuron that a case is about: `if` of `if-t5-a32`."""
    return case.split("-")[0]


def neurons() -> tuple[str, ...]:
    """Short names of the neurons that vectors exist for."""
    return tuple(sorted({short_name(case) for case in recorded_names()}))


def case_names(wanted: tuple[str, ...] | None = None) -> list[str]:
    """The cases of the wanted neurons (all if None).

    Raises InputError for a neuron without vectors.
    """
    unknown = sorted(set(wanted or ()) - set(neurons()))
    if unknown:
        raise InputError(
            "--neurons",
            "no vectors for this neuron",
            got=", ".join(unknown),
            limit=", ".join(neurons()),
            fix="--neurons sdn",
        )
    return [name for name in recorded_names() if wanted is None or short_name(name) in wanted]


def vector(case: Golden, name: str, *, expected: bool) -> dict[str, Any]:
    """One case as JSON; without `expected` only what a backend is given."""
    network = case.artifact.network
    recorded = case.recorded
    facts: dict[str, Any] = {
        "format": "spikeport-vector",
        "version": VECTOR_VERSION,
        "name": name,
        "neuron": network.neuron,
    }
    facts |= {"timesteps": network.timesteps, "alpha": network.alpha}
    coding = network.spike_coding
    if coding is not None:
        facts["encoder_threshold"] = coding.threshold
    facts["layers"] = [_layer(layer) for layer in network.layers]
    facts |= {"control": recorded["control"].tolist(), "inputs": recorded["inputs"].tolist()}
    if expected:
        count = range(len(network.layers))
        facts["expected"] = {
            kind: [recorded[f"{kind}.{index}"].tolist() for index in count]
            for kind in ("payloads", "states")
        }
        facts["expected"]["saturations"] = recorded["saturations"].tolist()
    return facts


def _layer(layer: Layer) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "neuron": layer.neuron,
        "outputs": layer.outputs,
        "inputs": layer.inputs,
        "activation": layer.activation,
    }
    facts |= {"trigger": layer.trigger, "hold_input": layer.hold_input}
    facts |= {name: getattr(layer, name).tolist() for name in LAYER_ARRAYS}
    for name, written in PARTS.items():
        part = getattr(layer, name)
        if part is not None:
            facts[name] = {field: _plain(getattr(part, field)) for field in written}
    return facts


def _plain(value: Any) -> Any:
    """An array as nested lists; anything else as it is."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def write_cases(folder: Path, cases: list[str], *, expected: bool) -> None:
    """CASE.json for every case into an existing folder."""
    for name in cases:
        text = json.dumps(
            vector(read_golden(name), name, expected=expected), separators=(",", ": ")
        )
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def write_vectors(
    path: str | os.PathLike[str], neurons: tuple[str, ...] | None = None
) -> list[str]:
    """Write a new folder of vectors, README.md included; returns the cases.

    The folder appears whole or not at all. Raises InputError for an unknown neuron and a path that
    is taken or cannot be written.
    """
    target = Path(path)
    cases = case_names(neurons)

    def fill(folder: Path) -> None:
        write_cases(folder, cases, expected=True)
        (folder / "README.md").write_text(readme(), encoding="utf-8")

    write_folder(target, fill)
    return cases


def write_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Fill a temporary folder beside `target`, then rename it."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(
            str(target),
            "cannot be written: it is there already",
            limit="a path that is absent or an empty folder",
            fix="name a new folder",
        )
    try:
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    except OSError as error:
        raise InputError(
            str(target),
            f"cannot be written: {error.strerror}",
            fix="name a folder in an existing one that you may write to",
        ) from None
    try:
        temporary.chmod(0o755)
        fill(temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(
            str(target),
            f"cannot be written: {error.strerror}",
            fix="name a folder in an existing one that you may write to",
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
