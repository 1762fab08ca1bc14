"""Bounds of `lif@1`'s current and membrane between two resets, for every input spike train.

Spikes are 0 or 1, so the synaptic sum of a timestep lies in [sum min(w, 0), sum max(w, 0)] (and the
bias that is a synapse is always there). Decay is monotonic, so iterating both ends bounds u; the
same with u bounds v, which only a spike's reset could bring nearer to 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.codes import ACT_SHIFT, Dynamics, decay

Long = NDArray[np.int64]


def bound_membrane(
    weights: NDArray, bias: NDArray, dynamics: Dynamics, steps: int
) -> tuple[Long, Long]:
    """Largest |u| and |v| per row [out], in 1/64 of weight units, `steps` steps after a reset."""
    w = weights.astype(np.int64)
    b = bias.astype(np.int64)
    shift = dynamics.weight_exponent + ACT_SHIFT
    in_current, in_voltage = (
        (b, np.zeros_like(b)) if dynamics.bias_in_current else (np.zeros_like(b), b)
    )
    largest_u = largest_v = np.zeros_like(b)
    for pick in (np.maximum, np.minimum):
        arriving = (pick(w, 0).sum(1) + in_current) << shift
        u = v = np.zeros_like(b)
        for _ in range(steps):
            u = decay(u, 4095 - dynamics.current_decay) + arriving
            v = pick(
                decay(v, 4096 - dynamics.voltage_decay) + u + in_voltage, 0
            )  # a reset may stand anywhere
            largest_u = np.maximum(largest_u, np.abs(u))
            largest_v = np.maximum(largest_v, np.abs(v))
    return largest_u, largest_v
