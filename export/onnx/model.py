"""From nodes to an ONNX model, and from an artifact to a file; equal artifacts give equal bytes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.export.exporter import TraceOfProbe, carries
from spikeport.export.onnx.decision import Decision, decision_graph
from spikeport.export.onnx.graph.onnx_graph import (
    IR_VERSION,
    OPSET,
    Body,
    Graph,
    Port,
    element_type,
)
from spikeport.export.onnx.neurons import NEURON_GRAPHS
from spikeport.export.onnx.onnx_description import metadata
from spikeport.export.onnx.requirement import install_command, onnx_problem
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.files.atomic import check_writable, write_atomically

BATCH = "n"


@carries(NEURON_GRAPHS)
def export_onnx(
    artifact: Artifact, path: str | os.PathLike[str], trace: TraceOfProbe | None = None
) -> None:
    """Write one `.onnx` file, which appears whole or not at all.

    Args:
        artifact: What is written.
        path: The file; it must be absent or empty.
        trace: Not asked: a graph has no place for expected integers.

    Raises:
        InputError: For a path that cannot be used.
        NotCarried: For a neuron without a graph.
        BackendError: Where onnx is not installed.
    """
    target = Path(path)
    if target.is_file() and target.stat().st_size:
        raise InputError(
            str(path),
            "is there already",
            why="an export never overwrites anything",
            fix="give -o a path that does not exist",
        )
    check_writable(target)
    model = onnx_model(artifact)
    from onnx import checker

    checker.check_model(model, full_check=True)
    blob = serialised(model)
    write_atomically(target, lambda temporary: temporary.write_bytes(blob))


def onnx_model(artifact: Artifact, trace: bool = False) -> Any:
    """Make the ModelProto of one decision.

    Args:
        artifact: What the graph computes.
        trace: Whether every payload and state of each timestep goes out, too.

    Returns:
        The model, with its description in the metadata.

    Raises:
        NotCarried: For a neuron without a graph.
        BackendError: Where onnx is not installed.
    """
    decision = decision_graph(artifact.network, trace)
    if problem := onnx_problem("onnx"):
        raise BackendError("onnx", problem, why="it writes the graph", fix=f"`{install_command()}`")
    from onnx import helper

    model = helper.make_model(
        _graph_proto(decision),
        producer_name="spikeport",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    for key, value in metadata(artifact, decision).items():
        model.metadata_props.add(key=key, value=value)
    return model


def serialised(model: Any) -> bytes:
    """The file's content."""
    return model.SerializeToString(deterministic=True)


def _graph_proto(decision: Decision) -> Any:
    from onnx import helper, numpy_helper

    constants = [
        numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
        for name, value in decision.graph.constants.items()
    ]
    inputs = [_value(port) for port in decision.inputs]
    outputs = [_value(port) for port in decision.outputs]
    return helper.make_graph(node_protos(decision.graph), "decision", inputs, outputs, constants)


def node_protos(graph: Graph) -> list[Any]:
    """A graph's nodes as NodeProtos, inner graphs included."""
    from onnx import helper

    protos = []
    for operator, inputs, outputs, attributes in graph.nodes:
        values = {
            name: _body_proto(value) if isinstance(value, Body) else value
            for name, value in attributes.items()
        }
        protos.append(helper.make_node(operator, inputs, outputs, name=outputs[0], **values))
    return protos


def _body_proto(body: Body) -> Any:
    from onnx import helper

    kind = element_type(np.dtype(np.int32))
    states = len(body.inputs) - 1
    shapes = [[BATCH, 1, body.neurons]] * states + [[BATCH, body.neurons]] * (
        len(body.outputs) - states
    )
    inputs = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, shape in zip(body.inputs, shapes, strict=False)
    ]
    outputs = [
        helper.make_tensor_value_info(name, kind, shape)
        for name, shape in zip(body.outputs, shapes, strict=True)
    ]
    return helper.make_graph(node_protos(body.graph), body.graph.prefix + "body", inputs, outputs)


def _value(port: Port) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(
        port.name, element_type(np.dtype(port.kind)), [BATCH, *port.shape]
    )
