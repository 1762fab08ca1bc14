"""A float policy to an integer `sdn@1` network.

Thresholds from sensitivity, widths that pass the proof.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.signal_statistics import (
    PolicyStatistics,
    action_chords,
    action_slopes,
)
from spikeport.toolchain.conversion.states import subset
from spikeport.toolchain.conversion.thresholds import floored
from spikeport.toolchain.network.integer_network import READOUT, Coding, Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
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
# of each channel's standard deviation; a finer action strays less from the policy's own path
SHAKE_PER_ERROR = 3.0
MOST_SHAKE = 0.3
LEAST_NARROW_SHAKE = 0.1  # narrow weights err by themselves, however fine the steps
FULL_WIDTH = 8  # bits
SHAKEN = 0.5  # copies per state
HEADROOM = (
    4.0,
    3.0,
    2.0,
    1.5,
)  # of the calibrated range: as much as the next layer's proof leaves room for


def sigma_delta_network(
    policy: Policy,
    statistics: PolicyStatistics,
    thresholds: list[Float],
    action_error: float,
    bits: int,
    resync_every: int,
    triggers: tuple[int, ...] = (),
    thrift: float = 0.0,
) -> Network:
    """`thresholds` [signal][channel] in real units, the input's first
    (toolchain/conversion/thresholds.py), made for `action_error`.

    `triggers` are those of the hidden layers; () = 1 each. With `thrift`, synapses go that earn
    less than they cost: a synop per MAC saved is worth that much squared action error, 0 keeps them
    all.
    """
    finer = [2.0 ** (FULL_WIDTH - bits)] * (len(thresholds) - 1) + [
        1.0
    ]  # narrow weights make coarse rows: finer payloads keep the accumulators' resolution
    thresholds = [theta / part for theta, part in zip(thresholds, finer, strict=True)]
    span = np.maximum(np.abs(statistics.signals[0].low), np.abs(statistics.signals[0].high))
    scale = thresholds[0]
    _, limit = _declared_range(
        np.zeros_like(span),
        span / scale,
        policy.layers[0],
        scale,
        bits,
        last=len(policy.layers) == 1,
        symmetric=True,
    )
    encoder = Encoder(scale.astype(np.float64), limit.astype(np.int32))
    inputs, wanted = _states_to_fit(policy, statistics, shake(action_error, bits))
    values = np.clip(np.floor(inputs / scale + 0.5), -limit, limit).astype(np.int64)
    signal = InputSignal(values, scale, -limit, limit)
    layers = []
    for index, dense in enumerate(policy.layers):
        last = index == len(policy.layers) - 1
        kind = RowKind(Coding.ACROSS, readout=last, first=index == 0)
        if thrift:
            price = synapse_prices(signal, statistics, index, thrift / policy.macs)
        else:
            price = None
        rows = round_layer(
            dense,
            signal,
            wanted[index],
            bits,
            kind,
            importance=importance(policy, wanted[-1], last),
            price=price,
        )
        if last:
            layers.append(readout_layer(rows, hold_input=False))
            break
        layer = _hidden_layer(
            dense,
            rows,
            thresholds[index + 1],
            statistics.signals[index + 1].low,
            statistics.signals[index + 1].high,
            policy.layers[index + 1],
            bits,
            last=index + 2 == len(policy.layers),
            trigger=triggers[index] if triggers else 1,
        )
        layers.append(layer)
        low = layer.payload_low.astype(np.int64)
        high = layer.payload_high.astype(np.int64)
        signal = InputSignal(
            np.clip(quantised_activation(layer, rows.accumulate(signal.values)), low, high),
            layer.unit,
            low,
            high,
        )
    return network_of(encoder, tuple(layers), timesteps=1, alpha=0, resync_every=resync_every)


def synapse_prices(
    signal: InputSignal, statistics: PolicyStatistics, index: int, synop: float
) -> Float:
    """Squared error of each row's sum that a synapse of layer `index` may cost to be left out,
    [out, in].

    `synop` is what a synop per decision is worth in squared action error; a synapse has one
    whenever its input changes.
    """
    values = np.asarray(signal.values)[
        : len(statistics.starts)
    ]  # the states as they came, without the shaken ones behind them
    changes = np.diff(values, axis=0) != 0
    inside = ~statistics.starts[1:]
    if inside.any():
        changes = changes[inside].mean(0)
    else:
        changes = np.ones(changes.shape[1])
    return synop * changes[None, :] / floored(statistics.row_sensitivity[index])[:, None]


def _states_to_fit(
    policy: Policy, statistics: PolicyStatistics, share: float
) -> tuple[Float, list[Float]]:
    """Calibration states with shaken ones behind them, and their pre-activations.

    Kept with the statistics, which are those of `policy`.
    """
    if share not in statistics.shaken:
        # tens of megabytes each, and a search asks for a new share every time
        statistics.shaken.clear()
        inputs = np.concatenate([statistics.inputs, shaken(statistics.inputs, share)])
        statistics.shaken[share] = (
            inputs,
            [np.asarray(pre, np.float64) for pre in policy.forward(inputs)],
        )
    return statistics.shaken[share]


def shake(action_error: float, bits: int) -> float:
    """How far shaken states lie from calibration's, in standard deviations."""
    return min(
        MOST_SHAKE,
        max(SHAKE_PER_ERROR * action_error, LEAST_NARROW_SHAKE if bits < FULL_WIDTH else 0.0),
    )


