"""A network of `lif@1` laid out flat for its kernel, as plan.py does it for the other neurons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.host.population_code import SpikeHost, spike_host
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.network.parameters import ACT_SHIFT
from spikeport.toolchain.neurons.leaky_integrate_and_fire import dynamics_of

# Rows of SpikingPlan.layers, one column per layer.
INPUTS, OUTPUTS, WEIGHTS, NEURONS, FAN_OUT, KEPT_U, KEPT_V, SHIFT, THRESHOLD, IN_CURRENT = range(10)


class SpikingPlan(NamedTuple):
    """What the kernel reads. Weights are input-major: the column of a sender is contiguous."""

    layers: NDArray[np.int64]  # [10, L]
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]  # flat, per neuron
    fan_out: NDArray[np.int32]  # flat, per layer's input
    encoder_threshold: int
    timesteps: int
    widest: int
    neurons: int


def spiking_state_size(network: Network) -> int:
    """Integers of state of one row: v of the encoder's neurons, then u and v of each layer."""
    return network.widths[0] + 2 * sum(network.widths[1:])


def pack_spiking(artifact: Artifact) -> tuple[SpikingPlan, SpikeHost]:
    """The plan and the host's constants of an artifact with a spike coding."""
    network = artifact.network
    assert network.spike_coding is not None
    table = np.zeros((10, len(network.layers)), np.int64)
    at_weight = at_neuron = at_fan_out = 0
    for index, layer in enumerate(network.layers):
        dynamics = dynamics_of(layer)
        kept = (4095 - dynamics.current_decay, 4096 - dynamics.voltage_decay)
        shift = dynamics.weight_exponent + ACT_SHIFT
        threshold = int(layer.threshold[0]) << ACT_SHIFT
        table[:, index] = (
            layer.inputs,
            layer.outputs,
            at_weight,
            at_neuron,
            at_fan_out,
            *kept,
            shift,
            threshold,
            dynamics.bias_in_current,
        )
        at_weight += layer.weights.size
        at_neuron += layer.outputs
        at_fan_out += layer.inputs
    plan = SpikingPlan(
        table,
        np.concatenate([np.ascontiguousarray(layer.weights.T).ravel() for layer in network.layers]),
        np.concatenate([layer.bias for layer in network.layers]).astype(np.int32),
        np.concatenate([layer.fan_out for layer in network.layers]).astype(np.int32),
        network.spike_coding.threshold,
        network.timesteps,
        max(network.widths),
        at_neuron,
    )
    return plan, spike_host(network, artifact.observation, artifact.action)
