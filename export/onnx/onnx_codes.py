"""The two ends of the graph, by the network's code: what comes in and what the host decodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import numpy as np

from spikeport.export.host_description import spike_coding_of
from spikeport.export.onnx.graph.onnx_graph import Graph, Port
from spikeport.export.onnx.graph.onnx_window import Control
from spikeport.export.onnx.neurons.encoder import encoder_spikes
from spikeport.toolchain.network.integer_network import Network

IDLE_COUNTS = ("spikes", "synops")


class CodeGraph(ABC):
    """Abstract: the nodes at either end of a decision."""

    @abstractmethod
    def states(self, network: Network) -> list[Port]:
        """State that the input hands on to the next decision."""

    @abstractmethod
    def received(self, graph: Graph, network: Network, control: Control) -> str:
        """Add what the first layer receives, int32 [n, count, inputs]."""

    @abstractmethod
    def count(self, network: Network) -> int:
        """Timesteps in which something may arrive."""

    @abstractmethod
    def results(
        self, graph: Graph, network: Network, control: Control, payloads: str, idle: list[str]
    ) -> list[Port]:
        """Add what the host decodes.

        Args:
            graph: Takes the nodes.
            network: What the graph computes.
            control: What happens to each row.
            payloads: Of the last layer that sends any, int32 [n, T, neurons].
            idle: Payloads after the windows, [n, L, neurons] per layer; none where nothing runs on.

        Returns:
            The ports that hold it.
        """


@final
class ValueGraph(CodeGraph):
    """q0, or its change since the last decision, comes in; the readout's accumulator goes out."""

    def states(self, network: Network) -> list[Port]:
        """Return q0 of the last decision where changes are sent."""
        if not network.across_decisions:
            return []
        return [Port("input_state", np.int32, (1, network.widths[0]))]

    def received(self, graph: Graph, network: Network, control: Control) -> str:
        """Add q0, or q0 - ref0 where payloads are changes, int32 [n, 1, features]."""
        encoded = graph.node("Unsqueeze", "encoded", axes=[1])
        if not network.across_decisions:
            return encoded
        reference = graph.node("Where", control.start, np.array(0, np.int32), "input_state")
        graph.node("Where", control.active, encoded, "input_state", name="next_input_state")
        return graph.node("Sub", encoded, reference)

    def count(self, network: Network) -> int:
        """Return 1: the input comes once."""
        return 1

    def results(
        self, graph: Graph, network: Network, control: Control, payloads: str, idle: list[str]
    ) -> list[Port]:
        """Add `accumulator` [n, act], the readout's state."""
        last = len(network.layers) - 1
        graph.node("Squeeze", f"next_state_{last}", axes=[1], name="accumulator")
        return [Port("accumulator", np.int32, network.widths[-1:])]


@final
class SpikeGraph(CodeGraph):
    """The encoder's neurons are in the graph; the last layer's spikes are counted."""

    def states(self, network: Network) -> list[Port]:
        """Return nothing: every decision starts afresh."""
        return []

    def received(self, graph: Graph, network: Network, control: Control) -> str:
        """Add the encoder's spikes, int32 [n, T, inputs]."""
        encoded = graph.node("Unsqueeze", "encoded", axes=[1])
        threshold = spike_coding_of(network).threshold
        return encoder_spikes(graph, encoded, network.widths[0], threshold, network.timesteps)

    def count(self, network: Network) -> int:
        """Return T: the encoder may spike in every timestep."""
        return network.timesteps

    def results(
        self, graph: Graph, network: Network, control: Control, payloads: str, idle: list[str]
    ) -> list[Port]:
        """Add `spike_counts` [n, neurons] and `idle_counts` [n, 2]."""
        _spike_counts(graph, payloads, control)
        _idle_counts(graph, network, idle, control)
        return [
            Port("spike_counts", np.int32, network.widths[-1:]),
            Port("idle_counts", np.int64, (len(IDLE_COUNTS),)),
        ]


CODE_GRAPHS: dict[str, CodeGraph] = {"value": ValueGraph(), "spikes": SpikeGraph()}


def _spike_counts(graph: Graph, payloads: str, control: Control) -> None:
    summed = graph.node("ReduceSum", payloads, axes=[1], keepdims=1)
    counted = graph.node("Where", control.active, summed, np.array(0, np.int32))
    graph.node("Squeeze", counted, axes=[1], name="spike_counts")


def _idle_counts(graph: Graph, network: Network, idle: list[str], control: Control) -> None:
    """Add spikes and synops after the windows, those of the neurons that always spike included."""
    parts = []
    steps = len(network.layers)
    for index, payloads in enumerate(idle):
        layer = network.layers[index]
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
