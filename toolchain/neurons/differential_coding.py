"""`dc@1`: differential coding on the multi-threshold neuron.

A payload p at timestep t changes the running mean by p lambda / t. All state is in units of 1/D,
D = lcm(1..T); theta = 8 D lambda in these units.

    at a window's start   ein = D b,  eout = 0,  c = 0
    t = 1..T              v <- sat(v + D W x + ein - eout)    the host's input comes at t = 1 only
                          c <- c + eout
                          p = the largest of {1, 2, 4, 8} with 4 v >= 3 p D lambda;
                              else the largest with 4 v <= -3 p D lambda and c >= p D lambda,
                                  negative;  else 0
                          v <- v - p D lambda;  c <- c + p D lambda
                          ein <- ein + (D / t) W x;  eout <- eout + (D / t) p lambda
    v_init = 0, carried over within [-(theta // 2), theta // 2];  emitted = c

c = t eout after timestep t, so c never falls below zero. Source: Huang et al., ICML 2025 (arXiv
2503.00301). T is in 2..6, or 8 where the range proof passes.
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import Coding, Layer, Network, denominator
from spikeport.toolchain.neurons.bounds import LayerProof, arriving_units
from spikeport.toolchain.neurons.multi_threshold import largest_payload
from spikeport.toolchain.neurons.neuron import (
    CARRY,
    INACTIVE,
    Long,
    Neuron,
    State,
    carry_residual,
    saturate,
)
from spikeport.toolchain.neurons.traits import SHIFT_AND_ADD, Traits

ALLOWED_TIMESTEPS = (2, 3, 4, 5, 6, 8)  # lcm(1..T) must leave room in 24 bits


@final
class DifferentialCoding(Neuron):
    """See the equations above."""

    id = "dc@1"
    traits = Traits(
        "dc",
        Coding.DIFFERENTIAL,
        low=-8,
        high=8,
        levels=8,
        soft_reset=True,
        programmable=True,
        state_words=4,
        synop=SHIFT_AND_ADD,
        allowed_timesteps=ALLOWED_TIMESTEPS,
        timesteps=4,
        tried_timesteps=(2, 3, 4, 5, 6),
    )

    def initial(self, layer: Layer, rows: int) -> State:
        """Return zeros."""
        names = ("v", "v_start", "ein", "eout", "c", "timesteps", "elapsed", "saturations")
        return {name: np.zeros((rows, layer.outputs), np.int64) for name in names}

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Start at v_init or at the residual, with the bias as the running mean."""
        units = denominator(timesteps)
        half = 4 * units * layer.threshold.astype(np.int64)
        v_init = np.zeros_like(half)
        carried = carry_residual(
            v_init, state["v_start"], state["v"], state["c"], -half, half, alpha
        )
        start = np.where((control == CARRY)[:, None], carried, v_init)
        active = (control != INACTIVE)[:, None]
        for name, value in (
            ("v", start),
            ("v_start", start),
            ("ein", units * layer.bias.astype(np.int64)),
            ("eout", 0),
            ("c", 0),
            ("elapsed", 0),
        ):
            state[name] = np.where(active, value, state[name])
        state["timesteps"][:] = timesteps

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """Add the running means' difference, fire, and move both means."""
        rows = active[:, None]
        units = denominator(int(state["timesteps"].flat[0]))
        unit = units * layer.threshold.astype(np.int64)
        per_timestep = units // (state["elapsed"] + rows).clip(1)  # D / t
        v = saturate(state["v"] + units * synaptic + state["ein"] - state["eout"], state, active)
        c = state["c"] + state["eout"]
        payloads = np.where(rows, largest_payload(v, unit, c // unit), 0)
        state["v"] = np.where(rows, v - payloads * unit, state["v"])
        state["c"] = np.where(rows, c + payloads * unit, state["c"])
        state["ein"] = np.where(rows, state["ein"] + per_timestep * synaptic, state["ein"])
        state["eout"] = np.where(
            rows, state["eout"] + per_timestep * payloads * layer.threshold, state["eout"]
        )
        state["elapsed"] += rows
        return payloads

    def observed(self, state: State) -> Long:
        """Return the membrane."""
        return state["v"]

    def bound(self, network: Network, index: int) -> LayerProof:
        """Bound what is emitted, too: eout <= 8 lambda D H_T, and c = t eout <= T times that."""
        proof = super().bound(network, index)
        timesteps = network.timesteps
        largest = 8 * network.layers[index].threshold.astype(np.int64)
        emitted = timesteps * arriving_units(timesteps) * largest
        return LayerProof(proof.synaptic, np.maximum(proof.accumulator, emitted))
