"""Encode and decode of a value code, one function each for every backend.

They are the only floating-point arithmetic at run time. They are compiled so that the fast kernels
can call them row by row; the other backends call the very same ones. float64, no fast-math, so
every backend gets the same bits (contract section 1.3).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.compilation import njit
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.network.integer_network import Network

Float = NDArray[np.float64]

# bits of HostConstants.flags
HAS_TIME = 1
HAS_CLIP = 2
SQUASH_TANH = 4
CLIP_ACTION = 8
ARGMAX = 16


class HostConstants(NamedTuple):
    """Both contracts and the encoder as flat arrays.

    A named tuple, so that compiled code takes it whole.
    """

    shift: Float  # [features]
    observation_divisor: Float  # [features]
    scale: Float  # [features]
    limit: Float  # [features]
    row_scale: Float  # [act]
    action_scale: Float  # [act]
    action_offset: Float  # [act]
    low: Float  # [act]
    high: Float  # [act]
    clip: float
    time_scale: float  # 1 / max_steps is not exact: the channel is 1 - decision / max_steps
    divisor: float
    flags: int


def host_constants(
    network: Network, observation: ObservationContract, action: ActionContract
) -> HostConstants:
    """Collect what encode and decode need from an artifact's parts."""
    time = observation.time_feature
    flags = (
        HAS_TIME * (time is not None)
        | HAS_CLIP * (observation.clip is not None)
        | SQUASH_TANH * (action.squash == "tanh")
        | CLIP_ACTION * (action.low is not None)
        | ARGMAX * action.discrete
    )
    nothing = np.zeros(action.size)

    def array(values: NDArray[Any]) -> Float:
        return np.ascontiguousarray(values, np.float64)

    return HostConstants(
        shift=array(observation.shift),
        observation_divisor=array(observation.divisor),
        scale=array(network.encoder.scale),
        limit=array(network.encoder.limit),
        row_scale=array(network.layers[-1].row_scale),
        action_scale=array(action.scale),
        action_offset=array(action.offset),
        low=array(nothing if action.low is None else action.low),
        high=array(nothing if action.high is None else action.high),
        clip=0.0 if observation.clip is None else float(observation.clip),
        time_scale=remaining_time_scale(observation),
        divisor=float(network.divisor),
        flags=int(flags),
    )


def remaining_time_scale(observation: ObservationContract) -> float:
    """Decisions over which the time feature falls from 1 to 0; infinite where it stays 1."""
    time = observation.time_feature
    if time is None or time.test_mode:
        return math.inf
    return float(time.max_steps)


@njit(inline="never", boundscheck=False)
def encode_row(host, observation, decision, q):
    """q0 of one observation into q [features] (int32).

    Returns (saturated channels, -1), or (0, i) when channel i is not finite.
    """
    size = observation.shape[0]
    saturated = 0
    for i in range(q.shape[0]):
        if i < size:
            value = observation[i]
            if not math.isfinite(value):
                return 0, i
        else:
            value = 1.0 - decision / host.time_scale
        value = (value - host.shift[i]) / host.observation_divisor[i]
        if host.flags & 2:
            value = min(max(value, -host.clip), host.clip)
        # stays a float: math.floor would make an integer, and 1e20 has no place in one
        value = np.floor(value / host.scale[i] + 0.5)
        if value > host.limit[i]:
            value = host.limit[i]
            saturated += 1
        elif value < -host.limit[i]:
            value = -host.limit[i]
            saturated += 1
        q[i] = np.int32(value)
    return saturated, -1


@njit(inline="never", boundscheck=False)
def decode_row(host, accumulator, action):
    """Action (float64) of a readout accumulator [act] (int32): [act], or [1] where it is discrete.

    A discrete action is the number of the largest output.
    """
    best = 0
    largest = -math.inf
    for k in range(host.row_scale.shape[0]):
        value = accumulator[k] * host.row_scale[k] / host.divisor
        if host.flags & 16:
            if value > largest:
                best = k
                largest = value
            continue
        if host.flags & 4:
            value = math.tanh(value)
        value = value * host.action_scale[k] + host.action_offset[k]
        if host.flags & 8:
            value = min(max(value, host.low[k]), host.high[k])
        action[k] = value
    if host.flags & 16:
        action[0] = best
