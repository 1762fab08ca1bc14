"""A layer of SLAYER's CUBA neurons as integers of `lif@1`: those that its file has, nothing is
rounded.

64 of the file's integers make slayer's 1. Weights become w 2^e with |w| <= 127, the threshold
vThMant as it is, decays iDecay - 1 and vDecay, and the bias, a mantissa times 2^6, is added to the
membrane.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.codes import ACT_SHIFT, LARGEST_WEIGHT_EXPONENT, Dynamics
from spikeport.toolchain.network.integer_network import LIF, Layer
from spikeport.toolchain.policies.spiking_policy import SLAYER_SCALE, SpikingLayer

LARGEST = 127


def cuba_layer(layer: SpikingLayer, where: str) -> Layer:
    """The layer's integers.

    Raises InputError where they are no whole numbers or do not fit 8 symmetric bits and a common
    power of two.
    """
    scaled = {
        "weight": layer.weight * np.float64(SLAYER_SCALE),
        "bias": layer.bias * np.float64(SLAYER_SCALE),
    }
    registers = {
        "threshold": layer.threshold * SLAYER_SCALE,
        "current_keep": layer.current_keep * 4096,
        "voltage_keep": layer.voltage_keep * 4096,
    }
    problems = [
        f"{name} is no multiple of 1/{SLAYER_SCALE}"
        for name, value in scaled.items()
        if (value != np.rint(value)).any()
    ]
    problems += [
        f"{name} is {value:g} steps, a whole number expected"
        for name, value in registers.items()
        if value != int(value)
    ]
    weights = scaled["weight"].astype(np.int64)
    exponent = 0
    while (
        exponent < LARGEST_WEIGHT_EXPONENT
        and np.abs(weights).max() > LARGEST
        and not (weights % 2).any()
    ):
        weights = weights // 2
        exponent = exponent + 1
    if not problems and (beyond := int((np.abs(weights) > LARGEST).sum())):
        problems.append(
            f"{beyond} weights exceed {LARGEST} << {exponent}, and {int((weights % 2 != 0).sum())}"
            " are odd multiples of it"
        )
    if problems:
        fix = ("clamp the weights above -4 in training (-256 in the file)", "export them again")
        raise violations(
            where,
            problems,
            why="integers are kept as they are, in symmetric 8 bits times a power of two",
            fix=fix,
        )
    rows = layer.outputs
    return Layer(
        neuron=LIF,
        weights=weights.astype(np.int8),
        bias=(scaled["bias"].astype(np.int64) << ACT_SHIFT).astype(np.int32),
        row_scale=np.full(rows, 2.0**exponent / SLAYER_SCALE),
        threshold=np.full(rows, int(registers["threshold"]), np.int32),
        payload_low=np.zeros(rows, np.int32),
        payload_high=np.ones(rows, np.int32),
        unit=np.ones(rows),
        activation="identity",
        dynamics=Dynamics(
            4095 - int(registers["current_keep"]), 4096 - int(registers["voltage_keep"]), exponent
        ),
    )
