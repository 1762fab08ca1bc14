"""Opening what a user named.

Regular files only, so that a pipe never blocks and a device is never touched.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """The file for reading.

    OSError for everything that is not a regular file, without waiting for a pipe's other end.
    """
    _refuse_others(
        os.stat(path).st_mode
    )  # before opening: for some devices that alone does something
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
