"""`if@1`: integrate-and-fire with soft reset and residual carry-over.

    I = W x + b
    v <- sat(v + I);  spike if v > theta (strict);  v <- v - theta;  emitted <- emitted + theta
    v_init = theta // 2, carried over within [0, theta]

Over a decision of T timesteps the number of spikes approaches T * relu(mean I) / theta.
With `hold_input` the synaptic sum of the window's first timestep is latched and added in each of them.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from toolchain.network import Layer
from toolchain.neurons.neuron import CARRY, INACTIVE, Long, Neuron, State, carry_residual, saturate


@final
class IntegrateAndFire(Neuron):
    id = "if@1"

    def initial(self, layer: Layer, rows: int) -> State:
        names = ("v", "v_start", "emitted", "latch", "elapsed", "saturations")
        return {name: np.zeros((rows, layer.outputs), np.int64) for name in names}

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        theta = layer.threshold.astype(np.int64)
        v_init = theta // 2
        carried = carry_residual(v_init, state["v_start"], state["v"], state["emitted"], np.zeros_like(theta), theta, alpha)
        start = np.where((control == CARRY)[:, None], carried, v_init)
        active = (control != INACTIVE)[:, None]
        state["v_start"] = np.where(active, start, state["v_start"])
        state["v"] = np.where(active, start, state["v"])
        for name in ("emitted", "elapsed"):
            state[name] = np.where(active, 0, state[name])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        theta, rows = layer.threshold.astype(np.int64), active[:, None]
        if layer.hold_input:
            state["latch"] = np.where(rows & (state["elapsed"] == 0), synaptic, state["latch"])
            synaptic = state["latch"]
        v = saturate(state["v"] + synaptic + layer.bias, state, active)
        spikes = ((v > theta) & rows).astype(np.int64)
        state["v"] = np.where(rows, v - theta * spikes, state["v"])
        state["emitted"] += theta * spikes
        state["elapsed"] += rows
        return spikes

    def observed(self, state: State) -> Long:
        return state["v"]
