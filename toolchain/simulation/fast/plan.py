"""A network laid out flat, so that one compiled call per decision takes a handful of arrays.

Weights are stored input-major: the column of a sender is contiguous, an event is one vector addition.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolchain.network import READOUT, Layer, Network

# Rows of Plan.layers: one column per layer.
KIND, INPUTS, OUTPUTS, WEIGHTS, NEURONS, FAN_OUT, TRIGGER, SEGMENTS, TABLE, STATE = range(10)
KIND_IF, KIND_SDN_RELU, KIND_SDN_IDENTITY, KIND_SDN_TABLE, KIND_READOUT_RATE, KIND_READOUT_ACROSS = range(6)

# Rows of Plan.neurons, one column per neuron of the whole network.
BIAS, THRESHOLD, LOW, HIGH, MAGIC, MAGIC_SHIFT, SHIFT = range(7)
# Rows of a state block [3, neurons]: v | v_start | emitted (if), acc | ref | latch (others).
FIRST, SECOND, THIRD = range(3)


class Plan(NamedTuple):
    """What the kernel reads. A named tuple, so that compiled code takes it whole."""

    layers: NDArray[np.int64]  # [10, L]
    weights: NDArray[np.int8]  # flat, input-major per layer
    neurons: NDArray[np.int64]  # [7, sum of neurons]
    fan_out: NDArray[np.int64]  # flat, per layer's input
    tables: NDArray[np.int64]  # [3, flat]: start, multiplier, offset, [neuron, segment] per layer
    timesteps: int
    alpha: int
    resync_every: int
    across: int
    widest: int


def _kind(network: Network, layer: Layer) -> int:
    if layer.neuron == READOUT:
        return KIND_READOUT_ACROSS if network.across_decisions else KIND_READOUT_RATE
    if layer.neuron == "sdn@1":
        return KIND_SDN_TABLE if layer.table is not None else KIND_SDN_RELU if layer.activation == "relu" else KIND_SDN_IDENTITY
    return {"if@1": KIND_IF}[layer.neuron]


def _magic(threshold: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """m, k with floor(n / (2 theta)) = (n m) >> k for all 0 <= n < 2^26.

    Granlund and Montgomery 1994, theorem 4.2: m = ceil(2^k / d), k = 26 + ceil(log2 d); n m < 2^53.
    """
    divisor = 2 * threshold
    bits = np.array([26 + (int(d) - 1).bit_length() for d in divisor], np.int64)
    magic = np.array([-((-(1 << int(k))) // int(d)) for k, d in zip(bits, divisor, strict=True)], np.int64)
    return magic, bits


def plan(network: Network) -> Plan:
    """Lay a network out flat."""
    count = len(network.layers)
    layers = np.zeros((10, count), np.int64)
    weights, neurons, fan_out, tables = [], [], [], []
    offsets = dict.fromkeys(("weights", "neurons", "fan_out", "tables"), 0)
    for index, layer in enumerate(network.layers):
        segments = layer.table.start.shape[1] if layer.table is not None else 0
        layers[:, index] = (
            _kind(network, layer), layer.inputs, layer.outputs, offsets["weights"], offsets["neurons"], offsets["fan_out"], layer.trigger, segments, offsets["tables"], 3 * offsets["neurons"],
        )  # fmt: skip
        weights.append(np.ascontiguousarray(layer.weights.T).ravel())
        block = np.zeros((7, layer.outputs), np.int64)
        block[BIAS], block[THRESHOLD], block[LOW], block[HIGH] = layer.bias, np.maximum(layer.threshold, 1), layer.payload_low, layer.payload_high
        block[MAGIC], block[MAGIC_SHIFT] = _magic(block[THRESHOLD])
        if layer.table is not None:
            block[SHIFT] = layer.table.shift
            tables.append(np.stack([layer.table.start.ravel(), layer.table.multiplier.ravel(), layer.table.offset.ravel()]).astype(np.int64))
        neurons.append(block)
        fan_out.append(layer.fan_out)
        offsets["weights"] += layer.weights.size
        offsets["neurons"] += layer.outputs
        offsets["fan_out"] += layer.inputs
        offsets["tables"] += layer.outputs * segments
    flat = np.concatenate(tables, axis=1) if tables else np.zeros((3, 1), np.int64)
    return Plan(
        layers, np.concatenate(weights), np.concatenate(neurons, axis=1), np.concatenate(fan_out), np.ascontiguousarray(flat),
        network.timesteps, network.alpha, network.resync_every, int(network.across_decisions), max(network.widths),
    )  # fmt: skip
