"""Causes that are choices: timesteps, residual, thresholds and triggers that are too coarse for
this policy, rows fitted elsewhere.

Every conversion has such errors and most policies forgive them, so they are named where the closed
loop lost return, or where the error alone is as large as the action's own half range.
"""

from __future__ import annotations

import numpy as np

from spikeport.toolchain.diagnosis.causes import Cause, Finding
from spikeport.toolchain.diagnosis.defects import GRAINY
from spikeport.toolchain.diagnosis.diagnosis_evidence import Evidence
from spikeport.toolchain.network.integer_network import Coding, Network
from spikeport.toolchain.neurons import neuron_of

HOPELESS = 1.0  # action RMSE in half ranges
# a layer's own error, relative: spike counts of 16 timesteps stay below 0.16, of 2 are above 0.3
COUNTED = 0.25
REMEMBERED = 0.3  # lag-1 correlation of the action error that a carried-over residual would lower
STAGE_CAUSES = {
    "bias": Cause.BIAS,
    "weights": Cause.WEIGHT_BITS,
    "clip": Cause.THRESHOLD,
    "threshold": Cause.THRESHOLD,
    "trigger": Cause.TRIGGER,
}


def find_resolution(
    network: Network, evidence: Evidence, lag: float | None, lost: bool
) -> list[Finding]:
    """What the errors that remain point to, heaviest first; empty where nothing was lost."""
    parts = [
        (stage, layer.index, share)
        for layer in evidence.layers
        for stage, share in layer.shares.items()
    ]
    parts += [
        ("scale" if stage != "quantum" else stage, -1, share)
        for stage, share in evidence.input.shares.items()
    ]
    quanta = [part for part in parts if part[0] == "quantum"]
    total = float(np.sqrt(sum(share**2 for _, _, share in quanta)))
    fine = [layer.index for layer in evidence.layers if layer.grain <= GRAINY * layer.scatter]
    harm = {layer.index: min(layer.harm, layer.shares["weights"]) for layer in evidence.layers}
    parts = [
        (stage, index, harm[index] if stage == "weights" and index in fine else share)
        for stage, index, share in parts
    ]
    few = network.coding != Coding.ACROSS and 4 * network.timesteps <= _usual(network)
    counted = (
        few
        and max((layer.own_error for layer in evidence.layers[:-1]), default=0.0) > COUNTED
        and total > 0.1
    )
    if not lost and not counted and total <= HOPELESS:
        return []
    stage, index, share = max(parts, key=lambda part: part[2])
    if stage == "quantum":
        coarse = total
    else:
        coarse = float(np.sqrt(sum(found**2 for name, _, found in parts if name == stage)))
    numbers = {"action_rmse": coarse, "largest_part": share}
    if stage == "quantum":
        return [_quantum(network, index, coarse, lag, numbers)]
    cause = STAGE_CAUSES.get(stage, Cause.OBSERVATION_SCALE)
    if stage == "weights" and index in fine:
        layer = evidence.layers[index]
        sentence = (
            f"the rows of layer {index} do not fit the policy's own states: an action error of"
            f" {share:.2f} half ranges more than the float layer's"
        )
        numbers |= {"excess": layer.excess, "scatter": layer.scatter, "grain": layer.grain}
        return [
            Finding(
                Cause.FIT,
                index,
                coarse,
                f"{sentence}, and their steps are too fine to be the reason",
                numbers,
            )
        ]
    if cause is Cause.TRIGGER:
        trigger = network.layers[index].trigger
        sentence = (
            f"the trigger of layer {index} holds changes of up to {trigger - 1} payload units back,"
            f" an action error of {share:.2f} half ranges"
        )
        return [Finding(cause, index, coarse, sentence, numbers | {"trigger": float(trigger)})]
    return [
        Finding(
            cause,
            index,
            coarse,
            f"the closed loop lost return, and the largest part of the action error is the {stage}"
            f" of layer {index}",
            numbers,
        )
    ]


def _usual(network: Network) -> int:
    """Timesteps that a conversion to this neuron takes by default."""
    return neuron_of(network, network.layers[0]).traits.timesteps


def _quantum(
    network: Network, index: int, weight: float, lag: float | None, numbers: dict[str, float]
) -> Finding:
    if network.coding == Coding.ACROSS:
        sentence = (
            "the steps of the thresholds are too coarse for this policy: an action error of"
            f" {weight:.2f} half ranges"
        )
        return Finding(Cause.ACTION_ERROR, index, weight, sentence, numbers)
    # dc gained nothing from a residual
    steps = network.timesteps
    carries = network.coding == Coding.RATE
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
