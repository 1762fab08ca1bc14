"""`sdn@1`: changes of a quantised activation.

acc <- acc + W d;  q = clip(f(acc));  d = q - ref
sent if d != 0 and (|d| >= trigger or q = 0)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import clip
from spikeport.export.onnx.graph.onnx_window import Control, NeuronGraph, Sums, Window
from spikeport.export.onnx.neurons.activation import quantised_activation
from spikeport.toolchain.network.integer_network import Layer, Network


@final
class SigmaDeltaGraph(NeuronGraph):
    """The equations of toolchain/neurons/sigma_delta.py."""

    state = ("acc", "ref")

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
        zero = np.array(0, np.int32)
        before = graph.node("Where", control.start, layer.bias.astype(np.int32), state["acc"])
        reference = graph.node("Where", control.start, zero, state["ref"])
        accumulator = graph.node("Add", before, sums.tensor)
        unclipped = quantised_activation(graph, layer, accumulator)
        q = clip(
            graph,
            unclipped,
            layer.payload_low.astype(np.int32),
            layer.payload_high.astype(np.int32),
        )
        payload = graph.node("Sub", q, reference)
        if layer.trigger > 1:
            enough = graph.node(
                "GreaterOrEqual", graph.node("Abs", payload), np.array(layer.trigger, np.int32)
            )
            payload = graph.node(
                "Where", graph.node("Or", enough, graph.node("Equal", q, zero)), payload, zero
            )
        state_after = {"acc": accumulator, "ref": graph.node("Add", reference, payload)}
        return Window(
            [payload],
            [accumulator],
            state_after,
            graph.node("Not", graph.node("Equal", q, unclipped)),
        )
