"""What a network that was trained as spiking adds to the integer network: how observations become
spikes, how spike counts become actions, and the decays of its neurons.

    z = x or tanh(x)                          per feature, x after the observation contract
    a = exp(-(z - mean)^2 / (2 std^2))        population coding, P neurons per feature;  rate
        coding: a = z
    q = clip(floor(a / scale + 0.5))          the network's Encoder, once per decision
    v <- v + q;  spike if v > threshold;  v <- v - threshold        T times, integers, v = 0 at the
        decision's start
    y = decoder_weights . count / T + decoder_bias                  counts of the last layer's
        spikes

The soft-reset encoder is that of PopSAN (Tang et al., CoRL 2020, arXiv 2010.09635).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

ENCODER_UNITS = 2**20  # steps of an activation of 1; T <= 1024 of them fit 32 bits
ENCODER_THRESHOLD = 0.999
TRANSFORMS = ("none", "tanh")


@dataclass(frozen=True, eq=False)
class SpikeCoding:
    """Front and end of a spiking network, on the host.

    mean, std [features, P], or None for rate coding (one neuron per feature). `threshold` in units
    of q. decoder_weights [act, P_out], decoder_bias [act]: action k reads the P_out neurons from k
    * P_out.
    """

    threshold: int
    decoder_weights: Float
    decoder_bias: Float
    transform: str = "none"
    mean: Float | None = None
    std: Float | None = None

    @property
    def population(self) -> int:
        """Input neurons per feature."""
        if self.mean is not None and self.mean.ndim == 2:
            return self.mean.shape[1]
        return 1

    @property
    def decoded(self) -> int:
        """Output neurons that the decoder reads."""
        return self.decoder_weights.size


def encoder_spikes(q: NDArray[np.integer], threshold: int, timesteps: int) -> NDArray[np.int64]:
    """Spikes [..., T, inputs] of the encoder's neurons for activations q [..., inputs]."""
    v = np.zeros(q.shape, np.int64)
    spikes = np.zeros((*q.shape[:-1], timesteps, q.shape[-1]), np.int64)
    for timestep in range(timesteps):
        v += q
        fired = v > threshold
        spikes[..., timestep, :] = fired
        v -= threshold * fired
    return spikes
