"""A float ReLU policy to an integer network of rate neurons (`if@1`, `snm@1`, `mt@1`, `dc@1`).

Thresholds are the largest activations, in differential coding shares of them (threshold_search.py).
A window's input is q0, once: held by the first layer, or, in differential coding, sent at t = 1 and
kept in the running mean. Rows are fitted on ideal rates: rows fitted on what a window's few levels
make of them came closer to the policy on calibration states and lost return in the closed loop
(DDPG, HalfCheetah).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.schemes.rate_thresholds import (
    SEARCHED_FROM,
    SHARES,
    least_error_thresholds,
    window_payloads,
    with_threshold,
)
from spikeport.toolchain.conversion.schemes.sigma_delta import readout_layer
from spikeport.toolchain.conversion.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.thresholds import column_strength
from spikeport.toolchain.network.integer_network import Coding, Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons import HIDDEN_NEURONS, network_of
from spikeport.toolchain.neurons.bounds import RowKind
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.quantization.layer_rounding import InputSignal, fits, round_layer

Float = NDArray[np.float64]
HEADROOM = 2.0  # of the calibrated input range
STEPS = np.geomspace(
    2**13, 2**4, 19
)  # of the widest channel; the input is sent once, so width costs nothing


def rate_network(
    policy: Policy,
    statistics: PolicyStatistics,
    thresholds: list[Float],
    bits: int,
    timesteps: int,
    alpha: int,
    neuron: str = "if@1",
    shares: tuple[float, ...] = SHARES[0],
) -> Network:
    """`thresholds` [hidden layer][neuron]: the largest useful theta in real units
    (toolchain/conversion/thresholds.py); `shares` of it are tried in differential coding.
    """
    spikes = HIDDEN_NEURONS[neuron].traits
    coding = spikes.coding if len(policy.layers) > 1 else Coding.RATE
    scale, limit = _input_scale(
        policy,
        statistics,
        bits,
        RowKind(coding, timesteps, readout=len(policy.layers) == 1, first=True),
    )
    wanted = statistics.pre_activations
    values = np.clip(np.floor(statistics.inputs / scale + 0.5), -limit, limit).astype(np.int64)
    signal = InputSignal(values, scale, -limit, limit)
    arriving = values[:, None]
    layers = []
    for index, dense in enumerate(policy.layers):
        last = index == len(policy.layers) - 1
        kind = RowKind(coding, timesteps, readout=last, first=index == 0)
        hold = index == 0 and coding == Coding.RATE
        if last:
            layers.append(
                readout_layer(
                    round_layer(dense, signal, wanted[index], bits, kind), hold_input=hold
                )
            )
            break
        if coding == Coding.DIFFERENTIAL:
            largest = kind.largest_lambda
        else:
            largest = STATE_LIMIT // (2 * spikes.levels)
        searched = coding == Coding.DIFFERENTIAL and timesteps >= SEARCHED_FROM
        largest_theta = thresholds[index] * (max(1.0, *shares) if searched else 1.0)
        rows = round_layer(
            dense, signal, wanted[index], bits, kind, largest_theta / (spikes.levels * largest)
        )
        low, high = (np.full(dense.outputs, end, np.int64) for end in (spikes.low, spikes.high))
        layer = Layer(
            neuron=neuron,
            weights=rows.weights.astype(np.int8),
            bias=rows.bias.astype(np.int32),
            row_scale=rows.scale,
            threshold=np.zeros(dense.outputs, np.int32),
            payload_low=low.astype(np.int32),
            payload_high=high.astype(np.int32),
            unit=rows.scale,
            activation="relu",
            hold_input=hold,
        )
        layer = with_threshold(
            layer, np.minimum(thresholds[index] / (spikes.levels * rows.scale), largest - 1)
        )
        reach = float(spikes.levels)
        if coding == Coding.DIFFERENTIAL:
            if searched:
                layer = least_error_thresholds(
                    layer,
                    arriving,
                    np.maximum(wanted[index], 0),
                    timesteps,
                    coding,
                    shares,
                    largest - 1,
                )
            arriving = window_payloads(layer, arriving, timesteps)
            reach *= sum(1 / t for t in range(1, timesteps + 1))
        layers.append(layer)
        signal = InputSignal(
            np.clip(np.maximum(wanted[index], 0) / layer.unit, 0, reach), layer.unit, low, high
        )
    return network_of(Encoder(scale, limit.astype(np.int32)), tuple(layers), timesteps, alpha)


def _input_scale(
    policy: Policy, statistics: PolicyStatistics, bits: int, kind: RowKind
) -> tuple[Float, NDArray[np.int64]]:
    """Scale and limit of every input channel, as fine as the proof allows.

    A row's weights share one scale. Steps in proportion to a channel's range treat all ranges
    alike, steps in inverse proportion to its weights let every column use the integers to the full;
    the geometric mean of both gave the least action error on the policies measured.
    """
    span = np.maximum(np.abs(statistics.signals[0].low), np.abs(statistics.signals[0].high))
    span = HEADROOM * np.where(
        span > 0, span, float(np.median(span[span > 0])) if (span > 0).any() else 1.0
    )
    shape = np.sqrt(span / column_strength(policy.layers[0]))
    finest = float((span / shape).max())
    for steps in STEPS:
        scale = shape * finest / steps
        limit = np.maximum(np.ceil(span / scale), 1).astype(np.int64)
        if fits(policy.layers[0], scale, -limit, limit, bits, kind):
            break
    return scale, limit
