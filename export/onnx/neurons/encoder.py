"""The encoder's neurons of a spiking network.

v <- v + q;  spike if v > threshold;  v <- v - threshold;  v = 0 at a decision's start
"""

from __future__ import annotations

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.timesteps import Size, run_timesteps


def encoder_spikes(graph: Graph, encoded: str, inputs: int, threshold: int, timesteps: int) -> str:
    """Add the spikes int32 [n, T, inputs] of activations q [n, 1, inputs]."""
    theta = np.array(threshold, np.int32)

    def step(graph: Graph, state: list[str], q: str) -> tuple[list[str], list[str]]:
        v = graph.node("Add", state[0], q)
        spikes = graph.cast(graph.node("Greater", v, theta), np.int32)
        return [graph.node("Sub", v, graph.node("Mul", spikes, theta))], [spikes]

    _, (spikes,) = run_timesteps(
        graph, step, [graph.node("Sub", encoded, encoded)], encoded, Size(inputs, timesteps, 1)
    )
    return graph.concat(spikes)
