"""State dicts of lava-dl's SLAYER blocks: known, and refused.

`blocks.0.synapse.weight` (or `weight_g`, `weight_v`), `blocks.0.neuron.current_decay`,
`.voltage_decay` do not say what the neurons are: a threshold, the scale of the integers, delays'
meaning and whether spikes are graded are attributes of the Python objects, not of the state dict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.display_text import shorten

_NEURON = re.compile(r"(?:.+\.)?neuron\.(?:current_decay|voltage_decay)")
_SYNAPSE = re.compile(r"(?:.+\.)?(?:synapse|input_synapse)\.weight(?:_g|_v)?")


def refuse_slayer_state(names: Iterable[str], where: str) -> None:
    """Raise InputError where the keys are those of SLAYER CUBA blocks."""
    keys = list(names)
    neurons = [key for key in keys if _NEURON.fullmatch(key)]
    if not neurons or not any(_SYNAPSE.fullmatch(key) for key in keys):
        return
    raise InputError(
        where,
        "a state_dict of SLAYER blocks does not say its thresholds and scale",
        got=shorten(neurons, 4),
        limit="the HDF5 file that the blocks' export_hdf5 writes",
        why="they are arguments of the blocks, so another network could have the same state_dict",
        fix=(
            "build the blocks, load_state_dict, run them once, then"
            " block.export_hdf5(file.create_group(f'layer/{i}')) for each"
        ),
    )
