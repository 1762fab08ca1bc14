"""The whole graph: one decision of n environments, in integers.

    in    encoded [n, inputs], control [n], input_state (sdn), state_0 .. state_{L-1}
          [n, entries, neurons]                                                      int32
    out   accumulator [n, act], next_input_state, next_state_0 ..                    int32
          counts [n, L, 3]                                                           int64

lif hands nothing on: it has no states. For the accumulator it has spike_counts [n, neurons] int32
of the last layer, and idle_counts [n, 2] int64, the spikes and synops of the L steps after the
window (onnx_codes.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph, Port
from spikeport.export.onnx.graph.onnx_window import Control, NeuronGraph, Window, synaptic_sums
from spikeport.export.onnx.neurons import graphs_of
from spikeport.export.onnx.onnx_codes import CODE_GRAPHS
from spikeport.toolchain.network.integer_network import READOUT, Layer, Network
from spikeport.toolchain.neurons.neuron import CARRY, INACTIVE, START

COUNTS = ("messages_in", "synops", "saturations")


@dataclass(frozen=True)
class Decision:
    """A graph and its ports.

    `states` pairs the inputs that carry state with the outputs that hold it afterwards.
    """

    graph: Graph
    inputs: list[Port]
    outputs: list[Port]
    states: list[tuple[Port, str]]


def decision_graph(network: Network, trace: bool = False) -> Decision:
    """Make the nodes of one decision.

    Rows whose control word is 0 keep their state and count nothing; their payloads in a trace mean
    nothing. With `trace` payloads_l and states_l [n, T, neurons] of each layer's window go out,
    too. Raises NotCarried for a neuron without a graph.
    """
    graph = Graph()
    neurons = graphs_of(network)
    code = CODE_GRAPHS[network.code.name]
    states = code.states(network) + [
        Port(f"state_{index}", np.int32, (len(neuron.state), layer.outputs))
        for index, (neuron, layer) in enumerate(zip(neurons, network.layers, strict=True))
        if neuron.state
    ]
    control = _control(graph)
    payloads = code.received(graph, network, control)
    count = code.count(network)
    counts = []
    idle: list[str] = []
    traced: list[Port] = []
    for index, (neuron, layer) in enumerate(zip(neurons, network.layers, strict=True)):
        name = f"state_{index}"
        before = _state(graph, name, neuron)
        sums = synaptic_sums(graph, layer, payloads, count, idle[-1] if idle else None)
        window = neuron.window(graph, network, layer, control, before, sums)
        if neuron.state:
            after = graph.concat([window.state[entry] for entry in neuron.state])
            graph.node("Where", control.active, after, name, name=f"next_{name}")
        if window.idle is not None:
            idle.append(window.idle)
        counts.append(_counts(graph, layer, payloads, window))
        if layer.neuron != READOUT:
            payloads = graph.concat(window.payloads)
            count = network.timesteps
        if trace:
            traced += _traced(graph, index, layer, network.timesteps, payloads, window)
    results = code.results(graph, network, control, payloads, idle)
    _count_active(graph, counts, control)
    inputs = [Port("encoded", np.int32, network.widths[:1]), Port("control", np.int32, ()), *states]
    outputs = [*results, *(Port(f"next_{state.name}", state.kind, state.shape) for state in states)]
    outputs += [Port("counts", np.int64, (len(neurons), len(COUNTS))), *traced]
    return Decision(graph, inputs, outputs, [(state, f"next_{state.name}") for state in states])


def _control(graph: Graph) -> Control:
    words = graph.node("Unsqueeze", "control", axes=[1, 2])
    carry, start, inactive = (
        graph.node("Equal", words, np.array(word, np.int32)) for word in (CARRY, START, INACTIVE)
    )
    return Control(graph.node("Not", inactive), carry, start)


def _state(graph: Graph, name: str, neuron: NeuronGraph) -> Mapping[str, str]:
    """A layer's state before the decision, entry by entry."""
    if not neuron.state:
        return {}
    return dict(zip(neuron.state, graph.split(name, len(neuron.state)), strict=True))


def _counts(graph: Graph, layer: Layer, payloads: str, window: Window) -> str:
    """Messages that arrived, synops and saturations of a window, int64 [n, 1, 3]."""
    columns = [np.ones_like(layer.fan_out), layer.fan_out]
    if window.saturated is None:
        columns.append(np.zeros_like(layer.fan_out))
    present = graph.cast(graph.cast(payloads, np.bool_), np.int64)
    counted = graph.node(
        "ReduceSum", graph.node("MatMul", present, np.stack(columns, axis=1)), axes=[1], keepdims=1
    )
    if window.saturated is None:
        return counted
    saturations = graph.node(
        "ReduceSum", graph.cast(window.saturated, np.int64), axes=[1, 2], keepdims=1
    )
    return graph.concat([counted, saturations], axis=2)


def _count_active(graph: Graph, counts: list[str], control: Control) -> None:
    graph.node("Where", control.active, graph.concat(counts), np.array(0, np.int64), name="counts")


def _traced(
    graph: Graph, index: int, layer: Layer, timesteps: int, payloads: str, window: Window
) -> list[Port]:
    shape = (timesteps, layer.outputs)
    ports = [Port(f"states_{index}", np.int32, shape)]
    graph.node("Identity", graph.concat(window.states), name=ports[0].name)
    if window.payloads:
        ports.append(Port(f"payloads_{index}", np.int32, shape))
        graph.node("Identity", payloads, name=ports[1].name)
    return ports
