"""Write a file whole or not at all, and JSON in one canonical form."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spikeport.toolchain.errors import InputError


def check_writable(target: Path) -> None:
    """Raise InputError early where `save` could not write later.

    The temporary file beside the target is made and removed.
    """
    _refuse_special(target)
    _temporary_beside(target).unlink(missing_ok=True)


def write_atomically(target: Path, write: Callable[[Path], Any]) -> None:
    """Call `write(temporary)` in the target's folder, then rename.

    On failure nothing is left behind.
    """
    temporary = _temporary_beside(target)
    try:
        _refuse_special(target)
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, target)
    except OSError as error:
        raise _unwritable(target, str(error.strerror)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _refuse_special(target: Path) -> None:
    """A rename would replace a folder's, a device's or a link's name, so only a file's is taken."""
    link = os.path.islink(target)
    special = link or target.exists() and not target.is_file()
    if special or not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        if link:
            reason = "it is a symbolic link"
        elif special:
            reason = "it is a folder" if target.is_dir() else "it is no file"
        elif target.parent.is_dir():
            reason = "its folder is read-only"
        else:
            reason = "its folder does not exist"
        raise _unwritable(target, reason)


def _temporary_beside(target: Path) -> Path:
    """A new empty file in the target's folder."""
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    except OSError as error:
        raise _unwritable(target, str(error.strerror)) from None
    os.close(handle)
    return Path(name)


def _unwritable(target: Path, reason: str) -> InputError:
    if os.path.islink(target):
        fix = "give -o the path that the link leads to"
    else:
        fix = "give -o a path in an existing folder that you may write to"
    return InputError(str(target), f"cannot be written: {reason}", fix=fix)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def canonical_json(value: Any) -> str:
    """Sorted keys, no spaces, ASCII, no NaN: equal content gives equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
