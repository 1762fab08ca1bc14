"""`snm@1`.

+1 if v >= theta; else -1 if v < 0 (strict) and n >= 1; v_init = theta // 2, carried over within [0,
theta].
"""

from __future__ import annotations

from typing import final

import numpy as np

from spikeport.export.onnx.carry_over import Range
from spikeport.export.onnx.neurons.windowed_graph import WindowedGraph
from spikeport.export.onnx.onnx_graph import Graph
from spikeport.export.onnx.onnx_integers import difference
from spikeport.toolchain.network.integer_network import Layer


@final
class SignedMemoryGraph(WindowedGraph):
    def range(self, layer: Layer) -> Range:
        theta = layer.threshold.astype(np.int64)
        return Range(theta // 2, np.zeros_like(theta), theta)

    def fire(self, graph: Graph, layer: Layer, v: str, net: str) -> str:
        up = graph.node("GreaterOrEqual", v, layer.threshold.astype(np.int32))
        sent = graph.node("GreaterOrEqual", net, np.array(1, np.int32))
        down = graph.node("And", graph.node("Less", v, np.array(0, np.int32)), sent)
        return difference(graph, up, down)
