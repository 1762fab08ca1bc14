"""What calibration says about each layer.

That is its activations, how fast they change, and how much the action minds an error of them.
Source of the sensitivity: s_i^2 = E sum_k (d action_k / d h_i)^2, after the squash, in units of
half the action's range; a clipped action has no slope outside its bounds. A discrete action has
none anywhere: there the network's outputs count, less their mean over the choices (what all outputs
share changes no choice), in units of their RMS.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.conversion.calibration.states import Calibration, subset
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy

Float = NDArray[np.float64]
JACOBIAN_STATES = 1500


@dataclass(frozen=True, eq=False)
class SignalStatistics:
    """One signal vector (the input or a hidden layer's output), per channel [n].

    Attributes:
        low: The least value.
        high: The largest value.
        sensitivity: s_i^2.
        change: Mean |h(k+1) - h(k)| over consecutive decisions.
        fan_out: Rows that each channel reaches.
    """

    low: Float
    high: Float
    sensitivity: Float
    change: Float
    fan_out: int


@dataclass(frozen=True, eq=False)
class PolicyStatistics:
    """All signals of a policy, in network order, float64.

    Attributes:
        inputs: [N, features], network inputs on the calibration states.
        pre_activations: [N, out] of every layer.
        signals: The input, then the output of every hidden layer.
        values: The signals themselves, [N, n] each.
        row_sensitivity: E sum_k (d action_k / d pre_l)^2 [out] of every layer.
        starts: [N], marks episode starts.
        curves: What event_curves.py measured, by signal and trigger.
        perturbed: What sigma_delta.py fits rows on, by the perturbation's share.
    """

    inputs: Float
    pre_activations: tuple[Float, ...]
    signals: tuple[SignalStatistics, ...]
    values: tuple[NDArray[Any], ...]
    row_sensitivity: tuple[Float, ...]
    starts: NDArray[np.bool_]
    curves: dict[tuple[int, int], Any] = field(default_factory=dict)
    perturbed: dict[float, tuple[Any, list[Any]]] = field(default_factory=dict)


def measure(policy: Policy, calibration: Calibration) -> PolicyStatistics:
    """Run the float policy over the calibration states.

    Raises InputError where a layer overflows float32 on them.
    """
    inputs = policy.observation.apply(calibration.observations, calibration.decisions)
    with np.errstate(over="ignore", invalid="ignore"):
        pre_activations = [np.asarray(pre, np.float64) for pre in policy.forward(inputs)]
    _refuse_overflow(policy, inputs, pre_activations)
    hidden = zip(policy.layers[:-1], pre_activations[:-1], strict=True)
    values = [inputs, *(ACTIVATIONS[layer.activation].value(pre) for layer, pre in hidden)]
    chosen = [pre[subset(len(inputs), JACOBIAN_STATES)] for pre in pre_activations]
    slopes = sensitivities(policy, chosen)
    signals = tuple(
        SignalStatistics(
            value.min(0),
            value.max(0),
            slope,
            mean_change(value, calibration.starts),
            layer.outputs,
        )
        for value, slope, layer in zip(values, slopes, policy.layers, strict=True)
    )
    return PolicyStatistics(
        inputs,
        tuple(pre_activations),
        signals,
        tuple(values),
        tuple(row_sensitivities(policy, chosen)),
        calibration.starts,
    )


def _refuse_overflow(policy: Policy, inputs: Float, pre_activations: list[Float]) -> None:
    for index, pre in enumerate(pre_activations):
        if not (np.abs(pre) <= np.finfo(np.float32).max).all():
            raise InputError(
                policy.provenance.file,
                f"layer {index} overflows float32 on the calibration states",
                got=f"inputs up to {np.abs(inputs).max():g}",
                why="either the observations or the weights are too large",
                fix=(
                    "check the units of the observations and the normaliser",
                    "check the checkpoint",
                ),
            )


def mean_change(values: Float, starts: NDArray[np.bool_]) -> Float:
    """Mean |h(k+1) - h(k)| [n] of values [N, n] over consecutive decisions; 0 where none are."""
    consecutive = ~starts[1:]
    if not consecutive.any():
        return np.zeros(values.shape[1])
    return np.abs(np.diff(values, axis=0))[consecutive].mean(0)


def sensitivities(policy: Policy, pre_activations: list[Float]) -> list[Float]:
    """s_i^2 of every signal, from the pre-activations [n, out] of each layer on a set of states."""
    gradients = (
        (gradient @ layer.weight.astype(np.float64))
        for layer, gradient in _gradients(policy, pre_activations)
    )
    return [(gradient**2).sum(1).mean(0) for gradient in gradients][::-1]


def row_sensitivities(policy: Policy, pre_activations: list[Float]) -> list[Float]:
    """The same of every layer's pre-activations: what an error of a row's sum costs."""
    gradients = _gradients(policy, pre_activations)
    return [(gradient**2).sum(1).mean(0) for _, gradient in gradients][::-1]


def _gradients(policy: Policy, pre_activations: list[Float]) -> Iterator[tuple[DenseLayer, Float]]:
    """Layers from the last to the first, each with d action_k / d pre_j [n, act, out]."""
    outputs = pre_activations[-1]
    if policy.action.discrete:
        gradient = logit_gradient(outputs)
    else:
        gradient = action_slopes(policy, outputs)[:, :, None] * np.eye(policy.action.size)
    for index in reversed(range(len(policy.layers))):
        layer = policy.layers[index]
        yield layer, gradient
        if index:
            before = ACTIVATIONS[policy.layers[index - 1].activation]
            slope = before.derivative(pre_activations[index - 1])
            gradient = gradient @ layer.weight.astype(np.float64) * slope[:, None, :]


def action_slopes(policy: Policy, outputs: Float) -> Float:
    """D action_k / d y_k [n, act] for outputs y [n, act] of the last layer.

    In units of half the action's range.
    """
    action = policy.action
    squashed = outputs
    slope = np.ones_like(outputs)
    if action.squash == "tanh":
        squashed = np.tanh(outputs)
        slope = 1 - squashed**2
    slope = slope * action.scale / (action.range / 2)
    if action.low is not None and action.high is not None:
        final = squashed * action.scale + action.offset
        slope = slope * ((final >= action.low) & (final <= action.high))
    return slope


def action_chords(policy: Policy, outputs: Float) -> Float:
    """(action_k(y_k) - action_k(0)) / y_k [n, act], in units of half the action's range.

    The slope where y_k is near 0.
    """
    moved = np.abs(policy.action.apply(outputs) - policy.action.apply(np.zeros_like(outputs))) / (
        policy.action.range / 2
    )
    near = np.abs(outputs) < 1e-6  # there the quotient is of rounding errors
    return np.where(
        near, np.abs(action_slopes(policy, outputs)), moved / np.where(near, 1.0, np.abs(outputs))
    )


def centred(outputs: Float) -> Float:
    """Outputs [n, act] of a discrete policy less their mean over the choices."""
    return outputs - outputs.mean(-1, keepdims=True)


def unit(outputs: Float) -> float:
    """The RMS of centred outputs over states [n] and channels; 1 where there is no choice."""
    size = float(np.sqrt((centred(outputs) ** 2).mean()))
    if size > 0:
        return size
    return 1.0


def logit_gradient(outputs: Float) -> Float:
    """D c_k / d y_j of centred outputs c in units, [n, act, act]."""
    count = outputs.shape[1]
    gradient = (np.eye(count) - 1.0 / count) / unit(outputs)
    return np.broadcast_to(gradient, (len(outputs), count, count))
