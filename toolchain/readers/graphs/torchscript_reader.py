"""Reader of TorchScript archives (torch.jit.save).

Code is parsed as text and tensors are read as bytes. torch.jit.load is not used: its loader
compiles what the archive says, and PyTorch's own advice is to load such files from trusted sources
alone.
"""

from __future__ import annotations

import ast
from typing import Any

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.readers.containers import below_top, zip_members
from spikeport.toolchain.readers.graphs.graph_policy import (
    Input,
    build_policy,
    choose_output,
    finish,
    input_signals,
    learn,
)
from spikeport.toolchain.readers.graphs.machine import UNKNOWN, Machine
from spikeport.toolchain.readers.graphs.onnx_file import check_size
from spikeport.toolchain.readers.graphs.signal import WidthNeeded
from spikeport.toolchain.readers.graphs.torchscript_archive import EXPORT, Archive
from spikeport.toolchain.readers.graphs.torchscript_code import Interpreter
from spikeport.toolchain.readers.pickles.restricted_pickle import Record
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions


def read_torchscript(content: FileContent, options: ReadOptions) -> Policy:
    """The policy of a traced or scripted module.

    The archive does not say the shape of its input: it is taken as [batch, features], the width
    from the first operation that needs it. Raises InputError for a damaged archive, for what a
    policy cannot hold (all at once), and where file, options and environment disagree.
    """
    where = content.name
    check_size(len(content.data), where)
    assumptions: list[str] = []
    archive = Archive(content.data, where)
    try:
        widths: dict[str, int] = {}
        while True:
            try:
                machine = Machine(where)
                result, inputs = _run(archive, machine, widths)
                break
            except WidthNeeded as needed:
                learn(needed, widths, where)
    except RecursionError:
        raise InputError(
            where, "the archive's code is nested too deeply for a policy", fix=EXPORT
        ) from None
    finally:
        archive.close()
    if isinstance(result, dict):
        if not result:
            result = UNKNOWN
        else:
            result = list(result.values())
    if isinstance(result, list):
        machine.finish()
        result = result[
            choose_output(
                [str(number) for number in range(len(result))], options, where, assumptions
            )
        ]
    elif options.action_output is not None:
        choose_output(["0"], options, where, assumptions)
    if len(inputs) > 1:
        assumptions.append(
            f"the observation is the inputs {shorten(one.name for one in inputs)} in this order"
        )
    family = printable(getattr(archive.root, "path", ""), 80).rsplit(".", 1)[-1]
    return build_policy(
        finish(machine, result), content, "torchscript", family, options, assumptions
    )


def _run(
    archive: Archive, machine: Machine, widths: dict[str, int]
) -> tuple[Any, tuple[Input, ...]]:
    """What forward returns, and its inputs."""
    if not isinstance(archive.root, Record):
        raise InputError(
            machine.where,
            "the archive holds no module",
            got=type(archive.root).__name__,
            fix=EXPORT,
        )
    interpreter = Interpreter(archive, machine)
    function = interpreter.method(archive.root, "forward")
    used = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    parameters = function.args.args[1:]
    if function.args.defaults:
        required = parameters[: len(parameters) - len(function.args.defaults)]
    else:
        required = parameters
    inputs = []
    problems = []
    for parameter in required:
        if parameter.annotation is not None:
            kind = ast.unparse(parameter.annotation)
        else:
            kind = "Tensor"
        if kind != "Tensor":
            problems.append(
                f"input {printable(parameter.arg, 60)} is a {printable(kind, 60)}, not a Tensor"
            )
        elif parameter.arg in used:
            inputs.append(Input(parameter.arg, None))
    if problems or not inputs:
        raise violations(
            machine.where,
            problems or ["forward reads no input"],
            fix="save a module whose forward takes the flat observation alone",
        )
    signals = input_signals(tuple(inputs), widths)
    named = {parameter.arg: signals.get(parameter.arg, UNKNOWN) for parameter in required}
    return interpreter.call(function, [archive.root], named), tuple(inputs)


def is_torchscript(content: FileContent) -> bool:
    """Tell whether a file is an archive of torch.jit.save: constants and code."""
    members = zip_members(content)
    return "constants.pkl" in below_top(members) and any("/code/" in name for name in members)


READER = Reader("a TorchScript archive", is_torchscript, read_torchscript, graph=True)
