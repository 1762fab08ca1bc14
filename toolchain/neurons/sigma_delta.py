"""`sdn@1`: sigma-delta across decisions.

One timestep per decision, state never cleared inside an episode.

    at an episode's start or a resync:  acc = b, ref = 0
    acc <- acc + sum_i w_i d_i
    q    = clip((2 * relu(acc) + theta) // (2 * theta), low, high)     relu, low = 0
    q    = clip((2 * acc + theta) // (2 * theta), low, high)           identity
    q    = clip(table(acc), low, high)                                 any other scalar activation
    d    = q - ref;  sent, and ref <- q, if d != 0 and (|d| >= trigger or q = 0)

The payloads telescope: the sum of all d that a neuron sent is its current q exactly, so acc is
always the bias plus the weighted q of the senders, and nothing drifts.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Coding, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT, table_problems
from spikeport.toolchain.neurons.layer_rules import (
    range_problems,
    threshold_problems,
    time_problems,
)
from spikeport.toolchain.neurons.neuron import START, Long, Neuron, State
from spikeport.toolchain.neurons.traits import MULTIPLY_ADD, Traits


def quantised_activation(layer: Layer, accumulator: Long) -> Long:
    """Q before clipping, for accumulators [..., neurons]."""
    if layer.table is not None:
        return layer.table(accumulator)
    theta = layer.threshold.astype(np.int64)
    if layer.activation == "relu":
        rectified = np.maximum(accumulator, 0)
    else:
        rectified = accumulator
    return (2 * rectified + theta) // (2 * theta)


@final
class SigmaDelta(Neuron):
    """See the equations above."""

    id = "sdn@1"
    traits = Traits(
        "sdn",
        Coding.ACROSS,
        low=-STATE_LIMIT,
        high=STATE_LIMIT,
        programmable=True,
        state_words=2,
        synop=MULTIPLY_ADD,
        allowed_timesteps=(1,),
    )
    parameters = ("table",)

    def initial(self, layer: Layer, rows: int) -> State:
        """Return zeros."""
        return {
            name: np.zeros((rows, layer.outputs), np.int64)
            for name in ("acc", "ref", "saturations")
        }

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Start from the bias where an episode starts."""
        fresh = (control == START)[:, None]
        state["acc"] = np.where(fresh, layer.bias, state["acc"])
        state["ref"] = np.where(fresh, 0, state["ref"])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """Accumulate, quantise, send the change."""
        rows = active[:, None]
        state["acc"] = np.where(rows, state["acc"] + synaptic, state["acc"])
        unclipped = quantised_activation(layer, state["acc"])
        q = np.clip(unclipped, layer.payload_low, layer.payload_high)
        state["saturations"] += (q != unclipped) & rows
        change = q - state["ref"]
        send = rows & (change != 0) & ((np.abs(change) >= layer.trigger) | (q == 0))
        state["ref"] = np.where(send, q, state["ref"])
        return np.where(send, change, 0)

    def observed(self, state: State) -> Long:
        """Return the accumulator."""
        return state["acc"]

    def problems(self, layer: Layer, network: Network) -> list[str]:
        """Rules of one timestep, declared ranges, a trigger, and a table where it is needed."""
        problems = time_problems(self.id, self.traits, network.timesteps)
        problems += range_problems(layer)
        if layer.table is None:
            problems += threshold_problems(layer)
        if not 1 <= layer.trigger <= STATE_LIMIT:
            problems.append(f"trigger {layer.trigger}, 1..{STATE_LIMIT} expected for {self.id}")
        rectified = layer.activation in ("relu", "identity")
        if layer.table is None and not rectified:
            problems.append(f"activation {layer.activation} needs table")
        if layer.table is not None:
            if rectified:
                problems.append(f"activation {layer.activation} takes no table")
            problems += table_problems(layer.table, layer.outputs)
        return problems
