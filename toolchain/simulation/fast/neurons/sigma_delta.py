"""Compiled step of `sdn@1`; toolchain/neurons/sigma_delta.py has the rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Layer, Network
from spikeport.toolchain.simulation.fast.neurons.events import compiled
from spikeport.toolchain.simulation.fast.neurons.kernel_layout import (
    MAGIC,
    MAGIC_SHIFT,
    SDN_IDENTITY,
    SDN_RELU,
    SDN_TABLE,
    TABLE_SHIFT,
    THRESHOLD,
    Block,
    Layout,
)

BEYOND = 2**30  # outside every payload range, so it still counts as clipped


@compiled
def announce(state, reference, outputs, sums, q, neurons, lows, highs, trigger, scratch, leaving):
    """sdn@1: what is sent when the activation is q. Returns how many q were clipped."""
    clipped = np.int32(0)
    trigger = np.int32(trigger)
    for j in range(outputs):
        unclipped = sums[q + j]
        value = min(max(unclipped, neurons[lows + j]), neurons[highs + j])
        clipped += np.int32(value != unclipped)
        change = value - state[reference + j]
        send = (change >= trigger) | (change <= -trigger) | (value == 0)
        if send:
            payload = change
        else:
            payload = np.int32(0)
        scratch[leaving + j] = payload
        state[reference + j] += payload
    return clipped


@compiled
def quantise_relu(state, where, outputs, neurons, thresholds, magics, shifts, sums, q):
    """Quantise: floor((2 relu(acc) + theta) / (2 theta)) by multiplication."""
    for j in range(outputs):
        numerator = np.uint64(
            np.uint32(np.int32(2) * max(state[where + j], np.int32(0)) + neurons[thresholds + j])
        )
        sums[q + j] = np.int32(
            (numerator * np.uint64(np.uint32(neurons[magics + j])))
            >> np.uint64(neurons[shifts + j])
        )


@compiled
def quantise_identity(state, where, outputs, neurons, thresholds, sums, q):
    """Quantise: floor((2 acc + theta) / (2 theta)) by division; acc may be negative."""
    for j in range(outputs):
        theta = np.int64(neurons[thresholds + j])
        sums[q + j] = np.int32((2 * np.int64(state[where + j]) + theta) // (2 * theta))


@compiled
def quantise_table(state, where, outputs, neurons, shifts, tables, table, segments, sums, q):
    """The piecewise-linear map of ActivationTable; what no payload can be is cut to fit int32."""
    for j in range(outputs):
        base = table + np.int64(j) * segments
        value = state[where + j]
        low = 0
        high = segments
        while high - low > 1:
            middle = (low + high) >> 1
            if tables[0, base + middle] <= value:
                low = middle
            else:
                high = middle
        k = base + low
        bits = np.int64(neurons[shifts + j])
        rounded = (
            np.int64(value - tables[0, k]) * np.int64(tables[1, k]) + (np.int64(1) << (bits - 1))
        ) >> bits
        sums[q + j] = np.int32(min(max(np.int64(tables[2, k]) + rounded, -BEYOND), BEYOND))


def kind(network: Network, layer: Layer) -> int:
    """The kind of a layer follows from its activation."""
    if layer.table is not None:
        return SDN_TABLE
    if layer.activation == "relu":
        return SDN_RELU
    return SDN_IDENTITY


def lay_out(layer: Layer, block: Block) -> None:
    """Add the multipliers that divide by 2 theta, and the activation's table."""
    rows = block.neurons
    rows[MAGIC], rows[MAGIC_SHIFT] = magic(rows[THRESHOLD])
    table = layer.table
    if table is not None:
        rows[TABLE_SHIFT] = table.shift
        block.segments = table.start.shape[1]
        block.tables = np.stack(
            [table.start.ravel(), table.multiplier.ravel(), table.offset.ravel()]
        )


def magic(threshold: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Numbers m and k with floor(n / (2 theta)) = (n m) >> k for all 0 <= n < 2^26; n m < 2^53.

    Granlund and Montgomery 1994, theorem 4.2: m = ceil(2^k / d), k = 26 + ceil(log2 d), d = 2
    theta.
    """
    divisors = [2 * int(theta) for theta in threshold]
    shifts = [26 + (divisor - 1).bit_length() for divisor in divisors]
    return [
        -((-(1 << shift)) // divisor) for shift, divisor in zip(shifts, divisors, strict=True)
    ], shifts


LAYOUT = Layout(kind, state=2, lay_out=lay_out)  # acc, ref
