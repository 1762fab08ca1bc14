"""Parts of a compiled kernel on the threads of torch's own OpenMP.

One team serves torch's products and what lies between them. A part takes no longer than to wake a
thread. torch's team waits awake from one operation to the next; threads beside it would wait for a
core, and Python's threads for the interpreter. So kernels run on that team, by OpenMP's entry for
compilers. Where torch's OpenMP has no such entry (macOS, Windows), the parts run one after the
other in the calling thread.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import torch
from llvmlite import ir
from numba import extending, types
from numba.core.cgutils import alloca_once

from spikeport.toolchain.compilation import njit

intrinsic: Any = extending.intrinsic
LIBRARY = "libtorch_cpu.so"
# (function of data, data, threads, flags), of GNU's OpenMP and of LLVM's on Linux
ENTRY = "GOMP_parallel"
NUMBER = ir.IntType(64)
POINTER = ir.IntType(8).as_pointer()


@functools.cache
def team_entry() -> int:
    """The address of the entry in what torch is linked to, or 0 where there is none."""
    # torch has loaded the library, wherever it lies
    for name in (LIBRARY, str(Path(torch.__file__).parent / "lib" / LIBRARY)):
        try:
            return ctypes.cast(getattr(ctypes.CDLL(name), ENTRY), ctypes.c_void_p).value or 0
        except (OSError, AttributeError):
            continue
    return 0


def threads() -> tuple[int, int]:
    """The team as kernels take it: its entry, and how many threads torch takes of it."""
    return team_entry(), torch.get_num_threads()


@njit(nogil=True)
def portion(size, part, parts):  # noqa: ANN001, ANN201
    """Where a part of `size` things begins and ends; sizes differ by one at the most."""
    return size * part // parts, size * (part + 1) // parts


def on_threads(kernel: Any) -> Any:
    """Make an intrinsic that runs all parts of a kernel on the threads of a team.

    Threads take the next part when they have done one; parts must not depend on each other. The
    intrinsic returns when all are done, and raises MemoryError where one of them ended early: there
    is nothing else that a kernel raises.

    Args:
        kernel: A compiled function (part, parts, *arguments).

    Returns:
        An intrinsic (team as of `threads`, parts, tuple of arguments).
    """

    @intrinsic
    def run(typing, team, parts, arguments):  # noqa: ANN001, ANN202
        kinds = (types.intp, types.intp, *arguments.types)
        kernel.compile(kinds)
        compiled = kernel.overloads[kinds]

        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            team, parts, arguments = given
            arguments = _borrowed(context, builder, signature.args[2], arguments)
            context.active_code_library.add_linking_library(compiled.library)
            # the next part, how many failed, how many there are, what all get
            state = ir.LiteralStructType([NUMBER, NUMBER, NUMBER, arguments.type])
            body = ir.Function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [POINTER]),
                builder.module.get_unique_name(f"{kernel.__name__}.parts"),
            )
            body.linkage = "internal"
            _take_parts(context, body, state, compiled)
            memory = alloca_once(builder, state)
            fields = [
                builder.gep(memory, [ir.Constant(ir.IntType(32), k) for k in (0, index)])
                for index in range(4)
            ]
            zero = ir.Constant(NUMBER, 0)
            for value, field in zip((zero, zero, parts, arguments), fields, strict=True):
                builder.store(value, field)
            _call(builder, team, body, builder.bitcast(memory, POINTER))
            failed = builder.icmp_signed("!=", builder.load(fields[1]), zero)
            with builder.if_then(failed, likely=False):
                context.call_conv.return_user_exc(
                    builder, MemoryError, ("a part of a kernel found no memory",)
                )
            return context.get_dummy_value()

        return types.void(team, types.intp, arguments), generate

    return run


def _call(builder: Any, team: Any, body: Any, data: Any) -> None:
    """Call `body`(data) in every thread of a team, or here alone where there is but one."""
    entry, count = (builder.extract_value(team, index) for index in (0, 1))
    several = builder.and_(
        builder.icmp_signed("!=", entry, ir.Constant(NUMBER, 0)),
        builder.icmp_signed(">", count, ir.Constant(NUMBER, 1)),
    )
    with builder.if_else(several) as (together, alone):
        with together:
            flags = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [body.type, POINTER, flags, flags])
            start = builder.inttoptr(entry, kind.as_pointer())
            builder.call(start, [body, data, builder.trunc(count, flags), ir.Constant(flags, 0)])
        with alone:
            builder.call(body, [data])


def _borrowed(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """The same arrays without what counts the references to them.

    The caller holds them, and threads that count wait for each other.
    """
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value=value)
        array.meminfo = ir.Constant(array.meminfo.type, None)
        array.parent = ir.Constant(array.parent.type, None)
        return array._getvalue()
    if isinstance(kind, (types.Tuple, types.UniTuple)):
        for index, its in enumerate(kind.types):
            part = _borrowed(context, builder, its, builder.extract_value(value, index))
            value = builder.insert_value(value, part, index)
    return value


def _take_parts(context: Any, function: Any, state: Any, kernel: Any) -> None:
    """Write the function of each thread, which takes part after part until there is none."""
    entry, head, body, end = (
        function.append_basic_block(name) for name in ("entry", "head", "body", "end")
    )
    builder = ir.IRBuilder(entry)
    index = ir.IntType(32)
    shared = builder.bitcast(function.args[0], state.as_pointer())
    following, failed, parts, arguments = (
        builder.gep(shared, [ir.Constant(index, k) for k in (0, field)]) for field in range(4)
    )
    parts = builder.load(parts)
    arguments = builder.load(arguments)
    its = [builder.extract_value(arguments, k) for k in range(len(state.elements[3].elements))]
    builder.branch(head)
    builder.position_at_end(head)
    part = builder.atomic_rmw("add", following, ir.Constant(parts.type, 1), "monotonic")
    builder.cbranch(builder.icmp_signed("<", part, parts), body, end)
    builder.position_at_end(body)
    status, _ = context.call_internal_no_propagate(
        builder, kernel.fndesc, kernel.signature, [part, parts, *its]
    )
    with builder.if_then(status.is_error, likely=False):
        builder.atomic_rmw("add", failed, ir.Constant(parts.type, 1), "monotonic")
    builder.branch(head)
    builder.position_at_end(end)
    builder.ret_void()
