"""The integer network as named tensors and entries of the description, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.artifact.entries import (
    RECONVERT,
    Tensors,
    given,
    integer,
    only,
    present,
    take,
    take_all,
    take_present,
)
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import Encoder, Layer, Network
from spikeport.toolchain.network.parameters import ActivationTable, Dynamics, Leak
from spikeport.toolchain.network.synapses import KINDS, Dense, Synapses
from spikeport.toolchain.neurons import network_of

LAYER_ARRAYS = {
    "bias": np.int32,
    "row_scale": np.float64,
    "threshold": np.int32,
    "payload_low": np.int32,
    "payload_high": np.int32,
    "unit": np.float64,
}
TABLE_ARRAYS = {
    "start": np.int32,
    "multiplier": np.int32,
    "offset": np.int32,
    "shift": np.int32,
    "error_bound": np.float64,
}
LAYER_KEYS = ("neuron", "activation", "trigger", "hold_input", "table", "dynamics", "leak_shift")
DYNAMICS = ("current_decay", "voltage_decay", "weight_exponent", "bias_in_current")
SPIKE_ARRAYS = ("mean", "std", "decoder_weights", "decoder_bias")


def network_to_parts(network: Network) -> tuple[Tensors, dict[str, Any]]:
    """Arrays by name and the description's entries of a network."""
    tensors: Tensors = {
        "encoder.scale": network.encoder.scale.astype(np.float64),
        "encoder.limit": network.encoder.limit.astype(np.int32),
    }
    for index, layer in enumerate(network.layers):
        tensors |= _layer_arrays(layer, f"layers.{index}")
    coding = network.spike_coding
    ends = None
    if coding is not None:
        tensors |= present(coding, "spike_coding", SPIKE_ARRAYS, np.float64)
        ends = {"threshold": coding.threshold, "transform": coding.transform}
    return tensors, {
        "layers": [_layer_facts(layer) for layer in network.layers],
        "synapses": [layer.synapses.kind for layer in network.layers],
        "timesteps": network.timesteps,
        "alpha": network.alpha,
        "resync_every": network.resync_every,
        "spike_coding": ends,
    }


def network_from_parts(tensors: Tensors, description: dict[str, Any]) -> Network:
    """The network that arrays and entries describe; the arrays are taken out of `tensors`.

    Raises InputError for what is missing, unknown or of another type, and ValueError, KeyError or
    TypeError for entries of another form.
    """
    encoder = Encoder(
        take(tensors, "encoder.scale", np.float64), take(tensors, "encoder.limit", np.int32)
    )
    entries = description["layers"]
    kinds = description.get("synapses", [Dense.kind] * len(entries))  # absent before 1.2
    if len(kinds) != len(entries):
        raise InputError(
            "artifact",
            f"{len(kinds)} kinds of synapses for {len(entries) or 'no'} layers",
            fix=RECONVERT,
        )
    layers = tuple(
        _layer(tensors, entry, index, kind)
        for index, (entry, kind) in enumerate(zip(entries, kinds, strict=True))
    )
    return network_of(
        encoder,
        layers,
        integer(description["timesteps"]),
        integer(description["alpha"]),
        integer(description["resync_every"]),
        _spike_coding(tensors, description.get("spike_coding")),
    )


def _layer_arrays(layer: Layer, prefix: str) -> Tensors:
    tensors = given(layer.synapses, prefix, layer.synapses.arrays)
    tensors |= given(layer, prefix, LAYER_ARRAYS)
    if layer.table is not None:
        tensors |= given(layer.table, f"{prefix}.table", TABLE_ARRAYS)
    if layer.leak:
        tensors[f"{prefix}.leak_keep"] = layer.leak.keep.astype(np.int32)
    return tensors | {f"{prefix}.extra.{name}": values for name, values in layer.extra.items()}


def _layer_facts(layer: Layer) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "neuron": layer.neuron,
        "activation": layer.activation,
        "trigger": layer.trigger,
        "hold_input": layer.hold_input,
        "table": layer.table is not None,
    }
    if layer.dynamics:
        facts["dynamics"] = {name: getattr(layer.dynamics, name) for name in DYNAMICS}
    if layer.leak:
        facts["leak_shift"] = layer.leak.shift
    return facts


def _layer(tensors: Tensors, entry: dict[str, Any], index: int, kind: str) -> Layer:
    only(entry, f"layer {index}", *LAYER_KEYS)
    prefix = f"layers.{index}"
    table = None
    if entry["table"]:
        table = ActivationTable(**take_all(tensors, f"{prefix}.table", TABLE_ARRAYS))
    synapses = _synapses(tensors, prefix, kind)
    arrays = take_all(tensors, prefix, LAYER_ARRAYS)
    leak = None
    if "leak_shift" in entry:
        keep = take(tensors, f"{prefix}.leak_keep", np.int32)
        leak = Leak(keep, integer(entry["leak_shift"]))
    return Layer(
        neuron=str(entry["neuron"]),
        synapses=synapses,
        activation=str(entry["activation"]),
        trigger=integer(entry["trigger"]),
        hold_input=bool(entry["hold_input"]),
        table=table,
        leak=leak,
        dynamics=_dynamics(entry.get("dynamics"), index),
        extra=_extra(tensors, f"{prefix}.extra."),
        **arrays,
    )


def _synapses(tensors: Tensors, prefix: str, kind: str) -> Synapses:
    if kind not in KINDS:
        raise InputError(
            "artifact",
            f"unknown kind of synapses in {prefix}",
            got=repr(kind),
            limit=", ".join(KINDS),
            fix=f"update Spikeport, or {RECONVERT}",
        )
    return KINDS[kind].of(take_all(tensors, prefix, KINDS[kind].arrays))


def _extra(tensors: Tensors, prefix: str) -> Tensors:
    """The arrays that a neuron has of its own, whichever there are: `check` knows which belong."""
    names = sorted(name for name in tensors if name.startswith(prefix))
    return {name.removeprefix(prefix): take(tensors, name, np.int32) for name in names}


def _dynamics(facts: dict[str, Any] | None, index: int) -> Dynamics | None:
    if facts is None:
        return None
    only(facts, f"the dynamics of layer {index}", *DYNAMICS)
    current_decay, voltage_decay, exponent = (integer(facts[name]) for name in DYNAMICS[:3])
    in_current = facts["bias_in_current"]
    if not isinstance(in_current, bool):
        raise ValueError(f"{in_current!r} is not true or false")
    return Dynamics(current_decay, voltage_decay, exponent, in_current)


def _spike_coding(tensors: Tensors, facts: dict[str, Any] | None) -> SpikeCoding | None:
    if facts is None:
        return None
    only(facts, "spike coding", "threshold", "transform")
    arrays = take_present(tensors, "spike_coding", SPIKE_ARRAYS, np.float64)
    return SpikeCoding(
        integer(facts["threshold"]),
        transform=str(facts["transform"]),
        **arrays,
    )
