"""`--to nir`: one HDF5 file that nir.read takes; its metadata hold the artifact itself.

metadata/spikeport   format       `spikeport-nir`, and its version
                     description  the artifact's description, canonical JSON (docs/format.md)
                     sha256       of the artifact's description and arrays
                     contract     the discrete-time contract, canonical JSON (contract.py)
                     arrays/      the artifact's arrays by name: integers, scales, contracts,
                                  probe, float source
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.export.exporter import TraceOfProbe, carries
from spikeport.export.nir.contract import contract_of
from spikeport.export.nir.nir_graph import EXPRESSIBLE, edges_of, nodes_of
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import FORMAT, to_parts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import canonical_json, check_writable, write_atomically

NAMESPACE = "spikeport"
NIR_FORMAT = "spikeport-nir"
NIR_VERSION = "1.0"


@carries(EXPRESSIBLE)
def export_nir(
    artifact: Artifact, path: str | os.PathLike[str], trace: TraceOfProbe | None = None
) -> None:
    """Write the artifact as one NIR file, which appears whole or not at all.

    Args:
        artifact: What is written.
        path: The file, which must not exist.
        trace: Not asked: the file holds the artifact, probe included.

    Raises:
        InputError: For a path that cannot be used and parameters that NIR has no place for.
        NotCarried: For neurons that NIR has no node for.
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
    """The entries under `spikeport` in the graph's metadata."""
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
    """Import the package nir, or raise InputError where it is not installed."""
    try:
        import nir
    except ImportError:
        raise InputError(
            "--to nir", "the package nir is not installed", fix="pip install '.[nir]' in the clone"
        ) from None
    return nir
