"""`if@1`: spike if v > theta (strict); v_init = theta // 2, carried over within [0, theta]."""

from __future__ import annotations

from typing import final

import numpy as np

from spikeport.export.onnx.graph.carry_over import Range
from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.neurons.windowed_graph import WindowedGraph
from spikeport.toolchain.network.integer_network import Layer


@final
class IntegrateAndFireGraph(WindowedGraph):
    """The equations of toolchain/neurons/integrate_and_fire.py."""

    def range(self, layer: Layer) -> Range:
        """Where the membrane starts, and its limits when carried over."""
        theta = layer.threshold.astype(np.int64)
        return Range(theta // 2, np.zeros_like(theta), theta)

    def fire(self, graph: Graph, layer: Layer, v: str, net: str) -> str:
        """Add the payloads of integrated membranes."""
        return graph.cast(graph.node("Greater", v, layer.threshold.astype(np.int32)), np.int32)
