"""A float spiking policy to the integers of `lif@1`.

Per layer one scale s = max(|W|, |b|) / (2^(B-1) - 1), |b| where it is a synapse (clif); below 8
bits the scale with the least squared error. Weights round(W / s), threshold round(2^e * threshold /
s): e, the weights' common exponent, is the largest that the range proof and the registers of a
stock LIF allow, so the threshold is finer than a weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.schemes.slayer_layer import slayer_layer
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.codes import ENCODER_THRESHOLD, ENCODER_UNITS, SpikeCoding
from spikeport.toolchain.network.integer_network import Encoder, Layer, Network
from spikeport.toolchain.network.parameters import (
    ACT_SHIFT,
    LARGEST_EXPONENT,
    LARGEST_MANTISSA,
    LARGEST_THRESHOLD,
    LARGEST_WEIGHT_EXPONENT,
    STATE_LIMIT,
    Dynamics,
)
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import LeakyIntegrateAndFire, network_of
from spikeport.toolchain.neurons.leaky_integrate_and_fire import bound_membrane
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy

Float = NDArray[np.float64]
SCALES = np.linspace(1.0, 0.4, 61)  # shares of the largest weight tried as the scale's reach
RUN_AS_LIF = ("lif", "clif", "plif", "cuba")


def spiking_network(policy: SpikingPolicy, bits: int) -> Network:
    """The network with weights of `bits` bits.

    Raises InputError for neurons or layers that a stock LIF cannot run.
    """
    for fault in foreign_neurons(policy):
        raise fault
    inputs = policy.layers[0].inputs
    steps = policy.timesteps + len(policy.layers)
    encoder = Encoder(
        np.full(inputs, 1.0 / ENCODER_UNITS), np.full(inputs, ENCODER_UNITS, np.int32)
    )
    layers = []
    for index, layer in enumerate(policy.layers):
        where = f"{policy.provenance.file}, layer {index}"
        if layer.neuron == "cuba":
            layers.append(slayer_layer(layer, where))
        else:
            layers.append(quantise_layer(layer, bits, steps, where))
    return network_of(encoder, tuple(layers), policy.timesteps, spike_coding=spike_coding(policy))


def spike_coding(policy: SpikingPolicy) -> SpikeCoding:
    """The host's part of a spiking policy, float64."""
    mean = None
    std = None
    if policy.mean is not None and policy.std is not None:
        mean = policy.mean.astype(np.float64)
        std = policy.std.astype(np.float64)
    return SpikeCoding(
        round(ENCODER_THRESHOLD * ENCODER_UNITS),
        policy.decoder_weight.astype(np.float64),
        policy.decoder_bias.astype(np.float64),
        policy.transform,
        mean,
        std,
    )


def foreign_neurons(policy: SpikingPolicy) -> list[InputError]:
    """One fault that names all neurons that are not current-based LIF; none if all are."""
    foreign = [
        f"layer {index} is {layer.neuron}"
        for index, layer in enumerate(policy.layers)
        if layer.neuron not in RUN_AS_LIF
    ]
    if not foreign:
        return []
    return [
        InputError(
            policy.provenance.file,
            f"a stock LIF process cannot run this neuron: {', '.join(foreign)}",
            limit="lif, clif, plif",
            why=(
                "the membrane of dn grows with its own square, and Loihi's current-based neuron is"
                " linear; Loihi 2 microcode could run it"
            ),
            fix=(
                "train with lif, clif or plif neurons",
                "spikeport.load_policy(FILE).act() to run it in float arithmetic",
            ),
        )
    ]


