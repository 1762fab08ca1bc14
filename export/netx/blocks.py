"""The layers of `lif@1` as netx's dense blocks: even 8-bit weights, one LIF population per block.

    weights    w 2^e; netx has no weight exponent, so where |w 2^e| exceeds a synapse the neuron
               that sends is there several times, all copies alike, and its weights are divided
               among them
    bias       on the membrane: bias_mant 2^6, so a multiple of 64
               in the current: one more neuron per population whose bias alone makes it spike in
               every step, the last source of the next block; for the first block the last input
               channel, which must be 1 in every step

Input channels and neurons of a block are in the order of their originals, copies beside each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.export.exporter import NotCarried
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.network.integer_network import Layer, Network
from spikeport.toolchain.network.parameters import ACT_SHIFT, LARGEST_MANTISSA
from spikeport.toolchain.neurons import LeakyIntegrateAndFire
from spikeport.toolchain.neurons.leaky_integrate_and_fire import dynamics_of
from spikeport.toolchain.readers.netx.netx_weights import LARGEST, weights_problem

Long = NDArray[np.int64]
ALWAYS_ON = -1
BLOCKS = (LeakyIntegrateAndFire.id,)
LARGEST_NETWORK = 2**24  # weights that a block may have


@dataclass(frozen=True, eq=False)
class Block:
    """One dense block, with all copies of its neurons.

    Attributes:
        weights: [out, in].
        bias: Mantissas, [out].
        threshold: The register vThMant.
        current_decay: iDecay - 1.
        voltage_decay: vDecay.
        neurons: The layer's own numbers of the neurons [out], ALWAYS_ON for those that always
            spike.
    """

    weights: Long
    bias: Long
    threshold: int
    current_decay: int
    voltage_decay: int
    neurons: Long


@dataclass(frozen=True, eq=False)
class Blocks:
    """The blocks in order.

    `channels` [in] are the encoder's neurons that feed the first one, or ALWAYS_ON.
    """

    channels: Long
    blocks: tuple[Block, ...]


def blocks_of(artifact: Artifact) -> Blocks:
    """The blocks of an artifact.

    Raises:
        NotCarried: For other neurons.
        InputError: For weights and biases that netx has no place for, all problems at once.
    """
    network = artifact.network
    if network.neuron not in BLOCKS:
        raise NotCarried(
            "--to netx",
            f"netx has no block for {network.neuron}",
            neuron=network.neuron,
            format="netx",
            carried=BLOCKS,
            why=(
                "its CUBA neurons are Loihi's leaky integrate-and-fire with hard reset and spikes"
                " of 1"
            ),
        )
    wide = [_columns(layer) for layer in network.layers]
    problems = [
        f"layer {index}: {problem}"
        for index, layer in enumerate(network.layers)
        for problem in _layer_problems(layer)
    ]
    if problems:
        raise _no_place(problems)
    made = _blocks(network, wide)
    problems = [
        f"layer {index}: {problem}"
        for index, block in enumerate(made.blocks)
        if (problem := weights_problem(block.weights))
    ]
    if problems:
        raise _no_place(problems)
    return made


def _no_place(problems: list[str]) -> InputError:
    return violations(
        "--to netx",
        problems,
        why="a netx file has 8-bit weights without exponent and biases in whole thresholds' units",
        fix="--to lava",
    )


def _layer_problems(layer: Layer) -> list[str]:
    problems = []
    dynamics = dynamics_of(layer)
    mantissa = layer.bias.astype(np.int64) >> ACT_SHIFT
    if not dynamics.bias_in_current and (
        fine := int(np.count_nonzero(mantissa << ACT_SHIFT != layer.bias))
    ):
        problems.append(
            f"{fine} of {layer.outputs} biases are no multiples of {2**ACT_SHIFT}, as bias_exp is"
            f" {ACT_SHIFT} in netx"
        )
    elif not dynamics.bias_in_current and (np.abs(mantissa) > LARGEST_MANTISSA).any():
        problems.append(f"biases exceed {LARGEST_MANTISSA} << {ACT_SHIFT}")
    return problems


def _columns(layer: Layer) -> Long:
    """W 2^e [out, in (+ 1)], the column of the neuron that always spikes last."""
    dynamics = dynamics_of(layer)
    weights = layer.weights.astype(np.int64)
    if dynamics.bias_in_current:
        weights = np.concatenate([weights, layer.bias.astype(np.int64)[:, None]], axis=1)
    return weights << dynamics.weight_exponent


def _blocks(network: Network, wide: list[Long]) -> Blocks:
    copies = [np.maximum(-(-np.abs(weights).max(0) // LARGEST), 1) for weights in wide]
    rows = [
        *(np.repeat(np.arange(len(count)), count) for count in copies),
        np.arange(network.layers[-1].outputs),
    ]
    sizes = [len(a) * len(b) for a, b in zip(rows[:-1], rows[1:], strict=True)]
    if max(sizes) > LARGEST_NETWORK:
        exponents = ", ".join(str(dynamics_of(layer).weight_exponent) for layer in network.layers)
        raise InputError(
            "--to netx",
            "a block would be too large",
            got=f"{max(sizes)} weights with weight exponents {exponents}",
            limit=LARGEST_NETWORK,
            why="weights beyond 8 bits are divided among copies of the neuron that sends",
            fix="--to lava",
        )
    blocks = tuple(
        _block(layer, _divided(weights, count), order)
        for layer, weights, count, order in zip(network.layers, wide, copies, rows[1:], strict=True)
    )
    return Blocks(_named(rows[0], network.layers[0].inputs), blocks)


def _divided(weights: Long, copies: Long) -> Long:
    """Each column as its copies, which sum to it and fit a synapse."""
    parts = []
    for column, count in zip(weights.T, copies, strict=True):
        rest = column.copy()
        for _ in range(int(count)):
            part = np.clip(rest, -LARGEST, LARGEST)
            parts.append(part)
            rest -= part
    return np.stack(parts, axis=1)


def _block(layer: Layer, weights: Long, order: Long) -> Block:
    """The block of a layer.

    `order` [out] numbers its neurons; one beyond the layer's is the neuron that always spikes.
    """
    dynamics = dynamics_of(layer)
    threshold = int(layer.threshold[0])
    names = _named(order, layer.outputs)
    on = names == ALWAYS_ON
    own = np.where(on, 0, names)
    bias = layer.bias.astype(np.int64) >> ACT_SHIFT
    if dynamics.bias_in_current:
        bias = np.zeros_like(bias)
    return Block(
        np.where(on[:, None], 0, weights[own]),
        np.where(on, threshold + 1, bias[own]),
        threshold,
        dynamics.current_decay,
        dynamics.voltage_decay,
        names,
    )


def _named(order: Long, size: int) -> Long:
    return np.where(order < size, order, ALWAYS_ON)
