"""A layer of SLAYER's current-based neurons, whose integers are kept as they are in the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.network.parameters import (
    ACT_SHIFT,
    LARGEST_WEIGHT_EXPONENT,
    Dynamics,
)
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import LeakyIntegrateAndFire
from spikeport.toolchain.policies.spiking_policy import SLAYER_SCALE, SpikingLayer

LARGEST = 127  # symmetric weights of 8 bits
KEEP_UNITS = 4096  # a state that keeps as many of them keeps everything


def slayer_layer(layer: SpikingLayer, where: str) -> Layer:
    """The layer's integers; `where` is its place, for the error.

    Raises InputError where they are not whole numbers, or do not fit 8 symmetric bits and a common
    power of two.
    """
    scaled = {
        "weight": layer.weight * np.float64(SLAYER_SCALE),
        "bias": layer.bias * np.float64(SLAYER_SCALE),
    }
    registers = {
        "threshold": layer.threshold * SLAYER_SCALE,
        "current_keep": layer.current_keep * KEEP_UNITS,
        "voltage_keep": layer.voltage_keep * KEEP_UNITS,
    }
    problems = fractions(scaled, registers)
    weights, exponent = common_exponent(scaled["weight"].astype(np.int64))
    beyond = int((np.abs(weights) > LARGEST).sum())
    if not problems and beyond:
        odd = int((weights % 2 != 0).sum())
        problems.append(
            f"{beyond} weights exceed {LARGEST} << {exponent}, and {odd} are odd multiples of it"
        )
    if problems:
        raise violations(
            where,
            problems,
            why="integers are kept as they are, in symmetric 8 bits times a power of two",
            fix=("clamp the weights above -4 in training (-256 in the file)", "export them again"),
        )
    rows = layer.outputs
    return Layer(
        neuron=LeakyIntegrateAndFire.id,
        synapses=Dense(weights.astype(np.int8)),
        bias=(scaled["bias"].astype(np.int64) << ACT_SHIFT).astype(np.int32),
        row_scale=np.full(rows, 2.0**exponent / SLAYER_SCALE),
        threshold=np.full(rows, int(registers["threshold"]), np.int32),
        payload_low=np.zeros(rows, np.int32),
        payload_high=np.ones(rows, np.int32),
        unit=np.ones(rows),
        activation="identity",
        dynamics=Dynamics(
            KEEP_UNITS - 1 - int(registers["current_keep"]),
            KEEP_UNITS - int(registers["voltage_keep"]),
            exponent,
        ),
    )


def fractions(scaled: dict[str, NDArray[Any]], registers: dict[str, float]) -> list[str]:
    """What is not a whole number, in words."""
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
    return problems


def common_exponent(weights: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Weights that fit 8 bits if a common power of two allows it, and that power's exponent."""
    exponent = 0
    while (
        exponent < LARGEST_WEIGHT_EXPONENT
        and np.abs(weights).max() > LARGEST
        and not (weights % 2).any()
    ):
        weights = weights // 2
        exponent = exponent + 1
    return weights, exponent
