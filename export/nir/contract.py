"""The discrete-time contract of a graph: everything that decides its integers and that NIR's nodes do not say.

NIR's equations are continuous and leave time steps, delays, resets in the same or the next step and number formats
to the simulator. These facts stand as JSON under `spikeport/contract` in the graph's metadata; they are derived from the artifact, so a
reader computes them again and compares.
"""

from __future__ import annotations

from typing import Any

from export.nir.graph import mapping_of
from toolchain.artifact import Artifact
from toolchain.network import STATE_LIMIT, Network

CONTRACT_VERSION = "1.0"


def contract_of(artifact: Artifact) -> dict[str, Any]:
    """The contract as JSON values. Raises InputError for neurons without a NIR node."""
    network = artifact.network
    return {
        "version": CONTRACT_VERSION,
        "neuron": network.neuron,
        "time": _time(network, mapping_of(artifact).timestep),
        "membrane": _membrane(network),
        "input": _input(artifact),
        "readout": _readout(artifact),
        "integers": _integers(network),
    }


def _time(network: Network, timestep: float) -> dict[str, Any]:
    return {
        "dt": timestep,
        "timesteps_per_decision": network.timesteps,
        "layer_delay": 0,
        "layer_delay_means": "within a timestep a layer sees the spikes that the layer before it sends in that timestep",
        "chip_layer_delay": 1,
        "chip_steps_per_decision": network.chip_steps,
        "chip_window": "layer l works in steps l + 1 .. l + T of a decision; its bias acts only there",
        "resync_every": network.resync_every,
    }


def _membrane(network: Network) -> dict[str, Any]:
    return {
        "update_order": ["integrate", "saturate", "compare", "reset"],
        "integrate": "v <- v + W x + b",
        "saturate": f"v <- clip(v, -{STATE_LIMIT}, {STATE_LIMIT})",
        "fires": "v > theta",
        "reset": "subtract",
        "reset_amount": "theta",
        "reset_delay": 0,
        "v_init": "theta // 2",
        "carry_over": {
            "alpha": network.alpha,
            "alpha_denominator": 64,
            "rule": "dv = max(v_end - v_start, -spikes * theta); v_start <- clip(v_init + ((alpha * dv + 32) >> 6), low, high)",
            "low": "0",
            "high": "theta",
        },
        "window_start": "v <- v_start, by the carry-over rule; at an episode's start v <- v_init",
    }


def _input(artifact: Artifact) -> dict[str, Any]:
    time = artifact.observation.time_feature
    return {
        "observation": "x = clip((features - observation.mean) / sqrt(observation.variance + epsilon), -clip, clip)",
        "time_feature": None if time is None else "1 - decision / max_steps, appended last" if not time.test_mode else "1, appended last",
        "encode": "q0 = clip(floor(x / encoder.scale + 0.5), -encoder.limit, encoder.limit)",
        "graph_input": "q0 * encoder.scale, the same in each timestep of a decision",
        "chip_input": "q0 once, in the first timestep; the first layer latches W q0",
    }


def _readout(artifact: Artifact) -> dict[str, Any]:
    action = artifact.action
    return {
        "rule": "mean of the graph's output over the timesteps of a decision",
        "accumulate": "acc = T * b + sum over timesteps of W s",
        "divisor": artifact.network.divisor,
        "decode": "action = squash(acc * row_scale / divisor) * action.scale + action.offset"
        + ("" if action.low is None else ", clipped to action.low .. action.high"),
        "squash": action.squash,
    }


def _integers(network: Network) -> dict[str, Any]:
    return {
        "arrays": "spikeport/arrays, named as in the .spk format: layers.{l}.weights, .bias, .threshold, .row_scale, .unit, encoder.scale, encoder.limit",
        "weights": "int8, symmetric; one row_scale per row",
        "state_bits": 24,
        "hidden_parameter": "NIR's value = integer / theta",
        "readout_parameter": "NIR's value = integer * row_scale",
        "first_layer": "columns divided by encoder.scale besides",
        "layers": [list(layer.weights.shape) for layer in network.layers],
    }
