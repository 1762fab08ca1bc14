"""`mt@1`: payloads of 1, 2, 4 and 8.

The largest p of these with 4 v >= 3 p lambda, else the largest with 4 v <= -3 p lambda and c >= p,
negative.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.export.onnx.graph.carry_over import Range
from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.neurons.windowed_graph import WindowedGraph
from spikeport.toolchain.network.integer_network import Layer

PAYLOADS = np.array([1, 2, 4, 8], np.int64)


def largest_payload(
    graph: Graph, v: str, unit: NDArray[np.int64], sent: str, enough: NDArray[np.int64]
) -> str:
    """Add the payload p of membranes.

    4 v >= 3 p lambda where v >= ceil(3 p lambda / 4). Whatever passes the threshold of p passes the
    smaller ones too, so p is the sum of its distances from the next smaller one: 1, 1, 2, 4.

    Args:
        graph: Takes the nodes.
        v: Membranes, [n, 1, neurons].
        unit: The thresholds lambda, [neurons].
        sent: What was sent so far.
        enough: A negative p needs sent >= p * enough, [neurons].

    Returns:
        p, int32 [n, 1, neurons].
    """
    p = PAYLOADS[:, None]
    reached = (-(-3 * p * unit // 4)).astype(np.int32)
    steps = np.diff(p, axis=0, prepend=0).astype(np.int32)
    nothing = np.array(0, np.int32)
    up = graph.node("GreaterOrEqual", v, reached)
    down = graph.node(
        "And",
        graph.node("LessOrEqual", v, -reached),
        graph.node("GreaterOrEqual", sent, (p * enough).astype(np.int32)),
    )
    change = graph.node(
        "Sub", graph.node("Where", up, steps, nothing), graph.node("Where", down, steps, nothing)
    )
    return graph.node("ReduceSum", change, axes=[1], keepdims=1)


@final
class MultiThresholdGraph(WindowedGraph):
    """The equations of toolchain/neurons/multi_threshold.py."""

    def range(self, layer: Layer) -> Range:
        """Where the membrane starts, and its limits when carried over."""
        half = 4 * layer.threshold.astype(np.int64)
        return Range(np.zeros_like(half), -half, half)

    def fire(self, graph: Graph, layer: Layer, v: str, net: str) -> str:
        """Add the payloads of integrated membranes."""
        unit = layer.threshold.astype(np.int64)
        return largest_payload(graph, v, unit, net, np.ones_like(unit))
