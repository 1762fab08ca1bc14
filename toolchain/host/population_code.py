"""Encode and decode of a spike code, one function each for every backend.

float64, no fast-math; the equations stand in toolchain/network/codes.py. The encoder's neurons
integrate integers, so the network's input of a decision is one integer per input neuron here as
everywhere.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.compilation import njit
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.host.value_code import remaining_time_scale
from spikeport.toolchain.network.integer_network import Network

Float = NDArray[np.float64]

# bits of SpikeHost.flags
HAS_CLIP = 1
TANH_INPUT = 2
POPULATION = 4
SQUASH_TANH = 8
CLIP_ACTION = 16
HAS_TIME = 32


class SpikeHost(NamedTuple):
    """Contracts, encoder and decoder as flat arrays.

    A named tuple, so that compiled code takes it whole.
    """

    shift: Float  # [features]
    observation_divisor: Float  # [features]
    mean: Float  # [features, P]
    std: Float  # [features, P]
    scale: Float  # [inputs]
    limit: Float  # [inputs]
    decoder_weights: Float  # [act, P_out]
    decoder_bias: Float  # [act]
    action_scale: Float  # [act]
    action_offset: Float  # [act]
    low: Float  # [act]
    high: Float  # [act]
    clip: float
    max_steps: float  # of the time feature
    timesteps: float
    flags: int


def spike_host(
    network: Network, observation: ObservationContract, action: ActionContract
) -> SpikeHost:
    """Collect what encode and decode need from the parts of an artifact with a spike coding."""
    coding = network.spike_coding
    assert coding is not None
    flags = (
        HAS_CLIP * (observation.clip is not None)
        | TANH_INPUT * (coding.transform == "tanh")
        | POPULATION * (coding.mean is not None)
        | SQUASH_TANH * (action.squash == "tanh")
        | CLIP_ACTION * (action.low is not None)
        | HAS_TIME * (observation.time_feature is not None)
    )
    nothing = np.zeros(action.size)
    nobody = np.zeros((observation.features, 1))

    def array(values: NDArray[Any]) -> Float:
        return np.ascontiguousarray(values, np.float64)

    return SpikeHost(
        shift=array(observation.shift),
        observation_divisor=array(observation.divisor),
        mean=array(nobody if coding.mean is None else coding.mean),
        std=array(nobody if coding.std is None else coding.std),
        scale=array(network.encoder.scale),
        limit=array(network.encoder.limit),
        decoder_weights=array(coding.decoder_weights),
        decoder_bias=array(coding.decoder_bias),
        action_scale=array(action.scale),
        action_offset=array(action.offset),
        low=array(nothing if action.low is None else action.low),
        high=array(nothing if action.high is None else action.high),
        clip=0.0 if observation.clip is None else float(observation.clip),
        max_steps=remaining_time_scale(observation),
        timesteps=float(network.timesteps),
        flags=int(flags),
    )


@njit(inline="never", boundscheck=False)
def encode_spiking(host, observation, decision, q):
    """Activations of one observation in the encoder's units, into q [inputs] (int32).

    Returns (saturated inputs, -1), or (0, i) when channel i is not finite.
    """
    size = observation.shape[0]
    saturated = 0
    per_feature = host.mean.shape[1]
    for i in range(host.shift.shape[0]):
        if i < size:
            value = observation[i]
        else:
            value = 1.0 - decision / host.max_steps
        if not math.isfinite(value):
            return 0, i
        value = (value - host.shift[i]) / host.observation_divisor[i]
        if host.flags & 1:
            value = min(max(value, -host.clip), host.clip)
        if host.flags & 2:
            value = math.tanh(value)
        for j in range(per_feature):
            at = i * per_feature + j
            activation = value
            if host.flags & 4:
                distance = value - host.mean[i, j]
                std = host.std[i, j]
                activation = math.exp(-0.5 * (distance * distance) / (std * std))
            steps = np.floor(activation / host.scale[at] + 0.5)
            if steps > host.limit[at]:
                steps = host.limit[at]
                saturated += 1
            elif steps < -host.limit[at]:
                steps = -host.limit[at]
                saturated += 1
            q[at] = np.int32(steps)
    return saturated, -1


@njit(inline="never", boundscheck=False)
def decode_counts(host, counts, action):
    """Action [act] (float64) of the last layer's spike counts [neurons] (int32)."""
    per_action = host.decoder_weights.shape[1]
    for k in range(action.shape[0]):
        value = 0.0
        for j in range(per_action):
            value += host.decoder_weights[k, j] * counts[k * per_action + j]
        value = value / host.timesteps + host.decoder_bias[k]
        if host.flags & 8:
            value = math.tanh(value)
        value = value * host.action_scale[k] + host.action_offset[k]
        if host.flags & 16:
            value = min(max(value, host.low[k]), host.high[k])
        action[k] = value
