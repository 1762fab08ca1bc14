"""The network of an artifact as NIR nodes with real-valued parameters.

    x_0, the graph's input    q0 * scale: the encoded observation in real units, held for the T timesteps
    affine_l, hidden          y = (W x + b) / theta                 so that every neuron's threshold is 1
    if_l                      v <- v + y;  spike if v > 1;  v <- v - 1 (reset by subtraction, see contract.py)
    affine_l, readout         y = (W s + b) * row_scale             its mean over the T timesteps is what the host decodes

Membranes are counted in thresholds: NIR's simulators take one threshold per layer, and a spike is worth 1 as in the artifact.
Parameters are float32; the exact integers stand in the graph's metadata.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolchain.artifact import Artifact
from toolchain.errors import InputError
from toolchain.network import Layer

Arrays = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Node:
    """One NIR node: the name of its type and its parameters by NIR's names."""

    kind: str
    parameters: Arrays


@dataclass(frozen=True)
class NeuronMapping:
    """How a neuron is written: `node` gives its NIR node, `timestep_s` the dt that its parameters assume (1: none)."""

    name: str
    timestep: float
    node: Callable[[Layer], Node]


def integrate_and_fire(layer: Layer) -> Node:
    ones = np.ones(layer.outputs, np.float32)
    return Node("IF", {"r": ones, "v_threshold": ones, "v_reset": np.zeros_like(ones)})


MAPPINGS: dict[str, NeuronMapping] = {"if@1": NeuronMapping("if", 1.0, integrate_and_fire)}


def mapping_of(artifact: Artifact) -> NeuronMapping:
    """How the artifact's neurons are written. Raises InputError for those that NIR has no node for."""
    network = artifact.network
    neuron = network.neuron
    if len(network.layers) == 1 or neuron not in MAPPINGS:
        what = "a policy without hidden layers has no neuron to write" if len(network.layers) == 1 else f"NIR has no node for {neuron}"
        raise InputError(
            "--to nir",
            what,
            limit=", ".join(MAPPINGS),
            why="its primitives are integrate-and-fire neurons with binary spikes, so another node would be another network",
            fix=("--to onnx or --to lava, which carry every neuron", "convert with --neuron if"),
        )
    return MAPPINGS[neuron]


def nodes_of(artifact: Artifact) -> dict[str, Node]:
    """Nodes by name, in the order of their edges, between NIR's `input` and `output`. Raises InputError as `mapping_of` does."""
    mapping, network = mapping_of(artifact), artifact.network
    nodes: dict[str, Node] = {}
    for index, layer in enumerate(network.layers):
        last = index == len(network.layers) - 1
        unit = layer.row_scale if last else 1.0 / layer.threshold
        weight = layer.weights * unit[:, None]
        if index == 0:
            weight = weight / network.encoder.scale
        parameters = {"weight": weight.astype(np.float32), "bias": (layer.bias * unit).astype(np.float32)}
        nodes[f"affine_{index}"] = Node("Affine", parameters)
        if not last:
            nodes[f"{mapping.name}_{index}"] = mapping.node(layer)
    return nodes


def edges_of(names: list[str]) -> list[tuple[str, str]]:
    """A chain from `input` over `names` to `output`."""
    chain = ["input", *names, "output"]
    return list(zip(chain[:-1], chain[1:], strict=True))
