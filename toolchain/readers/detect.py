"""A file's bytes, read once and within a limit, and what they are (by content, never by name)."""

from __future__ import annotations

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import shorten
from spikeport.toolchain.files.regular_file import CHECKPOINT_LIMIT, FileContent
from spikeport.toolchain.files.zip_archive import open_archive

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"  # of NIR and netx
ONNX_FIELDS = (
    0x12,
    0x1A,
    0x22,
    0x28,
    0x32,
    0x3A,
    0x42,
    0x72,
)  # protobuf keys of a ModelProto behind its ir_version
# pickle of the magic number of torch.save before 1.6
LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
ACCEPTED = (
    "a torch state_dict or checkpoint, a safetensors file, a Stable-Baselines3 zip, an ONNX graph,"
    " a torch.export program, a TorchScript archive, a NIR or a netx file"
)
FLAX_FIX = (
    (
        "restore it with flax, then save a torch state dict with `<layer>.weight` = kernel"
        " transposed and `<layer>.bias`, layers named fc1, fc2, fc_mu"
    ),
    "train the script without _jax",
)
HDF5_FIX = (
    "give a file of nir.write",
    "one that every block's export_hdf5 wrote to layer/<i> (lava-dl)",
)
SAVE_AGAIN = "torch.save(actor.state_dict(), FILE) in the training environment"


def detect_format(content: FileContent) -> str:
    """`torch`, `safetensors`, `stable-baselines3`, `onnx`, `torch.export`, `torchscript`, `nir` or
    `netx`; InputError naming what else it is.
    """
    data = content.data
    name = content.name
    if data.startswith(HDF5_SIGNATURE):
        return hdf5_kind(data, name)
    if data.startswith(LEGACY_TORCH):
        return "torch"
    if data[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zip_format(content)
    if len(data) > 9 and int.from_bytes(data[:8], "little") <= len(data) - 8 and data[8:9] == b"{":
        return "safetensors"
    if (
        len(data) > 1 and 0x81 <= data[0] <= 0x8F and (0xA0 <= data[1] <= 0xBF or data[1] == 0xD9)
    ):  # MessagePack: a map whose first key is text
        raise InputError(
            name,
            "a Flax (JAX) checkpoint is not read",
            got=(
                "MessagePack, as flax.serialization.to_bytes and CleanRL's *_jax.py scripts"
                " write it"
            ),
            limit=ACCEPTED,
            fix=FLAX_FIX,
        )
    if looks_like_onnx(data):
        return "onnx"
    if data[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise InputError(
            name,
            "a raw pickle is never loaded as a checkpoint",
            got="a pickle",
            limit=ACCEPTED,
            why="unpickling runs whatever code the file names",
            fix=(SAVE_AGAIN, "give a VecNormalize pickle as --normalizer"),
        )
    raise InputError(
        name,
        "unknown content",
        got=f"a file that starts with {data[:8].hex(' ')}",
        limit=ACCEPTED,
        fix=SAVE_AGAIN,
    )


def hdf5_kind(data: bytes, where: str) -> str:
    """`nir` or `netx`, by the groups of an HDF5 file; InputError for another one."""
    from spikeport.toolchain.files.hdf5 import top_level

    names = top_level(data, where)
    kinds = [kind for kind, group in (("nir", "node"), ("netx", "layer")) if group in names]
    if len(kinds) != 1:
        got = f"entries {shorten(names, 5) or 'none'}"
        raise InputError(
            where,
            "an HDF5 file, but neither a NIR graph nor a netx network",
            got=got,
            limit="node (NIR) or layer (netx)",
            fix=HDF5_FIX,
        )
    return kinds[0]


def looks_like_onnx(data: bytes) -> bool:
    """Whether the bytes begin like a serialized ModelProto.

    A small ir_version, then another of its fields.
    """
    return len(data) > 2 and data[0] == 0x08 and 0 < data[1] < 0x40 and data[2] in ONNX_FIELDS


def _zip_format(content: FileContent) -> str:
    with open_archive(content.data, content.name, CHECKPOINT_LIMIT) as archive:
        names = archive.namelist()
    tops = {member.split("/")[-1] for member in names if member.count("/") == 1}
    if "constants.pkl" in tops and any("/code/" in member for member in names):
        return "torchscript"
    if "archive_format" in tops or "serialized_exported_program.json" in names:
        return "torch.export"
    if "data.pkl" in tops:
        return "torch"
    if "data" in names and ("parameters" in names or "parameter_list" in names):
        raise InputError(
            content.name,
            "saved by Stable-Baselines 2 (TensorFlow)",
            got="a Stable-Baselines 2 zip",
            limit=ACCEPTED,
            fix="train or export it with Stable-Baselines3",
        )
    if "policy.pth" in names or "data" in names:
        return "stable-baselines3"
    shown = shorten(sorted(names), 5) or "nothing"
    raise InputError(
        content.name,
        "a zip without a policy",
        got=f"members {shown}",
        limit=(
            "the members data and policy.pth of a Stable-Baselines3 zip, or data.pkl of torch.save"
        ),
        fix="give the model's own zip, unpacked from any outer archive",
    )
