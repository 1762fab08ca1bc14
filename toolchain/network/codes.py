"""The two codes of a network: what its input carries, and what the host decodes.

A value code sends numbers into the network and reads the accumulator of a readout. A spike code,
of a network that was trained as spiking, has neurons of its own at either end:

    z = x or tanh(x)                        per feature, x after the observation contract
    a = exp(-(z - mean)^2 / (2 std^2))      population coding, P neurons per feature; rate: a = z
    q = clip(floor(a / scale + 0.5))        the network's Encoder, once per decision
    v <- v + q;  spike if v > threshold;  v <- v - threshold
                                            T times, integers, v = 0 at the decision's start
    y = decoder_weights . count / T + decoder_bias
                                            counts of the last layer's spikes

The soft-reset encoder is that of PopSAN (Tang et al., CoRL 2020, arXiv 2010.09635).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Long = NDArray[np.int64]

ENCODER_UNITS = 2**20  # steps of an activation of 1; T <= 1024 of them fit 32 bits
ENCODER_THRESHOLD = 0.999
TRANSFORMS = ("none", "tanh")


class Code(ABC):
    """What differs between the codes. Each technology keeps its own part in a table by `name`.

    Attributes:
        name: The key of those tables.
        has_readout: Whether the last layer is a readout, whose accumulator the host decodes.
        decoded_output: What exported graphs call the integers that the host decodes.
    """

    name: ClassVar[str]
    has_readout: ClassVar[bool]
    decoded_output: ClassVar[str]

    @abstractmethod
    def arriving(self, encoded: NDArray[np.integer], timesteps: int) -> NDArray[np.integer]:
        """What the first layer receives in a decision.

        Args:
            encoded: What the host hands over, [..., inputs].
            timesteps: T.

        Returns:
            Payloads [..., n, inputs] of the first n timesteps; nothing arrives after these.
        """

    @abstractmethod
    def read_out(
        self, payloads: NDArray[np.integer], states: NDArray[np.integer]
    ) -> NDArray[np.integer]:
        """What the host decodes, [rows, neurons], of the last layer's window [rows, T, neurons]."""

    @abstractmethod
    def input_range(self, limit: NDArray[np.integer]) -> tuple[Long, Long]:
        """Lowest and highest value that an input carries, [inputs] each.

        `limit` [inputs] is the encoder's.
        """

    @abstractmethod
    def macs(self, inputs: int, timesteps: int) -> int:
        """Multiply-adds of the host beyond those of the contracts, per decision."""

    @abstractmethod
    def idle_steps(self, layers: int) -> int:
        """Steps after a window in which neurons run on, for the census of idle activity."""


@final
class ValueCode(Code):
    """The input carries q0, or its change since the last decision; a readout is decoded."""

    name = "value"
    has_readout = True
    decoded_output = "accumulator"

    def arriving(self, encoded: NDArray[np.integer], timesteps: int) -> NDArray[np.integer]:
        """Return the one payload of each input: it comes with the first timestep."""
        return encoded[..., None, :]

    def read_out(
        self, payloads: NDArray[np.integer], states: NDArray[np.integer]
    ) -> NDArray[np.integer]:
        """Return the readout's accumulator at its window's end."""
        return states[:, -1]

    def input_range(self, limit: NDArray[np.integer]) -> tuple[Long, Long]:
        """Return the encoder's limits, either way."""
        highest = limit.astype(np.int64)
        return -highest, highest

    def macs(self, inputs: int, timesteps: int) -> int:
        """Return 0: the contracts are all that the host computes."""
        return 0

    def idle_steps(self, layers: int) -> int:
        """Return 0: outside its window a neuron does nothing."""
        return 0


VALUE_CODE = ValueCode()


@final
@dataclass(frozen=True, eq=False)
class SpikeCoding(Code):
    """Front and end of a spiking network, on the host.

    Attributes:
        threshold: Of the encoder's neurons, in units of q.
        decoder_weights: [act, P_out]; action k reads the P_out neurons from k * P_out.
        decoder_bias: [act].
        transform: One of TRANSFORMS.
        mean: Where an input neuron is most active, [features, P]; None for rate coding, which has
            one neuron per feature.
        std: How far its activity reaches, [features, P], or None.
    """

    name = "spikes"
    has_readout = False
    decoded_output = "spike_counts"

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

    def arriving(self, encoded: NDArray[np.integer], timesteps: int) -> NDArray[np.integer]:
        """Return the encoder's spikes [..., T, inputs]."""
        return encoder_spikes(encoded, self.threshold, timesteps)

    def read_out(
        self, payloads: NDArray[np.integer], states: NDArray[np.integer]
    ) -> NDArray[np.integer]:
        """Return how often each neuron of the last layer spiked."""
        return payloads.sum(axis=1)

    def input_range(self, limit: NDArray[np.integer]) -> tuple[Long, Long]:
        """Return 0 and 1: the encoder's neurons spike or they do not."""
        return np.zeros(limit.shape, np.int64), np.ones(limit.shape, np.int64)

    def macs(self, inputs: int, timesteps: int) -> int:
        """Count one per timestep and input neuron to integrate, and one per decoded neuron.

        A population's activation takes three more: distance, square, exponential.
        """
        activation = 0 if self.mean is None else 3
        return inputs * (timesteps + activation) + self.decoded

    def idle_steps(self, layers: int) -> int:
        """Return L: a stock LIF runs on until its next reset."""
        return layers


def code_of(coding: SpikeCoding | None) -> Code:
    """The code of a network, by what its file holds: a spike coding or none."""
    return VALUE_CODE if coding is None else coding


def encoder_spikes(q: NDArray[np.integer], threshold: int, timesteps: int) -> Long:
    """Spikes [..., T, inputs] of the encoder's neurons for activations q [..., inputs]."""
    v = np.zeros(q.shape, np.int64)
    spikes = np.zeros((*q.shape[:-1], timesteps, q.shape[-1]), np.int64)
    for timestep in range(timesteps):
        v += q
        fired = v > threshold
        spikes[..., timestep, :] = fired
        v -= threshold * fired
    return spikes
