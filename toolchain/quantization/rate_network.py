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
STEPS = np.geomspace(2**13, 2**4, 19)  # of the widest channel; the input is sent once, so width costs nothing


def rate_network(policy: Policy, statistics: PolicyStatistics, thresholds: list[Float], bits: int, timesteps: int, alpha: int, neuron: str = "if@1") -> Network:
    """`thresholds` [hidden layer][neuron] in real units (toolchain/conversion/thresholds.py)."""
    scale, limit = _input_scale(policy, statistics, bits, timesteps)
    values = np.clip(np.floor(statistics.inputs / scale + 0.5), -limit, limit).astype(np.int64)
    signal, layers = InputSignal(values, scale, -limit, limit), []
    for index, dense in enumerate(policy.layers):
        last = index == len(policy.layers) - 1
        rows = round_layer(dense, signal, statistics.pre_activations[index], bits, across=False, readout=last, timesteps=timesteps)
        if last:
            layers.append(readout_layer(rows, hold_input=index == 0))
            break
        theta = 2 * np.clip(np.rint(thresholds[index] / (2 * rows.scale)), 1, STATE_LIMIT // 2).astype(np.int64)  # even: theta // 2 is exact
        unit = theta * rows.scale
        silent, spike = np.zeros(len(theta), np.int32), np.ones(len(theta), np.int32)
        layers.append(
            Layer(
                neuron=neuron,
                weights=rows.weights.astype(np.int8),
                bias=rows.bias.astype(np.int32),
                row_scale=rows.scale,
                threshold=theta.astype(np.int32),
                payload_low=silent,
                payload_high=spike,
                unit=unit,
                activation="relu",
                hold_input=index == 0,
            )
        )
        rates = np.clip(np.maximum(statistics.pre_activations[index], 0) / unit, 0, 1)
        signal = InputSignal(rates, unit, silent.astype(np.int64), spike.astype(np.int64))
    return Network(Encoder(scale, limit.astype(np.int32)), tuple(layers), timesteps, alpha)


def _input_scale(policy: Policy, statistics: PolicyStatistics, bits: int, timesteps: int) -> tuple[Float, NDArray[np.int64]]:
    """Scale and limit of every input channel, as fine as the proof allows.

    A row's weights share one scale. Steps in proportion to a channel's range treat all ranges alike, steps in
    inverse proportion to its weights let every column use the integers to the full; the geometric mean of both
    gave the least action error on the policies measured.
    """
    weights = policy.layers[0].weight.astype(np.float64)
    norms = np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-30)
    strength = np.sqrt(((weights / norms) ** 2).mean(0))
    strength = np.maximum(strength, 1e-3 * float(strength.max()) + 1e-30)
    span = np.maximum(np.abs(statistics.signals[0].low), np.abs(statistics.signals[0].high))
    span = HEADROOM * np.where(span > 0, span, float(np.median(span[span > 0])) if (span > 0).any() else 1.0)
    shape = np.sqrt(span / strength)
    finest = float((span / shape).max())
    for steps in STEPS:
        scale = shape * finest / steps
        limit = np.maximum(np.ceil(span / scale), 1).astype(np.int64)
        if fits(policy.layers[0], scale, -limit, limit, bits, across=False, readout=len(policy.layers) == 1, timesteps=timesteps):
            break
    return scale, limit
