"""A list of ONNX nodes under construction. Tensors are their names; equal constants are kept once.

Opset 12 is the oldest in which Min, Max and Clip take integers and GreaterOrEqual exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET = 12
IR_VERSION = 7
ELEMENT_TYPES = {"int8": 3, "int32": 6, "int64": 7, "bool": 9}  # TensorProto.DataType of onnx.proto


@dataclass(frozen=True)
class Port:
    """An input or output of the whole graph.

    Attributes:
        name: Its name.
        kind: The type of its entries.
        shape: The axes behind the first, which is n.
    """

    name: str
    kind: type[np.generic]
    shape: tuple[int, ...]


class Graph:
    """Nodes in the order in which they were added, which is an order in which they can run."""

    def __init__(self, outer: Graph | None = None) -> None:
        """Start an empty graph, or one inside another."""
        self.nodes: list[tuple[str, list[str], list[str], dict[str, Any]]] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.prefix = ""
        if outer is not None:  # an inner graph sees the outer one's tensors
            self.constants = outer.constants
            self._known = outer._known
            self.prefix = f"{outer.prefix}inner_{len(outer.nodes)}_"

    def node(
        self, operator: str, *inputs: str | NDArray[Any], name: str = "", **attributes: Any
    ) -> str:
        """Add a node with one output and return the output, called `name` if given.

        Arrays become constants.
        """
        output = name or f"{self.prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            (operator, [self._tensor(value) for value in inputs], [output], attributes)
        )
        return output

    def split(self, tensor: str, parts: int, axis: int = 1) -> list[str]:
        """Cut a tensor into equal parts along `axis`."""
        if parts == 1:
            return [tensor]
        outputs = [f"{self.prefix}split_{len(self.nodes)}_{part}" for part in range(parts)]
        self.nodes.append(("Split", [tensor], outputs, {"axis": axis}))
        return outputs

    def scan(self, body: Body, state: list[str], sequence: str) -> list[str]:
        """Run `body` along axis 1 of `sequence`.

        Returns:
            The last state, then what the body puts out, along axis 1 again.
        """
        outputs = [
            f"{self.prefix}scan_{len(self.nodes)}_{part}" for part in range(len(body.outputs))
        ]
        axes = {"scan_input_axes": [1], "scan_output_axes": [1] * (len(outputs) - len(state))}
        self.nodes.append(
            ("Scan", [*state, sequence], outputs, {"body": body, "num_scan_inputs": 1, **axes})
        )
        return outputs

    def concat(self, tensors: list[str], axis: int = 1) -> str:
        """Put tensors behind one another along `axis`."""
        if len(tensors) == 1:
            return tensors[0]
        return self.node("Concat", *tensors, axis=axis)

    def cast(self, tensor: str | NDArray[Any], kind: type[np.generic]) -> str:
        """Keep the numbers and change their type."""
        return self.node("Cast", tensor, to=element_type(np.dtype(kind)))

    def _tensor(self, value: str | NDArray[Any]) -> str:
        if isinstance(value, str):
            return value
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in self._known:
            self._known[key] = f"constant_{len(self.constants)}"
            self.constants[self._known[key]] = value
        return self._known[key]


@dataclass(frozen=True)
class Body:
    """The inner graph of a scan, int32.

    In and out goes the state [n, 1, neurons]; behind it a step of the sequence in, of the results
    out, [n, neurons].
    """

    graph: Graph
    neurons: int
    inputs: list[str]
    outputs: list[str]


def element_type(kind: np.dtype[Any]) -> int:
    """ONNX's number of an integer type."""
    return ELEMENT_TYPES[kind.name]
