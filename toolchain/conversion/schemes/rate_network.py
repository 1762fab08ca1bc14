"""The integers of a network of rate neurons (`if@1`, `snm@1`, `mt@1`, `dc@1`).

Thresholds are the largest activations, in differential coding shares of them (rate_thresholds.py).
A window's input is q0, once: held by the first layer, or, in differential coding, sent at t = 1 and
kept in the running mean. Rows are fitted on ideal rates: rows fitted on what a window's few levels
make of them came closer to the policy on calibration states and lost return in the closed loop
(DDPG, HalfCheetah).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.rate_thresholds import (
    least_error_thresholds,
    shares_to_try,
    window_payloads,
    with_threshold,
)
from spikeport.toolchain.conversion.schemes.readout_rows import readout_layer
from spikeport.toolchain.conversion.schemes.thresholds import (
    column_strength,
    maximum_thresholds,
    usual_where_silent,
)
from spikeport.toolchain.network.integer_network import Coding, Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import BY_NAME, network_of
from spikeport.toolchain.neurons.bounds import RowKind
from spikeport.toolchain.neurons.traits import Traits
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.quantization.layer_rounding import (
    InputSignal,
    IntegerRows,
    fits,
    round_layer,
)

Float = NDArray[np.float64]
HEADROOM = 2.0  # of the calibrated input range
# Of the widest channel, finest first; the input is sent once, so width costs nothing.
STEPS = np.geomspace(2**13, 2**4, 19)


@dataclass(frozen=True)
class RateCode:
    """How one neuron speaks in a window of `timesteps`.

    Attributes:
        neuron: Short name.
        coding: What its payloads mean.
        timesteps: Of a decision.
        bits: Of the weights.
        shares: Of the largest activation, among which each threshold is searched; () is no search.
    """

    neuron: str
    coding: Coding
    timesteps: int
    bits: int
    shares: tuple[float, ...]

    @classmethod
    def of(cls, policy: Policy, choices: ConversionChoices) -> RateCode:
        """The code that a user chose for a policy; without hidden layers there are only rates."""
        coding = Coding.RATE
        if len(policy.layers) > 1:
            coding = BY_NAME[choices.neuron].traits.coding
        shares: tuple[float, ...] = ()
        if coding == Coding.DIFFERENTIAL and choices.searches_thresholds:
            shares = shares_to_try(choices)
        return cls(choices.neuron, coding, choices.steps, choices.weight_bits, shares)

    @property
    def differential(self) -> bool:
        """Whether payloads are changes of the running mean."""
        return self.coding == Coding.DIFFERENTIAL

    @property
    def traits(self) -> Traits:
        """Facts about the neuron."""
        return BY_NAME[self.neuron].traits

    @property
    def levels(self) -> int:
        """The full scale is this many thresholds."""
        return self.traits.levels

    @property
    def reach(self) -> float:
        """The largest decoded payload of a window."""
        reach = float(self.levels)
        if self.differential:
            reach *= sum(1 / t for t in range(1, self.timesteps + 1))
        return reach

    @property
    def largest_share(self) -> float:
        """Of the largest activation, that a threshold may become."""
        return max((1.0, *self.shares))

    def kind(self, index: int, last: bool) -> RowKind:
        """What the proof has to know of the rows of layer `index`."""
        return RowKind(self.coding, self.timesteps, readout=last, first=index == 0)

    def largest_threshold(self, kind: RowKind) -> int:
        """The largest integer threshold that the neuron's state has room for."""
        if self.differential:
            return kind.largest_lambda - 1
        return STATE_LIMIT // (2 * self.levels) - 1

    def holds_input(self, index: int) -> bool:
        """Whether layer `index` adds the host's input in every timestep."""
        return index == 0 and not self.differential


