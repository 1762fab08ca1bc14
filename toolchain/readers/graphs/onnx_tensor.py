"""Tensors of an ONNX file as numpy arrays: sizes are checked before anything is made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

ENTRY_LIMIT = 2**23
# TensorProto.DataType by number: numpy type of raw_data, field of typed data.
_TYPES = {
    1: ("<f4", "float_data"),
    2: ("u1", "int32_data"),
    3: ("i1", "int32_data"),
    4: ("<u2", "int32_data"),
    5: ("<i2", "int32_data"),
    6: ("<i4", "int32_data"),
    7: ("<i8", "int64_data"),
    9: ("?", "int32_data"),
    10: ("<f2", "int32_data"),
    11: ("<f8", "double_data"),
    12: ("<u4", "uint64_data"),
    16: ("<u2", "int32_data"),
}
_HALF = 10
_BFLOAT = 16


def byte_size(tensor: Any, onnx: Any) -> int:
    """Bytes of the tensor's raw data by its type and shape.

    ValueError where these are not supported.
    """
    if tensor.data_type not in _TYPES:
        raise ValueError(f"its type {_type_name(tensor, onnx)} is not supported")
    if (
        any(size < 0 for size in tensor.dims)
        or len(tensor.dims) > 8
        or math.prod(tensor.dims) > ENTRY_LIMIT
    ):
        raise ValueError(
            f"its shape {list(tensor.dims)[:8]} is not possible or has more than {ENTRY_LIMIT}"
            " entries"
        )
    return math.prod(tensor.dims) * np.dtype(_TYPES[tensor.data_type][0]).itemsize


def read_tensor(tensor: Any, onnx: Any) -> NDArray[Any]:
    """Read a tensor as float64, int64 or bool; ValueError where type, shape and data do not fit."""
    size = byte_size(tensor, onnx)
    kind, field = _TYPES[tensor.data_type]
    count = math.prod(tensor.dims)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise ValueError("its data lies outside the file, which is known for initializers alone")
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != size:
            raise ValueError(f"it has {len(tensor.raw_data)} bytes, its shape asks for {size}")
        values = np.frombuffer(tensor.raw_data, kind)
    else:
        typed = getattr(tensor, field)
        if len(typed) != count:
            raise ValueError(f"it has {len(typed)} entries, its shape asks for {count}")
        values = np.asarray(typed)
        if tensor.data_type in (_HALF, _BFLOAT):
            values = values.astype(np.uint16)
    if tensor.data_type == _HALF:
        values = values.view(np.float16)
    elif tensor.data_type == _BFLOAT:  # the upper half of a float32
        values = (values.astype(np.uint32) << 16).view(np.float32)
    values = values.reshape(tuple(tensor.dims))
    if tensor.data_type == 9:
        return values.astype(bool)
    return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)


def _type_name(tensor: Any, onnx: Any) -> str:
    names = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return names.get(tensor.data_type, str(tensor.data_type))
