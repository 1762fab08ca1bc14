"""CRPI in the graph: where a neuron starts its window (contract section 1.5).

dv = max(v - v_start, -emitted);  r = (alpha * dv + 32) >> 6;  v_start' = clip(v_init + r, low, high)

T spikes of theta and alpha * dv need more than 32 bits, so this much is computed with 64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.onnx.graph import Graph
from export.onnx.integers import clip, shift_right
from export.onnx.window import Control

Long = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Range:
    """Where a membrane starts afresh, and what a carried-over one is clipped to, [neurons]."""

    v_init: Long
    low: Long
    high: Long


def window_start(graph: Graph, control: Control, span: Range, v: str, v_start: str, sent: str, unit: Long, alpha: int) -> str:
    """v at the window's start, int32 [n, 1, neurons]; emitted = sent * unit."""
    change = graph.cast(graph.node("Sub", v, v_start), np.int64)
    residual = graph.node("Max", change, graph.node("Mul", graph.cast(sent, np.int64), -unit))
    rounded = graph.node("Add", graph.node("Mul", residual, np.array(alpha, np.int64)), np.array(32, np.int64))
    moved = graph.node("Add", shift_right(graph, rounded, np.array(6, np.int64)), span.v_init)
    carried = graph.cast(clip(graph, moved, span.low, span.high), np.int32)
    return graph.node("Where", control.carry, carried, span.v_init.astype(np.int32))
