"""Artifacts on disk: the `.spk` format, specified in docs/format.md.

A safetensors container: tensors by name, and three metadata strings: `format` (`spikeport`),
`sha256` over everything else, and `spikeport`, the canonical JSON of all that is not an array.
Loading executes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from pathlib import Path

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.artifact.entries import RECONVERT, Tensors
from spikeport.toolchain.artifact.parts import VERSION, artifact_from_parts, artifact_to_parts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import canonical_json, write_atomically
from spikeport.toolchain.files.regular_file import open_regular

FORMAT = "spikeport"
MAX_BYTES = 2**31


def save(artifact: Artifact, path: str | os.PathLike[str]) -> None:
    """Validate and write an artifact; the file appears whole or not at all.

    Raises InputError for an artifact that does not validate or a path that cannot be written.
    """
    from safetensors.numpy import save as serialise

    target = Path(path)
    tensors, metadata = to_parts(artifact, target.name)
    blob = _canonical_header(serialise(tensors, metadata))
    write_atomically(target, lambda temporary: temporary.write_bytes(blob))


def to_parts(artifact: Artifact, where: str) -> tuple[Tensors, dict[str, str]]:
    """A validated artifact as arrays by name and the three texts of the header."""
    check(artifact, where)
    tensors, description = artifact_to_parts(artifact)
    try:
        text = canonical_json(description)
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            where,
            f"cannot be written as JSON: {error}",
            fix="keep finite numbers, text, lists and dicts in calibration and extensions",
        ) from None
    return {name: np.ascontiguousarray(value) for name, value in tensors.items()}, {
        "format": FORMAT,
        "sha256": content_digest(tensors, text),
        FORMAT: text,
    }


def checksum(artifact: Artifact) -> str:
    """The `sha256` of the file that `save` would write."""
    tensors, description = artifact_to_parts(artifact)
    return content_digest(tensors, canonical_json(description))


def load(path: str | os.PathLike[str]) -> Artifact:
    """Read and validate an artifact.

    Raises InputError that names the first thing found wrong, or all violations of the network's
    rules.
    """
    source = Path(path)
    tensors, metadata = read_container(source)
    return from_parts(tensors, metadata, source.name)


def from_parts(tensors: Tensors, metadata: dict[str, str], where: str) -> Artifact:
    """The artifact of what `to_parts` gave, validated. Raises InputError as `load` does."""
    if metadata.get("format") != FORMAT or FORMAT not in metadata:
        raise InputError(
            where,
            "not a Spikeport artifact",
            got=f"format {metadata.get('format')!r}",
            limit=repr(FORMAT),
            fix=RECONVERT,
        )
    try:
        description = json.loads(metadata[FORMAT], parse_constant=_no_constant)
        version = tuple(int(part) for part in description["version"].split("."))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(where, f"damaged description: {error}", fix=RECONVERT) from None
    if (
        description["version"] != ".".join(map(str, version))
        or len(version) != 2
        or not (VERSION[0], 0) <= version <= VERSION
    ):
        raise InputError(
            where,
            "format version is not readable here",
            got=description["version"],
            limit=f"{VERSION[0]}.0 to {VERSION[0]}.{VERSION[1]}",
            fix=f"update Spikeport, or {RECONVERT}",
        )
    if metadata.get("sha256") != content_digest(tensors, metadata[FORMAT]):
        raise InputError(
            where,
            "checksum does not match its content",
            got=content_digest(tensors, metadata[FORMAT])[:12],
            limit=str(metadata.get("sha256"))[:12],
            why="the file was damaged or edited",
            fix=f"copy it again, or {RECONVERT}",
        )
    try:
        artifact = artifact_from_parts(dict(tensors), description)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(
            where,
            f"the description does not fit the format: {type(error).__name__} {error}",
            fix=RECONVERT,
        ) from None
    check(artifact, where)
    return artifact


def is_artifact(path: str | os.PathLike[str]) -> bool:
    """Whether a file claims to be an artifact; its content is not validated."""
    try:
        with open_regular(path) as stream:
            length = struct.unpack("<Q", stream.read(8))[0]
            if length >= MAX_BYTES:
                return False
            header = json.loads(stream.read(length))
        return header["__metadata__"]["format"] == FORMAT
    except (OSError, struct.error, ValueError, KeyError, TypeError, RecursionError):
        return False


def _canonical_header(blob: bytes) -> bytes:
    """The same file with its header's keys sorted: the library orders them anew each time."""
    length = struct.unpack("<Q", blob[:8])[0]
    header = canonical_json(json.loads(blob[8 : 8 + length])).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + blob[8 + length :]


def content_digest(tensors: Tensors, text: str) -> str:
    """The `sha256` of a file with these arrays and this description."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"\n{name} {value.dtype.str} {value.shape}\n".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def read_container(source: Path) -> tuple[Tensors, dict[str, str]]:
    """Arrays by name and the texts of the header of a safetensors file.

    Raises InputError for a file that is not one; nothing in it is checked further.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as deserialise

    try:
        with open_regular(source) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > MAX_BYTES:
                raise InputError(
                    source.name,
                    "too large for an artifact",
                    got=f"{size} bytes",
                    limit=MAX_BYTES,
                    fix=RECONVERT,
                )
            blob = stream.read()
    except OSError as error:
        raise InputError(
            str(source), f"cannot be read: {error.strerror}", fix="give the path of a .spk file"
        ) from None
    try:
        length = struct.unpack("<Q", blob[:8])[0]
        if length <= len(blob) - 8:
            metadata = json.loads(blob[8 : 8 + length]).get("__metadata__")
        else:
            metadata = None
        return deserialise(blob), metadata or {}
    except (
        SafetensorError,
        ValueError,
        struct.error,
        AttributeError,
        KeyError,
        TypeError,
        RecursionError,
    ) as error:
        raise InputError(
            source.name,
            f"not a readable artifact: {type(error).__name__} {error}",
            fix=f"give a .spk file; if it was one, {RECONVERT}",
        ) from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")
