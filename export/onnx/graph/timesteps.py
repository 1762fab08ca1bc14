"""T timesteps of one layer: unrolled, or, where they are many, a scan whose body is one timestep.

A runtime's loading time grows faster than the number of nodes, so windows of more than UNROLLED
timesteps are scanned; short ones run quicker unrolled. Both compute the same nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spikeport.export.onnx.graph.onnx_graph import Body, Graph

UNROLLED = 32


@dataclass(frozen=True)
class Size:
    """Sizes of a window.

    Attributes:
        neurons: Of the layer.
        timesteps: T.
        count: How many of them the sequence holds: all, or one that is held.
    """

    neurons: int
    timesteps: int
    count: int


Step = Callable[[Graph, list[str], str], tuple[list[str], list[str]]]


def run_timesteps(
    graph: Graph, step: Step, state: list[str], sequence: str, size: Size
) -> tuple[list[str], list[list[str]]]:
    """Add T timesteps of one layer.

    Args:
        graph: Takes the nodes.
        step: Maps state and what arrives, int32 [n, 1, neurons] each, to state and results.
        state: Before the first timestep.
        sequence: What arrives in each timestep, [n, count, neurons].
        size: Of the layer, the window and the sequence.

    Returns:
        The state after T timesteps, and each result as tensors [n, T in all, neurons] one behind
        another.
    """
    if size.timesteps > UNROLLED:
        return _scanned(graph, step, state, sequence, size)
    arriving = graph.split(sequence, size.count)
    results: list[list[str]] = []
    for part in arriving * (size.timesteps // size.count):
        state, found = step(graph, state, part)
        results.append(found)
    return state, [list(parts) for parts in zip(*results, strict=True)]


def _scanned(
    graph: Graph, step: Step, state: list[str], sequence: str, size: Size
) -> tuple[list[str], list[list[str]]]:
    if size.count < size.timesteps:
        sequence = graph.node("Mul", sequence, np.ones((size.timesteps, 1), np.int32))
    inner = Graph(graph)
    names = [f"{inner.prefix}in_{part}" for part in range(len(state) + 1)]
    after, found = step(inner, names[:-1], inner.node("Unsqueeze", names[-1], axes=[1]))
    after = [inner.node("Identity", name) for name in after]
    body = Body(
        inner,
        size.neurons,
        names,
        [*after, *(inner.node("Squeeze", name, axes=[1]) for name in found)],
    )
    outputs = graph.scan(body, state, sequence)
    return outputs[: len(state)], [[name] for name in outputs[len(state) :]]
