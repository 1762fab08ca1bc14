"""`--to netx`: one HDF5 file that `lava.lib.dl.netx.hdf5.Network` reads.

    layer/<i>/type                dense
             /shape, inFeatures, outFeatures
             /weight              float32 [out, in], whole numbers
             /bias                mantissas [out], omitted where all are zero
             /neuron/             type CUBA, iDecay, vDecay, vThMant, refDelay 1, gradedSpike False

netx runs a block as LIFReset(du=iDecay - 1, dv=vDecay, vth=vThMant, bias_exp=6). Everything else
stands in the file's attribute `spikeport`, canonical JSON (netx_description.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.export.exporter import TraceOfProbe, carries
from spikeport.export.netx.blocks import BLOCKS, Block, blocks_of
from spikeport.export.netx.netx_description import describe
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.atomic import canonical_json, check_writable, write_atomically
from spikeport.toolchain.files.hdf5 import hdf5_library
from spikeport.toolchain.readers.netx.netx_blocks import ATTRIBUTE


@carries(BLOCKS)
def export_netx(
    artifact: Artifact, path: str | os.PathLike[str], trace: TraceOfProbe | None = None
) -> None:
    """Write the artifact as one netx file, which appears whole or not at all.

    Args:
        artifact: What is written.
        path: The file, which must not exist.
        trace: Not asked: a netx file has no room for expected spikes.

    Raises:
        InputError: For a path that cannot be used and weights or biases that netx has no place for.
        NotCarried: For other neurons than those of BLOCKS.
    """
    target = Path(path)
    check_writable(target)
    if target.exists():
        raise InputError(
            str(path),
            "exists already",
            why="an export never overwrites anything",
            fix="give -o a path that does not exist",
        )
    made = blocks_of(artifact)
    h5py = hdf5_library("--to netx")
    text = canonical_json(describe(artifact, made))

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.attrs[ATTRIBUTE] = text
            for index, block in enumerate(made.blocks):
                _write_block(file.create_group(f"layer/{index}"), block)

    write_atomically(target, write)


def _write_block(group: Any, block: Block) -> None:
    outputs, inputs = block.weights.shape
    group.create_dataset("type", data=np.array([b"dense"], "S10"))
    group.create_dataset("shape", data=np.array([outputs]))
    group.create_dataset("inFeatures", data=inputs)
    group.create_dataset("outFeatures", data=outputs)
    group.create_dataset("weight", data=block.weights.astype(np.float32), compression="gzip")
    if block.bias.any():
        group.create_dataset("bias", data=block.bias.astype(np.float32))
    neuron = {
        "type": "CUBA",
        "iDecay": block.current_decay + 1,
        "vDecay": block.voltage_decay,
        "vThMant": block.threshold,
        "refDelay": 1,
        "gradedSpike": False,
    }
    for name, value in neuron.items():
        group.create_dataset(f"neuron/{name}", data=value)
