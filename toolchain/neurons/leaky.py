"""`leaky@1`: the leaky integrate-and-fire neuron of snnTorch (`Leaky`).

One timestep per decision, state over the whole episode.

    r = [v > theta]       the spike of the decision before: its reset comes one step late
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

from spikeport.toolchain.network.integer_network import Coding, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT, Leak, decay
from spikeport.toolchain.neurons.bounds import LayerProof
from spikeport.toolchain.neurons.layer_rules import payload_problems
from spikeport.toolchain.neurons.neuron import START, Long, Neuron, State, saturate
from spikeport.toolchain.neurons.traits import Traits

LARGEST_SHIFT = 6
KEEP_UNITS = 4096  # a membrane that keeps as many of them keeps everything


def leak_of(layer: Layer) -> Leak:
    """A leaky layer's decay."""
    assert layer.leak is not None  # `check` refuses artifacts without
    return layer.leak


@final
class Leaky(Neuron):
    """See the equations above."""

    id = "leaky@1"
    traits = Traits(
        "leaky",
        Coding.RATE,
        soft_reset=True,
        late_reset=True,
        update=("mul32", "add32", "add32"),
        allowed_timesteps=(1,),
        trained=True,
    )
    parameters = ("leak",)

    def initial(self, layer: Layer, rows: int) -> State:
        """Return zeros."""
        return {name: np.zeros((rows, layer.outputs), np.int64) for name in ("v", "saturations")}

    def begin(self, layer: Layer, state: State, control: Long, timesteps: int, alpha: int) -> None:
        """Clear the membrane where an episode starts."""
        state["v"] = np.where((control == START)[:, None], 0, state["v"])

    def step(self, layer: Layer, state: State, synaptic: Long, active: NDArray[np.bool_]) -> Long:
        """Decay, integrate, subtract the last spike's reset, fire."""
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
        """Return the membrane."""
        return state["v"]

    def problems(self, layer: Layer, network: Network) -> list[str]:
        """Rules of the leak, one timestep, and thresholds of any sign."""
        leak = layer.leak
        if leak is None:
            return [f"{self.id} needs leak, which belongs to {self.id}"]
        if leak.keep.shape != (layer.outputs,):
            return [f"leak has shape {leak.keep.shape} for {layer.outputs} rows"]
        problems = leak_problems(leak)
        largest = max(
            int(np.abs(values.astype(np.int64)).max()) for values in (layer.threshold, layer.bias)
        )
        if largest > STATE_LIMIT:
            problems.append(
                f"thresholds and biases must be within 24 bits, -{STATE_LIMIT}..{STATE_LIMIT}"
            )
        if network.timesteps != 1 or network.alpha:
            problems.append(
                f"{self.id} has one timestep and no residual, not {network.timesteps} and alpha"
                f" {network.alpha}/64"
            )
        if payload_problems(layer, self.traits) or (layer.unit != 1).any():
            problems.append(f"a spike of {self.id} is 0 or 1 and has the unit 1")
        if layer.activation != "identity" or layer.table is not None or layer.trigger != 1:
            problems.append(f"{self.id} has the activation identity, no table and trigger 1")
        return problems

    def bound(self, network: Network, index: int) -> LayerProof:
        """Bound the synaptic sum times 2^shift, bias added; the membrane saturates."""
        layer = network.layers[index]
        proof = super().bound(network, index)
        shift = layer.leak.shift if layer.leak else 0  # `problems` tells of none
        bias = np.abs(layer.bias.astype(np.int64))
        synaptic = ((proof.synaptic - bias) << shift) + bias
        return LayerProof(synaptic, proof.accumulator)


def leak_problems(leak: Leak) -> list[str]:
    """Problems of a leak's numbers."""
    keeps = (leak.keep >= 0) & (leak.keep <= KEEP_UNITS)
    if keeps.all() and 0 <= leak.shift <= LARGEST_SHIFT:
        return []
    return [f"a leak keeps 0..{KEEP_UNITS} of {KEEP_UNITS} and shifts by 0..{LARGEST_SHIFT}"]
