"""`dc@1` in units of 1/D, D = lcm(1..T).

`ein` and `eout` live inside a window; only v, v_start and c are handed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np

from spikeport.export.onnx.graph.carry_over import Range, Residual, window_start
from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import beyond_limit, saturate
from spikeport.export.onnx.graph.onnx_window import Control, NeuronGraph, Sums, Window
from spikeport.export.onnx.neurons.multi_threshold import largest_payload
from spikeport.toolchain.network.integer_network import Layer, Network, denominator


@final
class DifferentialCodingGraph(NeuronGraph):
    """The equations of toolchain/neurons/differential_coding.py."""

    state = ("v", "v_start", "c")

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
        d = denominator(network.timesteps)
        threshold = layer.threshold.astype(np.int64)
        unit = d * threshold
        one = np.ones_like(threshold)
        span = Range(0 * unit, -4 * unit, 4 * unit)
        residual = Residual(state["v"], state["v_start"], state["c"], one)
        start = window_start(graph, control, span, residual, network.alpha)
        synaptic = graph.split(sums.tensor, sums.count)
        nothing = graph.node("Sub", start, start)
        v = start
        c = nothing
        eout = nothing
        ein = graph.node("Add", nothing, (d * layer.bias.astype(np.int64)).astype(np.int32))
        integrated = []
        payloads = []
        states = []
        for timestep in range(1, network.timesteps + 1):
            share = d // timestep
            # the host's input comes once
            if timestep <= sums.count:
                arriving = synaptic[timestep - 1]
            else:
                arriving = None
            if arriving is not None:
                v = graph.node("Add", v, graph.node("Mul", arriving, np.array(d, np.int32)))
            integrated.append(graph.node("Sub", graph.node("Add", v, ein), eout))
            saturated = saturate(graph, integrated[-1])
            c = graph.node("Add", c, eout)
            payloads.append(largest_payload(graph, saturated, unit, c, unit))
            sent = graph.node("Mul", payloads[-1], unit.astype(np.int32))
            v = graph.node("Sub", saturated, sent)
            c = graph.node("Add", c, sent)
            if arriving is not None:
                ein = graph.node("Add", ein, graph.node("Mul", arriving, np.array(share, np.int32)))
            eout = graph.node(
                "Add", eout, graph.node("Mul", payloads[-1], (share * threshold).astype(np.int32))
            )
            states.append(v)
        return Window(
            payloads, states, {"v": v, "v_start": start, "c": c}, beyond_limit(graph, integrated)
        )
