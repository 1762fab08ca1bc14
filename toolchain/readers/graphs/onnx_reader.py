"""Reader of ONNX policies: the nodes behind the action, run on signals instead of numbers."""

from __future__ import annotations

from typing import Any

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.readers.graphs.graph_policy import (
    Input,
    build_policy,
    choose_output,
    finish,
    input_signals,
)
from spikeport.toolchain.readers.graphs.machine import FIX, NODE_LIMIT, UNKNOWN, Machine
from spikeport.toolchain.readers.graphs.onnx_file import DOMAINS, import_onnx, load_model
from spikeport.toolchain.readers.graphs.onnx_ops import (
    FLOAT_TYPES,
    OPERATORS,
    Call,
    why_unsupported,
)
from spikeport.toolchain.readers.graphs.onnx_tensor import read_tensor
from spikeport.toolchain.readers.graphs.signal import BATCH, WidthNeeded
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions

# Protobuf keys of a ModelProto that may follow its ir_version.
FIELDS = (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72)


def read_onnx(content: FileContent, options: ReadOptions) -> Policy:
    """The policy of an ONNX file.

    Raises InputError for a damaged or invalid file, for every operator that a policy cannot hold
    (all at once, by name and place), for weights outside the file's folder, and where file, options
    and environment disagree.
    """
    where = content.name
    assumptions: list[str] = []
    model = load_model(content, assumptions)
    graph = model.graph
    names = [output.name for output in graph.output]
    chosen = choose_output(names, options, where, assumptions)
    nodes = _behind(graph, names[chosen], where)
    inputs = _inputs(graph, nodes, names[chosen], where)
    if len(inputs) > 1:
        assumptions.append(
            f"the observation is the inputs {shorten(one.name for one in inputs)} in this order"
        )
    machine = Machine(where)
    opset = next(entry.version for entry in model.opset_import if entry.domain in DOMAINS)
    try:
        action = _run(graph, nodes, input_signals(inputs, {}), names[chosen], machine, opset)
    except WidthNeeded:  # every input of an ONNX file has its shape
        raise AssertionError from None
    return build_policy(
        finish(machine, action),
        content,
        "onnx",
        printable(model.producer_name, 40) or "graph",
        options,
        assumptions,
    )


def _behind(graph: Any, output: str, where: str) -> list[tuple[int, Any]]:
    """The nodes that the output depends on, in the file's order, with their numbers.

    InputError where they are too many.
    """
    wanted = {output}
    found = []
    for number in range(len(graph.node) - 1, -1, -1):
        node = graph.node[number]
        if wanted.isdisjoint(node.output):
            continue
        wanted.update(name for name in node.input if name)
        found.append((number, node))
    if len(found) > NODE_LIMIT:
        raise InputError(
            where,
            "the graph has too many operations for a policy",
            got=len(found),
            limit=NODE_LIMIT,
            fix=FIX,
        )
    return found[::-1]


def _inputs(graph: Any, nodes: list[tuple[int, Any]], output: str, where: str) -> tuple[Input, ...]:
    """The inputs that the action depends on; initializers listed among them are none."""
    used = {name for _, node in nodes for name in node.input} | {output}
    weights = {tensor.name for tensor in graph.initializer}
    found = []
    problems = []
    for entry in graph.input:
        if entry.name in weights or entry.name not in used:
            continue
        name = printable(entry.name, 60)
        tensor = entry.type.tensor_type
        sizes = [
            axis.dim_value if axis.HasField("dim_value") else BATCH for axis in tensor.shape.dim
        ]
        if not entry.type.HasField("tensor_type") or tensor.elem_type not in FLOAT_TYPES:
            problems.append(f"input {name} is not a tensor of float32 or float64")
        elif not tensor.HasField("shape") or not sizes or len(sizes) > 8:
            problems.append(f"input {name} has no shape, or no axes")
        elif any(size < 1 for size in sizes[1 if len(sizes) > 1 else 0 :]):
            problems.append(
                f"input {name} does not say how wide it is; only the first of several axes may be"
                " left open"
            )
        else:
            size = 1
            for axis in sizes[1 if len(sizes) > 1 else 0 :]:
                size *= axis
            if size > 2**20:
                problems.append(f"input {name} has {size} features, the limit is {2**20}")
            found.append(Input(entry.name, (BATCH, *sizes[1:]) if len(sizes) > 1 else tuple(sizes)))
    if problems:
        raise violations(
            where, problems, fix="export the policy with a flat float32 observation of fixed width"
        )
    return tuple(found)


