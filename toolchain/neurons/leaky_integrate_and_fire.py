"""`lif@1`: Loihi's current-based leaky integrate-and-fire with hard reset, as Lava's
PyLifModelBitAcc computes it.

    a  = (W x [+ b]) << weight_exponent           the bias here with bias_in_current
    u <- decay(u, 4095 - current_decay) + (a << 6)
    v <- decay(v, 4096 - voltage_decay) + u [+ b]           the bias here without
    spike if v > threshold << 6 (strict);  v <- 0 where it spiked, u goes on
    u = v = 0 at each window's start

decay(x, k) = sign(x) * (|x| k >> 12), towards zero. One row scale, one threshold and one pair of
decays per layer: a stock `LIFReset` process runs it. The range proof says that u never wraps and v
never saturates, as they would at 24 bits.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.codes import ACT_SHIFT, Dynamics, decay
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.neurons.neuron import INACTIVE, Long, Neuron, State


def dynamics_of(layer: Layer) -> Dynamics:
    """A lif layer's decays."""
    assert layer.dynamics is not None  # `check` refuses artifacts without
    return layer.dynamics


@final
class LeakyIntegrateAndFire(Neuron):
    id = "lif@1"

    def initial(self, layer: Layer, rows: int) -> State:
        return {
            name: np.zeros((rows, layer.outputs), np.int64) for name in ("u", "v", "saturations")
        }

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        active = (control != INACTIVE)[:, None]
        for name in ("u", "v"):
            state[name] = np.where(active, 0, state[name])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        rows = active[:, None]
        dynamics = dynamics_of(layer)
        if dynamics.bias_in_current:
            in_current = layer.bias.astype(np.int64)
        else:
            in_current = 0
        if dynamics.bias_in_current:
            in_voltage = 0
        else:
            in_voltage = layer.bias.astype(np.int64)
        u = decay(state["u"], 4095 - dynamics.current_decay) + (
            (synaptic + in_current) << (dynamics.weight_exponent + ACT_SHIFT)
        )
        v = decay(state["v"], 4096 - dynamics.voltage_decay) + u + in_voltage
        spikes = (v > layer.threshold.astype(np.int64) << ACT_SHIFT) & rows
        state["u"] = np.where(rows, u, state["u"])
        state["v"] = np.where(rows, np.where(spikes, 0, v), state["v"])
        return spikes.astype(np.int64)

    def observed(self, state: State) -> Long:
        return state["v"]
