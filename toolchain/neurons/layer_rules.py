"""Rules that layers of several neurons keep, each as a list of what is wrong."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons.traits import Traits


def time_problems(identifier: str, traits: Traits, timesteps: int) -> list[str]:
    """Problems of a network's number of timesteps with this neuron."""
    allowed = traits.allowed_timesteps
    if allowed is None or timesteps in allowed:
        return []
    words = f"{', '.join(map(str, allowed))} timesteps"
    if allowed == (1,):
        words = "one timestep"
    return [f"{identifier} has {words}, not {timesteps}"]


def range_problems(layer: Layer) -> list[str]:
    """Problems of the ranges that a layer declares for its payloads."""
    low = layer.payload_low
    high = layer.payload_high
    if (low > 0).any() or (high < 1).any():
        wrong = True
    else:
        wrong = bool((high > STATE_LIMIT).any() or (low < -STATE_LIMIT).any())
    return ["payload ranges must include 0 and 1 within 24 bits"] * wrong


def payload_problems(layer: Layer, traits: Traits) -> list[str]:
    """Problems of payloads whose range the neuron fixes."""
    if ((layer.payload_low != traits.low) | (layer.payload_high != traits.high)).any():
        return [f"the payload of {layer.neuron} is within {traits.low}..{traits.high}"]
    return []


def threshold_problems(layer: Layer, levels: int = 1) -> list[str]:
    """Problems of thresholds above 0 whose full scale, `levels` times as large, fits 24 bits."""
    largest = STATE_LIMIT // levels
    if ((layer.threshold < 1) | (layer.threshold > largest)).any():
        return [f"thresholds must be 1..{largest}"]
    return []


def array_problems(layer: Layer, names: tuple[str, ...]) -> list[str]:
    """Problems of the arrays that a neuron has of its own."""
    problems = []
    if set(layer.extra) != set(names):
        given = ", ".join(sorted(layer.extra)) or "none"
        problems.append(
            f"{layer.neuron} has the further arrays {', '.join(names) or 'none'}, not {given}"
        )
    for name, values in sorted(layer.extra.items()):
        if values.shape != (layer.outputs,) or values.dtype != np.int32:
            problems.append(
                f"{name} is {values.dtype} of shape {values.shape}, int32 for {layer.outputs} rows"
                " expected"
            )
    return problems
