"""State dicts as numpy arrays: torch files by `weights_only=True`, safetensors by its library.

Weights become float32 (Policy's type): float16 and bfloat16 exactly, float64 rounded to nearest.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, short_reason
from spikeport.toolchain.files.regular_file import CHECKPOINT_LIMIT
from spikeport.toolchain.files.zip_archive import COPY_AGAIN, open_archive, verify_members
from spikeport.toolchain.readers.containers import LEGACY_TORCH, SAVE_AGAIN
from spikeport.toolchain.readers.pickles.pickle_scan import scan_pickle

FLOATS = ("torch.float32", "torch.float64", "torch.float16", "torch.bfloat16")
ENTRY_LIMIT = 2000
LEGACY_PICKLES = 5  # magic number, protocol, system, object, storage keys; raw storages follow
SAFE_TORCH = (2, 6)  # before it, weights_only=True could be made to run code (CVE-2025-32434)
# Training records hold numbers of NumPy; they become this and are never computed with.
_NUMPY = [
    f"numpy.{core}.multiarray.{name}"
    for core in ("core", "_core")
    for name in ("scalar", "_reconstruct")
] + ["numpy.dtype", "numpy.ndarray"]
_FORBIDDEN = re.compile(r"GLOBAL ([\w.]{1,80})")
_CAUSE = re.compile(r"WeightsUnpickler error: ([^\n]{1,140})")


class NumpyValue:
    """An inert stand-in for a NumPy number or array beside the tensors.

    What it would hold is dropped.
    """

    def __init__(self, *_: object) -> None:
        """Nothing of the arguments is kept."""

    def __setstate__(self, state: object) -> None:
        """Nor of the state."""


def load_torch(data: bytes, where: str) -> object:
    """Read what torch.save stored: tensors on the CPU and plain containers only.

    NumPy's numbers and arrays become NumpyValue. InputError for everything else.
    """
    if data[:4] == b"PK\x03\x04":
        with open_archive(data, where, CHECKPOINT_LIMIT) as archive:
            verify_members(archive, where, CHECKPOINT_LIMIT)
            for member in archive.namelist():
                if member.endswith(".pkl"):
                    scan_pickle(archive.read(member), where)
    elif data.startswith(LEGACY_TORCH):
        position = 0
        for _ in range(LEGACY_PICKLES):
            position = scan_pickle(data, where, position)
    else:
        raise InputError(
            where,
            "not a file of torch.save",
            got=f"content that starts with {data[:8].hex(' ') or 'nothing'}",
            limit="a torch zip or a legacy torch file",
            fix=SAVE_AGAIN,
        )
    torch = import_torch(where)
    try:
        with torch.serialization.safe_globals([(NumpyValue, name) for name in _NUMPY]):
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # torch raises pickle, runtime, key, type and index errors on bad files; none may escape
    except Exception as error:
        raise _refusal(error, where) from None


def import_torch(where: str):  # noqa: ANN201 - a module
    """The torch module, new enough that weights_only is safe.

    InputError where it is missing or old.
    """
    try:
        import torch
    except ImportError:
        raise InputError(
            where,
            "reading this checkpoint needs PyTorch, which is not installed",
            fix="pip install torch",
        ) from None
    version = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2])
    if version < SAFE_TORCH:
        raise InputError(
            where,
            "the installed PyTorch cannot load foreign files safely",
            got=torch.__version__,
            limit="2.6 or newer",
            why="CVE-2025-32434",
            fix="pip install --upgrade torch",
        )
    return torch


def load_safetensors(data: bytes, where: str) -> Mapping[str, object]:
    """The tensors of a safetensors file; InputError where it is damaged."""
    import_torch(where)
    try:
        from safetensors.torch import load
    except ImportError:
        raise InputError(
            where,
            "reading this checkpoint needs the safetensors package, which is not installed",
            fix="pip install safetensors",
        ) from None
    try:
        return load(data)
    # the Rust parser's own exception type and torch's shape errors; none may escape
    except Exception as error:
        raise InputError(
            where, "the safetensors file is damaged", why=short_reason(error), fix=COPY_AGAIN
        ) from None


def to_float32(tensors: Mapping[str, object], where: str) -> dict[str, NDArray[np.float32]]:
    """Contiguous float32 copies of dense floating-point tensors.

    InputError lists every other entry.
    """
    import torch

    if len(tensors) > ENTRY_LIMIT:
        raise InputError(
            where,
            "too many entries for an actor",
            got=len(tensors),
            limit=ENTRY_LIMIT,
            fix=SAVE_AGAIN,
        )
    problems = []
    size = 0
    dense = {}
    for key, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            problems.append(f"{printable(key, 60)} is a {type(tensor).__name__}, not a tensor")
        elif (
            tensor.layout is not torch.strided
            or tensor.is_quantized
            or tensor.device.type != "cpu"
            or str(tensor.dtype) not in FLOATS
        ):
            problems.append(
                f"{printable(key, 60)} is {tensor.dtype}, {tensor.layout}, on {tensor.device.type}"
            )
        else:
            dense[key] = tensor.detach()
            size += 4 * tensor.numel()
    if problems:
        raise violations(
            where,
            problems,
            why=f"weights are dense CPU tensors of {', '.join(FLOATS)}",
            fix=SAVE_AGAIN,
        )
    if size > CHECKPOINT_LIMIT:
        raise InputError(
            where,
            "the tensors unpack to too much",
            got=f"{size} bytes",
            limit=f"{CHECKPOINT_LIMIT} bytes",
            fix="save the actor alone",
        )
    return {
        key: np.ascontiguousarray(tensor.to(torch.float32).numpy()) for key, tensor in dense.items()
    }


def _refusal(error: Exception, where: str) -> InputError:
    """Return an exception of torch in one line.

    A forbidden class is named, advice to switch the safety off is dropped.
    """
    text = str(error)
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        return InputError(
            where,
            "the file names a Python object that is not loaded",
            got=forbidden.group(1),
            limit="tensors and plain containers",
            why="loading it could run code; nothing was executed",
            fix=SAVE_AGAIN,
        )
    cause = _CAUSE.search(text)
    if cause:
        reason = cause.group(1)
    elif "weights_only" in text:
        reason = "no plain state_dict"
    else:
        reason = short_reason(error)
    return InputError(
        where,
        "torch cannot read the file",
        got=reason,
        limit="a state_dict of tensors",
        why="it is damaged or holds more than tensors; nothing was executed",
        fix=(COPY_AGAIN, SAVE_AGAIN),
    )
