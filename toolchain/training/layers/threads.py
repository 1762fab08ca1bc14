"""Parts of a compiled kernel on the threads of torch's own OpenMP: one team for torch's products
and for what lies between them.

A part takes no longer than to wake a thread. torch's team waits awake from one operation to the
next; threads beside it would wait for a core, and Python's threads for the interpreter. So kernels
run on that team, by OpenMP's entry for compilers. Where torch's OpenMP has no such entry (macOS,
Windows), the parts run one after the other in the calling thread.
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


@functools.cache
def team() -> int:
    """The address of the entry in what torch is linked to, or 0 where there is none."""
    for name in (
        LIBRARY,
        str(Path(torch.__file__).parent / "lib" / LIBRARY),
    ):  # torch has loaded it, wherever it lies
        try:
            return ctypes.cast(getattr(ctypes.CDLL(name), ENTRY), ctypes.c_void_p).value or 0
        except (OSError, AttributeError):
            continue
    return 0


def threads() -> tuple[int, int]:
    """What `on_threads` asks for first: the team, and how many threads torch takes of it."""
    return team(), torch.get_num_threads()


@njit(nogil=True)
def portion(size, part, parts):  # noqa: ANN001, ANN201
    """Where a part of `size` things begins and ends: sizes differ by one at the most."""
    return size * part // parts, size * (part + 1) // parts


def on_threads(kernel: Any) -> Any:
    """An intrinsic (team's threads, parts, arguments) that runs the compiled `kernel`(part, parts,
    *arguments) for every part.

    Threads take the next part when they have done one; parts must not depend on each other. It
    returns when all are done, and raises MemoryError where one of them ended early: there is
    nothing else that a kernel raises.
    """

    @intrinsic
    def run(typing, crew, parts, arguments):  # noqa: ANN001, ANN202
        kinds = (types.intp, types.intp, *arguments.types)
        kernel.compile(kinds)
        compiled = kernel.overloads[kinds]

        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            crew, parts, arguments = given
            arguments = _borrowed(context, builder, signature.args[2], arguments)
            number = ir.IntType(64)
            pointer = ir.IntType(8).as_pointer()
            void = ir.VoidType()
            context.active_code_library.add_linking_library(compiled.library)
            state = ir.LiteralStructType(
                [number, number, number, arguments.type]
            )  # the next part, how many failed, how many there are, what all get
            body = ir.Function(
                builder.module,
                ir.FunctionType(void, [pointer]),
                builder.module.get_unique_name(f"{kernel.__name__}.parts"),
            )
            body.linkage = "internal"
            _take_parts(context, body, state, compiled)
            memory = alloca_once(builder, state)
            fields = [
                builder.gep(memory, [ir.Constant(ir.IntType(32), k) for k in (0, index)])
                for index in range(4)
            ]
            for value, field in zip(
                (ir.Constant(number, 0), ir.Constant(number, 0), parts, arguments),
                fields,
                strict=True,
            ):
                builder.store(value, field)
            data = builder.bitcast(memory, pointer)
            (entry, count) = (builder.extract_value(crew, index) for index in (0, 1))
            several = builder.and_(
                builder.icmp_signed("!=", entry, ir.Constant(number, 0)),
                builder.icmp_signed(">", count, ir.Constant(number, 1)),
            )
            with builder.if_else(several) as (together, alone):
                with together:
                    flags = ir.IntType(32)
                    start = builder.inttoptr(
                        entry,
                        ir.FunctionType(void, [body.type, pointer, flags, flags]).as_pointer(),
                    )
                    builder.call(
                        start, [body, data, builder.trunc(count, flags), ir.Constant(flags, 0)]
                    )
                with alone:
                    builder.call(body, [data])
            with builder.if_then(
                builder.icmp_signed("!=", builder.load(fields[1]), ir.Constant(number, 0)),
                likely=False,
            ):
                context.call_conv.return_user_exc(
                    builder, MemoryError, ("a part of a kernel found no memory",)
                )
            return context.get_dummy_value()

        return types.void(crew, types.intp, arguments), generate

    return run


def _borrowed(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """The same arrays without what counts who refers to them.

    The caller holds them, and threads that count wait for each other.
    """
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value=value)
        array.meminfo, array.parent = (
            ir.Constant(part.type, None) for part in (array.meminfo, array.parent)
        )
        return array._getvalue()
    for index, its in enumerate(
        kind.types if isinstance(kind, (types.Tuple, types.UniTuple)) else ()
    ):
        value = builder.insert_value(
            value, _borrowed(context, builder, its, builder.extract_value(value, index)), index
        )
    return value


def _take_parts(context: Any, function: Any, state: Any, kernel: Any) -> None:
    """What each thread does: part after part, until there is none."""
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
