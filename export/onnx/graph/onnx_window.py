"""What a layer's part of the graph gets and gives: one window of T timesteps.

A layer's whole window is computed before the next layer's: within a timestep layer l + 1 sees the
payloads of layer l of that timestep, so all sums of a window are one matrix product. Tensors have a
row per environment, n of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.toolchain.network.integer_network import Layer, Network


@dataclass(frozen=True)
class Control:
    """What happens to a row in this decision, bool [n, 1, 1] each."""

    active: str
    carry: str
    start: str


@dataclass(frozen=True)
class Sums:
    """Synaptic sums without bias.

    Attributes:
        tensor: int32 [n, count, neurons].
        count: T, or 1 where only the host's input arrives.
        idle: Sums of the L steps after a window of lif, [n, L, neurons]; None where nothing arrives
            then.
    """

    tensor: str
    count: int
    idle: str | None = None


@dataclass(frozen=True)
class Window:
    """What a layer did in T timesteps.

    Attributes:
        payloads: Tensors [n, T in all, neurons] one behind another; none for a readout.
        states: The same of its states.
        state: The next decision's state by name.
        saturated: Where something was clipped, bool [n, T, neurons].
        idle: Payloads after a window of lif, [n, L, neurons].
    """

    payloads: list[str]
    states: list[str]
    state: dict[str, str]
    saturated: str | None = None
    idle: str | None = None


class NeuronGraph(ABC):
    """Abstract; every subclass is final and stands in a file of its own.

    `state` names what a decision hands on, in order.
    """

    state: tuple[str, ...]

    @abstractmethod
    def window(
        self,
        graph: Graph,
        network: Network,
        layer: Layer,
        control: Control,
        state: Mapping[str, str],
        sums: Sums,
    ) -> Window:
        """Add the nodes of one window; rows that are not active may hold anything.

        Args:
            graph: Takes the nodes.
            network: For T, alpha and what payloads mean.
            layer: The layer's parameters.
            control: What happens to each row.
            state: Tensors int32 [n, 1, neurons] by the names in `state`.
            sums: What arrives.

        Returns:
            What the layer did.
        """


def synaptic_sums(
    graph: Graph, layer: Layer, payloads: str, count: int, idle: str | None = None
) -> Sums:
    """Add W x payloads [n, count, inputs].

    Weights are kept in 8 bits and widened once, when the graph is loaded.
    """
    weights = graph.cast(layer.weights.T, np.int32)
    sums = graph.node("MatMul", payloads, weights)
    idle_sums = None if idle is None else graph.node("MatMul", idle, weights)
    return Sums(sums, count, idle_sums)
