"""A network laid out flat: four arrays, so that a call into compiled code costs less than the
decision itself.

Weights are stored input-major: the column of a sender is contiguous, an event is one vector
addition. `pack` writes the arrays in Python, `unpack` slices them inside compiled code; they must
agree on the order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.compilation import njit
from spikeport.toolchain.host.value_code import HostConstants, host_constants
from spikeport.toolchain.network.integer_network import READOUT, Coding, Layer, Network, denominator

# Rows of View.layers, one column per layer.
KIND, INPUTS, OUTPUTS, WEIGHTS, NEURONS, FAN_OUT, TRIGGER, SEGMENTS, TABLE, STATE = range(10)
(
    IF,
    SNM,
    MT,
    LEAKY,
    DC,
    SDN_RELU,
    SDN_IDENTITY,
    SDN_TABLE,
    READOUT_RATE,
    READOUT_DIFFERENTIAL,
    READOUT_ACROSS,
) = range(11)
# Rows of View.neurons, one column per neuron of the whole network.
BIAS, THRESHOLD, LOW, HIGH, MAGIC, MAGIC_SHIFT, TABLE_SHIFT = range(
    7
)  # leaky: its `keep` in MAGIC, its shift in TRIGGER above
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
SCALARS = 12
LAYER_ROWS = 10
NEURON_ROWS = 7
RATE_KINDS = {"if@1": IF, "snm@1": SNM, "mt@1": MT, "leaky@1": LEAKY, "dc@1": DC}
READOUTS = {
    Coding.RATE: READOUT_RATE,
    Coding.DIFFERENTIAL: READOUT_DIFFERENTIAL,
    Coding.ACROSS: READOUT_ACROSS,
}


class Packed(NamedTuple):
    header: NDArray[np.int64]
    weights: NDArray[np.int8]
    constants: NDArray[np.int32]  # neurons | fan_out | tables
    host: NDArray[np.float64]  # clip, time_scale, divisor | 4 x features | 5 x actions


class View(NamedTuple):
    """What a kernel reads."""

    layers: NDArray[np.int64]  # [10, L]
    weights: NDArray[np.int8]
    neurons: NDArray[np.int32]  # [7 * count], see the rows above
    fan_out: NDArray[np.int32]  # flat, per layer's input
    tables: NDArray[np.int32]  # [3, flat]: start, multiplier, offset; [neuron, segment] per layer
    timesteps: int
    alpha: int
    resync_every: int
    across: int
    widest: int
    denominator: int  # D of differential coding
    count: int  # neurons of the whole network


def _kind(network: Network, layer: Layer) -> int:
    if layer.neuron == READOUT:
        return READOUTS[network.coding]
    if layer.neuron == "sdn@1":
        if layer.table is not None:
            return SDN_TABLE
        if layer.activation == "relu":
            return SDN_RELU
        return SDN_IDENTITY
    return RATE_KINDS[layer.neuron]


def state_slots(kind: int) -> int:
    """Integers of state per neuron.

    V, v_start, net (dc also ein, eout); acc, ref (sdn); v (leaky); acc (readout).
    """
    return {LEAKY: 1, SDN_RELU: 2, SDN_IDENTITY: 2, SDN_TABLE: 2, DC: 5}.get(
        kind, 3 if kind < DC else 1
    )


def state_size(network: Network) -> int:
    """Integers of state of one row."""
    return sum(state_slots(_kind(network, layer)) * layer.outputs for layer in network.layers)


def _magic(threshold: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """m, k with floor(n / (2 theta)) = (n m) >> k for all 0 <= n < 2^26; n m < 2^53.

    Granlund and Montgomery 1994, theorem 4.2: m = ceil(2^k / d), k = 26 + ceil(log2 d), d = 2
    theta.
    """
    divisors = [2 * int(theta) for theta in threshold]
    shifts = [26 + (divisor - 1).bit_length() for divisor in divisors]
    return [
        -((-(1 << shift)) // divisor) for shift, divisor in zip(shifts, divisors, strict=True)
    ], shifts


def pack(artifact: Artifact) -> Packed:
    """Lay an artifact's network and contracts out flat."""
    network = artifact.network
    table = np.zeros((LAYER_ROWS, len(network.layers)), np.int64)
    weights = []
    neurons = []
    fan_out = []
    segments = []
    at_weight = at_neuron = at_fan_out = at_table = at_state = 0
    for index, layer in enumerate(network.layers):
        if layer.table is not None:
            count = layer.table.start.shape[1]
        else:
            count = 0
        kind = _kind(network, layer)
        table[:, index] = (
            kind,
            layer.inputs,
            layer.outputs,
            at_weight,
            at_neuron,
            at_fan_out,
            layer.trigger,
            count,
            at_table,
            at_state,
        )
        threshold = np.maximum(layer.threshold, 1).astype(np.int64)
        block = np.zeros((NEURON_ROWS, layer.outputs), np.int64)
        block[BIAS] = layer.bias
        block[THRESHOLD] = threshold
        block[LOW] = layer.payload_low
        block[HIGH] = layer.payload_high
        block[MAGIC], block[MAGIC_SHIFT] = _magic(threshold)
        if layer.leak is not None:
            block[THRESHOLD] = layer.threshold
            block[MAGIC] = layer.leak.keep
            table[TRIGGER, index] = layer.leak.shift
        if layer.table is not None:
            block[TABLE_SHIFT] = layer.table.shift
            segments.append(
                np.stack(
                    [
                        layer.table.start.ravel(),
                        layer.table.multiplier.ravel(),
                        layer.table.offset.ravel(),
                    ]
                )
            )
        weights.append(np.ascontiguousarray(layer.weights.T).ravel())
        neurons.append(block)
        fan_out.append(layer.fan_out)
        at_weight += layer.weights.size
        at_neuron += layer.outputs
        at_fan_out += layer.inputs
        at_table += layer.outputs * count
        at_state += layer.outputs * state_slots(kind)
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
        np.concatenate(weights),
        np.concatenate(
            [
                np.concatenate(neurons, axis=1).ravel(),
                *fan_out,
                np.concatenate(segments, axis=1).ravel() if segments else [],
            ]
        ).astype(np.int32),
        np.concatenate([(host.clip, host.time_scale, host.divisor), *host[:9]]),
    )


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
