"""What names and numbers mean in TorchScript: number types, operators on plain numbers, paths."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from spikeport.toolchain.readers.graphs.number_types import Dtype

# numbers of c10::ScalarType
FLOATS = (6, 7)
BOOL = 11
WHOLE = (0, 1, 2, 3, 4)
SCALARS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "remainder": operator.mod,
    "neg": operator.neg,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "__not__": operator.not_,
    "__and__": lambda a, b: a and b,
    "__or__": lambda a, b: a or b,
}
UNCHANGED = ("annotate", "unchecked_cast")  # (type, value)
NO_VALUES = ("warn", "format", "_assert", "len", "device")
SAME_VALUE = ("data", "unchecked_unwrap_optional", "NumToTensor")


def dtype_of(value: Any) -> Any:
    """Return what the number of a type means; device, flags and formats are left as they are."""
    if type(value) is not int:
        return value
    if value in FLOATS:
        return Dtype.FLOAT
    if value == BOOL:
        return Dtype.BOOL
    if value in WHOLE:
        return Dtype.WHOLE
    return Dtype.OTHER


def path_of(node: ast.expr) -> str:
    """Return `a.b.c` as text, empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        return ".".join([node.id, *reversed(parts)])
    return ""


def assigned_names(statement: ast.stmt) -> set[str]:
    """Return the names that a statement may assign."""
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
