"""Integer arithmetic that ONNX lacks: floor division, arithmetic shifts, clipping to arrays.

ONNX's Div rounds integers towards zero, its BitShift is unsigned only; its Mod has the divisor's
sign, so x - x mod d is a multiple of d and dividing it rounds nothing. Min, Max and Clip stay with
int32: for int64, onnxruntime 1.31.1 compares lower words as if they had a sign (its minimum of 2^31
and 2^30 is 2^31).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.export.onnx.graph.onnx_graph import Graph
from spikeport.toolchain.network.parameters import STATE_LIMIT

LIMIT = np.array(STATE_LIMIT, np.int32)


def floor_division(graph: Graph, value: str, divisor: NDArray[Any]) -> str:
    """Divide by positive divisors of the value's type, towards minus infinity."""
    remainder = graph.node("Mod", value, divisor)
    return graph.node("Div", graph.node("Sub", value, remainder), divisor)


def shift_right(graph: Graph, value: str, bits: NDArray[Any]) -> str:
    """Shift arithmetically; 0 <= bits, fewer than the value's type has."""
    return floor_division(graph, value, np.left_shift(np.ones_like(bits), bits))


def decay(graph: Graph, value: str, kept: NDArray[np.int64]) -> str:
    """Keep a part of a value, sign(value) * (|value| * kept >> 12), int32; 0 <= kept <= 4096.

    The product needs 64 bits.
    """
    product = graph.node("Mul", graph.cast(graph.node("Abs", value), np.int64), kept)
    part = graph.cast(graph.node("Div", product, np.array(4096, np.int64)), np.int32)
    return graph.node("Mul", graph.node("Sign", value), part)


def clip(graph: Graph, value: str, low: NDArray[np.int32], high: NDArray[np.int32]) -> str:
    """Clip element by element, min(max(value, low), high), int32."""
    return graph.node("Min", graph.node("Max", value, low), high)


def clip_long(graph: Graph, value: str, limit: int) -> str:
    """Clip to -limit..limit, int64."""
    for comparison, end in (
        ("Greater", np.array(limit, np.int64)),
        ("Less", np.array(-limit, np.int64)),
    ):
        value = graph.node("Where", graph.node(comparison, value, end), end, value)
    return value


def saturate(graph: Graph, membrane: str) -> str:
    """Clip a membrane to 24 bits (contract section 1.4)."""
    return graph.node("Clip", membrane, -LIMIT, LIMIT)


def beyond_limit(graph: Graph, membranes: list[str]) -> str:
    """Tell where membranes [n, 1, neurons] of the timesteps were clipped, bool [n, T, neurons]."""
    return graph.node("Greater", graph.node("Abs", graph.concat(membranes)), LIMIT)


def difference(graph: Graph, up: str, down: str) -> str:
    """Subtract bools of which one at most is set: 1 where `up`, -1 where `down`."""
    return graph.node("Sub", graph.cast(up, np.int32), graph.cast(down, np.int32))
