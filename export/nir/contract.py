"""The discrete-time contract of a graph: everything that decides its integers and that NIR's nodes
do not say.

NIR's equations are continuous and leave time steps, delays, resets in the same or the next step and
number formats to the simulator. These facts stand as JSON under `spikeport/contract` in the graph's
metadata; they are derived from the artifact, so a reader computes them again and compares.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spikeport.export.nir.nir_graph import IF, LIF_TIMESTEP, refuse_foreign_neurons
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.network.parameters import STATE_LIMIT

CONTRACT_VERSION = "1.0"
SATURATE = f"v <- clip(v, -{STATE_LIMIT}, {STATE_LIMIT})"


def contract_of(artifact: Artifact) -> dict[str, Any]:
    """The contract as JSON values. Raises InputError for neurons without a NIR node."""
    refuse_foreign_neurons(artifact)
    network = artifact.network
    rate = network.neuron == IF
    return {
        "version": CONTRACT_VERSION,
        "neuron": network.neuron,
        "time": _time(network, 1.0 if rate else LIF_TIMESTEP),
        "membrane": _soft_reset(network) if rate else _hard_reset(network),
        "input": _observation(artifact) | (_held() if rate else _encoder_spikes(network)),
        "readout": _readout(artifact),
        "integers": _integers(network) | (_rate_units() if rate else _spiking_units()),
    }


def _time(network: Network, timestep: float) -> dict[str, Any]:
    return {
        "dt": timestep,
        "integration": "forward Euler",
        "timesteps_per_decision": network.timesteps,
        "layer_delay": 0,
        "layer_delay_means": (
            "within a timestep a layer sees the spikes that the layer before it sends in that"
            " timestep"
        ),
        "chip_layer_delay": 1,
        "chip_steps_per_decision": network.chip_steps,
        "chip_window": (
            "layer l works in steps l + 1 .. l + T of a decision; its bias acts only there"
        ),
        "resync_every": network.resync_every,
    }


def _soft_reset(network: Network) -> dict[str, Any]:
    return {
        "update_order": ["integrate", "saturate", "compare", "reset"],
        "integrate": "v <- v + W x + b",
        "saturate": SATURATE,
        "fires": "v > theta",
        "reset": "subtract",
        "reset_amount": "theta",
        "reset_delay": 0,
        "v_init": "theta // 2",
        "carry_over": {
            "alpha": network.alpha,
            "alpha_denominator": 64,
            "rule": (
                "dv = max(v_end - v_start, -spikes * theta); v_start <- clip(v_init + ((alpha * dv"
                " + 32) >> 6), low, high)"
            ),
            "low": "0",
            "high": "theta",
        },
        "window_start": "v <- v_start, by the carry-over rule; at an episode's start v <- v_init",
    }


def _hard_reset(network: Network) -> dict[str, Any]:
    return {
        "update_order": [
            "decay the current",
            "add the input",
            "decay the membrane",
            "integrate",
            "saturate",
            "compare",
            "reset",
        ],
        "decay": "decay(x, k) = sign(x) * (|x| * k >> 12)",
        "current": (
            "u <- decay(u, 4095 - current_decay) + ((W s [+ b]) << weight_exponent + 6); the bias"
            " here with bias_in_current"
        ),
        "integrate": "v <- decay(v, 4096 - voltage_decay) + u [+ b]; the bias here without",
        "saturate": SATURATE,
        "fires": "v > theta << 6",
        "reset": "zero",
        "reset_delay": 0,
        "v_init": "0",
        "carry_over": None,
        "window_start": "u <- 0, v <- 0 in each decision",
        "layers": [
            None if layer.dynamics is None else asdict(layer.dynamics) for layer in network.layers
        ],
    }


def _observation(artifact: Artifact) -> dict[str, Any]:
    time = artifact.observation.time_feature
    return {
        "observation": (
            "x = clip((features - observation.mean) / sqrt(observation.variance + epsilon), -clip,"
            " clip)"
        ),
        "time_feature": (
            None
            if time is None
            else (
                "1 - decision / max_steps, appended last"
                if not time.test_mode
                else "1, appended last"
            )
        ),
    }


def _held() -> dict[str, Any]:
    return {
        "encode": "q0 = clip(floor(x / encoder.scale + 0.5), -encoder.limit, encoder.limit)",
        "graph_input": "q0 * encoder.scale, the same in each timestep of a decision",
        "chip_input": "q0 once, in the first timestep; the first layer latches W q0",
    }


def _encoder_spikes(network: Network) -> dict[str, Any]:
    coding = network.spike_coding
    assert coding is not None  # the spiking networks of lif
    if coding.mean is not None:
        activation = "a = exp(-(z - mean)^2 / (2 std^2)), P neurons per feature"
    else:
        activation = "a = z"
    return {
        "transform": coding.transform,
        "encode": (
            f"z = transform(x); {activation}; q = clip(floor(a / encoder.scale + 0.5),"
            " -encoder.limit, encoder.limit)"
        ),
        "encoder_neurons": (
            "v <- v + q; spike if v > threshold; v <- v - threshold; T times from v = 0"
        ),
        "encoder_threshold": coding.threshold,
        "graph_input": "the encoder's spikes, timestep by timestep",
        "chip_input": "the same spikes",
    }


def _readout(artifact: Artifact) -> dict[str, Any]:
    action = artifact.action
    network = artifact.network
    squash = "squash(y) * action.scale + action.offset" + (
        "" if action.low is None else ", clipped to action.low .. action.high"
    )
    counts = network.spike_coding is not None
    return {
        "rule": "y: mean of the graph's output over the timesteps of a decision",
        "accumulate": (
            "count of the last layer's spikes"
            if counts
            else "acc = T * b + sum over timesteps of W s"
        ),
        "divisor": network.divisor,
        "y": (
            "decoder_weights . count / divisor + decoder_bias, group by group"
            if counts
            else "acc * row_scale / divisor"
        ),
        "decode": f"action = {squash}",
        "squash": action.squash,
    }


def _integers(network: Network) -> dict[str, Any]:
    return {
        "arrays": (
            "spikeport/arrays, named as in the .spk format: layers.{l}.weights, .bias, .threshold,"
            " .row_scale, .unit, encoder.scale, encoder.limit"
        ),
        "weights": "int8, symmetric",
        "state_bits": 24,
        "layers": [list(layer.weights.shape) for layer in network.layers],
    }


def _rate_units() -> dict[str, Any]:
    return {
        "hidden_parameter": "NIR's value = integer / theta",
        "readout_parameter": "NIR's value = integer * row_scale",
        "first_layer": "columns divided by encoder.scale besides",
    }


def _spiking_units() -> dict[str, Any]:
    return {
        "weight": "NIR's value = integer * 2^weight_exponent / theta",
        "bias": "the same with bias_in_current, integer / (64 theta) without",
        "tau": "dt / (1 - kept share), r = tau_mem / dt, w_in = tau_syn / dt",
        "decoder": "spike_coding.decoder_weights in blocks, spike_coding.decoder_bias",
    }
