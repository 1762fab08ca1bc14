"""A reader and a writer of `.spk` files made from docs/format.md alone.

Struct, json, hashlib and numpy.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {"I8": "|i1", "U8": "|u1", "I32": "<i4", "F32": "<f4", "F64": "<f8"}


@dataclass
class Parts:
    """A file's content, to be edited at will."""

    arrays: dict[str, NDArray[Any]]
    description: dict[str, Any]
    metadata: dict[str, Any] = field(
        default_factory=dict
    )  # what else stands in the header, or overrides


def canonical(value: Any) -> str:
    """JSON in the one spelling of the format."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def checksum(arrays: dict[str, NDArray[Any]], text: str) -> str:
    """A file's checksum."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        values = arrays[name]
        digest.update(f"\n{name} {values.dtype.str} {values.shape}\n".encode() + values.tobytes())
    return digest.hexdigest()


def read(path: Path) -> Parts:
    """Content of a file whose checksum is right."""
    return parsed(path.read_bytes())


def parsed(blob: bytes) -> Parts:
    """Content of a file's bytes, whose checksum is right."""
    (length,) = struct.unpack("<Q", blob[:8])
    header = json.loads(blob[8 : 8 + length])
    data = blob[8 + length :]
    metadata = header.pop("__metadata__")
    arrays = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        arrays[name] = np.frombuffer(data[first:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    assert set(metadata) == {"format", "spikeport", "sha256"} and metadata["format"] == "spikeport"
    assert metadata["sha256"] == checksum(arrays, metadata["spikeport"])
    description = json.loads(metadata["spikeport"])
    assert metadata["spikeport"] == canonical(description)
    return Parts(arrays, description)


def encoded(parts: Parts, text: str | None = None) -> bytes:
    """A file of this content, checksum included; `text` replaces the description."""
    if text is None:
        text = canonical(parts.description)
    else:
        text = text
    metadata = {
        "format": "spikeport",
        "sha256": checksum(parts.arrays, text),
        "spikeport": text,
    } | parts.metadata
    header: dict[str, Any] = {"__metadata__": metadata}
    names = {value: key for key, value in TYPES.items()}
    data = b""
    for name, values in sorted(parts.arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        header[name] = {
            "dtype": names[values.dtype.str],
            "shape": list(values.shape),
            "data_offsets": [len(data), len(data) + values.nbytes],
        }
        data += values.tobytes()
    start = canonical(header).encode()
    start += b" " * (-len(start) % 8)
    return struct.pack("<Q", len(start)) + start + data


def synapses(parts: Parts) -> list[str]:
    """The kind of each layer's synapses; before 1.2 all were dense."""
    return parts.description.get("synapses", ["dense"] * len(parts.description["layers"]))


def sums(parts: Parts, layer: int, payloads: NDArray[Any]) -> NDArray[np.int64]:
    """Synaptic sums [..., out] of payloads [..., in] that reach a layer."""
    assert synapses(parts)[layer] == "dense"
    weights = parts.arrays[f"layers.{layer}.weights"].astype(np.int64)
    return np.asarray(payloads, np.int64) @ weights.T


SINCE = {"1.1": ("spike_coding",), "1.2": ("synapses",)}  # entries of the description


def older(parts: Parts, version: str) -> Parts:
    """The same content as an older version writes it, where that version can hold it."""
    description = dict(parts.description, version=version)
    for since, names in SINCE.items():
        if version < since:
            for name in names:
                value = description.pop(name, None)
                assert value is None or set(value) == {"dense"}, f"{name} came with {since}"
    return Parts(parts.arrays, description)
