"""Reader of torch.export programs (.pt2), which does not need PyTorch.

The graph is JSON and the weights are raw bytes. Facts of the layout:
torch/_export/serde/schema.py and torch/export/pt2_archive/constants.py of PyTorch 2.8 and later.
"""

from __future__ import annotations

import json
import re
import zipfile
from typing import Any

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.files.zip_archive import open_archive, read_member
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.readers.containers import below_top, zip_members
from spikeport.toolchain.readers.graphs.aten import call_aten
from spikeport.toolchain.readers.graphs.graph_policy import (
    Input,
    build_policy,
    choose_output,
    finish,
    input_signals,
)
from spikeport.toolchain.readers.graphs.machine import FIX, NODE_LIMIT, UNKNOWN, Machine
from spikeport.toolchain.readers.graphs.number_types import Dtype
from spikeport.toolchain.readers.graphs.onnx_file import GRAPH_LIMIT, check_size
from spikeport.toolchain.readers.graphs.overwritten import Overwritten
from spikeport.toolchain.readers.graphs.signal import BATCH
from spikeport.toolchain.readers.graphs.storage import strided
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions

JSON_LIMIT = 32 * 2**20
SAVE_AGAIN = ("torch.export.save(program, FILE) with PyTorch 2.8 or newer", "torch.onnx.export")
# ScalarType of the schema: numpy type, for what weights may be; the others are integers, booleans
# or not supported.
_NUMBERS = {
    1: "<u1",
    2: "<i1",
    3: "<i2",
    4: "<i4",
    5: "<i8",
    6: "<f2",
    7: "<f4",
    8: "<f8",
    12: "?",
    13: "bfloat16",
}
_IGNORED = ("as_device", "as_layout", "as_memory_format", "as_none")
_TARGET = re.compile(r"torch\.ops\.([\w.]{1,40}?)\.(\w{1,60})\.(\w{1,60})")
_CHECKS = (
    "_assert_tensor_metadata",
    "_assert_async",
    "_assert_scalar",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
)


def read_exported(content: FileContent, options: ReadOptions) -> Policy:
    """The policy of a program that torch.export.save wrote.

    Raises InputError for a damaged archive, weights stored as pickles, operators that a policy
    cannot hold (all at once), and where file, options and environment disagree.
    """
    where = content.name
    check_size(len(content.data), where)
    with open_archive(content.data, where, GRAPH_LIMIT) as archive:
        top, program = _program(archive, where)
        try:
            return _read(archive, top, program, content, options)
        except (
            KeyError,
            TypeError,
            AttributeError,
            ValueError,
            IndexError,
            OverflowError,
        ) as error:
            raise InputError(
                where,
                "the JSON of the program is not what torch.export writes",
                why=f"{type(error).__name__}: {printable(error, 100)}",
                fix=SAVE_AGAIN,
            ) from None


def _program(archive: zipfile.ZipFile, where: str) -> tuple[str, Any]:
    """The archive's top folder and its one program."""
    names = archive.namelist()
    models = [name for name in names if re.fullmatch(r"[^/]+/models/[^/]+\.json", name)]
    if "serialized_exported_program.json" in names or not models:
        raise InputError(
            where,
            "the program has the layout of an older PyTorch",
            got=shorten(sorted(names), 4),
            limit="PyTorch 2.8 or newer",
            fix=SAVE_AGAIN,
        )
    if len(models) > 1:
        raise InputError(
            where,
            "the archive holds several programs",
            got=shorten(models),
            limit="one",
            fix="save the actor's program alone",
        )
    data = read_member(archive, models[0], where, JSON_LIMIT)
    try:
        return models[0].split("/")[0], json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(
            where,
            "the program's JSON is damaged",
            why=f"{type(error).__name__}: {printable(error, 100)}",
            fix=SAVE_AGAIN,
        ) from None


