"""How arrays and entries of a file are taken: each of the type that the format says, or refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError

RECONVERT = "reconvert the policy with `spikeport convert CHECKPOINT -o FILE --env ID`"
Tensors = dict[str, NDArray[Any]]


def take(tensors: Tensors, name: str, kind: type) -> NDArray[Any]:
    """Take an array out of `tensors`.

    Raises InputError where it is missing or of another type.
    """
    if name not in tensors:
        raise InputError("artifact", f"array {name} is missing", fix=RECONVERT)
    value = tensors.pop(name)
    if value.dtype != kind:
        raise InputError(
            "artifact",
            f"array {name} has the wrong type",
            got=value.dtype,
            limit=np.dtype(kind),
            fix=RECONVERT,
        )
    return value


def take_all(tensors: Tensors, prefix: str, arrays: Mapping[str, type]) -> Tensors:
    """Take the arrays `{prefix}.{name}`, by name. Raises InputError as `take` does."""
    return {name: take(tensors, f"{prefix}.{name}", dtype) for name, dtype in arrays.items()}


def given(values: Any, prefix: str, arrays: Mapping[str, type]) -> Tensors:
    """The arrays that `take_all` takes again: fields of `values`."""
    return {f"{prefix}.{name}": getattr(values, name).astype(t) for name, t in arrays.items()}


def take_present(
    tensors: Tensors, prefix: str, names: tuple[str, ...], kind: type
) -> dict[str, NDArray[Any]]:
    """Take those of the arrays `{prefix}.{name}` that are there, by name."""
    return {
        name: take(tensors, f"{prefix}.{name}", kind)
        for name in names
        if f"{prefix}.{name}" in tensors
    }


def present(values: Any, prefix: str, names: tuple[str, ...], kind: type) -> Tensors:
    """The arrays that `take_present` takes again: fields of `values` that are not None."""
    return {
        f"{prefix}.{name}": value.astype(kind)
        for name in names
        if (value := getattr(values, name)) is not None
    }


def only(facts: dict[str, Any], where: str, *names: str) -> dict[str, Any]:
    """`facts`, or an InputError for a key that is not among `names`.

    Inside an entry nothing unknown could be kept, so nothing is dropped.
    """
    unknown = sorted(set(facts) - set(names))
    if unknown:
        raise InputError(
            "artifact",
            f"unknown keys {', '.join(unknown)} in {where}",
            limit=", ".join(names),
            fix=RECONVERT,
        )
    return facts


def texts(values: Any) -> tuple[str, ...]:
    """A list of texts. Raises ValueError for anything else."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} is not a list of texts")
    return tuple(values)


def integer(value: Any) -> int:
    """A whole number that a float64 holds. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        raise ValueError(f"{value!r} is not an integer in range")
    return value


def number(value: Any) -> float:
    """A finite number. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def number_or_none(value: Any) -> float | None:
    """A finite number, or null. Raises ValueError for anything else."""
    return None if value is None else number(value)
