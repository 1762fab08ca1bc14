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

from spikeport.toolchain.network.codes import decay
from spikeport.toolchain.network.integer_network import Layer, Leak
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