def _read(
    archive: zipfile.ZipFile, top: str, program: Any, content: FileContent, options: ReadOptions
) -> Policy:
    where = content.name
    graph = program["graph_module"]["graph"]
    assumptions: list[str] = []
    names = [_tensor_name(entry) for entry in graph["outputs"]]
    chosen = choose_output(names, options, where, assumptions)
    nodes = _behind(graph["nodes"], names[chosen], where)
    used = {names[chosen]} | {
        name for node in nodes for entry in node["inputs"] for name in _names(entry["arg"])
    }
    machine = Machine(where)
    values, inputs = _placeholders(archive, top, program, used, machine)
    if len(inputs) > 1:
        assumptions.append(
            f"the observation is the inputs {shorten(one.name for one in inputs)} in this order"
        )
    values |= input_signals(inputs, {})
    _run(nodes, values, machine)
    return build_policy(
        finish(machine, values[names[chosen]]),
        content,
        "torch.export",
        "graph",
        options,
        assumptions,
    )


def _behind(nodes: list[Any], output: str, where: str) -> list[Any]:
    """The nodes that the output depends on, and those that change a value in place."""
    wanted = {output}
    found = []
    for node in reversed(nodes):
        made = {name for entry in node["outputs"] for name in _names(entry)}
        changes = (
            node["target"].split(".")[-2].endswith("_")
            and node["inputs"]
            and not wanted.isdisjoint(_names(node["inputs"][0]["arg"]))
        )
        if wanted.isdisjoint(made) and not changes:
            continue
        wanted.update(name for entry in node["inputs"] for name in _names(entry["arg"]))
        found.append(node)
    if len(found) > NODE_LIMIT:
        raise InputError(
            where,
            "the graph has too many operations for a policy",
            got=len(found),
            limit=NODE_LIMIT,
            fix=FIX,
        )
    return found[::-1]


def _placeholders(
    archive: zipfile.ZipFile, top: str, program: Any, used: set[str], machine: Machine
) -> tuple[dict[str, Any], tuple[Input, ...]]:
    """Weights by the names that the graph gives them, and the inputs proper."""
    module = program["graph_module"]
    metas = module["graph"]["tensor_values"]
    stored = _configs(archive, top, machine.where)
    values: dict[str, Any] = {}
    inputs = []
    problems = []
    for spec in module["signature"]["input_specs"]:
        ((kind, facts),) = spec.items()
        if kind == "user_input":
            if "as_tensor" in facts["arg"] and facts["arg"]["as_tensor"]["name"] in used:
                name = facts["arg"]["as_tensor"]["name"]
                shape = _input_shape(metas[name], name, problems)
                inputs.append(Input(name, shape))
            continue
        if "arg" in facts:
            name = facts["arg"]["name"]
        else:
            name = ""
        key = next(
            (
                facts[entry]
                for entry in ("parameter_name", "buffer_name", "tensor_constant_name")
                if entry in facts
            ),
            None,
        )
        if name in used:
            if key is None or key not in stored:
                values[name] = machine.problem(
                    f"input {printable(name, 60)} of kind {printable(kind, 40)} has no tensor in"
                    " the file"
                )
            else:
                values[name] = machine.run(
                    f"weight {printable(key, 60)}",
                    "",
                    _weight,
                    archive,
                    *stored[key],
                    machine.where,
                )
    if problems:
        raise violations(
            machine.where,
            problems,
            fix="export the policy with a flat float32 observation of fixed width",
        )
    return values, tuple(inputs)


def _input_shape(meta: Any, name: str, problems: list[str]) -> tuple[int, ...]:
    sizes = [entry["as_int"] if "as_int" in entry else None for entry in meta["sizes"]]
    shape = tuple(
        BATCH if place == 0 and len(sizes) > 1 else size for place, size in enumerate(sizes)
    )
    if meta["dtype"] not in (7, 8):
        problems.append(f"input {printable(name, 60)} is not float32 or float64")
    elif (
        not shape
        or any(not isinstance(size, int) or (size < 1 and size != BATCH) for size in shape)
        or len(shape) > 8
        or _count(shape) > 2**20
    ):
        problems.append(
            f"input {printable(name, 60)} has no fixed width; only the first of several axes may be"
            " left open"
        )
    else:
        return shape  # type: ignore[return-value]
    return (BATCH, 1)


def _count(shape: tuple[int | None, ...]) -> int:
    count = 1
    for size in shape:
        count *= 1 if size is None or size < 1 else size
    return count