def quantise_layer(layer: SpikingLayer, bits: int, steps: int, where: str) -> Layer:
    """One layer in integers.

    Args:
        layer: A layer of lif, clif or plif.
        bits: Of its weights.
        steps: Chip steps between two resets of its state.
        where: The layer's place, for the error.

    Returns:
        The layer with the largest exponent of the weights that fits.

    Raises:
        InputError: Where no exponent fits the registers of a stock LIF.
    """
    in_current = layer.current_keep > 0
    largest = 2 ** (bits - 1) - 1
    values = layer.weight.astype(np.float64)
    most = LARGEST_THRESHOLD
    if in_current:
        values = np.concatenate([values, layer.bias[:, None].astype(np.float64)], axis=1)
        most = LARGEST_MANTISSA - 1  # a neuron can always spike on its bias
    scale = _scale(values, largest, bits)
    rounded = np.clip(np.rint(values / scale), -largest, largest).astype(np.int64)
    weights = rounded
    if in_current:
        weights = rounded[:, :-1]
    for exponent in range(LARGEST_WEIGHT_EXPONENT, -1, -1):
        unit = scale / 2**exponent
        dynamics = Dynamics(
            round(4095 - 4096 * layer.current_keep),
            round(4096 * (1 - layer.voltage_keep)),
            exponent,
            in_current,
        )
        threshold = max(round(layer.threshold / unit), 1)
        if in_current:
            bias = rounded[:, -1]
        else:
            bias = _voltage_bias(layer.bias.astype(np.float64) / unit * 2**ACT_SHIFT)
        if bias is None or threshold > most:
            continue
        u, v = bound_membrane(Dense(weights), bias, dynamics, steps)
        if max(u.max(), v.max()) <= STATE_LIMIT:
            return _layer(weights, bias, scale, threshold, dynamics)
    raise _does_not_fit(layer, values, where)


def _does_not_fit(layer: SpikingLayer, values: Float, where: str) -> InputError:
    return InputError(
        where,
        "does not fit the registers of a stock LIF",
        got=(
            f"largest weight {np.abs(values).max():g}, threshold {layer.threshold:g},"
            f" {layer.inputs} inputs"
        ),
        limit=(
            f"threshold {LARGEST_MANTISSA - 1} (clif) or {LARGEST_THRESHOLD}, bias"
            f" {LARGEST_MANTISSA} << {LARGEST_EXPONENT}, current and membrane 2^23"
        ),
        why="one layer has one scale, which its largest weight sets",
        fix=(
            "--weight-bits with fewer bits",
            "a policy whose weights are not so small against its threshold",
        ),
    )


def _scale(values: Float, largest: int, bits: int) -> float:
    """What one integer of a weight stands for."""
    top = float(np.abs(values).max(initial=0)) or 1.0
    if bits == 8:
        return top / largest
    candidates = top * SCALES / largest
    errors = [
        float(((np.clip(np.rint(values / scale), -largest, largest) * scale - values) ** 2).sum())
        for scale in candidates
    ]
    return float(candidates[int(np.argmin(errors))])


def _voltage_bias(values: Float) -> NDArray[np.int64] | None:
    """Biases as a mantissa of 13 bits times one power of two, None where they are too large.

    Whole units of the threshold, 2^6 in the membrane, are fine enough, and netx has no finer ones.
    """
    for exponent in range(ACT_SHIFT, LARGEST_EXPONENT + 1):
        mantissa = np.rint(values / 2**exponent)
        if (np.abs(mantissa) <= LARGEST_MANTISSA).all():
            return mantissa.astype(np.int64) << exponent
    return None


def _layer(
    weights: NDArray[np.int64],
    bias: NDArray[np.int64],
    scale: float,
    threshold: int,
    dynamics: Dynamics,
) -> Layer:
    rows = len(weights)
    return Layer(
        neuron=LeakyIntegrateAndFire.id,
        synapses=Dense(weights.astype(np.int8)),
        bias=bias.astype(np.int32),
        row_scale=np.full(rows, scale),
        threshold=np.full(rows, threshold, np.int32),
        payload_low=np.zeros(rows, np.int32),
        payload_high=np.ones(rows, np.int32),
        unit=np.ones(rows),
        activation="identity",
        dynamics=dynamics,
    )
