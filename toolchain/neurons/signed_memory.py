"""`snm@1`: signed integrate-and-fire with memory of what it emitted.

Soft reset and residual carry-over.

    I = W x + b
    v <- sat(v + I)
    +1 if v >= theta;  else -1 if v < 0 (strict) and n >= 1;  v <- v - s theta;  n <- n + s
    v_init = theta // 2, carried over within [0, theta];  emitted = n theta

n counts the net spikes of this decision, so the output stays at or above zero. A negative spike
takes back one that was sent too early. Source of the neuron: Wang et al., IJCAI 2022, in the
reading that works (v < 0, not v <= 0, which would oscillate on zero input). With `hold_input` the
first timestep's synaptic sum is added in each timestep.
"""

from __future__ import annotations

from typing import final

import numpy as np

from spikeport.toolchain.network.integer_network import Coding, Layer
from spikeport.toolchain.neurons.neuron import Long
from spikeport.toolchain.neurons.traits import Traits
from spikeport.toolchain.neurons.windowed import WindowedNeuron


@final
class SignedMemory(WindowedNeuron):
    """See the equations above."""

    id = "snm@1"
    traits = Traits(
        "snm",
        Coding.RATE,
        low=-1,
        soft_reset=True,
        programmable=True,
        state_words=2,
        timesteps=8,
        tried_timesteps=(2, 4, 6, 8, 12, 16),
    )

    def range(self, layer: Layer, timesteps: int) -> tuple[Long, Long, Long]:
        """Return theta // 2 within [0, theta]."""
        theta = layer.threshold.astype(np.int64)
        return theta // 2, np.zeros_like(theta), theta

    def fire(self, layer: Layer, v: Long, net: Long) -> Long:
        """Return 1 at theta, -1 below 0 where a spike can be taken back."""
        theta = layer.threshold.astype(np.int64)
        return np.where(v >= theta, 1, np.where((v < 0) & (net >= 1), -1, 0))
