"""What `if`, `snm` and `mt` share.

I = W x + b;  v <- sat(v + I);  fire;  v <- v - p theta;  n <- n + p
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from spikeport.export.onnx.graph.carry_over import Range, Residual, window_start
from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import beyond_limit, saturate
from spikeport.export.onnx.graph.onnx_window import Control, NeuronGraph, Sums, Window
from spikeport.export.onnx.graph.timesteps import Size, run_timesteps
from spikeport.toolchain.network.integer_network import Layer, Network


class WindowedGraph(NeuronGraph):
    """Abstract; `net` counts what was sent in this decision, in units of one threshold each."""

    state = ("v", "v_start", "net")

    @abstractmethod
    def range(self, layer: Layer) -> Range:
        """v_init, low and high of the carry-over."""

    @abstractmethod
    def fire(self, graph: Graph, layer: Layer, v: str, net: str) -> str:
        """Payloads int32 [n, 1, neurons] of membranes after integration."""

    def window(
        self,
        graph: Graph,
        network: Network,
        layer: Layer,
        control: Control,
        state: Mapping[str, str],
        sums: Sums,
    ) -> Window:
        """Add the nodes of one window."""
        theta = layer.threshold.astype(np.int32)
        residual = Residual(state["v"], state["v_start"], state["net"], theta.astype(np.int64))
        start = window_start(graph, control, self.range(layer), residual, network.alpha)

        def step(graph: Graph, state: list[str], current: str) -> tuple[list[str], list[str]]:
            v, net = state
            integrated = graph.node("Add", v, current)
            saturated = saturate(graph, integrated)
            payload = self.fire(graph, layer, saturated, net)
            v = graph.node("Sub", saturated, graph.node("Mul", payload, theta))
            return [v, graph.node("Add", net, payload)], [integrated, payload, v]

        currents = graph.node("Add", sums.tensor, layer.bias.astype(np.int32))
        fresh = [start, graph.node("Sub", start, start)]
        (v, net), (integrated, payloads, states) = run_timesteps(
            graph, step, fresh, currents, Size(layer.outputs, network.timesteps, sums.count)
        )
        return Window(
            payloads,
            states,
            {"v": v, "v_start": start, "net": net},
            beyond_limit(graph, integrated),
        )
