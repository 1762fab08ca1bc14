"""A network that lava-dl trained and wrote with `export_hdf5` (netx), as a spiking policy.

The file holds a network, not a policy. What it leaves open must be declared in the sidecar
`<stem>.spikeport.json`; nothing is guessed:

    timesteps      T of a decision; of slayer blocks with delay_shift their number of steps less one
        per block
    encoder        rate: observations become spikes by soft-reset neurons
        (toolchain/network/codes.py)
    observation    none | tanh, before the encoder
    netx           {state: reset,                 all state is zero at a decision's start:
        Network(reset_interval=T + L, reset_offset=1)
                    decoder: rate | {weight: [[...] per action], bias: [...]} | affine}

`rate` makes each output neuron's count / T an action; a weight has one row per action, over that
action's own group of neurons; `affine` is the block without neurons that ends the file. In slayer's
units (64 of the file's make 1)

    cuba     C <- kc C + W s;  V <- kv V (1 - S) + C + b;  S = [V > threshold]

so every number of the file is kept as it is, and the conversion rounds nothing
(toolchain/conversion/schemes/slayer_layer.py).
"""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, did_you_mean, violations
from spikeport.toolchain.files.hdf5 import has_attribute, read_hdf5
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.spiking_policy import SLAYER_SCALE, SpikingLayer, SpikingPolicy
from spikeport.toolchain.readers.containers import hdf5_groups
from spikeport.toolchain.readers.facts.declared_policy import declared_policy, refuse_rates_options
from spikeport.toolchain.readers.facts.sidecar import (
    Sidecar,
    read_sidecar,
    sidecar_path,
    undeclared,
)
from spikeport.toolchain.readers.netx.netx_blocks import (
    ATTRIBUTE,
    CubaBlock,
    NetxNetwork,
    network_of,
)
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions

Float = NDArray[np.float64]
DECLARED = ("state", "decoder")


def read_netx_policy(content: FileContent, options: ReadOptions) -> SpikingPolicy:
    """Read the policy of a netx file.

    Raises InputError for blocks that are not dense CUBA neurons and, all at once, for what nobody
    declared.
    """
    where = content.name
    if has_attribute(content.data, ATTRIBUTE, where):
        raise InputError(
            where,
            "was exported from an artifact, with neurons and channels of its own construction",
            got=f"a netx file with the attribute {ATTRIBUTE}",
            fix="use the artifact (.spk) that it came from",
        )
    network = network_of(read_hdf5(content.data, where), where)
    sidecar = read_sidecar(content.path)
    refuse_rates_options(options, "netx", where)
    layers = [_layer(block) for block in network.blocks]
    declares = "timesteps, encoder, reset and decoder"
    return declared_policy(
        layers,
        _declared(network, sidecar, options, content),
        sidecar,
        options,
        content,
        kind=("netx", "SLAYER CUBA"),
        declares=declares,
    )


def _layer(block: CubaBlock) -> SpikingLayer:
    return SpikingLayer(
        (block.weights / SLAYER_SCALE).astype(np.float32),
        (block.bias / SLAYER_SCALE).astype(np.float32),
        "cuba",
        1 - block.current_decay / 4096,
        1 - block.voltage_decay / 4096,
        block.threshold / SLAYER_SCALE,
    )


def _declared(
    network: NetxNetwork, sidecar: Sidecar, options: ReadOptions, content: FileContent
) -> tuple[Float, Float]:
    """Return the decoder, or raise InputError with all that is missing or cannot be run."""
    facts = dict(sidecar.netx or {})
    neurons = len(network.blocks[-1].weights)
    problems = [
        f"unknown netx key {str(name)[:40]!r} {did_you_mean(str(name), DECLARED)}".rstrip()
        for name in facts
        if name not in DECLARED
    ]
    problems += undeclared(sidecar, options.squash)
    if "state" not in facts:
        problems.append("netx.state is not declared (reset)")
    elif facts["state"] != "reset":
        problems.append(
            f"netx.state is {str(facts['state'])[:40]}: only reset, all state zero at a decision's"
            " start, is run"
        )
    decoder = facts.get("decoder")
    found: tuple[Float, Float] | None = None
    if decoder is None:
        problems.append(
            "netx.decoder is not declared"
            f" ({'affine' if network.affine is not None else 'rate, or {weight, bias}'})"
        )
    elif (decoder == "affine") != (network.affine is not None):
        problems.append(
            "netx.decoder is not affine, but the file ends in a block without neurons"
            if decoder != "affine"
            else "netx.decoder is affine, but the file ends in neurons"
        )
    elif decoder == "rate":
        found = np.ones((neurons, 1)), np.zeros(neurons)
    else:
        if network.affine is not None:
            found = _affine(network.affine, problems)
        else:
            found = _given(decoder, neurons, problems)
    if problems or found is None:
        raise violations(
            content.name,
            problems,
            why=(
                "a netx file holds a network, not what a decision is, and a guess would be another"
                " policy"
            ),
            fix=f"declare them in {sidecar_path(content.path).name} (docs/spiking.md)",
        )
    return found


def _affine(weights: NDArray[np.int64], problems: list[str]) -> tuple[Float, Float] | None:
    """The last block's weights, each row over its own group of neurons."""
    actions, neurons = weights.shape
    if neurons % actions == 0:
        blocks = weights.reshape(actions, actions, -1)
    else:
        blocks = None
    if blocks is None or blocks[~np.eye(actions, dtype=bool)].any():
        problems.append(
            f"the affine block reads the same neurons for several actions (weight {weights.shape}):"
            " one group of neurons per action can be decoded"
        )
        return None
    return blocks[np.arange(actions), np.arange(actions)] / SLAYER_SCALE, np.zeros(actions)


def _given(decoder: Any, neurons: int, problems: list[str]) -> tuple[Float, Float] | None:
    """The sidecar's own decoder: weight [act, P], bias [act]."""
    weight, bias = (
        (decoder["weight"], decoder["bias"])
        if isinstance(decoder, dict) and set(decoder) == {"weight", "bias"}
        else (None, None)
    )
    if not (
        _numbers(bias)
        and isinstance(weight, list)
        and weight
        and all(_numbers(row) for row in weight)
    ):
        problems.append(
            "netx.decoder is neither rate nor an object of weight [[...], ...] and bias [...], all"
            " numbers"
        )
        return None
    widths = {len(row) for row in weight}
    if len(widths) > 1 or len(bias) != len(weight) or len(weight) * len(weight[0]) != neurons:
        shown = "/".join(map(str, sorted(widths)))
        problems.append(
            f"netx.decoder has {len(weight)} rows of {shown} weights and {len(bias)} biases for"
            f" {neurons} output neurons"
        )
        return None
    return np.array(weight, np.float64), np.array(bias, np.float64)


def _numbers(values: Any) -> TypeGuard[list[float]]:
    return (
        isinstance(values, list)
        and bool(values)
        and all(type(value) in (int, float) and abs(value) < 1e9 for value in values)
    )


def is_netx(content: FileContent) -> bool:
    """Tell whether an HDF5 file has the group of a netx network and not that of a NIR graph."""
    groups = hdf5_groups(content)
    return "layer" in groups and "node" not in groups


READER = Reader("a netx network", is_netx, read_netx_policy)