def shaken(inputs: Float, share: float) -> Float:
    """Copies [n, features] of states with normal noise on every channel, `share` of its deviation:
    rows fitted on a policy's own narrow path alone would be free to do anything beside it.
    """
    rng = np.random.default_rng(0)
    size = len(inputs)
    chosen = inputs[subset(size, int(SHAKEN * size))]
    return chosen + rng.normal(size=chosen.shape) * inputs.std(0) * share


def importance(policy: Policy, outputs: Float, last: bool) -> Float:
    """Weights [N, groups] of states with last pre-activations [N, act]: how much the action still
    moves with y, squared.

    slope^2 alone would let a saturated output change its sign; the chord, the mean slope between y
    = 0 and y, keeps it. The last layer's rows have one group each; a hidden layer's share the mean
    over actions.
    """
    power = action_slopes(policy, outputs) ** 2 + action_chords(policy, outputs) ** 2 + 1e-6
    if last:
        return power
    return power.mean(1, keepdims=True)


def _hidden_layer(
    dense: DenseLayer,
    rows: IntegerRows,
    threshold: Float,
    lowest: Float,
    highest: Float,
    following: DenseLayer,
    bits: int,
    last: bool,
    trigger: int,
) -> Layer:
    exact = dense.activation in ("relu", "identity")
    if exact:
        theta = np.clip(np.rint(threshold / rows.scale), 1, STATE_LIMIT).astype(np.int64)
    else:
        theta = np.zeros(len(threshold), np.int64)
    if exact:
        unit = theta * rows.scale
    else:
        unit = threshold
    low, high = _declared_range(
        np.minimum(lowest, 0) / unit,
        np.maximum(highest, 0) / unit,
        following,
        unit,
        bits,
        last=last,
        symmetric=False,
    )
    return Layer(
        neuron="sdn@1",
        weights=rows.weights.astype(np.int8),
        bias=rows.bias.astype(np.int32),
        row_scale=rows.scale,
        threshold=theta.astype(np.int32),
        payload_low=low.astype(np.int32),
        payload_high=high.astype(np.int32),
        unit=unit,
        activation=dense.activation,
        table=None if exact else build_table(dense.activation, rows.scale, unit),
        trigger=trigger,
    )


def _declared_range(
    lowest: Float,
    highest: Float,
    following: DenseLayer,
    unit: Float,
    bits: int,
    *,
    last: bool,
    symmetric: bool,
) -> tuple[Long, Long]:
    """Payload range of a signal whose calibrated range is lowest..highest (in payloads).

    A channel that never varied gets its layer's median range: it must be able to speak in new
    states.
    """
    quiet = (highest <= 0) & (lowest >= 0)
    if (~quiet).any():
        usual = float(np.median(highest[~quiet]))
    else:
        usual = 1.0
    highest = np.where(quiet, max(usual, 1.0), highest)
    for headroom in HEADROOM:
        high = np.clip(np.ceil(headroom * highest), 1, STATE_LIMIT).astype(np.int64)
        if symmetric:
            low = -high
        else:
            low = np.clip(np.floor(headroom * lowest), -STATE_LIMIT, 0).astype(np.int64)
        if fits(following, unit, low, high, bits, RowKind(Coding.ACROSS, readout=last)):
            break
    return low, high


def readout_layer(rows: IntegerRows, hold_input: bool) -> Layer:
    """The last layer of any network."""
    nothing = np.zeros(len(rows.bias), np.int32)
    return Layer(
        neuron=READOUT,
        weights=rows.weights.astype(np.int8),
        bias=rows.bias.astype(np.int32),
        row_scale=rows.scale,
        threshold=nothing,
        payload_low=nothing,
        payload_high=nothing,
        unit=rows.scale,
        activation="identity",
        hold_input=hold_input,
    )
