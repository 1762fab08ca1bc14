"""`leaky@1`: the leaky integrate-and-fire neuron of snnTorch (`Leaky`), one timestep per decision,
state over the whole episode.

    r = [v > theta]                                     the spike of the decision before: its reset
        comes one step late
    v <- sat(decay(v, keep) + (W x << shift) + b - theta r)
    spike if v > theta (strict)
    v = 0 at an episode's start or a resync

decay(v, k) = sign(v) * (|v| k >> 12), towards zero, as Lava's LIF. `keep` and theta belong to each
neuron; theta may be zero or negative, as trained thresholds are (then r = 1 after a start, too). v,
b and theta count 1 / 2^shift of the weights' units. The first layer's x is the encoded observation,
every other layer's are spikes; the readout reads the spikes of this decision.

Source: snnTorch 1.0 `Leaky` with reset_mechanism "subtract" and reset_delay (Eshraghian et al.
2023, arXiv 2109.12894).
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT, Leak, decay
from spikeport.toolchain.neurons.neuron import START, Long, Neuron, State, saturate


def leak_of(layer: Layer) -> Leak:
    """A leaky layer's decay."""
    assert layer.leak is not None  # `check` refuses artifacts without
    return layer.leak


@final
class Leaky(Neuron):
    id = "leaky@1"

    def initial(self, layer: Layer, rows: int) -> State:
        return {name: np.zeros((rows, layer.outputs), np.int64) for name in ("v", "saturations")}

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        state["v"] = np.where((control == START)[:, None], 0, state["v"])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        rows = active[:, None]
        leak = leak_of(layer)
        theta = layer.threshold.astype(np.int64)
        kept = decay(state["v"], leak.keep.astype(np.int64))
        v = saturate(
            kept + (synaptic << leak.shift) + layer.bias - theta * (state["v"] > theta),
            state,
            active,
        )
        state["v"] = np.where(rows, v, state["v"])
        return ((v > theta) & rows).astype(np.int64)

    def observed(self, state: State) -> Long:
        return state["v"]


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
