"""A network laid out flat, in four arrays.

A call into compiled code would otherwise cost more than the decision itself. Weights are stored
input-major: the column of a sender is contiguous, an event is one vector addition. `pack` writes
the arrays in Python, `unpack` slices them inside compiled code; they must agree on the order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.compilation import njit
from spikeport.toolchain.host.value_code import HostConstants, host_constants
from spikeport.toolchain.network.integer_network import (
    READOUT,
    Coding,
    Layer,
    Network,
    denominator,
)
from spikeport.toolchain.neurons import Leaky
from spikeport.toolchain.simulation.fast.neurons import (
    differential_coding,
    integrate_and_fire,
    leaky,
    multi_threshold,
    readout,
    sigma_delta,
    signed_memory,
)
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import Block, Layout

LAYOUTS: dict[str, Layout] = {
    "sdn@1": sigma_delta.LAYOUT,
    "if@1": integrate_and_fire.LAYOUT,
    "snm@1": signed_memory.LAYOUT,
    "mt@1": multi_threshold.LAYOUT,
    "dc@1": differential_coding.LAYOUT,
    Leaky.id: leaky.LAYOUT,
    READOUT: readout.LAYOUT,
}

# Rows of View.layers, one column per layer.
KIND, INPUTS, OUTPUTS, WEIGHTS, NEURONS, FAN_OUT, TRIGGER, SEGMENTS, TABLE, STATE = range(10)
LAYER_ROWS = 10
# The header's scalars, before the layer table.
(
    LAYERS,
    TIMESTEPS,
    ALPHA,
    RESYNC,
    ACROSS,
    WIDEST,
    FEATURES,
    ACTIONS,
    ALL_NEURONS,
    ALL_FAN_OUT,
    FLAGS,
    DENOMINATOR,
) = range(12)


class Packed(NamedTuple):
    """The four arrays that the kernel is called with."""

    header: NDArray[np.int64]
    weights: NDArray[np.int8]
    constants: NDArray[np.int32]  # neurons | fan_out | tables
    host: NDArray[np.float64]  # clip, time_scale, divisor | 4 x features | 5 x actions


class View(NamedTuple):
    """What a kernel reads."""

    layers: NDArray[np.int64]  # [10, L]
    weights: NDArray[np.int8]
    neurons: NDArray[np.int32]  # [7 * count], the rows of kernel_layout.py
    fan_out: NDArray[np.int32]  # flat, per layer's input
    tables: NDArray[np.int32]  # [3, flat]: start, multiplier, offset; [neuron, segment] per layer
    timesteps: int
    alpha: int
    resync_every: int
    across: int
    widest: int
    denominator: int  # D of differential coding
    count: int  # neurons of the whole network


def state_size(network: Network) -> int:
    """Integers of state of one row."""
    return sum(LAYOUTS[layer.neuron].state * layer.outputs for layer in network.layers)


def pack(artifact: Artifact) -> Packed:
    """Lay an artifact's network and contracts out flat."""
    network = artifact.network
    table = np.zeros((LAYER_ROWS, len(network.layers)), np.int64)
    blocks = []
    at_weight = at_neuron = at_fan_out = at_table = at_state = 0
    for index, layer in enumerate(network.layers):
        layout = LAYOUTS[layer.neuron]
        block = Block.of(layer)
        layout.lay_out(layer, block)
        blocks.append(block)
        table[:, index] = (
            layout.kind(network, layer),
            layer.inputs,
            layer.outputs,
            at_weight,
            at_neuron,
            at_fan_out,
            block.trigger,
            block.segments,
            at_table,
            at_state,
        )
        at_weight += layer.weights.size
        at_neuron += layer.outputs
        at_fan_out += layer.inputs
        at_table += layer.outputs * block.segments
        at_state += layer.outputs * layout.state
    host = host_constants(network, artifact.observation, artifact.action)
    scalars = (
        len(network.layers),
        network.timesteps,
        network.alpha,
        network.resync_every,
        network.across_decisions,
        max(network.widths),
        network.layers[0].inputs,
        artifact.action.size,
        at_neuron,
        at_fan_out,
        host.flags,
        denominator(network.timesteps) if network.coding == Coding.DIFFERENTIAL else 1,
    )
    return Packed(
        np.concatenate([np.array(scalars, np.int64), table.ravel()]),
        np.concatenate([_by_input(layer) for layer in network.layers]),
        _constants(network, blocks),
        np.concatenate([(host.clip, host.time_scale, host.divisor), *host[:9]]),
    )


def _by_input(layer: Layer) -> NDArray[np.int8]:
    return np.ascontiguousarray(layer.weights.T).ravel()


def _constants(network: Network, blocks: list[Block]) -> NDArray[np.int32]:
    neurons = np.concatenate([block.neurons for block in blocks], axis=1)
    fan_outs = [layer.fan_out for layer in network.layers]
    tables = [block.tables for block in blocks if block.tables is not None]
    parts = [neurons.ravel(), *fan_outs]
    if tables:
        parts.append(np.concatenate(tables, axis=1).ravel())
    return np.concatenate(parts).astype(np.int32)


@njit(inline="always")
def unpack(header, weights, constants, host):
    """Views of the packed arrays, inside compiled code."""
    layers = header[0]
    total = header[8]
    table = header[12:].reshape(10, layers)
    neurons = constants[: 7 * total]
    fan_out = constants[7 * total : 7 * total + header[9]]
    rest = constants[7 * total + header[9] :]
    tables = rest.reshape(3, rest.shape[0] // 3)
    view = View(
        table,
        weights,
        neurons,
        fan_out,
        tables,
        header[1],
        header[2],
        header[3],
        header[4],
        header[5],
        header[11],
        total,
    )
    f = header[6]
    a = header[7]
    features = host[3 : 3 + 4 * f].reshape(4, f)
    actions = host[3 + 4 * f :].reshape(5, a)
    constants_of_host = HostConstants(
        features[0],
        features[1],
        features[2],
        features[3],
        actions[0],
        actions[1],
        actions[2],
        actions[3],
        actions[4],
        host[0],
        host[1],
        host[2],
        header[10],
    )
    return view, constants_of_host
