"""Tensors from raw bytes with sizes and strides, checked before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENTRY_LIMIT = 2**23


def strided(
    data: bytes, kind: str, offset: int, shape: Sequence[int], strides: Sequence[int]
) -> NDArray[Any]:
    """Read a tensor as float64, int64 or bool.

    Args:
        data: The bytes of its storage.
        kind: A numpy type or `bfloat16`.
        offset: In entries.
        shape: Of the tensor.
        strides: In entries, one per axis.

    Raises:
        ValueError: Where shape, strides and bytes do not fit.
    """
    if (
        not all(type(size) is int for size in (offset, *shape, *strides))
        or len(shape) != len(strides)
        or len(shape) > 8
    ):
        raise ValueError("its shape or strides are no lists of integers")
    entry = np.dtype("<u2" if kind == "bfloat16" else kind)
    if offset < 0 or any(size < 0 for size in (*shape, *strides)) or math.prod(shape) > ENTRY_LIMIT:
        raise ValueError(
            f"its shape {list(shape)} is not possible or has more than {ENTRY_LIMIT} entries"
        )
    if math.prod(shape):
        last = offset + sum((size - 1) * step for size, step in zip(shape, strides, strict=True))
    else:
        last = -1
    if (last + 1) * entry.itemsize > len(data):
        raise ValueError(
            f"its shape {list(shape)} asks for {(last + 1) * entry.itemsize} bytes, there are"
            f" {len(data)}"
        )
    values = np.frombuffer(data[: len(data) // entry.itemsize * entry.itemsize], entry)
    if kind == "bfloat16":  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    view = np.lib.stride_tricks.as_strided(
        values[offset:],
        tuple(shape),
        tuple(step * values.itemsize for step in strides),
        writeable=False,
    )
    if values.dtype.kind == "b":
        return np.array(view, bool)
    return view.astype(np.float64 if values.dtype.kind == "f" else np.int64)
