"""The nodes of a NIR file in the order in which a signal passes them.

Everything that is not a plain chain is refused by name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.hdf5 import Tree

PARAMETERS = {
    "Affine": ("weight", "bias"),
    "Linear": ("weight",),
    "IF": ("r", "v_threshold"),
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "w_in"),
}
NEURON_KINDS = ("IF", "LIF", "CubaLIF")
LINEAR_KINDS = ("Affine", "Linear")
READABLE = ("Input", "Output", *LINEAR_KINDS, *NEURON_KINDS, "Flatten")
FIX = "export a feed-forward chain of dense layers and LIF neurons"
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChainNode:
    """A node's name, the name of its type, and its parameters in float64.

    `v_reset` is among a neuron's, 0 where the file has none.
    """

    name: str
    kind: str
    parameters: dict[str, Float]


def graph_of(tree: Tree, where: str) -> Tree:
    """The group of the outermost graph in a NIR file. Raises InputError where the file has none."""
    graph = tree.get("node")
    if (
        not isinstance(graph, dict)
        or graph.get("type") != "NIRGraph"
        or not isinstance(graph.get("nodes"), dict)
    ):
        got = f"entries {shorten(sorted(tree), 5) or 'none'}"
        raise InputError(
            where,
            "an HDF5 file, but no NIR graph in it",
            got=got,
            limit="node/type NIRGraph and node/nodes",
            fix="give a file of nir.write",
        )
    return graph


def metadata_entry(graph: Tree, name: str) -> Tree | None:
    """A group of the graph's metadata, None where there is none."""
    metadata = graph.get("metadata")
    if isinstance(metadata, dict):
        entry = metadata.get(name)
    else:
        entry = None
    if isinstance(entry, dict):
        return entry
    return None


def chain_of(graph: Tree, where: str) -> tuple[ChainNode, ...]:
    """Return the nodes between Input and Output.

    Raises InputError that lists all nodes and edges because of which they are not a chain.
    """
    nodes = {name: node for name, node in graph["nodes"].items() if isinstance(node, dict)}
    kinds = {
        name: str(node["type"]) if isinstance(node.get("type"), str) else "nothing"
        for name, node in nodes.items()
    }
    problems = [
        f"{printable(name)} is {printable(kind, 30)}"
        for name, kind in kinds.items()
        if kind not in READABLE
    ]
    if problems:
        raise violations(where, problems, why=f"only {', '.join(READABLE)} are read", fix=FIX)
    order = _order(graph.get("edges"), kinds, where)
    found = []
    problems = []
    for name in order:
        if kinds[name] in PARAMETERS:
            parameters, wrong = _parameters(nodes[name], kinds[name])
            problems += [f"{printable(name)} ({kinds[name]}): {problem}" for problem in wrong]
            found.append(ChainNode(name, kinds[name], parameters))
    if problems:
        raise violations(where, problems, fix="write the graph with nir.write, which checks shapes")
    return tuple(found)


def _order(edges: object, kinds: dict[str, str], where: str) -> list[str]:
    if (
        not isinstance(edges, np.ndarray)
        or edges.ndim != 2
        or edges.shape[1] != 2
        or edges.dtype != object
    ):
        raise InputError(where, "the graph has no list of edges", limit="pairs of names", fix=FIX)
    pairs = [(str(a), str(b)) for a, b in edges]
    problems = [
        f"an edge leads to {printable(name)}, which is no node"
        for name in sorted({end for pair in pairs for end in pair} - set(kinds))
    ]
    problems += [
        f"the edge {printable(a)} -> {printable(b)} stands there {count} times"
        for (a, b), count in Counter(pairs).items()
        if count > 1
    ]
    for ends, verb in (
        (Counter(a for a, _ in set(pairs)), "feeds"),
        (Counter(b for _, b in set(pairs)), "is fed by"),
    ):
        problems += [
            f"{printable(name)} {verb} {count} nodes" for name, count in ends.items() if count > 1
        ]
    for kind in ("Input", "Output"):
        count = sum(found == kind for found in kinds.values())
        if count != 1:
            problems.append(f"{count} nodes are {kind}, one expected")
    if problems:
        raise violations(
            where,
            problems,
            why="recurrent, branching and joined graphs have no order of layers",
            fix=FIX,
        )
    following = dict(pairs)
    name = next(name for name, kind in kinds.items() if kind == "Input")
    order = [name]
    while name in following and len(order) <= len(kinds):
        name = following[name]
        order.append(name)
    missed = sorted(set(kinds) - set(order))
    if missed or len(order) != len(kinds) or kinds[order[-1]] != "Output":
        if missed:
            got = f"{shorten(missed)} not on it"
        else:
            got = f"it ends in {printable(order[-1])}"
        raise InputError(where, "the edges are not a chain from Input to Output", got=got, fix=FIX)
    return order


def _parameters(node: Tree, kind: str) -> tuple[dict[str, Float], list[str]]:
    """The parameters as float64, and what is wrong with them."""
    problems: list[str] = []
    found: dict[str, Float] = {}
    for name in PARAMETERS[kind]:
        value = node.get(name)
        if not isinstance(value, np.ndarray) or value.dtype == object:
            problems.append(f"{name} is missing")
            continue
        found[name] = np.asarray(value, np.float64)
        if not np.isfinite(found[name]).all():
            problems.append(f"{name} has non-finite values")
    if problems:
        return found, problems
    if kind in LINEAR_KINDS:
        found.setdefault("bias", np.zeros(found["weight"].shape[:1]))
        if (
            found["weight"].ndim != 2
            or 0 in found["weight"].shape
            or found["bias"].shape != found["weight"].shape[:1]
        ):
            problems.append(
                f"weight has shape {found['weight'].shape}, bias {found['bias'].shape}; (out, in)"
                " and (out) expected"
            )
        return found, problems
    reset = node.get("v_reset")
    if reset is None:
        found["v_reset"] = np.zeros_like(found["v_threshold"])
    elif isinstance(reset, np.ndarray):
        found["v_reset"] = np.asarray(reset, np.float64)
    else:
        found["v_reset"] = np.zeros(0)
    shapes = {name: value.shape for name, value in found.items()}
    if len(set(shapes.values())) != 1 or found["v_threshold"].ndim != 1:
        problems.append(
            "parameters have shapes"
            f" {', '.join(f'{name} {shape}' for name, shape in shapes.items())}; one of (neurons)"
            " expected"
        )
    return found, problems
