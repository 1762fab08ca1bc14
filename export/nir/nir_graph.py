"""The network of an artifact as NIR nodes with real-valued parameters.

    if@1    graph input       q0 * scale: the encoded observation in real units, held for the T
        timesteps
            affine_l, hidden  y = (W x + b) / theta                 so that every neuron's threshold
                is 1
            if_l              v <- v + y;  spike if v > 1;  v <- v - 1 (reset by subtraction, see
                contract.py)
            affine_l, last    y = (W s + b) * row_scale             the readout
    lif@1   graph input       the spikes of the encoder's neurons
            affine_l          y = (W s 2^e + b) / theta             b / 64 where it is added to the
                membrane
            lif_l             LIF, or CubaLIF where the current decays; threshold 1, reset to 0
            affine_L          the decoder: action k reads its own group of output neurons

Either way the mean of the graph's output over the T timesteps is what the host decodes. Membranes
are counted in thresholds: NIR's simulators take one threshold per layer, and a spike is worth 1 as
in the artifact. Parameters are float32; the exact integers stand in the graph's metadata.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.export.formats import ways_out
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import Layer, Network
from spikeport.toolchain.network.parameters import ACT_SHIFT
from spikeport.toolchain.neurons import IntegrateAndFire, LeakyIntegrateAndFire
from spikeport.toolchain.neurons.leaky_integrate_and_fire import dynamics_of

IF = IntegrateAndFire.id
LIF = LeakyIntegrateAndFire.id
EXPRESSIBLE = (IF, LIF)
LIF_TIMESTEP = (
    1e-4  # seconds; what simulators of NIR's time constants assume (snnTorch has no other)
)
DECAY_UNITS = 4096
Arrays = dict[str, NDArray[np.float32]]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Node:
    """One NIR node: the name of its type and its parameters by NIR's names."""

    kind: str
    parameters: Arrays


def refuse_foreign_neurons(artifact: Artifact) -> None:
    """Raise InputError for an artifact whose neurons have no NIR node."""
    network = artifact.network
    hidden = network.spike_coding is not None or len(network.layers) > 1
    if not hidden or network.neuron not in EXPRESSIBLE:
        raise InputError(
            "--to nir",
            (
                f"NIR has no node for {network.neuron}"
                if hidden
                else "a policy without hidden layers has no neuron to write"
            ),
            limit=", ".join(EXPRESSIBLE),
            why=(
                "its primitives are integrate-and-fire neurons with binary spikes, so another node"
                " would be another network"
            ),
            fix=ways_out(network.neuron, "nir"),
        )
    problems = [
        f"layer {index}: {problem}"
        for index, layer in enumerate(network.layers)
        if layer.neuron == LIF
        for problem in _lif_problems(layer)
    ]
    if problems:
        raise violations(
            "--to nir",
            problems,
            why="NIR's neurons take their input in one place, and a time constant is finite",
            fix="--to lava",
        )


def _lif_problems(layer: Layer) -> list[str]:
    dynamics = dynamics_of(layer)
    problems = []
    if dynamics.current_decay < 4095 and not dynamics.bias_in_current:
        problems.append("its bias is added to the membrane behind a current that decays")
    if dynamics.voltage_decay < 1:
        problems.append("its membrane does not decay")
    return problems


def nodes_of(artifact: Artifact) -> dict[str, Node]:
    """Nodes by name, in the order of their edges, between NIR's `input` and `output`.

    Raises InputError for other neurons.
    """
    refuse_foreign_neurons(artifact)
    network = artifact.network
    if network.spike_coding is not None:
        return _lif_nodes(network, network.spike_coding)
    return _if_nodes(network)


def _if_nodes(network: Network) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for index, layer in enumerate(network.layers):
        last = index == len(network.layers) - 1
        if last:
            unit = layer.row_scale
        else:
            unit = 1.0 / layer.threshold
        weight = layer.weights * unit[:, None]
        nodes[f"affine_{index}"] = affine(
            weight / network.encoder.scale if index == 0 else weight, layer.bias * unit
        )
        if not last:
            ones = np.ones(layer.outputs)
            nodes[f"if_{index}"] = node("IF", r=ones, v_threshold=ones, v_reset=0 * ones)
    return nodes


def _lif_nodes(network: Network, coding: SpikeCoding) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for index, layer in enumerate(network.layers):
        dynamics = dynamics_of(layer)
        weight_unit = 2.0**dynamics.weight_exponent / layer.threshold
        if dynamics.bias_in_current:
            bias_unit = weight_unit
        else:
            bias_unit = 2.0**-ACT_SHIFT / layer.threshold
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

    R and w_in so that it adds its input whole.
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


def affine(weight: Float, bias: Float) -> Node:
    return node("Affine", weight=weight, bias=bias)


def node(kind: str, **parameters: Float) -> Node:
    return Node(kind, {name: value.astype(np.float32) for name, value in parameters.items()})


def edges_of(names: list[str]) -> list[tuple[str, str]]:
    """A chain from `input` over `names` to `output`."""
    chain = ["input", *names, "output"]
    return list(zip(chain[:-1], chain[1:], strict=True))
