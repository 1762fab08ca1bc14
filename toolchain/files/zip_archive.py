"""Zip archives from strangers: no duplicates, nothing encrypted, nothing larger than a limit."""

from __future__ import annotations

import io
import zipfile

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import printable, short_reason, shorten

COPY_AGAIN = "copy or download the file again"


def open_archive(data: bytes, where: str, limit: int) -> zipfile.ZipFile:
    """Open an archive and check its directory.

    Reading stops at the declared size, so a directory that lies is caught by the checksum.

    Args:
        data: The archive.
        where: Its name, for errors.
        limit: Of the unpacked bytes of all members together, as the directory declares them.

    Raises:
        InputError: On damage, duplicates, encryption or size.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # zipfile raises many types on a damaged directory; none may escape
        raise InputError(
            where, "the zip archive is damaged", why=short_reason(error), fix=COPY_AGAIN
        ) from None
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        if len(names) < 2000:
            repeated = sorted({name for name in names if names.count(name) > 1})
        else:
            repeated = []
        raise InputError(
            where,
            "the zip archive has members of the same name",
            got=shorten(repeated, 4) or None,
            why="readers disagree on which one counts",
            fix="save the model again",
        )
    if any(member.flag_bits & 1 for member in members):
        raise InputError(where, "the zip archive is encrypted", fix="decrypt it first")
    unpacked = sum(member.file_size for member in members)
    if unpacked > limit:
        raise InputError(
            where,
            "the zip archive unpacks to too much",
            got=f"{unpacked} bytes",
            limit=f"{limit} bytes",
            why="a policy is far smaller",
            fix="save the model without replay buffer",
        )
    return archive


def read_member(archive: zipfile.ZipFile, member: str, where: str, limit: int) -> bytes:
    """Read a member's bytes, checksum verified.

    Args:
        archive: An open one.
        member: Its name.
        where: The archive's name, for errors.
        limit: Bytes at most.

    Raises:
        InputError: For a missing, damaged or larger member.
    """
    try:
        size = archive.getinfo(member).file_size
    except KeyError:
        raise InputError(
            where,
            f"the zip archive has no member {member}",
            got=shorten(sorted(archive.namelist()), 6) or "no member",
            fix="save the model again with model.save()",
        ) from None
    if size > limit:
        raise InputError(
            f"{where} ({printable(member)})",
            "the member unpacks to too much",
            got=f"{size} bytes",
            limit=f"{limit} bytes",
            fix="save the model again with model.save()",
        )
    try:
        return archive.read(member)
    # zlib, zipfile and struct errors of a damaged member; none may escape
    except Exception as error:
        raise InputError(
            f"{where} ({printable(member)})",
            "the member is damaged",
            why=short_reason(error),
            fix=COPY_AGAIN,
        ) from None


def verify_members(archive: zipfile.ZipFile, where: str, limit: int) -> None:
    """Check every member's checksum, which torch.load does not.

    Args:
        archive: An open one.
        where: Its name, for errors.
        limit: Bytes of a member at most.

    Raises:
        InputError: Naming the first damaged one.
    """
    for member in archive.namelist():
        read_member(archive, member, where, limit)
