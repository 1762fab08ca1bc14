"""A NIR file that Spikeport wrote, back to the very artifact.

Arrays and description from the metadata, the rest compared.
"""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from spikeport.export.nir.contract import contract_of
from spikeport.export.nir.nir_file import NAMESPACE, NIR_FORMAT, NIR_VERSION
from spikeport.export.nir.nir_graph import Node, edges_of, nodes_of
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import FORMAT, from_parts
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.atomic import canonical_json
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.hdf5 import Tree, read_hdf5
from spikeport.toolchain.files.regular_file import FileContent, open_regular, read_content
from spikeport.toolchain.readers.containers import HDF5_SIGNATURE
from spikeport.toolchain.readers.detect import detect_format
from spikeport.toolchain.readers.nir.nir_chain import graph_of, metadata_entry

EXPORT_AGAIN = "export the artifact again with `spikeport export ARTIFACT --to nir -o FILE`"
TEXTS = ("format", "version", "description", "sha256", "contract")


def load_nir(path: str | os.PathLike[str]) -> Artifact:
    """Read the artifact in a NIR file that `spikeport export --to nir` wrote, equal in every array.

    Raises InputError for a NIR file of another writer, for damage, and where nodes, edges or
    contract no longer say what the artifact in the metadata says.
    """
    content = read_content(path, "NIR")
    if not content.data.startswith(HDF5_SIGNATURE):
        raise InputError(
            content.name,
            "not an HDF5 file, so not NIR",
            fix="give a file that nir.write or `spikeport export --to nir` wrote",
        )
    graph = graph_of(read_hdf5(content.data, content.name), content.name)
    entry = metadata_entry(graph, NAMESPACE)
    if entry is None:
        raise InputError(
            content.name,
            "holds no artifact: Spikeport did not write it",
            got="a NIR graph without the metadata `spikeport`",
            fix="`spikeport convert FILE`, which reads a stranger's graph as a policy",
        )
    return artifact_in(entry, graph, content.name)


def holds_artifact(path: str | os.PathLike[str]) -> bool:
    """Whether a file is NIR with Spikeport's metadata; the artifact in it is not validated.

    Raises InputError for an HDF5 file that cannot be read safely.
    """
    try:
        with open_regular(path) as stream:
            if stream.read(len(HDF5_SIGNATURE)) != HDF5_SIGNATURE:
                return False
    except OSError:
        return False  # whoever reads it says why
    content: FileContent = read_content(path, "HDF5")
    if detect_format(content) != "nir":
        return False
    return (
        metadata_entry(graph_of(read_hdf5(content.data, content.name), content.name), NAMESPACE)
        is not None
    )


def artifact_in(entry: Tree, graph: Tree, where: str) -> Artifact:
    """The artifact of the metadata, compared with the graph around it."""
    problems = [
        f"metadata {NAMESPACE}/{name} is missing or no text"
        for name in TEXTS
        if not isinstance(entry.get(name), str)
    ]
    arrays = entry.get("arrays")
    if not isinstance(arrays, dict) or not all(
        isinstance(value, np.ndarray) and value.dtype != object for value in arrays.values()
    ):
        problems.append(
            f"metadata {NAMESPACE}/arrays is missing or holds something else than arrays"
        )
    if problems:
        raise violations(where, problems, fix=EXPORT_AGAIN)
    if (entry["format"], entry["version"]) != (NIR_FORMAT, NIR_VERSION):
        got = f"{printable(entry['format'])} {printable(entry['version'])}"
        raise InputError(
            where,
            "written by another version",
            got=got,
            limit=f"{NIR_FORMAT} {NIR_VERSION}",
            fix=f"update Spikeport, or {EXPORT_AGAIN}",
        )
    artifact = from_parts(
        dict(entry["arrays"]),
        {"format": FORMAT, FORMAT: entry["description"], "sha256": entry["sha256"]},
        where,
    )
    problems = differences(graph, artifact, where)
    if entry["contract"] != canonical_json(contract_of(artifact)):
        problems.append(
            f"the contract differs in {_where_contracts_differ(entry['contract'], artifact)}"
        )
    if problems:
        raise violations(
            where,
            problems,
            why=(
                "the graph was edited after its export, so it is no longer the artifact in its"
                " metadata"
            ),
            fix=(
                EXPORT_AGAIN,
                "remove the metadata `spikeport` and convert it as a stranger's graph",
            ),
        )
    return artifact


def differences(graph: Tree, artifact: Artifact, where: str) -> list[str]:
    """What in the graph is not as the artifact would be written, one line each."""
    wanted = nodes_of(artifact)
    found = dict(graph["nodes"])
    ends = {
        "input": ("Input", artifact.network.widths[0]),
        "output": ("Output", artifact.action.size),
    }
    problems = [
        f"node {printable(name)} is not the artifact's"
        for name in found
        if name not in wanted and name not in ends
    ]
    for name, (kind, width) in ends.items():
        node = found.get(name)
        if (
            not isinstance(node, dict)
            or node.get("type") != kind
            or not np.array_equal(np.asarray(node.get("shape")), [width])
        ):
            problems.append(f"node {name} is not {kind} of {width} channels")
    for name, node in wanted.items():
        problems += _node_problems(name, node, found.get(name))
    edges = graph.get("edges")
    if isinstance(edges, np.ndarray) and edges.ndim == 2:
        listed = sorted(map(tuple, edges.tolist()))
    else:
        listed = None
    if listed != sorted(edges_of(list(wanted))):
        problems.append(
            "the edges are not one chain from input to output in the order of the layers"
        )
    return problems


def _node_problems(name: str, wanted: Node, found: Any) -> list[str]:
    if not isinstance(found, dict) or found.get("type") != wanted.kind:
        return [f"node {name} is not {wanted.kind}"]
    problems = []
    for parameter, value in wanted.parameters.items():
        given = found.get(parameter)
        if not isinstance(given, np.ndarray) or given.shape != value.shape:
            problems.append(
                f"{name}.{parameter} is missing or has another shape than {value.shape}"
            )
        elif not np.array_equal(given, value):
            problems.append(
                f"{name}.{parameter} differs from its integers in {int((given != value).sum())} of"
                f" {value.size} numbers"
            )
    return problems


def _where_contracts_differ(text: str, artifact: Artifact) -> str:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return "all of it: it is not JSON"
    wanted = contract_of(artifact)
    if not isinstance(given, dict):
        return "all of it: it is not an object"
    return (
        shorten(
            sorted(key for key in set(wanted) | set(given) if wanted.get(key) != given.get(key))
        )
        or "its spelling"
    )
