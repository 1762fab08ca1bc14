"""What an artifact of `leaky@1` must keep to."""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.integer_network import STATE_LIMIT, Layer, Network

LARGEST_SHIFT = 6
KEEP_UNITS = 4096


def leaky_layer_problems(network: Network, layer: Layer) -> list[str]:
    """Problems of a leaky layer whose arrays, those of its leak apart, have the right shapes."""
    leak = layer.leak
    problems = []
    if leak is None or leak.keep.shape != (layer.outputs,):
        return [
            f"leak has shape {None if leak is None else leak.keep.shape} for {layer.outputs} rows"
        ]
    if ((leak.keep < 0) | (leak.keep > KEEP_UNITS)).any() or not 0 <= leak.shift <= LARGEST_SHIFT:
        problems.append(
            f"a leak keeps 0..{KEEP_UNITS} of {KEEP_UNITS} and shifts by 0..{LARGEST_SHIFT}"
        )
    if (np.abs(layer.threshold.astype(np.int64)) > STATE_LIMIT).any() or (
        np.abs(layer.bias.astype(np.int64)) > STATE_LIMIT
    ).any():
        problems.append(
            f"thresholds and biases must be within 24 bits, -{STATE_LIMIT}..{STATE_LIMIT}"
        )
    if network.timesteps != 1 or network.alpha:
        problems.append(
            f"leaky@1 has one timestep and no residual, not {network.timesteps} and alpha"
            f" {network.alpha}/64"
        )
    if (layer.payload_low != 0).any() or (layer.payload_high != 1).any() or (layer.unit != 1).any():
        problems.append("a spike of leaky@1 is 0 or 1 and has the unit 1")
    if layer.activation != "identity" or layer.table is not None or layer.trigger != 1:
        problems.append("leaky@1 has the activation identity, no table and trigger 1")
    return problems
