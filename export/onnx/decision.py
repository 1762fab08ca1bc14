"""The whole graph: one decision of n environments, integers from the encoded observation to the
readout's accumulator.

in    encoded [n, inputs], control [n], input_state (sdn), state_0 .. state_{L-1} [n, entries,
    neurons]          int32
out   accumulator [n, act], next_input_state, next_state_0 ..  int32;  counts [n, L, 3]
    int64

lif hands nothing on: it has no states. For the accumulator it has spike_counts [n, neurons] int32
of the last layer, and idle_counts [n, 2] int64, the spikes and synops of the L steps after the
window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeport.export.onnx.neurons import graphs_of
from spikeport.export.onnx.neurons.encoder import encoder_spikes
from spikeport.export.onnx.onnx_graph import Graph
from spikeport.export.onnx.onnx_window import Control, Window, synaptic_sums
from spikeport.toolchain.network.integer_network import READOUT, Layer, Network
from spikeport.toolchain.neurons import CARRY, INACTIVE, START

COUNTS = ("messages_in", "synops", "saturations")
IDLE_COUNTS = ("spikes", "synops")


@dataclass(frozen=True)
class Port:
    """An input or output of the graph: its name, its type and the axes behind the first, n."""

    name: str
    kind: type[np.generic]
    shape: tuple[int, ...]


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
    """Nodes of one decision; with `trace` also payloads_l and states_l [n, T, neurons] of each
    layer's window.

    Rows whose control word is 0 keep their state and count nothing; their payloads in a trace mean
    nothing. Raises InputError for a neuron without a graph.
    """
    graph = Graph()
    neurons = graphs_of(network)
    if network.across_decisions:
        states = [Port("input_state", np.int32, (1, network.widths[0]))]
    else:
        states = []
    kept = [
        (index, (len(n.state), layer.outputs))
        for index, (n, layer) in enumerate(zip(neurons, network.layers, strict=True))
        if n.state
    ]
    states += [Port(f"state_{index}", np.int32, shape) for index, shape in kept]
    control = _control(graph)
    payloads = _input_payloads(graph, network, control)
    counts = []
    if network.spike_coding is None:
        count = 1
    else:
        count = network.timesteps
    idle: list[str] = []
    traced: list[Port] = []
    for index, (neuron, layer) in enumerate(zip(neurons, network.layers, strict=True)):
        name = f"state_{index}"
        if neuron.state:
            before = dict(zip(neuron.state, graph.split(name, len(neuron.state)), strict=True))
        else:
            before = {}
        window = neuron.window(
            graph,
            network,
            layer,
            control,
            before,
            synaptic_sums(graph, layer, payloads, count, idle[-1] if idle else None),
        )
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
    if network.spike_coding is None:
        graph.node("Squeeze", f"next_state_{len(neurons) - 1}", axes=[1], name="accumulator")
        results = [Port("accumulator", np.int32, network.widths[-1:])]
    else:
        _spike_counts(graph, payloads, control)
        _idle_counts(graph, network, idle, control)
        results = [
            Port("spike_counts", np.int32, network.widths[-1:]),
            Port("idle_counts", np.int64, (len(IDLE_COUNTS),)),
        ]
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


def _input_payloads(graph: Graph, network: Network, control: Control) -> str:
    """q0, or q0 - ref0 where payloads are changes, int32 [n, 1, features].

    Of lif the encoder's spikes [n, T, inputs].
    """
    encoded = graph.node("Unsqueeze", "encoded", axes=[1])
    if network.spike_coding is not None:
        return encoder_spikes(
            graph, encoded, network.widths[0], network.spike_coding.threshold, network.timesteps
        )
    if not network.across_decisions:
        return encoded
    reference = graph.node("Where", control.start, np.array(0, np.int32), "input_state")
    graph.node("Where", control.active, encoded, "input_state", name="next_input_state")
    return graph.node("Sub", encoded, reference)


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


def _spike_counts(graph: Graph, payloads: str, control: Control) -> None:
    summed = graph.node("ReduceSum", payloads, axes=[1], keepdims=1)
    graph.node(
        "Squeeze",
        graph.node("Where", control.active, summed, np.array(0, np.int32)),
        axes=[1],
        name="spike_counts",
    )


def _idle_counts(graph: Graph, network: Network, idle: list[str], control: Control) -> None:
    """Spikes and synops of the payloads [n, L, neurons] after the windows, and of the neurons that
    always spike.
    """
    parts = []
    for index, payloads in enumerate(idle):
        layer = network.layers[index]
        steps = len(network.layers)
        if index + 1 < steps:
            synops = network.layers[index + 1].fan_out
        else:
            synops = np.zeros(layer.outputs, np.int64)
        sums = graph.node(
            "MatMul",
            graph.cast(payloads, np.int64),
            np.stack([np.ones_like(synops), synops], axis=1),
        )
        always = np.array([steps * (layer.always_on > 0), steps * layer.always_on], np.int64)
        parts.append(graph.node("Add", graph.node("ReduceSum", sums, axes=[1], keepdims=1), always))
    counted = graph.node(
        "Where",
        control.active,
        graph.node("ReduceSum", graph.concat(parts), axes=[1], keepdims=1),
        np.array(0, np.int64),
    )
    graph.node("Squeeze", counted, axes=[1], name="idle_counts")


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