def _configs(archive: zipfile.ZipFile, top: str, where: str) -> dict[str, tuple[str, Any]]:
    """Folder and description of every stored tensor by its name in the module."""
    found: dict[str, tuple[str, Any]] = {}
    for folder, config in (
        ("weights", "model_weights_config.json"),
        ("constants", "model_constants_config.json"),
    ):
        member = f"{top}/data/{folder}/{config}"
        if member in archive.namelist():
            entries = json.loads(read_member(archive, member, where, JSON_LIMIT))["config"]
            found |= {name: (f"{top}/data/{folder}/", entry) for name, entry in entries.items()}
    return found


def _weight(archive: zipfile.ZipFile, folder: str, entry: Any, where: str) -> Any:
    if entry["use_pickle"]:
        raise ValueError("it is stored as a pickle, which is not loaded")
    meta = entry["tensor_meta"]
    kind = _NUMBERS.get(meta["dtype"])
    if kind is None or meta["layout"] != 7:
        raise ValueError(f"its type {meta['dtype']} or layout {meta['layout']} is not supported")
    shape, strides = ([item["as_int"] for item in meta[name]] for name in ("sizes", "strides"))
    return strided(
        read_member(archive, folder + entry["path_name"], where, GRAPH_LIMIT),
        kind,
        meta["storage_offset"]["as_int"],
        shape,
        strides,
    )


def _run(nodes: list[Any], values: dict[str, Any], machine: Machine) -> None:
    overwritten = Overwritten(machine)
    for number, node in enumerate(nodes):
        target = _TARGET.fullmatch(node["target"])
        place = f"node {printable(node.get('name') or number, 60)}"
        outputs = [name for entry in node["outputs"] for name in _names(entry)]
        if target is None or target.group(1) != "aten":
            result: Any = machine.problem(
                f"{place}: {printable(node['target'], 80)} is not supported"
            )
        elif target.group(2) in _CHECKS:
            continue
        else:
            name = target.group(2)
            positional = [
                _argument(entry["arg"], values)
                for entry in node["inputs"]
                if entry.get("kind", 1) != 2
            ]
            named = {
                str(entry["name"]): _argument(entry["arg"], values)
                for entry in node["inputs"]
                if entry.get("kind", 1) == 2
            }
            result = overwritten.call(place, name, positional, named, call_aten)
        if isinstance(result, list) and len(result) == len(outputs):
            values |= dict(zip(outputs, result, strict=True))
        else:
            values |= dict.fromkeys(outputs, UNKNOWN) | ({outputs[0]: result} if outputs else {})


def _argument(entry: Any, values: dict[str, Any]) -> Any:
    """A node's argument: a value by its name, or the number itself."""
    ((kind, value),) = entry.items()
    if kind == "as_tensor":
        return values[value["name"]]
    if kind == "as_tensors":
        return [values[item["name"]] for item in value]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        if "as_name" in value:
            return values[value["as_name"]]
        return next(iter(value.values()))
    if kind == "as_sym_ints":
        return [values[item["as_name"]] if "as_name" in item else item["as_int"] for item in value]
    if kind == "as_scalar_type":
        if value in (7, 8):
            return Dtype.FLOAT
        if value in (1, 2, 3, 4, 5):
            return Dtype.WHOLE
        if value == 12:
            return Dtype.BOOL
        return Dtype.OTHER
    if kind == "as_float":
        return float(value)
    if kind in ("as_int", "as_bool", "as_string", "as_ints", "as_floats", "as_bools"):
        return value
    if kind in _IGNORED:
        return None
    return UNKNOWN


def _tensor_name(entry: Any) -> str:
    if "as_tensor" in entry:
        return str(next(iter(entry["as_tensor"].values())))
    return "(no tensor)"


def _names(entry: Any) -> list[str]:
    """The values that an argument or an output names."""
    ((_, value),) = entry.items()
    if isinstance(value, list):
        items = value
    else:
        items = [value]
    return [
        str(item.get("name", item.get("as_name")))
        for item in items
        if isinstance(item, dict) and ("name" in item or "as_name" in item)
    ]


def is_exported(content: FileContent) -> bool:
    """Tell whether torch.export.save wrote a file, in its layout since PyTorch 2.8 or before."""
    members = zip_members(content)
    return "archive_format" in below_top(members) or "serialized_exported_program.json" in members


READER = Reader("a torch.export program", is_exported, read_exported, graph=True)