def _run(
    graph: Any,
    nodes: list[tuple[int, Any]],
    values: dict[str, Any],
    output: str,
    machine: Machine,
    opset: int,
) -> Any:
    onnx = import_onnx(machine.where)
    used = {name for _, node in nodes for name in node.input} | {output}
    for tensor in graph.initializer:
        if tensor.name in used:
            values[tensor.name] = machine.run(
                f"initializer {printable(tensor.name, 60)}", "", read_tensor, tensor, onnx
            )
    for tensor in graph.sparse_initializer:
        values[tensor.values.name] = machine.problem(
            f"initializer {printable(tensor.values.name, 60)} is sparse"
        )
    for number, node in nodes:
        place = f"node {number}{f' ({printable(node.name, 60)})' if node.name else ''}"
        result = _result(node, values, machine, place, opset)
        results = result if isinstance(result, list) else [result]
        for index, name in enumerate(node.output):
            if index < len(results):
                values[name] = results[index]
            else:
                values[name] = UNKNOWN
            if name in used and index >= len(results) and result is not UNKNOWN:
                label = printable(node.op_type, 40)
                machine.problem(f"{place}: output {index} of {label} is not supported")
    if output not in values:
        raise InputError(
            machine.where, f"nothing makes the output {printable(output, 60)}", fix=FIX
        )
    return values[output]


def _result(node: Any, values: dict[str, Any], machine: Machine, place: str, opset: int) -> Any:
    """Return what a node makes, a list where it has several outputs.

    UNKNOWN, the problem noted, for a node that cannot be read.
    """
    label = printable(node.op_type, 40)
    if node.domain not in DOMAINS:
        return machine.problem(
            f"{place}: {label} of the domain {printable(node.domain, 40)} is not a standard"
            " operator"
        )
    if node.op_type not in OPERATORS:
        return machine.problem(f"{place}: {label} {why_unsupported(node.op_type)}")
    try:
        operands = tuple(values[name] if name else None for name in node.input)
    except KeyError as error:
        raise InputError(
            machine.where,
            f"{place} reads a value that nothing makes",
            got=printable(error, 60),
            fix=FIX,
        ) from None
    attributes = machine.run(place, label, _attributes, node, import_onnx(machine.where))
    if attributes is UNKNOWN:
        return UNKNOWN
    operator = OPERATORS[node.op_type]
    outputs = len(node.output)
    return machine.run(
        place, label, _call, operands, operator, machine, place, attributes, opset, outputs
    )


def _call(
    operands: tuple[Any, ...],
    operator: Any,
    machine: Machine,
    place: str,
    attributes: dict[str, Any],
    opset: int,
    outputs: int,
) -> Any:
    return operator(Call(machine, place, operands, attributes, opset, outputs))


def _attributes(node: Any, onnx: Any) -> dict[str, Any]:
    """Attribute values by name, tensors as arrays; ValueError for subgraphs and other kinds."""
    found: dict[str, Any] = {}
    for attribute in node.attribute:
        kind = onnx.AttributeProto.AttributeType.Name(attribute.type)
        if kind == "TENSOR":
            found[attribute.name] = read_tensor(attribute.t, onnx)
        elif kind in ("FLOAT", "INT", "STRING"):
            found[attribute.name] = {
                "FLOAT": attribute.f,
                "INT": attribute.i,
                "STRING": attribute.s,
            }[kind]
        elif kind in ("FLOATS", "INTS", "STRINGS"):
            found[attribute.name] = list(
                {"FLOATS": attribute.floats, "INTS": attribute.ints, "STRINGS": attribute.strings}[
                    kind
                ]
            )
        else:
            raise ValueError(f"attribute {attribute.name} of kind {kind}")
    return found


def is_onnx(content: FileContent) -> bool:
    """Tell whether the bytes begin like a serialized ModelProto.

    A small ir_version comes first, then another of its fields.
    """
    data = content.data
    return len(data) > 2 and data[0] == 0x08 and 0 < data[1] < 0x40 and data[2] in FIELDS


READER = Reader("an ONNX graph", is_onnx, read_onnx, graph=True)
