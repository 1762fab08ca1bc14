"""The integers of an `sdn@1` network: thresholds in, rows that pass the range proof out.

The payload range of a signal is as much of its calibrated range as the next layer's proof leaves
room for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.signal_statistics import (
    PolicyStatistics,
    SignalStatistics,
    action_chords,
    action_slopes,
)
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.perturbed_states import (
    FULL_WIDTH,
    spread,
    states_to_fit,
)
from spikeport.toolchain.conversion.schemes.readout_rows import readout_layer
from spikeport.toolchain.conversion.schemes.thresholds import floored
from spikeport.toolchain.network.integer_network import Coding, Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import network_of
from spikeport.toolchain.neurons.bounds import RowKind
from spikeport.toolchain.neurons.sigma_delta import quantised_activation
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy
from spikeport.toolchain.quantization.activation_table import build_table
from spikeport.toolchain.quantization.layer_rounding import (
    InputSignal,
    IntegerRows,
    fits,
    round_layer,
)

Float = NDArray[np.float64]
Long = NDArray[np.int64]
HEADROOMS = (4.0, 3.0, 2.0, 1.5)  # of the calibrated range, the first that passes


@dataclass(frozen=True, eq=False)
class Receiver:
    """The layer that a signal's payloads go to; its proof limits their range."""

    layer: DenseLayer
    bits: int
    last: bool

    @classmethod
    def of(cls, policy: Policy, index: int, bits: int) -> Receiver:
        """Layer `index` of a policy."""
        return cls(policy.layers[index], bits, index == len(policy.layers) - 1)

    def range(
        self, lowest: Float, highest: Float, unit: Float, symmetric: bool = False
    ) -> tuple[Long, Long]:
        """Payload range [n] of a signal.

        A channel that never varied gets its layer's median range: it must be able to speak in new
        states.

        Args:
            lowest: [n], of the calibrated range in payloads, at most 0.
            highest: [n], likewise, at least 0.
            unit: [n], real value of a payload.
            symmetric: Whether the range ends at -high, whatever `lowest` is.

        Returns:
            Low and high, with the largest headroom that passes the proof, else the smallest.
        """
        quiet = (highest <= 0) & (lowest >= 0)
        usual = 1.0
        if (~quiet).any():
            usual = float(np.median(highest[~quiet]))
        highest = np.where(quiet, max(usual, 1.0), highest)
        kind = RowKind(Coding.ACROSS, readout=self.last)
        for headroom in HEADROOMS:
            high = np.clip(np.ceil(headroom * highest), 1, STATE_LIMIT).astype(np.int64)
            low = -high
            if not symmetric:
                low = np.clip(np.floor(headroom * lowest), -STATE_LIMIT, 0).astype(np.int64)
            if fits(self.layer, unit, low, high, self.bits, kind):
                break
        return low, high


def sigma_delta_network(
    policy: Policy,
    statistics: PolicyStatistics,
    thresholds: list[Float],
    choices: ConversionChoices,
) -> Network:
    """Integers of all layers.

    Args:
        policy: The feed-forward policy.
        statistics: Those of `policy`.
        thresholds: Resolutions [signal][channel] in real units, the input's first, made for the
            action error of `choices`.
        choices: Give the action error, weight bits, triggers, thrift and resync. With `thrift`,
            synapses go that earn less than they cost.

    Returns:
        The network, its rows fitted on calibration states and on perturbed ones.

    Raises:
        InputError: Where no row scale passes the proof.
    """
    bits = choices.weight_bits
    thresholds = finer_payloads(thresholds, bits)
    encoder = _encoder(policy, statistics, thresholds[0], bits)
    share = spread(choices.wanted_error, bits)
    inputs, wanted = states_to_fit(policy, statistics, share)
    limit = encoder.limit.astype(np.int64)
    values = np.clip(np.floor(inputs / encoder.scale + 0.5), -limit, limit).astype(np.int64)
    signal = InputSignal(values, encoder.scale, -limit, limit)
    layers = []
    for index, dense in enumerate(policy.layers):
        last = index == len(policy.layers) - 1
        price = None
        if choices.thrift:
            price = synapse_prices(signal, statistics, index, choices.thrift / policy.macs)
        rows = round_layer(
            dense,
            signal,
            wanted[index],
            bits,
            RowKind(Coding.ACROSS, readout=last, first=index == 0),
            importance=importance(policy, wanted[-1], last),
            price=price,
        )
        if last:
            layers.append(readout_layer(rows))
            break
        trigger = 1
        if choices.triggers:
            trigger = choices.triggers[index]
        receiver = Receiver.of(policy, index + 1, bits)
        layer = _hidden_layer(
            dense, rows, thresholds[index + 1], statistics.signals[index + 1], receiver, trigger
        )
        layers.append(layer)
        signal = _sent(layer, rows, signal)
    return network_of(
        encoder, tuple(layers), timesteps=1, alpha=0, resync_every=choices.resync_every
    )


