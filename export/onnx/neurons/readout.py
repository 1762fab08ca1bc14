"""`readout@1`: an accumulator.

It starts at T b (if, snm, mt) or D b (dc) in each window, at b in each episode (sdn).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_window import Control, NeuronGraph, Sums, Window
from spikeport.export.onnx.graph.timesteps import Size, run_timesteps
from spikeport.toolchain.network.integer_network import Coding, Layer, Network, denominator


@final
class ReadoutGraph(NeuronGraph):
    """The equations of toolchain/neurons/readout.py."""

    state = ("acc",)

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
        differential = network.coding == Coding.DIFFERENTIAL
        timesteps = network.timesteps
        if network.coding == Coding.ACROSS:
            fresh = control.start
        else:
            fresh = control.active
        if differential:
            times = denominator(timesteps)
        else:
            times = timesteps
        accumulator = graph.node(
            "Where", fresh, (times * layer.bias.astype(np.int64)).astype(np.int32), state["acc"]
        )
        arriving = sums.tensor
        if differential:
            shares = [times // timestep for timestep in range(1, timesteps + 1)]
            arriving = graph.node("Mul", arriving, np.array(shares, np.int32)[:, None])
        (accumulator,), (states,) = run_timesteps(
            graph, _add, [accumulator], arriving, Size(layer.outputs, timesteps, sums.count)
        )
        return Window([], states, {"acc": accumulator})


def _add(graph: Graph, state: list[str], part: str) -> tuple[list[str], list[str]]:
    after = [graph.node("Add", state[0], part)]
    return after, after
