"""`readout@1`: the last layer, an integer accumulator that never spikes; the host decodes it.

    rate neurons (T timesteps):  acc = T * b at a window's start, then acc <- acc + sum w x per timestep
    sdn (T = 1):                 acc = b at an episode's start or a resync, then never cleared

With `hold_input` (a policy without hidden layers) the first timestep's sum is added in each timestep.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from toolchain.network import Layer
from toolchain.neurons.neuron import INACTIVE, START, Long, Neuron, State


@final
class Readout(Neuron):
    id = "readout@1"

    def __init__(self, across_decisions: bool) -> None:
        self.across_decisions = across_decisions

    def initial(self, layer: Layer, rows: int) -> State:
        return {name: np.zeros((rows, layer.outputs), np.int64) for name in ("acc", "latch", "elapsed", "saturations")}

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        fresh = (control == START if self.across_decisions else control != INACTIVE)[:, None]
        state["acc"] = np.where(fresh, timesteps * layer.bias.astype(np.int64), state["acc"])
        state["elapsed"] = np.where((control != INACTIVE)[:, None], 0, state["elapsed"])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        rows = active[:, None]
        if layer.hold_input:
            state["latch"] = np.where(rows & (state["elapsed"] == 0), synaptic, state["latch"])
            synaptic = state["latch"]
        state["acc"] = np.where(rows, state["acc"] + synaptic, state["acc"])
        state["elapsed"] += rows
        return np.zeros_like(synaptic)

    def observed(self, state: State) -> Long:
        return state["acc"]
