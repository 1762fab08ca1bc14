"""`if@1`: integrate-and-fire with soft reset and residual carry-over.

    I = W x + b
    v <- sat(v + I);  spike if v > theta (strict);  v <- v - theta;  emitted <- emitted + theta
    v_init = theta // 2, carried over within [0, theta]

Over a decision of T timesteps the number of spikes approaches T * relu(mean I) / theta.
With `hold_input` the synaptic sum of the window's first timestep is latched and added in each of
them.
"""

from __future__ import annotations

from typing import final

import numpy as np

from spikeport.toolchain.network.integer_network import Coding, Layer
from spikeport.toolchain.neurons.neuron import Long
from spikeport.toolchain.neurons.traits import Traits
from spikeport.toolchain.neurons.windowed import WindowedNeuron


@final
class IntegrateAndFire(WindowedNeuron):
    """See the equations above."""

    id = "if@1"
    traits = Traits(
        "if",
        Coding.RATE,
        soft_reset=True,
        timesteps=16,
        alpha=0.5,
        tried_timesteps=(4, 8, 12, 16, 24, 32),
    )

    def range(self, layer: Layer, timesteps: int) -> tuple[Long, Long, Long]:
        """Return theta // 2 within [0, theta]."""
        theta = layer.threshold.astype(np.int64)
        return theta // 2, np.zeros_like(theta), theta

    def fire(self, layer: Layer, v: Long, net: Long) -> Long:
        """Return 1 above theta."""
        return (v > layer.threshold).astype(np.int64)
