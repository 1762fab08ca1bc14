"""The formats together: write one by name, and name those that carry a neuron that one refuses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from spikeport.export.exporter import NotCarried, TraceOfProbe
from spikeport.toolchain import plugins
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.neurons import SHORT_NAMES


def write(artifact: Artifact, to: str, path: str | os.PathLike[str], trace: TraceOfProbe) -> None:
    """Write an artifact in the format of a name.

    Args:
        artifact: What is written.
        to: The format.
        path: The file, or for `lava` the folder; it must be absent or empty.
        trace: Runs the reference on the artifact's probe, for formats that check themselves.

    Raises:
        InputError: For an unknown format, a path that cannot be used or a neuron that the format
            does not carry; then it says which do.
    """
    exporter = _exporter(to)
    try:
        exporter(artifact, Path(path), trace)
    except NotCarried as error:
        raise error.with_ways_out(ways_out(error.neuron, error.format)) from None


def _exporter(name: str) -> Any:
    return plugins.find(
        "exporters", name, where="--to", what="unknown export format", usual="--to lava"
    )


def carried() -> dict[str, Collection[str]]:
    """Neuron ids by format, those first that carry the most; formats that do not say it have none.

    A format of another package that cannot be imported is omitted.
    """
    tables: dict[str, Collection[str]] = {}
    for name in plugins.names("exporters"):
        with contextlib.suppress(InputError):
            tables[name] = getattr(_exporter(name), "carries", ())
    return dict(sorted(tables.items(), key=lambda item: -len(item[1])))


def ways_out(neuron: str, refused: str) -> tuple[str, ...]:
    """What to do where the format `refused` does not carry `neuron`.

    Other formats, or a neuron of an ANN that it does carry.
    """
    tables = carried()
    ways = [
        f"--to {name}" for name, neurons in tables.items() if name != refused and neuron in neurons
    ]
    others = [
        name for name, identifier in SHORT_NAMES.items() if identifier in tables.get(refused, ())
    ]
    if others and (neuron in SHORT_NAMES.values() or not ways):
        ways.append(f"convert with --neuron {others[0]}")
    return tuple(ways) or ("reconvert the policy with another --neuron",)
