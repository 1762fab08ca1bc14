"""`leaky@1`, one timestep per decision.

v <- sat(decay(v, keep) + (W x << shift) + b - theta [v > theta]);  spike if v > theta
v = 0 at a start
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import beyond_limit, decay, saturate
from spikeport.export.onnx.graph.onnx_window import Control, NeuronGraph, Sums, Window
from spikeport.toolchain.network.integer_network import Layer, Network
from spikeport.toolchain.neurons.leaky import leak_of


@final
class LeakyGraph(NeuronGraph):
    """The equations of toolchain/neurons/leaky.py."""

    state = ("v",)

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
        leak = leak_of(layer)
        theta = layer.threshold.astype(np.int32)
        zero = np.array(0, np.int32)
        before = graph.node("Where", control.start, zero, state["v"])
        arriving = graph.node(
            "Add",
            graph.node("Mul", sums.tensor, np.array(1 << leak.shift, np.int32)),
            layer.bias.astype(np.int32),
        )
        late = graph.node("Where", graph.node("Greater", before, theta), theta, zero)
        kept = decay(graph, before, leak.keep.astype(np.int64))
        integrated = graph.node("Sub", graph.node("Add", kept, arriving), late)
        v = saturate(graph, integrated)
        payload = graph.cast(graph.node("Greater", v, theta), np.int32)
        return Window([payload], [v], {"v": v}, beyond_limit(graph, [integrated]))
