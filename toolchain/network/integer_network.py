"""The integer network: everything a backend executes between the encoded observation and the
readout.

    encode -> layer 0 -> ... -> layer L-1 (readout) -> decode

Every array is an integer except `row_scale` and `unit`, which say what the integers mean and which
only encode and decode use. Rules and limits: contract sections 1-3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.codes import Code, SpikeCoding, code_of
from spikeport.toolchain.network.parameters import ActivationTable, Dynamics, Float, Int, Leak

READOUT = "readout@1"


class Coding(Enum):
    """What payloads mean.

    A value per timestep, a change of the running mean, a change since the last decision, a spike.
    """

    RATE = "rate"  # if, snm, mt; leaky, whose one timestep is a decision
    DIFFERENTIAL = "differential"  # dc
    ACROSS = "across decisions"  # sdn
    SPIKES = "spikes"  # lif: the input is spikes too, and the last layer's are counted


def denominator(timesteps: int) -> int:
    """D = lcm(1..T): the state of differential coding is kept in units of 1/D."""
    return math.lcm(*range(1, timesteps + 1))


@dataclass(frozen=True, eq=False)
class Encoder:
    """q0 = clip(floor(x / scale + 0.5), -limit, limit) per feature; scale [features], limit
    [features].

    With a SpikeCoding x are the activations of its input neurons, [inputs] then, and q0 what these
    integrate.
    """

    scale: Float
    limit: Int


@dataclass(frozen=True, eq=False)
class Layer:
    """One weight layer and the neurons behind it, all in the row's integer units.

    weights [out, in]; bias, threshold, payload_low, payload_high, row_scale, unit [out].
    `threshold` is theta (if, snm, sdn) or lambda (mt, dc); 0 where the neuron has none.
    `payload_low`..`payload_high` is the declared range of what a neuron announces: q of sdn, the
    spike of if. `unit` is the real value of one unit of payload; it is folded into the next layer's
    columns already. `leak` belongs to leaky, whose bias and threshold count 1 / 2^shift of the
    row's units. `dynamics` belongs to lif: one row scale and one threshold for the whole layer, the
    bias as Dynamics says. `extra` are the integer arrays [out] that its neuron has beyond these,
    by name.
    """

    neuron: str
    weights: NDArray[np.int8]
    bias: Int
    row_scale: Float
    threshold: Int
    payload_low: Int
    payload_high: Int
    unit: Float
    activation: str = "relu"
    table: ActivationTable | None = None
    trigger: int = 1
    hold_input: bool = False
    dynamics: Dynamics | None = None
    leak: Leak | None = None
    extra: Mapping[str, Int] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        return self.weights.shape[1]

    @property
    def outputs(self) -> int:
        return self.weights.shape[0]

    @cached_property
    def fan_out(self) -> NDArray[np.int64]:
        """Non-zero weights per input, [in]: the synops that one non-zero payload causes."""
        return np.count_nonzero(self.weights, axis=0).astype(np.int64)

    @property
    def always_on(self) -> int:
        """Synapses from the neuron that always spikes: one synop each in every step."""
        if self.dynamics is not None and self.dynamics.bias_in_current:
            return int(np.count_nonzero(self.bias))
        return 0


@dataclass(frozen=True, eq=False)
class Network:
    """Encoder, layers and time. `alpha` is in 64ths; `resync_every` in decisions, 0 = never.

    `spike_coding` belongs to lif, whose last layer is of its kind too: there is no readout then.
    `coding` follows from the neurons; `neurons.network_of` makes a network that has it.
    """

    encoder: Encoder
    layers: tuple[Layer, ...]
    timesteps: int
    alpha: int = 0
    resync_every: int = 0
    spike_coding: SpikeCoding | None = None
    coding: Coding = field(kw_only=True)

    @property
    def neuron(self) -> str:
        """Id of the hidden neurons (the readout's where there is no hidden layer)."""
        return self.layers[0].neuron

    @property
    def code(self) -> Code:
        """What its input carries and what the host decodes."""
        return code_of(self.spike_coding)

    @property
    def across_decisions(self) -> bool:
        """Whether payloads are changes against the last decision (sdn), not the values themselves."""
        return self.coding == Coding.ACROSS

    @property
    def chip_steps(self) -> int:
        """Steps of one decision on a chip: T, and one of delay per layer (contract section 3)."""
        return self.timesteps + len(self.layers)

    @property
    def divisor(self) -> int:
        """What the readout's accumulator is divided by when decoded.

        The timesteps it summed, or dc's D; lif's counts by T.
        """
        if self.coding == Coding.DIFFERENTIAL:
            return denominator(self.timesteps)
        return self.timesteps

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.layers[0].inputs, *(layer.outputs for layer in self.layers))
