"""What an artifact of `lif@1` must keep to.

The registers of a stock LIF and the host's arithmetic around it.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.network.codes import (
    ENCODER_UNITS,
    LARGEST_EXPONENT,
    LARGEST_MANTISSA,
    LARGEST_THRESHOLD,
    LARGEST_WEIGHT_EXPONENT,
    TRANSFORMS,
    SpikeCoding,
    bias_exponent,
)
from spikeport.toolchain.network.integer_network import Layer, Network

SMALLEST_STD = 1e-9  # its square still divides


def lif_layer_problems(layer: Layer) -> list[str]:
    """Problems of a lif layer whose arrays have the right shapes."""
    dynamics = layer.dynamics
    problems = []
    if dynamics is None:
        return ["lif@1 needs dynamics"]
    for name, low, high in (
        ("current_decay", 0, 4095),
        ("voltage_decay", 0, 4096),
        ("weight_exponent", 0, LARGEST_WEIGHT_EXPONENT),
    ):
        if not low <= getattr(dynamics, name) <= high:
            problems.append(f"{name} is {getattr(dynamics, name)}, {low}..{high} expected")
    if (layer.threshold != layer.threshold[0]).any() or (
        layer.row_scale != layer.row_scale[0]
    ).any():
        problems.append("lif@1 has one threshold and one row scale per layer")
    if dynamics.bias_in_current:
        largest = LARGEST_MANTISSA - 1
    else:
        largest = LARGEST_THRESHOLD
    if ((layer.threshold < 1) | (layer.threshold > largest)).any():
        problems.append(
            f"thresholds must be 1..{largest}"
            + (
                ", so that a neuron can always spike on its bias"
                if dynamics.bias_in_current
                else ""
            )
        )
    if dynamics.bias_in_current and (np.abs(layer.bias.astype(np.int64)) > 127).any():
        problems.append("a bias in the current is a weight, -127..127")
    elif not dynamics.bias_in_current and bias_exponent(layer.bias) < 0:
        problems.append(
            f"biases must be one mantissa of at most {LARGEST_MANTISSA} each times one power of two"
            f" up to 2^{LARGEST_EXPONENT}"
        )
    if (layer.payload_low != 0).any() or (layer.payload_high != 1).any():
        problems.append("the payload of lif@1 is within 0..1")
    if (layer.unit != 1).any():
        problems.append("a spike of lif@1 has the unit 1")
    if layer.activation != "identity" or layer.table is not None or layer.trigger != 1:
        problems.append("lif@1 has the activation identity, no table and trigger 1")
    return problems


def spike_coding_problems(
    network: Network, coding: SpikeCoding, features: int, actions: int
) -> list[str]:
    """Problems of the encoder's and decoder's numbers."""
    problems = []
    outputs = network.layers[-1].outputs
    if coding.transform not in TRANSFORMS:
        problems.append(f"unknown observation transform {coding.transform!r}")
    if not 1 <= coding.threshold <= ENCODER_UNITS:
        problems.append(
            f"the encoder's threshold is {coding.threshold}, 1..{ENCODER_UNITS} expected"
        )
    if (network.encoder.limit > ENCODER_UNITS).any():
        problems.append(f"the encoder's limits must be 1..{ENCODER_UNITS}")
    if (coding.mean is None) != (coding.std is None):
        problems.append("a population encoder needs mean and std")
    elif coding.mean is not None and coding.std is not None:
        if (
            coding.mean.ndim != 2
            or coding.mean.shape != coding.std.shape
            or coding.mean.shape[0] != features
            or coding.mean.shape[1] < 1
        ):
            problems.append(
                f"the encoder's mean and std have shapes {coding.mean.shape}, {coding.std.shape}"
                f" for {features} features"
            )
        elif not (
            np.isfinite(coding.mean).all()
            and np.isfinite(coding.std).all()
            and (np.abs(coding.std) >= SMALLEST_STD).all()
        ):
            problems.append(
                f"the encoder's mean and std must be finite, std at least {SMALLEST_STD:g}"
            )
    weights = coding.decoder_weights
    if (
        weights.ndim != 2
        or len(weights) != actions
        or weights.size != outputs
        or coding.decoder_bias.shape != (actions,)
    ):
        problems.append(
            f"the decoder has shapes {weights.shape}, {coding.decoder_bias.shape} for {outputs}"
            f" output neurons and {actions} action channels"
        )
    elif not (np.isfinite(weights).all() and np.isfinite(coding.decoder_bias).all()):
        problems.append("the decoder's numbers must be finite")
    if (
        len(
            {
                layer.dynamics is not None and layer.dynamics.bias_in_current
                for layer in network.layers
            }
        )
        > 1
    ):
        problems.append("biases go to the current in all layers or in none")
    if network.alpha or network.resync_every:
        problems.append("lif@1 carries nothing over: alpha and resync_every must be 0")
    return problems
