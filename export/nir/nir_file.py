"""`--to nir`: one HDF5 file that nir.read takes, with the artifact itself, integer by integer, in
its metadata.

metadata/spikeport   format       `spikeport-nir`, and its version
                     description  the artifact's description, canonical JSON (docs/format.md)
                     sha256       of the artifact's description and arrays
                     contract     the discrete-time contract, canonical JSON (contract.py)
                     arrays/      the artifact's arrays by name: integers, scales, contracts, probe,
                         float source
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.export.nir.contract import contract_of
from spikeport.export.nir.nir_graph import edges_of, nodes_of
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import FORMAT, to_parts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import canonical_json, check_writable, write_atomically

NAMESPACE = "spikeport"
NIR_FORMAT = "spikeport-nir"
NIR_VERSION = "1.0"


def export_nir(artifact: Artifact, path: str | os.PathLike[str]) -> None:
    """Write the artifact as the NIR file `path`, which must not exist; it appears whole or not at
    all.

    Raises InputError for neurons that NIR has no node for and for a path that cannot be used.
    """
    target = Path(path)
    check_writable(target)
    if target.exists():
        raise InputError(
            str(path),
            "exists already",
            why="an export never overwrites anything",
            fix="give -o a path that does not exist",
        )
    graph = nir_graph(artifact)
    write_atomically(target, lambda temporary: nir_library().write(temporary, graph))


def nir_graph(artifact: Artifact) -> Any:
    """The artifact as a nir.NIRGraph. Raises InputError for neurons that NIR has no node for."""
    nodes = nodes_of(artifact)
    nir = nir_library()
    made = {name: getattr(nir, node.kind)(**node.parameters) for name, node in nodes.items()}
    ends = (
        nir.Input(np.array([artifact.network.widths[0]])),
        nir.Output(np.array([artifact.action.size])),
    )
    return nir.NIRGraph(
        {"input": ends[0], **made, "output": ends[1]},
        edges_of(list(nodes)),
        metadata={NAMESPACE: metadata_of(artifact)},
    )


def metadata_of(artifact: Artifact) -> dict[str, Any]:
    """What stands under `spikeport` in the graph's metadata."""
    arrays, header = to_parts(artifact, artifact.provenance.file)
    return {
        "format": NIR_FORMAT,
        "version": NIR_VERSION,
        "description": header[FORMAT],
        "sha256": header["sha256"],
        "contract": canonical_json(contract_of(artifact)),
        "arrays": arrays,
    }


def nir_library() -> Any:
    """The package nir, imported when it is needed."""
    try:
        import nir
    except ImportError:
        raise InputError(
            "--to nir", "the package nir is not installed", fix="pip install '.[nir]' in the clone"
        ) from None
    return nir
