"""Which formats carry a neuron.

The exporters' own tables, asked where a refusal names the ways out.
"""

from __future__ import annotations

from collections.abc import Collection

from spikeport.toolchain.neurons import SHORT_NAMES


def carried() -> dict[str, Collection[str]]:
    """Neuron ids by format. The exporters are imported here, as they refuse through this file."""
    from spikeport.export.lava.network_description import NEURONS
    from spikeport.export.netx.blocks import BLOCKS
    from spikeport.export.nir.nir_graph import EXPRESSIBLE
    from spikeport.export.onnx.neurons import NEURON_GRAPHS

    return {"lava": NEURONS, "onnx": NEURON_GRAPHS, "nir": EXPRESSIBLE, "netx": BLOCKS}


def ways_out(neuron: str, refused: str) -> tuple[str, ...]:
    """What to do where the format `refused` does not carry `neuron`.

    Other formats, or a neuron of an ANN that it does carry.
    """
    tables = carried()
    formats = [
        f"--to {name}" for name, neurons in tables.items() if name != refused and neuron in neurons
    ]
    others = [name for name, identifier in SHORT_NAMES.items() if identifier in tables[refused]]
    if others and (neuron in SHORT_NAMES.values() or not formats):
        convert = f"convert with --neuron {others[0]}"
    else:
        convert = ""
    return tuple(way for way in (*formats, convert) if way) or (
        "reconvert the policy with another --neuron",
    )
