"""A float policy of leaky neurons to the integers of `leaky@1`.

Each row has one scale s = max|W| / (2^(B-1) - 1); weights round(W / s), and in units of s / 2^shift
the bias, the threshold and the membrane. The shift of a layer is the largest of 0..6 that leaves
the membrane an eighth-full 24-bit range on any input; beta becomes round(4096 beta). The encoder's
steps are as fine as the first layer's range allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.schemes.readout_rows import readout_layer
from spikeport.toolchain.conversion.schemes.thresholds import usual_where_silent
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT, Leak
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import Leaky, network_of
from spikeport.toolchain.neurons.leaky import KEEP_UNITS, LARGEST_SHIFT
from spikeport.toolchain.policies.leaky_policy import LeakyLayer, LeakyPolicy
from spikeport.toolchain.quantization.layer_rounding import IntegerRows

Float = NDArray[np.float64]
HEADROOM = 2.0  # of the calibrated input range
MEMBRANE_SHARE = 8  # synaptic sums may fill an eighth of the range: the membrane adds them up
STEPS = np.geomspace(2**12, 2**4, 17)  # of the widest channel


@dataclass(frozen=True, eq=False)
class Arriving:
    """What reaches a layer: the real unit of a payload and the largest payload, [in] each."""

    unit: Float
    largest: NDArray[np.int64]

    @classmethod
    def spikes(cls, count: int) -> Arriving:
        """Binary spikes of `count` neurons."""
        return cls(np.ones(count), np.ones(count, np.int64))


def leaky_network(policy: LeakyPolicy, inputs: Float, bits: int) -> Network:
    """Integers of all layers.

    Args:
        policy: The leaky policy.
        inputs: [N, features], network inputs on calibration states.
        bits: Of the weights.

    Returns:
        The network.

    Raises:
        InputError: Where a row fits no scale.
    """
    span = HEADROOM * usual_where_silent(np.abs(inputs).max(0))
    encoder = _encoder(policy.hidden[0], span, bits)
    arriving = Arriving(encoder.scale, encoder.limit.astype(np.int64))
    layers: list[Layer] = []
    for index, layer in enumerate(policy.hidden):
        where = f"{policy.provenance.file}, layer {index}"
        layers.append(_hidden(layer, arriving, bits, where, hold_input=index == 0))
        arriving = Arriving.spikes(layer.outputs)
    weights, scale = _rows(policy.readout.weight, policy.readout.bias, bits)
    bias = np.rint(policy.readout.bias / scale).astype(np.int64)
    readout = readout_layer(IntegerRows(weights, bias, scale))
    return network_of(encoder, (*layers, readout), timesteps=1)


def _encoder(layer: LeakyLayer, span: Float, bits: int) -> Encoder:
    """The finest steps of the input's span [features] that leave the first membrane its range."""
    for steps in STEPS:
        scale = span / steps
        limit = np.maximum(np.ceil(span / scale), 1).astype(np.int64)
        weights, _ = _rows(layer.weight * scale, layer.bias, bits)
        if (np.abs(weights) @ limit).max() <= STATE_LIMIT // MEMBRANE_SHARE:
            break
    return Encoder(scale, limit.astype(np.int32))


def _rows(
    real: NDArray[np.floating], bias: NDArray[np.floating], bits: int
) -> tuple[NDArray[np.int64], Float]:
    """Integer weights and the scale of each row; a row without weights is scaled by its bias."""
    top = np.abs(real).max(1).astype(np.float64)
    top = np.where(top > 0, top, np.maximum(np.abs(bias), 1e-6))
    scale = top / (2 ** (bits - 1) - 1)
    return np.rint(real / scale[:, None]).astype(np.int64), scale


def _hidden(
    layer: LeakyLayer, arriving: Arriving, bits: int, where: str, hold_input: bool
) -> Layer:
    """A layer with the finest membrane that fits; `where` is its place, for the error."""
    weights, scale = _rows(layer.weight * arriving.unit, layer.bias, bits)
    sums = np.abs(weights) @ arriving.largest
    for shift in range(LARGEST_SHIFT, -1, -1):
        bias = np.rint(layer.bias / scale * 2**shift)
        threshold = np.rint(layer.threshold / scale * 2**shift)
        reach = (sums << shift) + np.abs(bias)
        limit = STATE_LIMIT
        if shift:
            limit = STATE_LIMIT // MEMBRANE_SHARE
        if max(reach.max(), np.abs(threshold).max()) <= limit:
            break
    else:
        largest = max(np.abs(layer.bias).max(), np.abs(layer.threshold).max())
        raise InputError(
            where,
            "does not fit 24 bits",
            got=(
                f"bias or threshold up to {largest:g} beside weights of"
                f" {np.abs(layer.weight).max():g}"
            ),
            limit=STATE_LIMIT,
            fix=("--weight-bits with fewer bits", "prune such rows before training on"),
        )
    rows = len(weights)
    return Layer(
        neuron=Leaky.id,
        synapses=Dense(weights.astype(np.int8)),
        bias=bias.astype(np.int32),
        row_scale=scale,
        threshold=threshold.astype(np.int32),
        payload_low=np.zeros(rows, np.int32),
        payload_high=np.ones(rows, np.int32),
        unit=np.ones(rows),
        activation="identity",
        hold_input=hold_input,
        leak=Leak(np.rint(KEEP_UNITS * np.clip(layer.beta, 0, 1)).astype(np.int32), shift),
    )