def finer_payloads(thresholds: list[Float], bits: int) -> list[Float]:
    """Finer thresholds for narrow weights, of all signals but the one that the readout adds up.

    Narrow weights make coarse rows: finer payloads keep the accumulators' resolution.
    """
    finer = [2.0 ** (FULL_WIDTH - bits)] * (len(thresholds) - 1) + [1.0]
    return [theta / part for theta, part in zip(thresholds, finer, strict=True)]


def _encoder(policy: Policy, statistics: PolicyStatistics, scale: Float, bits: int) -> Encoder:
    """Steps of `scale` [features], and a limit around the calibrated range."""
    signal = statistics.signals[0]
    span = np.maximum(np.abs(signal.low), np.abs(signal.high))
    receiver = Receiver.of(policy, 0, bits)
    _, limit = receiver.range(np.zeros_like(span), span / scale, scale, symmetric=True)
    return Encoder(scale.astype(np.float64), limit.astype(np.int32))


def _sent(layer: Layer, rows: IntegerRows, arriving: InputSignal) -> InputSignal:
    """What a hidden layer's neurons stand at on the states, and their declared range."""
    low = layer.payload_low.astype(np.int64)
    high = layer.payload_high.astype(np.int64)
    activations = quantised_activation(layer, rows.accumulate(arriving.values))
    return InputSignal(np.clip(activations, low, high), layer.unit, low, high)


def synapse_prices(
    signal: InputSignal, statistics: PolicyStatistics, index: int, synop: float
) -> Float:
    """What each synapse of a layer may cost to be left out.

    A synapse has one synop whenever its input changes.

    Args:
        signal: What arrives at the layer.
        statistics: Those of the policy.
        index: The layer.
        synop: What a synop per decision is worth in squared action error.

    Returns:
        Squared error of each row's sum, [out, in].
    """
    # the states as they came, without the perturbed ones behind them
    values = np.asarray(signal.values)[: len(statistics.starts)]
    changes = np.diff(values, axis=0) != 0
    inside = ~statistics.starts[1:]
    share = np.ones(changes.shape[1])
    if inside.any():
        share = changes[inside].mean(0)
    return synop * share[None, :] / floored(statistics.row_sensitivity[index])[:, None]


def importance(policy: Policy, outputs: Float, last: bool) -> Float:
    """Weights [N, groups] of states with last pre-activations [N, act].

    How much the action still moves with y, squared. slope^2 alone would let a saturated output
    change its sign; the chord, the mean slope between y = 0 and y, keeps it. The last layer's rows
    have one group each; a hidden layer's share the mean over actions.
    """
    power = action_slopes(policy, outputs) ** 2 + action_chords(policy, outputs) ** 2 + 1e-6
    if last:
        return power
    return power.mean(1, keepdims=True)


def _hidden_layer(
    dense: DenseLayer,
    rows: IntegerRows,
    resolution: Float,
    signal: SignalStatistics,
    receiver: Receiver,
    trigger: int,
) -> Layer:
    """Neurons with the given resolution [out] in real units, a whole number of row scales.

    Where a table stands for the activation it is the payload's unit itself.
    """
    theta = np.zeros(len(resolution), np.int64)
    unit = resolution
    table = None
    if dense.activation in ("relu", "identity"):
        theta = np.clip(np.rint(resolution / rows.scale), 1, STATE_LIMIT).astype(np.int64)
        unit = theta * rows.scale
    else:
        table = build_table(dense.activation, rows.scale, unit)
    low, high = receiver.range(
        np.minimum(signal.low, 0) / unit, np.maximum(signal.high, 0) / unit, unit
    )
    return Layer(
        neuron="sdn@1",
        synapses=Dense(rows.weights.astype(np.int8)),
        bias=rows.bias.astype(np.int32),
        row_scale=rows.scale,
        threshold=theta.astype(np.int32),
        payload_low=low.astype(np.int32),
        payload_high=high.astype(np.int32),
        unit=unit,
        activation=dense.activation,
        table=table,
        trigger=trigger,
    )
