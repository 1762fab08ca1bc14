"""The blocks of a netx file, as lava-dl's `block.export_hdf5` writes them.

Everything but dense CUBA blocks is refused by name.

    layer/<i>/type      input (without neurons) | flatten (before the first dense) | dense
             /shape, inFeatures, outFeatures, weight [out, in], bias [out] (mantissas), delay
             /neuron/   type CUBA or LOIHI, iDecay, vDecay, vThMant, refDelay, gradedSpike, wgtExp

The last block may have no neurons (`Affine(dynamics=False)`): it weighs the spikes of the one
before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, did_you_mean, violations
from spikeport.toolchain.files.display_text import printable, shorten
from spikeport.toolchain.files.hdf5 import Tree
from spikeport.toolchain.network.parameters import LARGEST_MANTISSA, LARGEST_THRESHOLD
from spikeport.toolchain.readers.netx.netx_weights import weights_problem

ATTRIBUTE = "spikeport"  # of a file that `export --to netx` wrote
FIX = "export a feed-forward chain of slayer.block.cuba.Dense with its own export_hdf5"
WHY = "another value would be another network, or one that netx does not run as written"
KINDS = ("input", "flatten", "dense")
ENTRIES = ("type", "shape", "inFeatures", "outFeatures", "weight", "bias", "delay", "neuron")
NEURON_TYPES = ("CUBA", "LOIHI")
LARGEST_DECAY = 4096
FIXED = {  # entries of a neuron that may have one value only
    "refDelay": (1, "a refractory period that netx leaves out"),
    "gradedSpike": (0, "graded spikes, which netx leaves out"),
    "wgtExp": (0, "a weight exponent that netx leaves out"),
}
Long = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CubaBlock:
    """Weights [out, in], bias mantissas [out] and registers in the file's integers.

    Du of the LIF is current_decay - 1.
    """

    weights: Long
    bias: Long
    current_decay: int
    voltage_decay: int
    threshold: int


@dataclass(frozen=True, eq=False)
class NetxNetwork:
    """The spiking blocks in order, and the weights [out, in] of an affine block behind them."""

    blocks: tuple[CubaBlock, ...]
    affine: Long | None


def network_of(tree: Tree, where: str) -> NetxNetwork:
    """Return the blocks of a file.

    Raises InputError that lists everything in it that is not a dense CUBA block.
    """
    layers = _numbered_layers(tree, where)
    problems: list[str] = []
    blocks: list[CubaBlock] = []
    affine: Long | None = None
    width: int | None = None
    for index in range(len(layers)):
        found: list[str] = []
        layer = layers[str(index)] if isinstance(layers[str(index)], dict) else {}
        kind = _text(layer.get("type"))
        if kind not in KINDS:
            found.append(
                f"type {printable(kind or 'missing', 30)} is not read, {', '.join(KINDS)} are"
            )
        elif kind == "dense":
            if affine is not None:
                found.append("stands behind a block without neurons")
            weights = _weights(layer, found)
            if weights is not None:
                if width is not None and weights.shape[1] != width:
                    found.append(f"takes {weights.shape[1]} inputs where {width} arrive")
                width = len(weights)
            if "neuron" not in layer:
                affine = np.zeros((0, 0), np.int64) if weights is None else weights
                found += [
                    f"{name} has no place behind the last neurons"
                    for name in ("bias", "delay")
                    if name in layer
                ]
            else:
                block = _block(layer, weights, found)
                blocks += [block] if block is not None else []
        else:
            width = _passed(layer, kind, index, bool(blocks), width, found)
        problems += [f"layer/{index}: {problem}" for problem in found]
    if not problems and not blocks:
        problems.append("no block has neurons")
    if problems:
        raise violations(where, problems, why=WHY, fix=FIX)
    return NetxNetwork(tuple(blocks), affine)


def _numbered_layers(tree: Tree, where: str) -> Tree:
    """Return the entries of the group `layer`, numbered from 0 without gaps."""
    layers = tree.get("layer")
    if not isinstance(layers, dict) or not layers:
        raise InputError(
            where,
            "an HDF5 file, but no netx network in it",
            got=f"entries {shorten(sorted(tree), 5) or 'none'}",
            limit="layer/0, ...",
            fix=FIX,
        )
    if sorted(layers) != sorted(map(str, range(len(layers)))):
        raise InputError(
            where,
            "its layers are not numbered from 0 without gaps",
            got=shorten(sorted(layers), 8),
            limit="layer/0, layer/1, ...",
            fix=FIX,
        )
    return layers


def _passed(
    layer: Tree, kind: str, index: int, after_blocks: bool, width: int | None, problems: list[str]
) -> int | None:
    """The width behind an input or flatten block."""
    for name in layer:
        if name not in ("type", "shape"):
            if name == "neuron":
                what = "neurons of its own, which netx leaves unconnected"
            else:
                what = f"an entry {printable(name, 30)}"
            problems.append(f"the {kind} block has {what}")
    if kind == "input" and index:
        problems.append("an input block that is not the first")
    if kind == "flatten" and after_blocks:
        problems.append("a flatten block behind neurons, which netx cannot connect")
    shape = _whole(layer.get("shape"), "shape", problems)
    if shape is None:
        return width
    count = math.prod(shape.ravel().tolist())
    if count < 1 or (width is not None and count != width):
        arrive = "" if width is None else f" where {width} arrive"
        problems.append(f"has shape {shorten(map(str, shape.ravel().tolist()), 4)}{arrive}")
    return count


def _weights(layer: Tree, problems: list[str]) -> Long | None:
    for name in layer:
        if name == "weight_rec":
            problems.append("recurrent weights")
        elif name not in ENTRIES:
            suggestion = did_you_mean(name[:30], ENTRIES)
            problems.append(f"unknown entry {printable(name, 30)} {suggestion}".rstrip())
    if isinstance(layer.get("weight"), dict):
        problems.append("complex weights")
        return None
    weights = _whole(layer.get("weight"), "weight", problems)
    shape = _whole(layer.get("shape"), "shape", problems)
    if weights is None or shape is None:
        return None
    outputs = math.prod(shape.ravel().tolist())
    if weights.ndim == 1 and outputs > 0 and weights.size % outputs == 0:
        weights = weights.reshape(outputs, -1)
    if weights.ndim != 2 or weights.size == 0 or len(weights) != outputs:
        problems.append(
            f"weight has shape {weights.shape} for {outputs} neurons; (out, in) expected"
        )
        return None
    for name, size in (("outFeatures", weights.shape[0]), ("inFeatures", weights.shape[1])):
        if (
            name in layer
            and (given := _whole(layer[name], name, problems)) is not None
            and (given.size != 1 or given.item() != size)
        ):
            problems.append(
                f"{name} is {shorten(map(str, given.ravel().tolist()), 4)}, its weights have {size}"
            )
    if problem := weights_problem(weights):
        problems.append(problem)
    return weights


def _block(layer: Tree, weights: Long | None, problems: list[str]) -> CubaBlock | None:
    if isinstance(layer["neuron"], dict):
        neuron = layer["neuron"]
    else:
        neuron = {}
    if (
        "delay" in layer
        and (delay := _whole(layer["delay"], "delay", problems)) is not None
        and (late := int(np.count_nonzero(delay)))
    ):
        problems.append(
            f"{late} synaptic delays are not 0 but up to {int(np.abs(delay).max())} steps"
        )
    kind = _text(neuron.get("type"))
    if kind not in NEURON_TYPES:
        problems.append(
            f"neurons of type {printable(kind or 'missing', 30)}, {' or '.join(NEURON_TYPES)}"
            " expected"
        )
        return None
    known = ("type", "iDecay", "vDecay", "vThMant", *FIXED)
    problems += [
        f"unknown entry neuron/{printable(name, 30)} {did_you_mean(name[:30], known)}".rstrip()
        for name in neuron
        if name not in known
    ]
    for name, (wanted, meaning) in FIXED.items():
        if (
            name in neuron
            and (value := _number(neuron, name, problems)) is not None
            and value != wanted
        ):
            problems.append(f"{name} is {value}: {meaning}")
    registers = {name: _number(neuron, name, problems) for name in ("iDecay", "vDecay", "vThMant")}
    for name, low, high in (
        ("iDecay", 1, LARGEST_DECAY),
        ("vDecay", 0, LARGEST_DECAY),
        ("vThMant", 1, LARGEST_THRESHOLD),
    ):
        value = registers[name]
        if value is not None and not low <= value <= high:
            if name == "vThMant" and value > high:
                affine = " (cuba.Affine writes 262143 for neurons that never spike)"
            else:
                affine = ""
            problems.append(f"{name} is {value}, {low}..{high} expected{affine}")
    bias: Long | None = np.zeros(0 if weights is None else len(weights), np.int64)
    if "bias" in layer and (bias := _whole(layer["bias"], "bias", problems)) is not None:
        if weights is not None and bias.shape != (len(weights),):
            problems.append(f"bias has shape {bias.shape} for {len(weights)} neurons")
        if (np.abs(bias) > LARGEST_MANTISSA).any():
            problems.append(
                f"biases reach {int(np.abs(bias).max())}, -{LARGEST_MANTISSA}..{LARGEST_MANTISSA}"
                " expected"
            )
    current, voltage, threshold = registers.values()
    if weights is None or bias is None or current is None or voltage is None or threshold is None:
        return None
    return CubaBlock(weights, bias, current, voltage, threshold)


def _number(group: Tree, name: str, problems: list[str]) -> int | None:
    """One whole number."""
    value = _whole(group.get(name), name, problems)
    if value is not None and value.size != 1:
        problems.append(f"{name} has {value.size} values, one per population expected")
        return None
    if value is None:
        return None
    return int(value.item())


def _whole(value: Any, name: str, problems: list[str]) -> Long | None:
    """An array of whole numbers within 32 bits."""
    if not isinstance(value, np.ndarray) or value.dtype == object:
        problems.append(f"{name} is {'missing' if value is None else 'no array of numbers'}")
        return None
    if (
        not np.isfinite(value).all()
        or (np.abs(value.astype(np.float64)) >= 2**31).any()
        or (value != np.trunc(value)).any()
    ):
        problems.append(f"{name} has values that are no whole numbers of 32 bits")
        return None
    return value.astype(np.int64)


def _text(value: Any) -> str:
    """A text, alone or as the one entry of an array; empty for anything else."""
    if isinstance(value, np.ndarray) and value.dtype == object and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, str):
        return value
    return ""
