"""Hashes of what `spikeport.save` writes.

Four hashes (SHA-256) for a case, over what `spikeport.save` wrote:

    file      the bytes as they are; left out where they name versions of installed packages, that
              is where an environment is recorded. Comparable within one format version.
    tensors   name, dtype, shape and bytes of every tensor.
    metadata  the canonical JSON of METADATA, the entries of format 1.1, without what NEUTRAL names.
              An entry that a later format adds is therefore no difference.
    network   the tensors of NETWORK_TENSORS and the entries of NETWORK_METADATA alone. The only one
              for `auto`, whose record of the closed loop is no promise.

NEUTRAL, removed before hashing because it changes without a change of the conversion:

    version               of the format
    environment.versions  of Gymnasium and of MuJoCo
    sha256                of the header, over all of the above; `tensors` and `metadata` replace it

Nothing else is removed: no artifact holds a date, a path or the project's version, and checkpoints
are written here with fixed names and fixed bytes, so their names and hashes stay in.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import spikeport
from spikeport import Artifact
from tests.support import spk_files

METADATA = tuple(
    "action alpha calibration environment extensions layers memory observation provenance"
    " resync_every source source_macs spike_coding timesteps version".split()
)

NEUTRAL = (("version",), ("environment", "versions"))
NETWORK_TENSORS = ("encoder.", "layers.", "spike_coding.")
NETWORK_METADATA = ("layers", "timesteps", "alpha", "resync_every", "spike_coding")
Hashes = dict[str, str]


def digest(blob: bytes) -> str:
    """SHA-256 as hexadecimal digits."""
    return hashlib.sha256(blob).hexdigest()


def tensors_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Over name, dtype, shape and bytes, in the names' order."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        values = arrays[name]
        found.update(f"{name} {values.dtype.str} {values.shape}\n".encode())
        found.update(values.tobytes())
    return found.hexdigest()


def without_neutral(description: dict[str, Any]) -> dict[str, Any]:
    """A copy of the entries METADATA without what NEUTRAL names."""
    chosen = {name: description[name] for name in METADATA if name in description}
    kept = json.loads(json.dumps(chosen))
    for *path, last in NEUTRAL:
        inner = kept
        for name in path:
            inner = inner.get(name) or {}
        inner.pop(last, None)
    return kept


def hashes(blob: bytes) -> Hashes:
    """The four hashes of a `.spk` file's bytes."""
    parts = spk_files.parsed(blob)
    kept = without_neutral(parts.description)
    arrays = parts.arrays.items()
    network = {name: values for name, values in arrays if name.startswith(NETWORK_TENSORS)}
    facts = {name: kept[name] for name in NETWORK_METADATA}
    found = {
        "tensors": tensors_digest(parts.arrays),
        "metadata": digest(spk_files.canonical(kept).encode()),
        "network": digest((tensors_digest(network) + spk_files.canonical(facts)).encode()),
    }
    environment = parts.description["environment"]
    if environment and environment["versions"]:
        return found
    return {"file": digest(blob), **found}


def written(artifact: Artifact) -> bytes:
    """What `spikeport.save` writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy.spk"
        spikeport.save(artifact, path)
        return path.read_bytes()


def version(blob: bytes) -> str:
    """The format version of a `.spk` file."""
    return spk_files.parsed(blob).description["version"]