def rate_network(
    policy: Policy, statistics: PolicyStatistics, choices: ConversionChoices
) -> Network:
    """Integers of all layers.

    Args:
        policy: The policy, its hidden layers relu.
        statistics: Those of `policy`.
        choices: Give the neuron, timesteps, alpha, weight bits, threshold shares and resync.

    Returns:
        The network, its rows fitted on calibration states.

    Raises:
        InputError: Where no row scale passes the proof.
    """
    code = RateCode.of(policy, choices)
    scale, limit = _input_scale(policy, statistics, code)
    wanted = statistics.pre_activations
    values = np.clip(np.floor(statistics.inputs / scale + 0.5), -limit, limit).astype(np.int64)
    signal = InputSignal(values, scale, -limit, limit)
    arriving: NDArray[np.integer] = values[:, None]
    layers = []
    for index, dense in enumerate(policy.layers[:-1]):
        kind = code.kind(index, last=False)
        activations = np.maximum(wanted[index], 0)
        largest, _ = maximum_thresholds(activations)
        finest = code.largest_share * largest / (code.levels * (code.largest_threshold(kind) + 1))
        rows = round_layer(dense, signal, wanted[index], code.bits, kind, finest)
        most = code.largest_threshold(kind)
        threshold = np.minimum(largest / (code.levels * rows.scale), most)
        layer = _hidden_layer(rows, code, threshold, code.holds_input(index))
        if code.shares:
            layer = least_error_thresholds(
                layer, arriving, activations, code.timesteps, code.coding, code.shares, most
            )
        if code.differential:
            arriving = window_payloads(layer, arriving, code.timesteps)
        layers.append(layer)
        signal = _ideal_rates(layer, code, activations)
    last = len(policy.layers) - 1
    rows = round_layer(
        policy.layers[last], signal, wanted[last], code.bits, code.kind(last, last=True)
    )
    layers.append(readout_layer(rows, code.holds_input(last)))
    return network_of(
        Encoder(scale, limit.astype(np.int32)),
        tuple(layers),
        code.timesteps,
        choices.alpha_64ths,
        choices.resync_every,
    )


def _hidden_layer(rows: IntegerRows, code: RateCode, threshold: Float, hold_input: bool) -> Layer:
    """Neurons with the nearest thresholds [out], in row units, that they allow."""
    outputs = len(rows.bias)
    layer = Layer(
        neuron=BY_NAME[code.neuron].id,
        synapses=Dense(rows.weights.astype(np.int8)),
        bias=rows.bias.astype(np.int32),
        row_scale=rows.scale,
        threshold=np.zeros(outputs, np.int32),
        payload_low=np.full(outputs, code.traits.low, np.int32),
        payload_high=np.full(outputs, code.traits.high, np.int32),
        unit=rows.scale,
        activation="relu",
        hold_input=hold_input,
    )
    return with_threshold(layer, threshold)


def _ideal_rates(layer: Layer, code: RateCode, activations: Float) -> InputSignal:
    """What a hidden layer sends of activations [N, out] if its rates had no steps."""
    return InputSignal(
        np.clip(activations / layer.unit, 0, code.reach),
        layer.unit,
        layer.payload_low.astype(np.int64),
        layer.payload_high.astype(np.int64),
    )


def _input_scale(
    policy: Policy, statistics: PolicyStatistics, code: RateCode
) -> tuple[Float, NDArray[np.int64]]:
    """Scale and limit of every input channel, as fine as the proof allows.

    A row's weights share one scale. Steps in proportion to a channel's range treat all ranges
    alike, steps in inverse proportion to its weights let every column use the integers to the full;
    the geometric mean of both gave the least action error on the policies measured.
    """
    signal = statistics.signals[0]
    largest = np.maximum(np.abs(signal.low), np.abs(signal.high))
    span = HEADROOM * usual_where_silent(largest)
    shape = np.sqrt(span / column_strength(policy.layers[0]))
    finest = float((span / shape).max())
    kind = code.kind(0, last=len(policy.layers) == 1)
    for steps in STEPS:
        scale = shape * finest / steps
        limit = np.maximum(np.ceil(span / scale), 1).astype(np.int64)
        if fits(policy.layers[0], scale, -limit, limit, code.bits, kind):
            break
    return scale, limit
