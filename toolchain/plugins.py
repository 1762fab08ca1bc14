"""What grows by one line: backends, exporters, checkpoint readers and training methods, by name.

A table says where each name lives, `module:attribute`; the module is imported when the name is
asked for, so that a command imports only what it needs. Another package adds a name through an
entry point of the group `spikeport.<kind>` (`spikeport.backends`, ...) in its own metadata. A name
of this table is never replaced by an entry point: what the project ships stays what it was.
"""

from __future__ import annotations

import functools
import importlib
from importlib import metadata
from typing import Any

from spikeport.toolchain.errors import InputError, did_you_mean

TABLES: dict[str, dict[str, str]] = {
    "backends": {
        "reference": "spikeport.toolchain.simulation.reference:ReferenceBackend",
        "fast": "spikeport.toolchain.simulation.fast.fast_backend:FastBackend",
        "lava-direct": "spikeport.toolchain.simulation.lava.direct:LavaDirectBackend",
        "lava": "spikeport.toolchain.simulation.lava.runtime:LavaBackend",
        "onnx": "spikeport.toolchain.simulation.onnx:OnnxBackend",
    },
    # Asked in this order which of them recognises a file; the first one reads it.
    "checkpoint_readers": {
        "sddpg": "spikeport.toolchain.readers.torch.sddpg:READER",
        "torchscript": "spikeport.toolchain.readers.graphs.torchscript_reader:READER",
        "torch.export": "spikeport.toolchain.readers.graphs.exported_reader:READER",
        "torch": "spikeport.toolchain.readers.torch.state_dict:TORCH",
        "stable-baselines3": "spikeport.toolchain.readers.sb3.sb3_zip:READER",
        "safetensors": "spikeport.toolchain.readers.torch.state_dict:SAFETENSORS",
        "onnx": "spikeport.toolchain.readers.graphs.onnx_reader:READER",
        "nir": "spikeport.toolchain.readers.nir.nir_policy:READER",
        "netx": "spikeport.toolchain.readers.netx.netx_policy:READER",
    },
    "exporters": {
        "lava": "spikeport.export.lava.folder:export_lava",
        "netx": "spikeport.export.netx.netx_file:export_netx",
        "nir": "spikeport.export.nir.nir_file:export_nir",
        "onnx": "spikeport.export.onnx.model:export_onnx",
    },
    "training_methods": {
        "proxy-target": "spikeport.toolchain.training.methods.proxy_target:ProxyTarget",
        "spiking-td3": "spikeport.toolchain.training.methods.spiking_td3:SpikingTD3Method",
        "td3": "spikeport.toolchain.training.methods.td3:TD3Method",
    },
    "commands": {
        "assess": "spikeport.commands.energy:assess",
        "check": "spikeport.commands.checkers:check",
        "convert": "spikeport.commands.convert:convert",
        "demo": "spikeport.commands.demo:demo",
        "diagnose": "spikeport.commands.simulate:diagnose",
        "doctor": "spikeport.commands.doctor:doctor",
        "energy": "spikeport.commands.energy:energy",
        "export": "spikeport.commands.files:export",
        "golden": "spikeport.commands.checkers:golden",
        "inspect": "spikeport.commands.files:inspect",
        "simulate": "spikeport.commands.simulate:simulate",
        "train": "spikeport.commands.train:train",
        "tune": "spikeport.commands.tune:tune",
        "verify": "spikeport.commands.simulate:verify",
    },
}


@functools.cache
def places(kind: str) -> dict[str, str]:
    """Names of a kind and where each lives; the project's own go before those of other packages."""
    points = metadata.entry_points(group=f"spikeport.{kind}")
    own = TABLES[kind]
    return own | {point.name: point.value for point in points if point.name not in own}


def names(kind: str) -> tuple[str, ...]:
    """The names of a kind, in the order of the tables."""
    return tuple(places(kind))


def find(kind: str, name: str, *, where: str, what: str, usual: str) -> Any:
    """What a name stands for, imported.

    Args:
        kind: A key of TABLES.
        name: What the user gave.
        where: The option that carried it, for the error.
        what: What is unknown about another name, such as "unknown backend".
        usual: What to do where no known name is similar.

    Returns:
        The attribute that the table or the entry point names.

    Raises:
        InputError: For an unknown name, or an entry point that cannot be imported.
    """
    known = places(kind)
    if name not in known:
        fix = did_you_mean(name, known) or usual
        raise InputError(where, what, got=name, limit=", ".join(known), fix=fix)
    try:
        return resolve(known[name])
    except Exception as error:  # whatever a stranger's module raises when it is imported
        if name in TABLES[kind]:
            raise
        raise InputError(
            where,
            f"{name} is named by an installed package and cannot be imported",
            got=f"{known[name]} ({error})",
            limit="module:attribute that imports",
            fix=f"repair or uninstall the package that adds {name}",
        ) from error


def resolve(place: str) -> Any:
    """What stands at a place, `module:attribute`, imported now."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
