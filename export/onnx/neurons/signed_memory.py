"""`snm@1`: spikes that may be taken back.

+1 if v >= theta; else -1 if v < 0 (strict) and n >= 1; v_init = theta // 2, carried over within [0,
theta].
"""

from __future__ import annotations

from typing import final

import numpy as np

from spikeport.export.onnx.graph.carry_over import Range
from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import difference
from spikeport.export.onnx.neurons.windowed_graph import WindowedGraph
from spikeport.toolchain.network.integer_network import Layer


@final
class SignedMemoryGraph(WindowedGraph):
    """The equations of toolchain/neurons/signed_memory.py."""

    def range(self, layer: Layer) -> Range:
        """Where the membrane starts, and its limits when carried over."""
        theta = layer.threshold.astype(np.int64)
        return Range(theta // 2, np.zeros_like(theta), theta)

    def fire(self, graph: Graph, layer: Layer, v: str, net: str) -> str:
        """Add the payloads of integrated membranes."""
        up = graph.node("GreaterOrEqual", v, layer.threshold.astype(np.int32))
        sent = graph.node("GreaterOrEqual", net, np.array(1, np.int32))
        down = graph.node("And", graph.node("Less", v, np.array(0, np.int32)), sent)
        return difference(graph, up, down)
