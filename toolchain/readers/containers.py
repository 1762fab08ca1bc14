"""What the formats' containers look like from outside: zip archives, HDF5, safetensors, torch.save.

The readers recognise their formats by these; nothing is unpacked or unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence

from spikeport.toolchain.files.hdf5 import top_level
from spikeport.toolchain.files.regular_file import CHECKPOINT_LIMIT, FileContent
from spikeport.toolchain.files.zip_archive import open_archive

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
# The magic number with which torch.save began before 1.6, as a pickle.
LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # of the first member, and of an archive without one
SAVE_AGAIN = "torch.save(actor.state_dict(), FILE) in the training environment"


def zip_members(content: FileContent) -> list[str]:
    """Return the names in a zip archive, none for another file; InputError for a damaged one."""
    if not content.data.startswith(ZIP_STARTS):
        return []
    with open_archive(content.data, content.name, CHECKPOINT_LIMIT) as archive:
        return archive.namelist()


def below_top(members: Sequence[str]) -> set[str]:
    """Return the names of what lies directly in an archive's outermost folders."""
    return {member.split("/")[-1] for member in members if member.count("/") == 1}


def hdf5_groups(content: FileContent) -> tuple[str, ...]:
    """Return an HDF5 file's outermost names, none for another file; InputError if damaged."""
    if not content.data.startswith(HDF5_SIGNATURE):
        return ()
    return top_level(content.data, content.name)


def is_safetensors(content: FileContent) -> bool:
    """Tell whether a file starts with the length of a JSON header that fits in it."""
    data = content.data
    fits = len(data) > 9 and int.from_bytes(data[:8], "little") <= len(data) - 8
    return fits and data[8:9] == b"{"
