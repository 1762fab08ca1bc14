"""What calibration says about each layer: activations, how fast they change, how much the action
minds.

Source of the sensitivity: s_i^2 = E sum_k (d action_k / d h_i)^2, after the squash, in units of
half the action's range; a clipped action has no slope outside its bounds. A discrete action has
none anywhere: there logits.py says what counts as its error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.conversion.states import Calibration, subset
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy

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

    signals[0] is the input, signals[l] the output of hidden layer l - 1; pre_activations[l] belongs
    to layer l. `values` are the signals themselves [N, n], `row_sensitivity` is E sum_k (d action_k
    / d pre_l)^2 [out], `starts` [N] marks episode starts; `curves` is filled as event_curves.py is
    asked, `shaken` by sigma_delta_network.py.
    """

    inputs: Float
    pre_activations: tuple[Float, ...]
    signals: tuple[SignalStatistics, ...]
    values: tuple[NDArray[Any], ...]
    row_sensitivity: tuple[Float, ...]
    starts: NDArray[np.bool_]
    curves: dict[tuple[int, int], Any] = field(default_factory=dict)
    shaken: dict[float, tuple[Any, list[Any]]] = field(default_factory=dict)


def measure(policy: Policy, calibration: Calibration) -> PolicyStatistics:
    """Run the float policy over the calibration states."""
    inputs = policy.observation.apply(calibration.observations, calibration.decisions)
    with np.errstate(over="ignore", invalid="ignore"):
        pre_activations = [np.asarray(pre, np.float64) for pre in policy.forward(inputs)]
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
    values = [inputs] + [
        ACTIVATIONS[layer.activation].value(pre)
        for layer, pre in zip(policy.layers[:-1], pre_activations[:-1], strict=True)
    ]
    consecutive = ~calibration.starts[1:]
    chosen = [pre[subset(len(inputs), JACOBIAN_STATES)] for pre in pre_activations]
    slopes = sensitivities(policy, chosen)
    signals = tuple(
        SignalStatistics(
            value.min(0),
            value.max(0),
            slope,
            np.abs(np.diff(value, axis=0))[consecutive].mean(0)
            if consecutive.any()
            else np.zeros(value.shape[1]),
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


def sensitivities(policy: Policy, pre_activations: list[Float]) -> list[Float]:
    """s_i^2 of every signal, from the pre-activations [n, out] of each layer on a set of states."""
    gradients = (
        (gradient @ layer.weight.astype(np.float64))
        for layer, gradient in _gradients(policy, pre_activations)
    )
    return [(gradient**2).sum(1).mean(0) for gradient in gradients][::-1]


def row_sensitivities(policy: Policy, pre_activations: list[Float]) -> list[Float]:
    """The same of every layer's pre-activations: what an error of a row's sum costs."""
    return [(gradient**2).sum(1).mean(0) for _, gradient in _gradients(policy, pre_activations)][
        ::-1
    ]


def _gradients(policy: Policy, pre_activations: list[Float]) -> Iterator[tuple[DenseLayer, Float]]:
    """Layers from the last to the first, each with d action_k / d pre_j [n, act, out]."""
    if policy.action.discrete:
        gradient = logit_gradient(pre_activations[-1])
    else:
        gradient = action_slopes(policy, pre_activations[-1])[:, :, None] * np.eye(
            policy.action.size
        )
    for index in reversed(range(len(policy.layers))):
        layer = policy.layers[index]
        yield layer, gradient
        if index:
            gradient = gradient @ layer.weight.astype(np.float64)
            gradient = (
                gradient
                * ACTIVATIONS[policy.layers[index - 1].activation].derivative(
                    pre_activations[index - 1]
                )[:, None, :]
            )


def action_slopes(policy: Policy, outputs: Float) -> Float:
    """d action_k / d y_k [n, act] for outputs y [n, act] of the last layer, in units of half the
    action's range.
    """
    action = policy.action
    slope = (
        (1 - np.tanh(outputs) ** 2 if action.squash == "tanh" else np.ones_like(outputs))
        * action.scale
        / (action.range / 2)
    )
    if action.low is not None and action.high is not None:
        final = (
            np.tanh(outputs) if action.squash == "tanh" else outputs
        ) * action.scale + action.offset
        slope = slope * ((final >= action.low) & (final <= action.high))
    return slope


def action_chords(policy: Policy, outputs: Float) -> Float:
    """(action_k(y_k) - action_k(0)) / y_k [n, act], in units of half the action's range.

    The slope where y_k is near 0.
    """
    moved = np.abs(policy.action.apply(outputs) - policy.action.apply(np.zeros_like(outputs))) / (
        policy.action.range / 2
    )
    near = np.abs(outputs) < 1e-6
    return np.where(
        near, np.abs(action_slopes(policy, outputs)), moved / np.where(near, 1.0, np.abs(outputs))
    )


Float = NDArray[np.float64]


def centred(outputs: Float) -> Float:
    """c [n, act] of network outputs y [n, act]."""
    return outputs - outputs.mean(-1, keepdims=True)


def unit(outputs: Float) -> float:
    """The RMS of c over states [n] and channels; 1 where there is no choice."""
    size = float(np.sqrt((centred(outputs) ** 2).mean()))
    if size > 0:
        return size
    return 1.0


def logit_gradient(outputs: Float) -> Float:
    """d c_k / d y_j in units, [n, act, act]."""
    count = outputs.shape[1]
    return np.broadcast_to(
        (np.eye(count) - 1.0 / count) / unit(outputs), (len(outputs), count, count)
    )
