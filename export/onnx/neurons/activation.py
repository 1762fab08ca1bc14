"""q of `sdn@1` before clipping: relu, identity, or a piecewise-linear table."""

from __future__ import annotations

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import clip_long, floor_division, shift_right
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.network.parameters import ActivationTable

BEYOND = 2**30  # above every payload's range, so what is cut here still counts as saturated


def quantised_activation(graph: Graph, layer: Layer, accumulator: str) -> str:
    """Add q, int32 [n, 1, neurons], of accumulators of the same shape."""
    if layer.table is not None:
        return table_value(graph, layer.table, accumulator)
    theta = layer.threshold.astype(np.int32)
    if layer.activation == "relu":
        accumulator = graph.node("Max", accumulator, np.array(0, np.int32))
    doubled = graph.node("Mul", accumulator, np.array(2, np.int32))
    return floor_division(graph, graph.node("Add", doubled, theta), 2 * theta)


def table_value(graph: Graph, table: ActivationTable, accumulator: str) -> str:
    """Add the piecewise-linear map of a table.

    offset + (((acc - start) * multiplier + 2^(shift - 1)) >> shift) of the last segment with start
    <= acc. A product of 24 by 15 bits needs 64, and so may q, until it is cut to what no payload
    reaches. The tables are stored flat, [neuron, segment].
    """
    neurons, segments = table.start.shape
    reached = graph.node(
        "GreaterOrEqual",
        graph.node("Unsqueeze", accumulator, axes=[3]),
        table.start.astype(np.int32),
    )
    passed = graph.node("ReduceSum", graph.cast(reached, np.int32), axes=[3], keepdims=0)
    place = graph.node("Add", passed, (np.arange(neurons) * segments - 1).astype(np.int32))
    start, multiplier, offset = (
        graph.node("Gather", part.astype(np.int64).ravel(), place, axis=0)
        for part in (table.start, table.multiplier, table.offset)
    )
    shift = table.shift.astype(np.int64)
    product = graph.node(
        "Mul", graph.node("Sub", graph.cast(accumulator, np.int64), start), multiplier
    )
    rounded = graph.node("Add", product, np.left_shift(np.ones_like(shift), shift - 1))
    q = graph.node("Add", shift_right(graph, rounded, shift), offset)
    return graph.cast(clip_long(graph, q, BEYOND), np.int32)
