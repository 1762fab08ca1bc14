"""What `if`, `snm` and `mt` share: a membrane over a window, soft reset, residual carry-over."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.neurons.neuron import (
    CARRY,
    INACTIVE,
    Long,
    Neuron,
    State,
    carry_residual,
    saturate,
)


class WindowedNeuron(Neuron):
    """Abstract: integrates over a window and subtracts what it fires.

    `net` counts what a neuron announced in this decision, in payload units of one threshold each.
    """

    @abstractmethod
    def range(self, layer: Layer, timesteps: int) -> tuple[Long, Long, Long]:
        """v_init, lo and hi of the carry-over, [neurons] each."""

    @abstractmethod
    def fire(self, layer: Layer, v: Long, net: Long) -> Long:
        """Payloads of membranes `v` [rows, neurons] after integration."""

    def initial(self, layer: Layer, rows: int) -> State:
        """Return zeros."""
        return {
            name: np.zeros((rows, layer.outputs), np.int64)
            for name in ("v", "v_start", "net", "latch", "elapsed", "saturations")
        }

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Carry the residual over, or start at v_init; forget what was sent."""
        v_init, low, high = self.range(layer, timesteps)
        carried = carry_residual(
            v_init, state["v_start"], state["v"], state["net"] * layer.threshold, low, high, alpha
        )
        start = np.where((control == CARRY)[:, None], carried, v_init)
        active = (control != INACTIVE)[:, None]
        state["v_start"] = np.where(active, start, state["v_start"])
        state["v"] = np.where(active, start, state["v"])
        for name in ("net", "elapsed"):
            state[name] = np.where(active, 0, state[name])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """Integrate, fire, reset by what was fired."""
        rows = active[:, None]
        if layer.hold_input:
            state["latch"] = np.where(rows & (state["elapsed"] == 0), synaptic, state["latch"])
            synaptic = state["latch"]
        v = saturate(state["v"] + synaptic + layer.bias, state, active)
        payloads = np.where(rows, self.fire(layer, v, state["net"]), 0)
        state["v"] = np.where(rows, v - payloads * layer.threshold, state["v"])
        state["net"] += payloads
        state["elapsed"] += rows
        return payloads

    def observed(self, state: State) -> Long:
        """Return the membrane."""
        return state["v"]
