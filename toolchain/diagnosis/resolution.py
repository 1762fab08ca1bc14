"""Causes that are choices, too coarse for this policy or fitted elsewhere.

They are timesteps, residual, thresholds, triggers and rows. Every conversion has such errors and
most policies forgive them, so they are named where the closed loop lost return, or where the error
alone is as large as the action's own half range.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.diagnosis.causes import Cause, Finding
from spikeport.toolchain.diagnosis.defects import GRAINY
from spikeport.toolchain.diagnosis.diagnosis_evidence import Evidence
from spikeport.toolchain.network.integer_network import Coding, Network
from spikeport.toolchain.neurons import neuron_of

HOPELESS = 1.0  # action RMSE in half ranges
# a layer's own error, relative: spike counts of 16 timesteps stay below 0.16, of 2 are above 0.3
COUNTED = 0.25
NOTICED = 0.1  # action RMSE of all quanta, in half ranges, below which counting is no matter
REMEMBERED = 0.3  # lag-1 correlation of the action error that a carried-over residual would lower
STAGE_CAUSES = {
    "bias": Cause.BIAS,
    "weights": Cause.WEIGHT_BITS,
    "clip": Cause.THRESHOLD,
    "threshold": Cause.THRESHOLD,
    "trigger": Cause.TRIGGER,
}


@dataclass(frozen=True)
class Part:
    """What one stage of one layer does to the action; layer -1 is the input."""

    stage: str
    layer: int
    share: float  # action RMSE in half ranges


def find_resolution(
    network: Network, evidence: Evidence, lag: float | None, lost: bool
) -> list[Finding]:
    """What the errors that remain point to; empty where nothing was lost.

    Args:
        network: The artifact's network.
        evidence: On the ANN's own states.
        lag: Correlation of consecutive action errors of the spiking policy.
        lost: Whether the closed loop lost return.

    Returns:
        At most one finding.
    """
    # Layers whose rows scatter more than their own steps can bring were fitted to other states.
    fine = [layer.index for layer in evidence.layers if layer.grain <= GRAINY * layer.scatter]
    parts = _parts(evidence, fine)
    total = _together(parts, "quantum")
    if not lost and not _counted(network, evidence, total) and total <= HOPELESS:
        return []
    largest = max(parts, key=lambda part: part.share)
    coarse = _together(parts, largest.stage)
    numbers = {"action_rmse": coarse, "largest_part": largest.share}
    if largest.stage == "quantum":
        return [_quantum(network, largest.layer, coarse, lag, numbers)]
    if largest.stage == "weights" and largest.layer in fine:
        return [_misfit(evidence, largest, coarse, numbers)]
    cause = STAGE_CAUSES.get(largest.stage, Cause.OBSERVATION_SCALE)
    if cause is Cause.TRIGGER:
        return [_held_back(network, largest, coarse, numbers)]
    sentence = (
        "the closed loop lost return, and the largest part of the action error is the"
        f" {largest.stage} of layer {largest.layer}"
    )
    return [Finding(cause, largest.layer, coarse, sentence, numbers)]


def _parts(evidence: Evidence, fine: list[int]) -> list[Part]:
    """The shares of all stages; rows that were fitted elsewhere count for the harm that they do."""
    parts = []
    for layer in evidence.layers:
        for stage, share in layer.shares.items():
            if stage == "weights" and layer.index in fine:
                share = min(layer.harm, share)
            parts.append(Part(stage, layer.index, share))
    for stage, share in evidence.input.shares.items():
        parts.append(Part(stage if stage == "quantum" else "scale", -1, share))
    return parts


def _together(parts: list[Part], stage: str) -> float:
    """Action RMSE of one stage over all layers."""
    return float(np.sqrt(sum(part.share**2 for part in parts if part.stage == stage)))


def _counted(network: Network, evidence: Evidence, total: float) -> bool:
    """Whether spikes are counted in far fewer timesteps than usual, and it shows."""
    few = network.coding != Coding.ACROSS and 4 * network.timesteps <= _usual(network)
    own = max((layer.own_error for layer in evidence.layers[:-1]), default=0.0)
    return few and own > COUNTED and total > NOTICED


def _misfit(evidence: Evidence, part: Part, coarse: float, numbers: dict[str, float]) -> Finding:
    """The finding that rows fit other states than the policy's own."""
    layer = evidence.layers[part.layer]
    sentence = (
        f"the rows of layer {part.layer} do not fit the policy's own states: an action error of"
        f" {part.share:.2f} half ranges more than the float layer's, and their steps are too fine"
        " to be the reason"
    )
    more = {"excess": layer.excess, "scatter": layer.scatter, "grain": layer.grain}
    return Finding(Cause.FIT, part.layer, coarse, sentence, numbers | more)


def _held_back(network: Network, part: Part, coarse: float, numbers: dict[str, float]) -> Finding:
    """The finding that a trigger holds back what the policy needs."""
    trigger = network.layers[part.layer].trigger
    sentence = (
        f"the trigger of layer {part.layer} holds changes of up to {trigger - 1} payload units"
        f" back, an action error of {part.share:.2f} half ranges"
    )
    more = {"trigger": float(trigger)}
    return Finding(Cause.TRIGGER, part.layer, coarse, sentence, numbers | more)


def _usual(network: Network) -> int:
    """The timesteps that `convert` takes for these neurons by default."""
    return neuron_of(network, network.layers[0]).traits.timesteps


def _quantum(
    network: Network, index: int, weight: float, lag: float | None, numbers: dict[str, float]
) -> Finding:
    """The finding that payloads are too coarse, and what would make them finer."""
    if network.coding == Coding.ACROSS:
        sentence = (
            "the steps of the thresholds are too coarse for this policy: an action error of"
            f" {weight:.2f} half ranges"
        )
        return Finding(Cause.ACTION_ERROR, index, weight, sentence, numbers)
    steps = network.timesteps
    carries = network.coding == Coding.RATE  # dc gained nothing from a residual
    numbers = numbers | {"timesteps": float(steps), "alpha": network.alpha / 64}
    if (
        carries
        and lag is not None
        and lag > REMEMBERED
        and network.alpha < 16
        and 2 * steps >= _usual(network)
    ):
        sentence = (
            f"the action error stays from decision to decision (correlation {lag:.2f}) and alpha is"
            f" {network.alpha}/64"
        )
        return Finding(Cause.RESIDUAL, index, weight, sentence, numbers | {"lag_correlation": lag})
    sentence = (
        f"{steps} timesteps are too few for this policy: spikes round the activations, an action"
        f" error of {weight:.2f} half ranges"
    )
    return Finding(Cause.TIMESTEPS, index, weight, sentence, numbers)
