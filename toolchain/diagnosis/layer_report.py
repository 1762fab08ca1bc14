"""The numbers of one layer on one set of states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.contracts import Float
from spikeport.toolchain.diagnosis.stages import LayerStages, action_rmse, actions_from
from spikeport.toolchain.diagnosis.worth import CLEAR, distinct_levels
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.policies.ann_policy import Policy

TINY = 1e-12


@dataclass(frozen=True)
class LayerReport:
    """One layer's numbers.

    Relative errors are RMS over states and neurons, divided by the RMS of the ANN's activations of
    that layer.
    """

    index: int
    inputs: int
    # decoded values against the ANN's in the same states, all earlier layers' errors included
    error: float
    own_error: float  # against the float layer on the spiking network's own inputs
    own_action_error: float  # what the own error does to the action, RMS in half ranges
    shares: dict[str, float]  # the same for each stage of toolchain/diagnosis/stages.py
    slope: float  # of the decoded pre-activation on the wanted one, median over neurons
    offset: float  # RMS over neurons of the mean difference, over the RMS of the wanted
    scatter: float  # RMS of what slope and offset leave, over the deviation of the wanted
    # RMS that rounding to the weights' own steps can bring, over the deviation of the wanted
    grain: float
    # by how much the rows are further from the ANN's own pre-activations than the float layer on
    # the same inputs, over the deviation
    excess: float
    # the same in the action, RMS in half ranges; 0 where the fitted rows make up for earlier errors
    harm: float
    gain: float  # folded worth / meant worth of a payload, the neuron furthest from 1
    off_gain: float  # share of neurons whose gain is clearly not 1
    clipped: float  # share of values beyond what the neurons can say
    # action RMSE if the ANN's own activations were clipped to what the neurons can say
    clipped_range: float
    membrane_limit: float  # share of membranes at the end of their 24 bits
    dead: int  # neurons that never spoke while the ANN's fires
    always_on: int  # neurons that never were silent while the ANN's was
    levels: int  # distinct weight sizes in a row, median
    # share of the bias that is there which the rows need for the ANN's mean drive: 1 whole, 0 none
    bias_kept: float
    bias_dropped: bool  # every integer bias is zero, and the source's would not round to that


def report_layer(
    layer: Layer,
    policy: Policy,
    stages: LayerStages,
    activations: Float,
    payload_limit: float,
    membrane_limit: float,
    timesteps: int,
) -> LayerReport:
    """Gather one layer's numbers.

    Args:
        layer: The integer layer.
        policy: The source policy.
        stages: The layer's stages on n states.
        activations: [n, neurons], the ANN's in the same states.
        payload_limit: How often the largest payload fits into a decision's value.
        membrane_limit: Share of membranes at the end of their 24 bits.
        timesteps: Of one decision.

    Returns:
        The numbers that findings are made of.
    """
    said = stages.steps[-1]
    size = max(_rms(activations), TINY)
    centred = stages.wanted - stages.wanted.mean(0)
    error = stages.drive - stages.wanted
    slopes = _slopes(stages)
    rest = error - error.mean(0) - (slopes - 1) * centred
    deviation = float(np.sqrt(max((centred**2).mean(), TINY)))
    dead = 0
    clipped_range = 0.0
    if stages.hidden:
        dead = _dead(layer, said, activations, timesteps)
        clipped_range = _clipped_range(layer, policy, stages.index, activations, payload_limit)
    return LayerReport(
        index=stages.index,
        inputs=layer.inputs,
        error=_rms(said - activations) / size,
        own_error=_rms(said - stages.steps[0]) / size,
        own_action_error=stages.own_action_error,
        shares=stages.shares,
        slope=float(np.median(slopes)),
        offset=_rms(error.mean(0)) / max(_rms(stages.wanted), TINY),
        scatter=_rms(rest) / deviation,
        grain=_rms(stages.grain) / deviation,
        excess=_excess(stages) / deviation,
        harm=stages.harm,
        gain=float(stages.gain[np.argmax(np.abs(np.log(stages.gain)))]),
        off_gain=float(((stages.gain > CLEAR) | (stages.gain < 1 / CLEAR)).mean()),
        clipped=stages.clipped,
        clipped_range=clipped_range,
        membrane_limit=membrane_limit,
        dead=dead,
        always_on=_always_on(policy, stages.index, said, activations),
        levels=distinct_levels(layer),
        bias_kept=_bias_kept(layer, stages.needed),
        bias_dropped=_bias_dropped(layer, policy, stages.index),
    )


def _rms(values: Float) -> float:
    return float(np.sqrt((values**2).mean()))


def _slopes(stages: LayerStages) -> Float:
    """Least-squares slope [neurons] of the drive on the wanted pre-activation; 1 without spread."""
    centred = stages.wanted - stages.wanted.mean(0)
    power = (centred**2).sum(0)
    cross = (centred * (stages.drive - stages.drive.mean(0))).sum(0)
    return np.divide(cross, power, out=np.ones_like(power), where=power > TINY)


def _excess(stages: LayerStages) -> float:
    """How much further the drive is from the ANN's own pre-activation than the wanted one, RMS."""
    own, rows = (
        float((((pre - stages.target) - (pre - stages.target).mean(0)) ** 2).mean())
        for pre in (stages.wanted, stages.drive)
    )
    return float(np.sqrt(max(rows - own, 0.0)))


def _dead(layer: Layer, said: Float, activations: Float, timesteps: int) -> int:
    """Neurons that never spoke although the ANN's activations are large enough for a payload."""
    # half of what one payload in all timesteps is worth: less than that may round to silence
    loud = activations.max(0) > 0.5 * layer.unit / timesteps
    fires = (np.abs(activations) > TINY).any(0)
    return int((loud & fires & ~(said != 0).any(0)).sum())


def _always_on(policy: Policy, index: int, said: Float, activations: Float) -> int:
    """ReLU neurons that never were silent while the ANN's was; the last layer has none."""
    if ACTIVATIONS[policy.layers[index].activation].name != "relu":
        return 0
    fires = (np.abs(activations) > TINY).all(0)
    return int(((said != 0).all(0) & ~fires).sum())


def _clipped_range(
    layer: Layer, policy: Policy, index: int, activations: Float, payload_limit: float
) -> float:
    """Action RMSE if the ANN's own activations were clipped to what the neurons can say."""
    reach = layer.unit * payload_limit
    capped = np.clip(activations, layer.payload_low * reach, layer.payload_high * reach)
    change = actions_from(policy, index, capped) - actions_from(policy, index, activations)
    return action_rmse(change, policy)


def _bias_dropped(layer: Layer, policy: Policy, index: int) -> bool:
    """Whether every integer bias is zero although the source's would not round to that."""
    bias = policy.layers[index].bias.astype(np.float64)
    return not layer.bias.any() and bool((np.abs(bias) > 2 * layer.row_scale).any())


def _bias_kept(layer: Layer, needed: Float) -> float:
    """Share of the needed bias that is there; 1 where none is needed."""
    if (needed**2).sum() <= TINY:
        return 1.0
    return float((layer.bias * layer.row_scale) @ needed / (needed @ needed))
