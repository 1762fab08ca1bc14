"""A float ReLU policy to an integer rate network (`if@1`): thresholds from maxima, the input held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from toolchain.conversion.statistics import PolicyStatistics
from toolchain.network import STATE_LIMIT, Encoder, Layer, Network
from toolchain.policies.policy import Policy
from toolchain.quantization.layer_rounding import InputSignal, fits, round_layer
from toolchain.quantization.sigma_delta_network import readout_layer

Float = NDArray[np.float64]
HEADROOM = 2.0  # of the calibrated input range
INPUT_BITS = (14, 13, 12, 11, 10, 9, 8, 7, 6)  # the input is a graded payload sent once: width costs nothing


def rate_network(policy: Policy, statistics: PolicyStatistics, thresholds: list[Float], bits: int, timesteps: int, alpha: int, neuron: str = "if@1") -> Network:
    """`thresholds` [hidden layer][neuron] in real units (toolchain/conversion/thresholds.py)."""
    single = len(policy.layers) == 1
    span = np.maximum(np.abs(statistics.signals[0].low), np.abs(statistics.signals[0].high))
    span = HEADROOM * np.where(span > 0, span, float(np.median(span[span > 0])) if (span > 0).any() else 1.0)
    for width in INPUT_BITS:
        limit = np.full(len(span), 2 ** (width - 1) - 1, np.int64)
        scale = span / limit
        if fits(policy.layers[0], scale, -limit, limit, bits, across=False, readout=single, timesteps=timesteps):
            break
    values = np.clip(np.floor(statistics.inputs / scale + 0.5), -limit, limit).astype(np.int64)
    signal, layers = InputSignal(values, scale, -limit, limit), []
    for index, dense in enumerate(policy.layers):
        last = index == len(policy.layers) - 1
        rows = round_layer(dense, signal, statistics.pre_activations[index], bits, across=False, readout=last, timesteps=timesteps)
        if last:
            layers.append(readout_layer(rows, hold_input=index == 0))
            break
        theta = np.clip(np.rint(thresholds[index] / rows.scale), 1, STATE_LIMIT).astype(np.int64)
        unit = theta * rows.scale
        silent, spike = np.zeros(len(theta), np.int32), np.ones(len(theta), np.int32)
        layers.append(Layer(
            neuron=neuron, weights=rows.weights.astype(np.int8), bias=rows.bias.astype(np.int32), row_scale=rows.scale, threshold=theta.astype(np.int32),
            payload_low=silent, payload_high=spike, unit=unit, activation="relu", hold_input=index == 0,
        ))  # fmt: skip
        rates = np.clip(np.maximum(statistics.pre_activations[index], 0) / unit, 0, 1)
        signal = InputSignal(rates, unit, silent.astype(np.int64), spike.astype(np.int64))
    return Network(Encoder(scale, limit.astype(np.int32)), tuple(layers), timesteps, alpha)
