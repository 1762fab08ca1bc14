"""`readout@1`: the last layer, an integer accumulator that never spikes; the host decodes it.

    if, snm, mt (T timesteps):  acc = T * b at a window's start, then acc <- acc + sum w x per
        timestep
    dc (T timesteps):           acc = D * b at a window's start, then acc <- acc + (D / t) sum w x,
        D = lcm(1..T)
    sdn (T = 1):                acc = b at an episode's start or a resync, then never cleared

With `hold_input` (a policy without hidden layers) the first timestep's sum is added in each
timestep.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Coding, Layer, Network, denominator
from spikeport.toolchain.neurons.neuron import INACTIVE, START, Long, Neuron, State
from spikeport.toolchain.neurons.traits import Traits


@final
class Readout(Neuron):
    """See the equations above."""

    id = "readout@1"

    def __init__(self, coding: Coding) -> None:
        """Read payloads of this coding."""
        self.coding = coding
        self.traits = Traits("readout", coding)

    def initial(self, layer: Layer, rows: int) -> State:
        """Return zeros."""
        return {
            name: np.zeros((rows, layer.outputs), np.int64)
            for name in ("acc", "latch", "timesteps", "elapsed", "saturations")
        }

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Start from the bias: in each decision, or for sdn once per episode."""
        fresh = (control == START if self.coding == Coding.ACROSS else control != INACTIVE)[:, None]
        if self.coding == Coding.DIFFERENTIAL:
            times = denominator(timesteps)
        else:
            times = timesteps
        state["acc"] = np.where(fresh, times * layer.bias.astype(np.int64), state["acc"])
        state["elapsed"] = np.where((control != INACTIVE)[:, None], 0, state["elapsed"])
        state["timesteps"][:] = timesteps

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """Accumulate; nothing is sent."""
        rows = active[:, None]
        if layer.hold_input:
            state["latch"] = np.where(rows & (state["elapsed"] == 0), synaptic, state["latch"])
            synaptic = state["latch"]
        state["elapsed"] += rows
        if self.coding == Coding.DIFFERENTIAL:
            synaptic = (
                denominator(int(state["timesteps"].flat[0])) // state["elapsed"].clip(1) * synaptic
            )
        state["acc"] = np.where(rows, state["acc"] + synaptic, state["acc"])
        return np.zeros_like(synaptic)

    def observed(self, state: State) -> Long:
        """Return the accumulator."""
        return state["acc"]

    def problems(self, layer: Layer, network: Network) -> list[str]:
        """Return none: it announces nothing, so threshold and payloads are not read."""
        return []
