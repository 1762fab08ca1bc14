"""`mt@1`: one neuron with four thresholds, lambda times 1, 2, 4 and 8; theta = 8 lambda.

    I = W x + b
    v <- sat(v + I)
    p = the largest of {1, 2, 4, 8} with 4 v >= 3 p lambda;
        else the largest with 4 v <= -3 p lambda and c >= p, negative;  else 0
    v <- v - p lambda;  c <- c + p
    v_init = 0, carried over within [-(theta // 2), theta // 2];  emitted = c lambda

c counts the units sent in this decision; it never falls below zero. Source: Huang et al. (arXiv
2503.00301), MT neurons with four thresholds. With `hold_input` the first timestep's synaptic sum is
added in each timestep.
"""

from __future__ import annotations

from typing import final

import numpy as np

from spikeport.toolchain.network.integer_network import Coding, Layer
from spikeport.toolchain.neurons.neuron import Long
from spikeport.toolchain.neurons.traits import SHIFT_AND_ADD, Traits
from spikeport.toolchain.neurons.windowed import WindowedNeuron

PAYLOADS = (1, 2, 4, 8)


def largest_payload(v: Long, unit: Long, sent: Long) -> Long:
    """Signed p of the equations.

    Args:
        v: Membranes.
        unit: lambda, in units of the membrane.
        sent: c, units sent so far in this decision.
    """
    payload = np.zeros_like(v)
    for p in PAYLOADS:  # each larger one that qualifies replaces the smaller
        payload = np.where((4 * v <= -3 * p * unit) & (sent >= p), -p, payload)
    for p in PAYLOADS:
        payload = np.where(4 * v >= 3 * p * unit, p, payload)
    return payload


@final
class MultiThreshold(WindowedNeuron):
    """See the equations above."""

    id = "mt@1"
    traits = Traits(
        "mt",
        Coding.RATE,
        low=-8,
        high=8,
        levels=8,
        soft_reset=True,
        programmable=True,
        state_words=2,
        synop=SHIFT_AND_ADD,
        timesteps=4,
        tried_timesteps=(1, 2, 3, 4, 6, 8),
    )

    def range(self, layer: Layer, timesteps: int) -> tuple[Long, Long, Long]:
        """Return 0 within half of theta either way."""
        half = 4 * layer.threshold.astype(np.int64)
        return np.zeros_like(half), -half, half

    def fire(self, layer: Layer, v: Long, net: Long) -> Long:
        """Return the largest payload that the membrane allows."""
        return largest_payload(v, layer.threshold.astype(np.int64), net)
