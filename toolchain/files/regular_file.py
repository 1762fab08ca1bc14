"""Opening what a user named: regular files only.

A pipe never blocks and a device is never touched.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from spikeport.toolchain.errors import InputError


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file for reading.

    OSError for everything that is not a regular file, without waiting for a pipe's other end.
    """
    _refuse_others(os.stat(path).st_mode)  # first: for some devices opening does something
    handle = os.open(
        path,
        os.O_RDONLY
        | getattr(os, "O_BINARY", 0)
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_CLOEXEC", 0),
    )
    try:
        _refuse_others(os.fstat(handle).st_mode)  # what was opened may be another file by now
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _refuse_others(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")


CHECKPOINT_LIMIT = 512 * 2**20  # bytes


@dataclass(frozen=True)
class FileContent:
    """The bytes of one file; `name` has no folder."""

    path: Path
    data: bytes
    sha256: str

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name


def read_content(
    path: str | os.PathLike[str], what: str = "checkpoint", limit: int = CHECKPOINT_LIMIT
) -> FileContent:
    """Read a regular, non-empty file.

    Args:
        path: Of the file.
        what: It is, for errors.
        limit: Bytes at most.

    Raises:
        InputError: For anything else.
    """
    file = Path(path)
    name = file.name or str(path)
    try:
        if not file.exists():
            raise InputError(name, f"no such {what} file", fix="check the path")
        if file.is_dir():
            raise InputError(
                name,
                f"a directory is not a {what}",
                got="a directory",
                limit="a file",
                fix="name the file inside it",
            )
        if not file.is_file():
            raise InputError(
                name, f"not a regular file, so not a {what}", fix="name a file on disk"
            )
        with open_regular(file) as stream:
            data = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        raise InputError(
            name,
            f"the {what} file cannot be read",
            why=str(getattr(error, "strerror", None) or error),
            fix="check the path and its permissions",
        ) from None
    if not data:
        raise InputError(
            name, f"the {what} file is empty", got="0 bytes", fix="copy or download it again"
        )
    if len(data) > limit:
        raise InputError(
            name,
            f"the {what} file is too large",
            got=f"{file.stat().st_size} bytes",
            limit=f"{limit} bytes",
            fix="save the actor alone",
        )
    return FileContent(file, data, hashlib.sha256(data).hexdigest())
