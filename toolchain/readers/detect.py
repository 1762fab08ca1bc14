"""Which checkpoint format a file has, by its content and never by its name.

The formats are those of the table `checkpoint_readers` (toolchain/plugins.py), asked in its order.
"""

from __future__ import annotations

import functools

from spikeport.toolchain import plugins
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import shorten
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.readers.containers import (
    HDF5_SIGNATURE,
    SAVE_AGAIN,
    ZIP_STARTS,
    hdf5_groups,
    zip_members,
)
from spikeport.toolchain.readers.reader import Reader

TABLE = "checkpoint_readers"
FLAX_FIX = (
    "restore it with flax, then save a torch state dict with `<layer>.weight` = kernel"
    " transposed and `<layer>.bias`, layers named fc1, fc2, fc_mu",
    "train the script without _jax",
)
HDF5_FIX = (
    "give a file of nir.write",
    "one that every block's export_hdf5 wrote to layer/<i> (lava-dl)",
)


def reader(name: str) -> Reader:
    """Return the reader of a format; InputError for a name that is not in the table."""
    return plugins.find(
        TABLE, name, where="format", what="unknown checkpoint format", usual="one of the known ones"
    )


def formats() -> dict[str, str]:
    """Return the name and the title of every checkpoint format that is read, by name."""
    return {name: reader(name).title for name in plugins.names(TABLE)}


def detect_format(content: FileContent) -> str:
    """Return the name of the file's format; InputError that says what else the file is."""
    for name in plugins.names(TABLE):
        if reader(name).recognises(content):
            return name
    raise _not_read(content)


def _not_read(content: FileContent) -> InputError:
    """Return the error of a file that no reader recognises."""
    data = content.data
    refused = functools.partial(InputError, content.name)
    if data.startswith(HDF5_SIGNATURE):
        return refused(
            "an HDF5 file, but neither a NIR graph nor a netx network",
            got=f"entries {shorten(hdf5_groups(content), 5) or 'none'}",
            limit="node (NIR) or layer (netx)",
            fix=HDF5_FIX,
        )
    if data.startswith(ZIP_STARTS):
        return _zip_not_read(content)
    # MessagePack: a map of at most 15 entries whose first key is text
    if len(data) > 1 and 0x81 <= data[0] <= 0x8F and (0xA0 <= data[1] <= 0xBF or data[1] == 0xD9):
        return refused(
            "a Flax (JAX) checkpoint is not read",
            got=(
                "MessagePack, as flax.serialization.to_bytes and CleanRL's *_jax.py scripts"
                " write it"
            ),
            limit=_accepted(),
            fix=FLAX_FIX,
        )
    # PROTO, then the protocol
    if data[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return refused(
            "a raw pickle is never loaded as a checkpoint",
            got="a pickle",
            limit=_accepted(),
            why="unpickling runs whatever code the file names",
            fix=(SAVE_AGAIN, "give a VecNormalize pickle as --normalizer"),
        )
    return refused(
        "unknown content",
        got=f"a file that starts with {data[:8].hex(' ')}",
        limit=_accepted(),
        fix=SAVE_AGAIN,
    )


def _zip_not_read(content: FileContent) -> InputError:
    members = zip_members(content)
    if "data" in members and ("parameters" in members or "parameter_list" in members):
        return InputError(
            content.name,
            "saved by Stable-Baselines 2 (TensorFlow)",
            got="a Stable-Baselines 2 zip",
            limit=_accepted(),
            fix="train or export it with Stable-Baselines3",
        )
    return InputError(
        content.name,
        "a zip without a policy",
        got=f"members {shorten(sorted(members), 5) or 'nothing'}",
        limit=(
            "the members data and policy.pth of a Stable-Baselines3 zip, or data.pkl of torch.save"
        ),
        fix="give the model's own zip, unpacked from any outer archive",
    )


def _accepted() -> str:
    *others, last = formats().values()
    return f"{', '.join(others)} or {last}"
