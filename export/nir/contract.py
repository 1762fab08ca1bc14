"""The discrete-time contract of a graph: what decides its integers and NIR's nodes do not say.

NIR's equations are continuous and leave time steps, delays, resets in the same or the next step and
number formats to the simulator. These facts stand as JSON under `spikeport/contract` in the graph's
metadata; they are derived from the artifact, so a reader computes them again and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from spikeport.export.host_description import spike_coding_of
from spikeport.export.nir.nir_graph import IF, LIF_TIMESTEP, refuse_foreign_neurons
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons import LeakyIntegrateAndFire
from spikeport.toolchain.neurons.leaky_integrate_and_fire import dynamics_of

CONTRACT_VERSION = "1.0"
SATURATE = f"v <- clip(v, -{STATE_LIMIT}, {STATE_LIMIT})"


def contract_of(artifact: Artifact) -> dict[str, Any]:
    """The contract as JSON values. Raises InputError for neurons without a NIR node."""
    refuse_foreign_neurons(artifact)
    network = artifact.network
    own = TIMING[network.neuron]
    return {
        "version": CONTRACT_VERSION,
        "neuron": network.neuron,
        "time": _time(network, own.timestep),
        "membrane": own.membrane(network),
        "input": _observation(artifact) | own.input(network),
        "readout": _readout(artifact),
        "integers": _integers(network) | own.units,
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
        "layers": [asdict(dynamics_of(layer)) for layer in network.layers],
    }


def _observation(artifact: Artifact) -> dict[str, Any]:
    time = artifact.observation.time_feature
    appended = None
    if time is not None:
        value = "1" if time.test_mode else "1 - decision / max_steps"
        appended = f"{value}, appended last"
    return {
        "observation": (
            "x = clip((features - observation.mean) / sqrt(observation.variance + epsilon), -clip,"
            " clip)"
        ),
        "time_feature": appended,
    }


def _held(network: Network) -> dict[str, Any]:
    return {
        "encode": "q0 = clip(floor(x / encoder.scale + 0.5), -encoder.limit, encoder.limit)",
        "graph_input": "q0 * encoder.scale, the same in each timestep of a decision",
        "chip_input": "q0 once, in the first timestep; the first layer latches W q0",
    }


def _encoder_spikes(network: Network) -> dict[str, Any]:
    coding = spike_coding_of(network)
    activation = "a = exp(-(z - mean)^2 / (2 std^2)), P neurons per feature"
    if coding.mean is None:
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
    squash = "squash(y) * action.scale + action.offset"
    if action.low is not None:
        squash += ", clipped to action.low .. action.high"
    return READOUTS[network.code.name] | {
        "rule": "y: mean of the graph's output over the timesteps of a decision",
        "divisor": network.divisor,
        "decode": f"action = {squash}",
        "squash": action.squash,
    }


READOUTS = {
    "value": {
        "accumulate": "acc = T * b + sum over timesteps of W s",
        "y": "acc * row_scale / divisor",
    },
    "spikes": {
        "accumulate": "count of the last layer's spikes",
        "y": "decoder_weights . count / divisor + decoder_bias, group by group",
    },
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


RATE_UNITS = {
    "hidden_parameter": "NIR's value = integer / theta",
    "readout_parameter": "NIR's value = integer * row_scale",
    "first_layer": "columns divided by encoder.scale besides",
}
SPIKING_UNITS = {
    "weight": "NIR's value = integer * 2^weight_exponent / theta",
    "bias": "the same with bias_in_current, integer / (64 theta) without",
    "tau": "dt / (1 - kept share), r = tau_mem / dt, w_in = tau_syn / dt",
    "decoder": "spike_coding.decoder_weights in blocks, spike_coding.decoder_bias",
}


@dataclass(frozen=True)
class Timing:
    """What the contract says of one neuron.

    Attributes:
        timestep: dt in the units of its time constants.
        membrane: Update order, reset and carry-over.
        input: How the host's input reaches the graph.
        units: What NIR's parameters are in the artifact's integers.
    """

    timestep: float
    membrane: Callable[[Network], dict[str, Any]]
    input: Callable[[Network], dict[str, Any]]
    units: dict[str, str]


TIMING = {
    IF: Timing(1.0, _soft_reset, _held, RATE_UNITS),
    LeakyIntegrateAndFire.id: Timing(LIF_TIMESTEP, _hard_reset, _encoder_spikes, SPIKING_UNITS),
}
