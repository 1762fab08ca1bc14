"""What every neuron model offers: one window of timesteps per decision, integers only.

A model is stateless; its state is a dict of int64 arrays [rows, neurons] that the backend keeps.
Rows are independent copies of the same layer (environments). `control` says per row what happens to
it in this decision: 0 it is not active, 1 its state carries over, 2 it starts afresh (episode start
or resync).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.network.parameters import STATE_LIMIT

Long = NDArray[np.int64]
State = dict[str, Long]

INACTIVE = 0
CARRY = 1
START = 2


class Neuron(ABC):
    """Abstract; every subclass is final and stands in a file of its own."""

    id: str

    @abstractmethod
    def initial(self, layer: Layer, rows: int) -> State:
        """State before anything ran.

        Its content does not matter: the first control word is START.
        """

    @abstractmethod
    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Open the window of a decision.

        Re-initialise `state` in place for the rows that are active.
        """

    @abstractmethod
    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """One timestep: synaptic sums [rows, neurons] (without bias) in, payloads [rows, neurons]
        out.

        Rows that are not active keep their state and return 0.
        """

    @abstractmethod
    def observed(self, state: State) -> Long:
        """The state that a trace shows after a timestep, [rows, neurons]."""


def saturate(value: Long, layer_state: State, active: NDArray[np.bool_]) -> Long:
    """Clip a membrane to the 24-bit range and count what was clipped (contract section 1.4)."""
    clipped = np.clip(value, -STATE_LIMIT, STATE_LIMIT)
    layer_state["saturations"] += (clipped != value) & active[:, None]
    return clipped


def carry_residual(
    v_init: Long, v_start: Long, v_end: Long, emitted: Long, low: Long, high: Long, alpha: int
) -> Long:
    """CRPI: where a carried-over neuron starts its next window (contract section 1.5).

    dv = max(v_end - v_start, -emitted);  r = (alpha * dv + 32) >> 6;  v_start' = clip(v_init + r,
        low, high)

    `alpha` in 64ths. The residual of a decision is charged to the next one, less the debt of a
    neuron that was driven below zero, which is forgotten. Source: arXiv 2601.21778, Algorithm 1.
    """
    residual = np.maximum(v_end - v_start, -emitted)
    return np.clip(v_init + ((alpha * residual + 32) >> 6), low, high)


@dataclass(frozen=True)
class Spikes:
    """Payloads lie in low..high.

    The full scale theta is `levels` times the layer's threshold array (theta or lambda).
    """

    low: int
    high: int
    levels: int = 1


SPIKES: dict[str, Spikes] = {
    "if@1": Spikes(0, 1),
    "snm@1": Spikes(-1, 1),
    "mt@1": Spikes(-8, 8, levels=8),
    "dc@1": Spikes(-8, 8, levels=8),
}
