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
    """Relative errors are RMS over states and neurons, divided by the RMS of the ANN's activations
    of that layer.
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
    clipped_range: (
        float  # action RMSE if the ANN's own activations were clipped to what the neurons can say
    )
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
    """`activations` [n, neurons].

    The ANN's in the same states; `payload_limit`: largest payloads that fit in a value.
    """
    said = stages.steps[-1]
    dense = policy.layers[stages.index]
    size = max(float(np.sqrt((activations**2).mean())), TINY)
    wanted = stages.wanted
    drive = stages.drive
    centred = wanted - wanted.mean(0)
    error = drive - wanted
    power = (centred**2).sum(0)
    slopes = np.divide(
        (centred * (drive - drive.mean(0))).sum(0),
        power,
        out=np.ones_like(power),
        where=power > TINY,
    )
    rest = error - error.mean(0) - (slopes - 1) * centred
    hidden = len(stages.names) > 2
    fires = np.abs(activations) > TINY
    speaks = said != 0
    loud = activations.max(0) > 0.5 * layer.unit / timesteps
    integer_bias = layer.bias * layer.row_scale
    needed = stages.needed
    bias = dense.bias.astype(np.float64)
    deviation = float(np.sqrt(max((centred**2).mean(), TINY)))
    further = [
        float((((pre - stages.target) - (pre - stages.target).mean(0)) ** 2).mean())
        for pre in (wanted, drive)
    ]
    furthest = stages.gain[np.argmax(np.abs(np.log(stages.gain)))]
    if hidden:
        capped = np.clip(
            activations,
            layer.payload_low * layer.unit * payload_limit,
            layer.payload_high * layer.unit * payload_limit,
        )
    else:
        capped = activations
    return LayerReport(
        stages.index,
        layer.inputs,
        float(np.sqrt(((said - activations) ** 2).mean())) / size,
        float(np.sqrt(((said - stages.steps[0]) ** 2).mean())) / size,
        stages.own_action_error,
        stages.shares,
        float(np.median(slopes)),
        float(np.sqrt((error.mean(0) ** 2).mean()) / max(np.sqrt((wanted**2).mean()), TINY)),
        float(np.sqrt((rest**2).mean())) / deviation,
        float(np.sqrt((stages.grain**2).mean())) / deviation,
        float(np.sqrt(max(further[1] - further[0], 0.0))) / deviation,
        stages.harm,
        float(furthest),
        float(((stages.gain > CLEAR) | (stages.gain < 1 / CLEAR)).mean()),
        stages.clipped,
        action_rmse(
            actions_from(policy, stages.index, capped)
            - actions_from(policy, stages.index, activations),
            policy,
        )
        if hidden
        else 0.0,
        membrane_limit,
        int((loud & fires.any(0) & ~speaks.any(0)).sum()) if hidden else 0,
        int((speaks.all(0) & ~fires.all(0)).sum())
        if hidden and ACTIVATIONS[dense.activation].name == "relu"
        else 0,
        distinct_levels(layer),
        float(integer_bias @ needed / (needed @ needed)) if (needed**2).sum() > TINY else 1.0,
        not layer.bias.any() and bool((np.abs(bias) > 2 * layer.row_scale).any()),
    )
