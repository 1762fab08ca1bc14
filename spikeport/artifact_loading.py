"""Loading an artifact at the front door, where a file of another kind is told by what it is."""

from __future__ import annotations

import os
from pathlib import Path

from spikeport.toolchain.artifact import artifact_file
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import read_content
from spikeport.toolchain.readers.detect import detect_format, reader


def load(path: str | os.PathLike[str]) -> Artifact:
    """Read and validate an artifact.

    Raises InputError that names the first thing found wrong, or all violations of the network's
    rules; of a checkpoint or a graph it says what the file is and how it is converted.
    """
    try:
        return artifact_file.load(path)
    except InputError:
        kind = other_kind(Path(path))
        if kind is None:
            raise
    where = Path(path).name
    environment = "" if kind == "nir" else " --env ID"
    raise InputError(
        where,
        "not an artifact",
        got=reader(kind).title,
        limit="a .spk file",
        fix=f"convert it first: `spikeport convert {where} -o policy.spk{environment}`",
    )


def other_kind(path: Path) -> str | None:
    """Return the name of a checkpoint's format; None for all else, damaged artifacts among them."""
    try:
        if path.stat().st_size > artifact_file.MAX_BYTES:
            return None
        kind = detect_format(read_content(path, limit=artifact_file.MAX_BYTES))
    except (InputError, OSError):
        return None
    return None if kind == "safetensors" else kind  # which an artifact is too
