"""The network of an artifact as NIR nodes with real-valued parameters.

    if@1    graph input       q0 * scale: the encoded observation in real units, held for the T
                              timesteps
            affine_l, hidden  y = (W x + b) / theta, so that every neuron's threshold is 1
            if_l              v <- v + y;  spike if v > 1;  v <- v - 1 (reset by subtraction, see
                              contract.py)
            affine_l, last    y = (W s + b) * row_scale: the readout
    lif@1   graph input       the spikes of the encoder's neurons
            affine_l          y = (W s 2^e + b) / theta, b / 64 where it is added to the membrane
            lif_l             LIF, or CubaLIF where the current decays; threshold 1, reset to 0
            affine_L          the decoder: action k reads its own group of output neurons

Either way the mean of the graph's output over the T timesteps is what the host decodes. Membranes
are counted in thresholds: NIR's simulators take one threshold per layer, and a spike is worth 1 as
in the artifact. Parameters are float32; the exact integers stand in the graph's metadata.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.export.exporter import NotCarried
from spikeport.export.host_description import spike_coding_of
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.integer_network import READOUT, Layer, Network
from spikeport.toolchain.network.parameters import ACT_SHIFT
from spikeport.toolchain.neurons import IntegrateAndFire, LeakyIntegrateAndFire
from spikeport.toolchain.neurons.leaky_integrate_and_fire import dynamics_of

IF = IntegrateAndFire.id
LIF = LeakyIntegrateAndFire.id
LIF_TIMESTEP = 1e-4  # seconds; simulators of NIR's time constants assume it, snnTorch has no other
DECAY_UNITS = 4096
Arrays = dict[str, NDArray[np.float32]]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Node:
    """One NIR node: the name of its type and its parameters by NIR's names."""

    kind: str
    parameters: Arrays


def refuse_foreign_neurons(artifact: Artifact) -> None:
    """Raise InputError for an artifact that NIR's nodes cannot hold, NotCarried for its neurons."""
    network = artifact.network
    if network.neuron not in EXPRESSIBLE:
        what = f"NIR has no node for {network.neuron}"
        if network.neuron == READOUT:
            what = "a policy without hidden layers has no neuron to write"
        raise NotCarried(
            "--to nir",
            what,
            neuron=network.neuron,
            format="nir",
            carried=EXPRESSIBLE,
            why=(
                "its primitives are integrate-and-fire neurons with binary spikes, so another node"
                " would be another network"
            ),
        )
    problems = [
        f"layer {index}: {problem}"
        for index, layer in enumerate(network.layers)
        if layer.neuron in EXPRESSIBLE
        for problem in EXPRESSIBLE[layer.neuron].problems(layer)
    ]
    if problems:
        raise violations(
            "--to nir",
            problems,
            why="NIR's neurons take their input in one place, and a time constant is finite",
            fix="--to lava",
        )


def nodes_of(artifact: Artifact) -> dict[str, Node]:
    """Nodes by name, in the order of their edges, between NIR's `input` and `output`.

    Raises InputError for an artifact that NIR's nodes cannot hold.
    """
    refuse_foreign_neurons(artifact)
    network = artifact.network
    return EXPRESSIBLE[network.neuron].nodes(network)


def _no_problems(layer: Layer) -> list[str]:
    return []


def _lif_problems(layer: Layer) -> list[str]:
    dynamics = dynamics_of(layer)
    problems = []
    if dynamics.current_decay < 4095 and not dynamics.bias_in_current:
        problems.append("its bias is added to the membrane behind a current that decays")
    if dynamics.voltage_decay < 1:
        problems.append("its membrane does not decay")
    return problems


def _if_nodes(network: Network) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for index, layer in enumerate(network.layers):
        last = index == len(network.layers) - 1
        unit = layer.row_scale if last else 1.0 / layer.threshold
        weight = layer.weights * unit[:, None]
        if index == 0:
            weight = weight / network.encoder.scale
        nodes[f"affine_{index}"] = affine(weight, layer.bias * unit)
        if not last:
            ones = np.ones(layer.outputs)
            nodes[f"if_{index}"] = node("IF", r=ones, v_threshold=ones, v_reset=0 * ones)
    return nodes


def _lif_nodes(network: Network) -> dict[str, Node]:
    coding = spike_coding_of(network)
    nodes: dict[str, Node] = {}
    for index, layer in enumerate(network.layers):
        dynamics = dynamics_of(layer)
        weight_unit = 2.0**dynamics.weight_exponent / layer.threshold
        bias_unit = 2.0**-ACT_SHIFT / layer.threshold
        if dynamics.bias_in_current:
            bias_unit = weight_unit
        nodes[f"affine_{index}"] = affine(
            layer.weights * weight_unit[:, None], layer.bias * bias_unit
        )
        nodes[f"lif_{index}"] = lif_node(layer)
    actions, group = coding.decoder_weights.shape
    decoder = np.zeros((actions, actions * group))
    for action in range(actions):
        decoder[action, action * group : (action + 1) * group] = coding.decoder_weights[action]
    nodes[f"affine_{len(network.layers)}"] = affine(decoder, coding.decoder_bias)
    return nodes


def lif_node(layer: Layer) -> Node:
    """Tau so that a forward Euler step of dt keeps what the integers keep.

    tau is such that a forward Euler step of dt keeps what the integers keep, r and w_in such that
    the step adds its input whole.
    """
    dynamics = dynamics_of(layer)
    ones = np.ones(layer.outputs)
    gain = DECAY_UNITS / dynamics.voltage_decay  # tau_mem / dt
    common = {"r": gain * ones, "v_leak": 0 * ones, "v_reset": 0 * ones, "v_threshold": ones}
    if dynamics.current_decay == 4095:
        return node("LIF", tau=LIF_TIMESTEP * gain * ones, **common)
    current_gain = DECAY_UNITS / (dynamics.current_decay + 1)
    return node(
        "CubaLIF",
        tau_mem=LIF_TIMESTEP * gain * ones,
        tau_syn=LIF_TIMESTEP * current_gain * ones,
        w_in=current_gain * ones,
        **common,
    )


@dataclass(frozen=True)
class Expression:
    """How a neuron is written: what NIR cannot say of a layer, and the nodes of a network."""

    problems: Callable[[Layer], list[str]]
    nodes: Callable[[Network], dict[str, Node]]


EXPRESSIBLE = {IF: Expression(_no_problems, _if_nodes), LIF: Expression(_lif_problems, _lif_nodes)}


def affine(weight: Float, bias: Float) -> Node:
    """An affine map, y = weight x + bias."""
    return node("Affine", weight=weight, bias=bias)


def node(kind: str, **parameters: Float) -> Node:
    """A node with its parameters in float32."""
    return Node(kind, {name: value.astype(np.float32) for name, value in parameters.items()})


def edges_of(names: list[str]) -> list[tuple[str, str]]:
    """A chain from `input` over `names` to `output`."""
    chain = ["input", *names, "output"]
    return list(zip(chain[:-1], chain[1:], strict=True))
