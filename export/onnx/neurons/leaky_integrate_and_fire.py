"""`lif@1`, hard reset, u = v = 0 at each window's start.

    u <- decay(u) + (a << 6);  v <- decay(v) + u;  spike if v > threshold << 6;  v <- 0

Nothing is handed on to the next decision. As a stock LIF runs on until its next reset, L steps
follow the window, for the counts of idle activity alone. The range proof keeps all of it within 24
bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import decay
from spikeport.export.onnx.graph.onnx_window import Control, NeuronGraph, Sums, Window
from spikeport.export.onnx.graph.timesteps import Size, run_timesteps
from spikeport.toolchain.network.integer_network import Layer, Network
from spikeport.toolchain.network.parameters import ACT_SHIFT
from spikeport.toolchain.neurons.leaky_integrate_and_fire import dynamics_of


@final
class LeakyIntegrateAndFireGraph(NeuronGraph):
    """The equations of toolchain/neurons/leaky_integrate_and_fire.py."""

    state = ()

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
        dynamics = dynamics_of(layer)
        steps = len(network.layers)
        kept_u, kept_v = (
            np.array(kept, np.int64)
            for kept in (4095 - dynamics.current_decay, 4096 - dynamics.voltage_decay)
        )
        weight = np.array(1 << (dynamics.weight_exponent + ACT_SHIFT), np.int32)
        threshold, bias = (
            part.astype(np.int32) for part in (layer.threshold << ACT_SHIFT, layer.bias)
        )
        zeros = np.zeros(layer.outputs, np.int32)
        zero = np.array(0, np.int32)
        in_current, in_voltage = (bias, zeros) if dynamics.bias_in_current else (zeros, bias)

        def step(graph: Graph, state: list[str], arriving: str) -> tuple[list[str], list[str]]:
            u = graph.node("Add", decay(graph, state[0], kept_u), arriving)
            v = graph.node("Add", graph.node("Add", decay(graph, state[1], kept_v), u), in_voltage)
            fired = graph.node("Greater", v, threshold)
            v = graph.node("Where", fired, zero, v)
            return [u, v], [graph.cast(fired, np.int32), v]

        def current(tensor: str) -> str:
            return graph.node("Mul", graph.node("Add", tensor, in_current), weight)

        reset = graph.node("Where", control.active, zeros, zeros)
        if sums.idle is None:
            silence = reset
        else:
            silence = sums.idle
        window = Size(layer.outputs, network.timesteps, sums.count)
        after, (payloads, states) = run_timesteps(
            graph, step, [reset, reset], current(sums.tensor), window
        )
        later = Size(layer.outputs, steps, 1 if sums.idle is None else steps)
        _, (idle, _) = run_timesteps(graph, step, after, current(silence), later)
        return Window(payloads, states, {}, idle=graph.concat(idle))
