"""An ONNX file as a checked protobuf message.

Its external data is read from the file's own folder and nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import printable, short_reason
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.files.zip_archive import COPY_AGAIN
from spikeport.toolchain.readers.graphs.onnx_tensor import byte_size

GRAPH_LIMIT = 128 * 2**20  # bytes of graph and weights together
OLDEST_OPSET = 7  # before it, arithmetic did not broadcast as numpy does
DOMAINS = ("", "ai.onnx")
EXPORT_AGAIN = "export it again with torch.onnx.export"


def import_onnx(where: str) -> Any:
    """The onnx package; InputError with the command that installs it."""
    try:
        import onnx
        import onnx.checker
    except ImportError:
        raise InputError(
            where,
            "reading an ONNX file needs the onnx package, which is not installed",
            fix="pip install onnx",
        ) from None
    return onnx


def load_model(content: FileContent, assumptions: list[str]) -> Any:
    """The ModelProto, external weights brought in, valid by onnx.checker; InputError otherwise.

    Files of external data that were read are named in `assumptions` with their SHA-256.
    """
    where = content.name
    onnx = import_onnx(where)
    check_size(len(content.data), where)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content.data)
    except Exception as error:  # the protobuf runtime's own exception type
        raise InputError(
            where, "the ONNX file is damaged", why=short_reason(error), fix=COPY_AGAIN
        ) from None
    _check_opset(model, onnx, where)
    _bring_in(model, onnx, content, assumptions)
    try:
        onnx.checker.check_model(model)
    # ValidationError, TypeError, ValueError and more for what is not a valid model
    except Exception as error:
        raise InputError(
            where,
            "not a valid ONNX model",
            why=short_reason(error, 300),
            fix=(COPY_AGAIN, EXPORT_AGAIN),
        ) from None
    return model


def check_size(size: int, where: str) -> None:
    """Raise InputError for a graph of more bytes than a policy's."""
    if size > GRAPH_LIMIT:
        raise InputError(
            where,
            "the graph is too large for a policy",
            got=f"{size} bytes",
            limit=f"{GRAPH_LIMIT} bytes",
            fix="export the actor alone",
        )


def _check_opset(model: Any, onnx: Any, where: str) -> None:
    newest = onnx.defs.onnx_opset_version()
    versions = [entry.version for entry in model.opset_import if entry.domain in DOMAINS]
    if len(versions) != 1 or not OLDEST_OPSET <= versions[0] <= newest:
        raise InputError(
            where,
            "the opset of the ONNX file is not supported",
            got=", ".join(map(str, versions[:4])) or "none",
            limit=f"one of {OLDEST_OPSET} to {newest}",
            fix=(EXPORT_AGAIN, "pip install --upgrade onnx"),
        )


def _bring_in(model: Any, onnx: Any, content: FileContent, assumptions: list[str]) -> None:
    """Replace references to external data by the data. Only initializers may have them."""
    problems: list[str] = []
    pending = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    files: dict[str, bytes] = {}
    total = len(content.data)
    for tensor in pending:
        facts = {entry.key: entry.value for entry in tensor.external_data}
        name = printable(tensor.name, 60)
        location = facts.get("location", "")
        try:
            if location not in files:
                files[location] = _read_beside(content.path, location, GRAPH_LIMIT - total)
                total += len(files[location])
            size = byte_size(tensor, onnx)
            start = int(facts.get("offset", "0") or 0)
            length = int(facts.get("length", str(size)) or size)
            if length != size or not 0 <= start <= len(files[location]) - size:
                raise ValueError(
                    f"asks for {length} bytes at {start} of {len(files[location])}, its shape for"
                    f" {size}"
                )
            total += size
            check_size(total, content.name)
        except (ValueError, OSError) as error:
            problems.append(f"external data of {name}: {printable(error, 200)}")
            continue
        tensor.raw_data = files[location][start : start + size]
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]
    if problems:
        raise violations(
            content.name,
            problems[:20],
            why="weights are read from regular files in the folder of the ONNX file",
            fix=("keep the files of external data beside it", "export with all weights inside"),
        )
    for location, data in files.items():
        assumptions.append(
            f"weights in {printable(location, 60)}, SHA-256 {hashlib.sha256(data).hexdigest()}"
        )


def _read_beside(model: Path, location: str, limit: int) -> bytes:
    """A file in the model's folder or below it, no symbolic link on the way.

    ValueError or OSError otherwise.
    """
    parts = PurePosixPath(location).parts
    if (
        not location
        or "\0" in location
        or "\\" in location
        or PureWindowsPath(location).drive
        or location.startswith("/")
        or ".." in parts
    ):
        raise ValueError(f"{printable(location, 60)!r} is not a name below the folder of the file")
    path = model.parent
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise ValueError(f"{printable(location, 60)!r} is a symbolic link")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0))
    except OSError as error:
        raise ValueError(f"{printable(location, 60)!r}: {error.strerror}") from None
    with os.fdopen(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ValueError(f"{printable(location, 60)!r} is not a regular file")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise ValueError(
            f"{printable(location, 60)!r} is larger than the {GRAPH_LIMIT} bytes that a graph may"
            " have"
        )
    return data
