"""What every neuron model offers: one window of timesteps per decision, integers only.

A model is stateless; its state is a dict of int64 arrays [rows, neurons] that the backend keeps.
Rows are independent copies of the same layer (environments). `control` says per row what happens to
it in this decision: 0 it is not active, 1 its state carries over, 2 it starts afresh (episode start
or resync).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT, table_problems
from spikeport.toolchain.neurons.bounds import LayerProof, RowKind, bound_rows, payload_ranges
from spikeport.toolchain.neurons.layer_rules import (
    payload_problems,
    range_problems,
    threshold_problems,
    time_problems,
)
from spikeport.toolchain.neurons.traits import Traits

Long = NDArray[np.int64]
State = dict[str, Long]

INACTIVE = 0
CARRY = 1
START = 2


class Neuron(ABC):
    """Abstract; every subclass is final and stands in a file of its own.

    Attributes:
        id: Versioned; a changed rule gets a new one.
        traits: Facts for those that ask without knowing which neuron it is.
        parameters: Fields of Layer that layers of this neuron may have, of `table`, `dynamics` and
            `leak`.
        arrays: Names of the int32 arrays [out] that a layer has in `extra`. They are saved, loaded
            and checked without further code.
    """

    id: str
    traits: Traits
    parameters: ClassVar[tuple[str, ...]] = ()
    arrays: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def initial(self, layer: Layer, rows: int) -> State:
        """State before anything ran.

        Its content does not matter: the first control word is START.
        """

    @abstractmethod
    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Open the window of a decision: re-initialise `state` in place for the active rows.

        Args:
            layer: Its integers.
            state: Changed in place.
            control: INACTIVE, CARRY or START for each row, [rows].
            timesteps: T.
            alpha: The residual's share that is carried over, in 64ths.
        """

    @abstractmethod
    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """Run one timestep.

        Args:
            layer: Its integers.
            state: Changed in place.
            synaptic: Sums [rows, neurons] without the bias.
            active: Rows [rows]; the others keep their state and send 0.

        Returns:
            Payloads [rows, neurons].
        """

    @abstractmethod
    def observed(self, state: State) -> Long:
        """The state that a trace shows after a timestep, [rows, neurons]."""

    def problems(self, layer: Layer, network: Network) -> list[str]:
        """Rules of this neuron that a layer breaks.

        The arrays have the right shapes. Here stand the rules of a neuron with fixed payloads, a
        positive threshold and relu.
        """
        problems = time_problems(self.id, self.traits, network.timesteps)
        problems += range_problems(layer)
        problems += threshold_problems(layer, self.traits.levels)
        if layer.activation != "relu":
            problems.append(f"{self.id} carries relu only, not {layer.activation}")
        problems += payload_problems(layer, self.traits)
        if layer.trigger != 1:
            problems.append(f"trigger {layer.trigger}, 1 expected for {self.id}")
        if layer.table is not None:
            problems += table_problems(layer.table, layer.outputs)
        return problems

    def bound(self, network: Network, index: int) -> LayerProof:
        """Worst cases of layer `index` over every input within the declared ranges.

        Here stand the synaptic sum and the accumulator; a neuron with further state adds its own.
        """
        layer = network.layers[index]
        low, high = payload_ranges(network)[index]
        return bound_rows(layer.synapses, layer.bias, low, high, RowKind.of(network, index))


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
