"""The interface of a checkpoint format.

A new format is one file `readers/<kind>/x.py` with a Reader, and one line in the table
`checkpoint_readers` of toolchain/plugins.py, or an entry point of the group
`spikeport.checkpoint_readers` in another package.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.readers.reading_options import ReadOptions


@dataclass(frozen=True)
class Reader:
    """What a checkpoint format offers.

    `recognises` answers by the content. It says False for every other format and raises InputError
    only where the container itself (a zip archive, an HDF5 file) is damaged. `read` raises
    InputError for every file that cannot be converted exactly as it was trained.
    """

    title: str  # with its article, as an error names it: "a safetensors file"
    recognises: Callable[[FileContent], bool]
    read: Callable[[FileContent, ReadOptions], AnyPolicy]
    graph: bool = False  # of operations, with named outputs and without a documented family
