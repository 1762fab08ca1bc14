"""A float policy of leaky neurons to an integer network of `leaky@1`.

Each row has one scale s = max|W| / (2^(B-1) - 1); weights round(W / s), and in units of s / 2^shift
the bias, the threshold and the membrane. The shift of a layer is the largest of 0..6 that leaves
the membrane an eighth-full 24-bit range on any input; beta becomes round(4096 beta). The encoder's
steps are as fine as the first layer's range allows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.leaky_check import KEEP_UNITS, LARGEST_SHIFT
from spikeport.toolchain.network.integer_network import (
    LEAKY,
    READOUT,
    STATE_LIMIT,
    Encoder,
    Layer,
    Leak,
    Network,
)
from spikeport.toolchain.policies.ann_policy import DenseLayer
from spikeport.toolchain.policies.leaky_policy import LeakyLayer, LeakyPolicy

Float = NDArray[np.float64]
HEADROOM = 2.0  # of the calibrated input range
ROOM = 8  # synaptic sums may fill this part of the range: the membrane adds them up
STEPS = np.geomspace(2**12, 2**4, 17)  # of the widest channel


def leaky_network(policy: LeakyPolicy, inputs: Float, bits: int) -> Network:
    """`inputs` [N, features] are network inputs on calibration states.

    Raises InputError where a row fits no scale.
    """
    span = np.abs(inputs).max(0)
    span = HEADROOM * np.where(
        span > 0, span, float(np.median(span[span > 0])) if (span > 0).any() else 1.0
    )
    encoder = _encoder(policy.hidden[0], span, bits)
    layers: list[Layer] = []
    unit = encoder.scale
    largest = encoder.limit.astype(np.int64)
    for index, layer in enumerate(policy.hidden):
        layers.append(
            _hidden(
                layer,
                unit,
                largest,
                bits,
                hold_input=index == 0,
                where=f"{policy.provenance.file}, layer {index}",
            )
        )
        unit = np.ones(layer.outputs)
        largest = np.ones(layer.outputs, np.int64)
    return Network(encoder, (*layers, _readout(policy.readout, bits)), timesteps=1)


def _encoder(layer: LeakyLayer, span: Float, bits: int) -> Encoder:
    for steps in STEPS:
        scale = span / steps
        limit = np.maximum(np.ceil(span / scale), 1).astype(np.int64)
        weights, _ = _rows(layer.weight * scale, layer.bias, bits)
        if (np.abs(weights) @ limit).max() <= STATE_LIMIT // ROOM:
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
    layer: LeakyLayer,
    unit: Float,
    largest: NDArray[np.int64],
    bits: int,
    hold_input: bool,
    where: str,
) -> Layer:
    weights, scale = _rows(layer.weight * unit, layer.bias, bits)
    sums = np.abs(weights) @ largest
    for shift in range(LARGEST_SHIFT, -1, -1):
        bias, threshold = (
            np.rint(values / scale * 2**shift) for values in (layer.bias, layer.threshold)
        )
        reach = (sums << shift) + np.abs(bias)
        if max(reach.max(), np.abs(threshold).max()) <= STATE_LIMIT // (ROOM if shift else 1):
            break
    else:
        got = (
            "bias or threshold up to"
            f" {max(np.abs(layer.bias).max(), np.abs(layer.threshold).max()):g} beside weights of"
            f" {np.abs(layer.weight).max():g}"
        )
        raise InputError(
            where,
            "does not fit 24 bits",
            got=got,
            limit=STATE_LIMIT,
            fix=("--weight-bits with fewer bits", "prune such rows before training on"),
        )
    rows = len(weights)
    return Layer(
        neuron=LEAKY,
        weights=weights.astype(np.int8),
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


def _readout(layer: DenseLayer, bits: int) -> Layer:
    weights, scale = _rows(layer.weight, layer.bias, bits)
    nothing = np.zeros(len(weights), np.int32)
    bias = np.rint(layer.bias / scale).astype(np.int32)
    return Layer(
        READOUT,
        weights.astype(np.int8),
        bias,
        scale,
        nothing,
        nothing,
        nothing,
        scale,
        activation="identity",
    )
