"""The integer network: everything that is executed between encoded observation and readout.

    encode -> layer 0 -> ... -> layer L-1 (readout) -> decode

Every array is an integer except `row_scale` and `unit`, which say what the integers mean and which
only encode and decode use. Rules and limits: contract sections 1-3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.codes import Code, SpikeCoding, code_of
from spikeport.toolchain.network.parameters import ActivationTable, Dynamics, Float, Int, Leak
from spikeport.toolchain.network.synapses import Synapses

READOUT = "readout@1"


class Coding(Enum):
    """What payloads mean.

    A value per timestep, a change of the running mean, a change since the last decision, a spike.
    """

    RATE = "rate"  # if, snm, mt; leaky, whose one timestep is a decision
    DIFFERENTIAL = "differential"  # dc
    ACROSS = "across decisions"  # sdn
    SPIKES = "spikes"  # lif: the input is spikes too, and the last layer's are counted

    @property
    def graded(self) -> bool:
        """Whether the host sends graded payloads and reads an accumulator, not spikes."""
        return self.value != "spikes"


def denominator(timesteps: int) -> int:
    """D = lcm(1..T): the state of differential coding is kept in units of 1/D."""
    return math.lcm(*range(1, timesteps + 1))


@dataclass(frozen=True, eq=False)
class Encoder:
    """q0 = clip(floor(x / scale + 0.5), -limit, limit) per feature.

    scale and limit [features]. With a SpikeCoding x are the activations of its input neurons,
    [inputs] then, and q0 what these integrate.
    """

    scale: Float
    limit: Int


@dataclass(frozen=True, eq=False)
class Layer:
    """Synapses and the neurons behind them, all in the row's integer units.

    Attributes:
        neuron: Versioned id.
        synapses: From the payloads that arrive to a sum for each neuron.
        bias: [out].
        row_scale: Real value of one unit of the row, [out].
        threshold: theta (if, snm, sdn) or lambda (mt, dc), [out]; 0 where the neuron has none.
        payload_low: Least value that a neuron announces, [out]: q of sdn, the spike of if.
        payload_high: Largest value that it announces, [out].
        unit: Real value of one unit of payload, [out]; folded into the next layer's columns
            already.
        activation: What the source policy had here.
        table: Of sdn, for activations other than relu and identity.
        trigger: Of sdn: the smallest change that is sent.
        hold_input: Whether the sum of the window's first timestep is added in each of them.
        dynamics: Of lif, which has one row scale and one threshold for the whole layer; they say
            what the bias is added to.
        leak: Of leaky, whose bias and threshold count 1 / 2^shift of the row's units.
        extra: Integer arrays [out] that the neuron has beyond these, by name.
    """

    neuron: str
    synapses: Synapses
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
    def weights(self) -> NDArray[Any]:
        """The synapses as one matrix [out, in]."""
        return self.synapses.matrix

    @property
    def inputs(self) -> int:
        """Payloads that arrive."""
        return self.synapses.inputs

    @property
    def outputs(self) -> int:
        """Neurons."""
        return self.synapses.outputs

    @property
    def fan_out(self) -> NDArray[np.int64]:
        """Non-zero weights per input, [in]: the synops that one non-zero payload causes."""
        return self.synapses.fan_out

    @property
    def always_on(self) -> int:
        """Synapses from the neuron that always spikes: one synop each in every step."""
        in_current = bool(self.dynamics and self.dynamics.bias_in_current)
        return int(np.count_nonzero(self.bias)) if in_current else 0


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
        """Whether payloads are changes since the last decision (sdn), not the values themselves."""
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
        """Inputs, then the neurons of each layer."""
        return (self.layers[0].inputs, *(layer.outputs for layer in self.layers))
