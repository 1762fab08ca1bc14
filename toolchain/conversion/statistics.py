"""What calibration says about each layer: activations, how fast they change, how much the action minds.

Source of the sensitivity: s_i^2 = E sum_k (d action_k / d h_i)^2, after the squash, in units of half the
action's range; a clipped action has no slope outside its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolchain.activations import ACTIVATIONS
from toolchain.conversion.calibration import Calibration, subset
from toolchain.policies.policy import Policy

Float = NDArray[np.float64]
JACOBIAN_STATES = 1500


@dataclass(frozen=True, eq=False)
class SignalStatistics:
    """One signal vector (the input or a hidden layer's output), per channel [n]."""

    low: Float
    high: Float
    sensitivity: Float  # s_i^2
    change: Float  # mean |h(k+1) - h(k)| over consecutive decisions
    fan_out: int


@dataclass(frozen=True, eq=False)
class PolicyStatistics:
    """`inputs` [N, features]; `pre_activations` and `signals` in network order, float64.

    signals[0] is the input, signals[l] the output of hidden layer l - 1; pre_activations[l] belongs to layer l.
    """

    inputs: Float
    pre_activations: tuple[Float, ...]
    signals: tuple[SignalStatistics, ...]


def measure(policy: Policy, calibration: Calibration) -> PolicyStatistics:
    """Run the float policy over the calibration states."""
    inputs = policy.observation.apply(calibration.observations, calibration.decisions)
    pre_activations = [np.asarray(pre, np.float64) for pre in policy.forward(inputs)]
    values = [inputs] + [ACTIVATIONS[layer.activation].value(pre) for layer, pre in zip(policy.layers[:-1], pre_activations[:-1], strict=True)]
    consecutive = ~calibration.starts[1:]
    slopes = sensitivities(policy, [pre[subset(len(inputs), JACOBIAN_STATES)] for pre in pre_activations])
    signals = tuple(
        SignalStatistics(
            value.min(0),
            value.max(0),
            slope,
            np.abs(np.diff(value, axis=0))[consecutive].mean(0) if consecutive.any() else np.zeros(value.shape[1]),
            layer.outputs,
        )
        for value, slope, layer in zip(values, slopes, policy.layers, strict=True)
    )
    return PolicyStatistics(inputs, tuple(pre_activations), signals)


def sensitivities(policy: Policy, pre_activations: list[Float]) -> list[Float]:
    """s_i^2 of every signal, from the pre-activations [n, out] of each layer on a set of states."""
    gradient = action_slopes(policy, pre_activations[-1])[:, :, None] * np.eye(policy.action.size)  # [n, act, out], d action_k / d pre_j
    result = []
    for index in reversed(range(len(policy.layers))):
        layer = policy.layers[index]
        gradient = gradient @ layer.weight.astype(np.float64)
        result.append((gradient**2).sum(1).mean(0))
        if index:
            gradient = gradient * ACTIVATIONS[policy.layers[index - 1].activation].derivative(pre_activations[index - 1])[:, None, :]
    return result[::-1]


def action_slopes(policy: Policy, outputs: Float) -> Float:
    """d action_k / d y_k [n, act] for outputs y [n, act] of the last layer, in units of half the action's range."""
    action = policy.action
    slope = (1 - np.tanh(outputs) ** 2 if action.squash == "tanh" else np.ones_like(outputs)) * action.scale / (action.range / 2)
    if action.low is not None and action.high is not None:
        final = (np.tanh(outputs) if action.squash == "tanh" else outputs) * action.scale + action.offset
        slope = slope * ((final >= action.low) & (final <= action.high))
    return slope


def action_chords(policy: Policy, outputs: Float) -> Float:
    """(action_k(y_k) - action_k(0)) / y_k [n, act], in units of half the action's range; the slope where y_k is near 0."""
    moved = np.abs(policy.action.apply(outputs) - policy.action.apply(np.zeros_like(outputs))) / (policy.action.range / 2)
    near = np.abs(outputs) < 1e-6
    return np.where(near, np.abs(action_slopes(policy, outputs)), moved / np.where(near, 1.0, np.abs(outputs)))
