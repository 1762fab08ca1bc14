"""Number types of torch's files, and casts to them."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np

from spikeport.toolchain.readers.graphs.machine import Machine
from spikeport.toolchain.readers.graphs.signal import Signal, Unsupported


class Dtype(Enum):
    """What a number type of a file means for values that are kept in float64."""

    FLOAT = "float"  # float32 or float64
    WHOLE = "integer"
    BOOL = "bool"
    OTHER = "a type other than float32 and float64"


def cast(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    """Run aten's `to`: constants change their type, signals stay in float64.

    Args:
        machine: Unused, as every operator takes it.
        place: Unused.
        given: The value `self`, and types among other arguments.
    """
    value = given["self"]
    for kind in given.values():
        if not isinstance(kind, Dtype) or kind is Dtype.FLOAT:
            continue
        if isinstance(value, Signal) or kind is Dtype.OTHER:
            raise Unsupported(f"to {kind.value}")
        value = np.asarray(value).astype(np.int64 if kind is Dtype.WHOLE else bool)
    wanted = any(kind is Dtype.FLOAT for kind in given.values())
    if isinstance(value, Signal) or not wanted:
        return value
    return np.asarray(value, np.float64)
