"""CRPI in the graph: where a neuron starts its window (contract section 1.5).

    dv = max(v - v_start, -emitted)
    r = (alpha * dv + 32) >> 6
    v_start' = clip(v_init + r, low, high)

int32 suffices: v and v_start are within 24 bits, so dv > -2^24 and no more than about 2^24 of what
was emitted matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.export.onnx.graph.onnx_integers import clip, shift_right
from spikeport.export.onnx.graph.onnx_window import Control

Long = NDArray[np.int64]
FARTHEST = 2**24


@dataclass(frozen=True)
class Residual:
    """What the last decision left, tensors int32 [n, 1, neurons].

    Attributes:
        v: The membrane at its end.
        v_start: The membrane at its start.
        sent: What was sent in it, 0 or more, in units of `unit`.
        unit: What one of these is worth in units of the membrane, [neurons].
    """

    v: str
    v_start: str
    sent: str
    unit: Long


@dataclass(frozen=True, eq=False)
class Range:
    """Where a membrane starts afresh, and what a carried-over one is clipped to, [neurons]."""

    v_init: Long
    low: Long
    high: Long


def window_start(
    graph: Graph, control: Control, span: Range, residual: Residual, alpha: int
) -> str:
    """Add v at the window's start, int32 [n, 1, neurons]; `alpha` is in 64ths."""
    v_init, low, high = (part.astype(np.int32) for part in (span.v_init, span.low, span.high))
    v = residual.v
    v_start = residual.v_start
    unit = residual.unit
    what_matters = graph.node("Min", residual.sent, (FARTHEST // unit + 1).astype(np.int32))
    change = graph.node(
        "Max",
        graph.node("Sub", v, v_start),
        graph.node("Mul", what_matters, (-unit).astype(np.int32)),
    )
    rounded = graph.node(
        "Add", graph.node("Mul", change, np.array(alpha, np.int32)), np.array(32, np.int32)
    )
    moved = graph.node("Add", shift_right(graph, rounded, np.array(6, np.int32)), v_init)
    return graph.node("Where", control.carry, clip(graph, moved, low, high), v_init)
