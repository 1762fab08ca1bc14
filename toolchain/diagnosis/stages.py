"""From the float layer's output to the spiking layer's, one cause at a time.

For the values x that the spiking network itself brought to layer l, with integer weights W', bias
b', row scale s:

    wanted      z = W x + b                        the source's layer on these very inputs
    bias        z1 = z + mean(z' - z)              z' = s (W' v + b'), the drive the neuron really
        got; per neuron
    weights     z2 = z'
    clip        y1 = clip(f(z'))                   to what the neuron can say at all
    quantum     y2 = meant * (v, or q of sdn)      the coarseness of spikes, timesteps and
        thresholds
    trigger     y3 = meant * v                     changes that sdn held back
    threshold   y4 = folded * v                    what the next layer takes it for

f(z), f(z1), f(z2), ..., y4: the differences add up to the layer's own error exactly, and none of
them contains the error of an earlier layer. What each is worth: the change of the action when it is
let through the rest of the float network, RMS in half ranges. A mean that coarse weights brought
about is theirs, not the bias's.

Rows are fitted to give the ANN's own pre-activation on inputs that carry every rounding upstream.
They differ from z on purpose; where that brings z' nearer to the ANN's than z is, it does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.diagnosis.signals import Signals
from spikeport.toolchain.diagnosis.worth import folded_worth, meant_worth, rounding_grain
from spikeport.toolchain.host.observations import Float
from spikeport.toolchain.network.integer_network import Coding, Layer, Network
from spikeport.toolchain.neurons.sigma_delta import quantised_activation
from spikeport.toolchain.policies.ann_policy import Policy

STAGES = ("bias", "weights", "clip", "quantum", "trigger", "threshold")
INPUT_STAGES = ("contract", "clip", "quantum", "scale")


@dataclass(frozen=True, eq=False)
class LayerStages:
    """One layer on one set of states [n]; the input is index -1.

    Arrays are per state and neuron unless said otherwise.
    """

    index: int
    wanted: Float  # z
    drive: Float  # z'
    target: Float  # the ANN's own pre-activation in the same state
    grain: Float  # RMS that rounding to the rows' steps can bring [neurons]; zeros for the input
    # the bias that would bring the mean drive to the ANN's on calibration states [neurons]
    needed: Float
    steps: tuple[Float, ...]  # outputs f(z), f(z1), ... y4
    names: tuple[str, ...]  # of the differences between them
    gain: Float  # folded / meant [neurons]
    clipped: float  # share of values at the range's end
    shares: dict[str, float]  # action RMSE that each difference alone brings
    own_action_error: float  # action RMSE of all of them together
    harm: float  # action RMSE by which z' is further from the ANN's own pre-activation than z is

    @property
    def hidden(self) -> bool:
        """Whether its neurons send payloads; the last layer's do not."""
        return self.names == STAGES


def layer_stages(
    network: Network, policy: Policy, signals: Signals, worths: list[Float], calibrated: list[Float]
) -> list[LayerStages]:
    """Every weight layer's stages.

    Args:
        network: The artifact's network.
        policy: Its source policy.
        signals: What arrived at each layer in n states.
        worths: What a payload that arrives at each layer is worth, [inputs] each.
        calibrated: `drive_errors` on calibration states, [neurons] each.

    Returns:
        The stages of each layer, the first layer's first.
    """
    targets = policy.forward(policy.observation.apply(signals.observations, signals.decisions))
    return [
        _one_layer(network, policy, signals, worths, errors, np.asarray(target, np.float64), index)
        for index, (errors, target) in enumerate(zip(calibrated, targets, strict=True))
    ]


def _one_layer(
    network: Network,
    policy: Policy,
    signals: Signals,
    worths: list[Float],
    calibrated: Float,
    target: Float,
    index: int,
) -> LayerStages:
    """The stages of layer `index`; `target` [n, neurons] is the ANN's own pre-activation."""
    layer = network.layers[index]
    dense = policy.layers[index]
    value = ACTIVATIONS[dense.activation].value
    arriving = signals.values[index]
    weight = dense.weight.astype(np.float64)
    wanted = arriving * worths[index] @ weight.T + dense.bias
    drive = (arriving @ layer.weights.T.astype(np.float64) + layer.bias) * layer.row_scale
    bias = dense.bias.astype(np.float64)
    shift = _bias_share(layer, bias, weight * worths[index], arriving, calibrated, drive - wanted)
    # a mean error that brings the drive nearer to the ANN's is not the bias's fault
    worse = np.abs((drive - target).mean(0)) > np.abs((wanted - target).mean(0))
    shift = np.where(worse, shift, 0.0)
    steps = [np.asarray(value(pre), np.float64) for pre in (wanted, wanted + shift, drive)]
    names = STAGES[:2]
    gain = np.ones(layer.outputs)
    clipped = 0.0
    harm = _harm(policy, index, np.asarray(value(target), np.float64), steps[0], steps[2])
    if index < len(network.layers) - 1:
        names = STAGES
        more, gain, clipped = _payload_steps(
            network, signals, index, worths[index + 1], drive, steps[2]
        )
        steps += more
    errors = [
        _action_error(policy, index, before, after)
        for before, after in zip(steps[:-1], steps[1:], strict=True)
    ]
    return LayerStages(
        index=index,
        wanted=wanted,
        drive=drive,
        target=target,
        grain=rounding_grain(layer, arriving),
        needed=layer.bias * layer.row_scale - calibrated,
        steps=tuple(steps),
        names=names,
        gain=gain,
        clipped=clipped,
        shares=dict(zip(names, errors, strict=True)),
        own_action_error=_action_error(policy, index, steps[0], steps[-1]),
        harm=harm,
    )


def _harm(policy: Policy, index: int, target: Float, wanted: Float, driven: Float) -> float:
    """Action RMSE by which outputs `driven` are further from `target` than `wanted` are."""
    own = _action_error(policy, index, target, wanted)
    rows = _action_error(policy, index, target, driven)
    return float(np.sqrt(max(rows**2 - own**2, 0.0)))


def _payload_steps(
    network: Network, signals: Signals, index: int, worth: Float, drive: Float, output: Float
) -> tuple[list[Float], Float, float]:
    """From the activation of the drive to what the next layer takes the payloads for.

    Args:
        network: The artifact's network.
        signals: What arrived at each layer.
        index: The hidden layer.
        worth: What the next layer takes a payload for, [neurons].
        drive: z' [n, neurons].
        output: f(z') [n, neurons].

    Returns:
        Outputs y1 to y4, folded / meant worth [neurons], and the share of clipped values.
    """
    layer = network.layers[index]
    said = signals.values[index + 1]
    meant = meant_worth(layer, drive)
    low = layer.payload_low * meant
    high = layer.payload_high * meant * largest_value(network)
    q = _before_trigger(network, layer, signals.values[index], said)
    clipped = ((output > high) | (output < low)) & (output != 0)
    steps = [np.clip(output, low, high), meant * q, meant * said, worth * said]
    return steps, worth / meant, float(clipped.mean())


def input_stages(
    network: Network,
    policy: Policy,
    artifact_inputs: Float,
    source_inputs: Float,
    signals: Signals,
    worth: Float,
) -> LayerStages:
    """The host's side, from the source policy's own inputs to what layer 0 takes them for.

    Args:
        network: The artifact's network.
        policy: Its source policy.
        artifact_inputs: [n, features], what the artifact's contract makes of the observations.
        source_inputs: [n, features], what the source policy's own contract makes of them.
        signals: What the encoder sent in these states.
        worth: What layer 0 takes a unit of the encoder's payload for, [features].

    Returns:
        The stages of the input, as of a layer with index -1.
    """
    scale = network.encoder.scale
    limit = network.encoder.limit
    q0 = signals.values[0]
    steps = (
        source_inputs,
        artifact_inputs,
        np.clip(artifact_inputs, -limit * scale, limit * scale),
        q0 * scale,
        q0 * worth,
    )
    errors = [
        _action_error(policy, -1, before, after)
        for before, after in zip(steps[:-1], steps[1:], strict=True)
    ]
    return LayerStages(
        index=-1,
        wanted=source_inputs,
        drive=artifact_inputs,
        target=source_inputs,
        grain=np.zeros_like(worth),
        needed=np.zeros_like(worth),
        steps=steps,
        names=INPUT_STAGES,
        gain=worth / scale,
        clipped=float((np.abs(q0) >= limit).mean()),
        shares=dict(zip(INPUT_STAGES, errors, strict=True)),
        own_action_error=_action_error(policy, -1, steps[0], steps[-1]),
        harm=0.0,
    )


def all_worths(
    network: Network, policy: Policy, values: Sequence[Float | None] | None = None
) -> list[Float]:
    """What a payload of the input and of each hidden layer is worth to the layer that receives it.

    `values` [n, inputs] are those that arrived at each layer; without them the weights decide.
    """
    declared = [network.encoder.scale, *(layer.unit for layer in network.layers[:-1])]
    arrived = [None] * len(declared) if values is None else values
    return [
        folded_worth(*parts)
        for parts in zip(network.layers, policy.layers, declared, arrived, strict=True)
    ]


def _bias_share(
    layer: Layer, bias: Float, weight: Float, arriving: Float, calibrated: Float, error: Float
) -> Float:
    """The mean error [neurons] where the bias is to blame for it, else zero.

    error = (W' s - W) v + (b' s - b). Rounding sets b' so that over calibration states the mean
    drive is the ANN's: it makes up for W' and for earlier layers. So the bias is to blame only
    where the mean drive is off there, too (`calibrated` [neurons], the mean of z' less the ANN's
    z), and where its part is the larger one.
    """
    of_weights = (layer.weights * layer.row_scale[:, None] - weight) @ arriving.mean(0)
    of_bias = layer.bias * layer.row_scale - bias
    mean = error.mean(0)
    blamed = (
        (np.abs(of_bias) > np.abs(of_weights))
        & (calibrated * mean > 0)
        & (np.abs(calibrated) > 0.5 * np.abs(mean))
    )
    return np.where(blamed, mean, 0.0)


def drive_errors(network: Network, policy: Policy, signals: Signals) -> list[Float]:
    """Mean over states of each layer's drive less the ANN's own pre-activation, [neurons] each."""
    wanted = policy.forward(policy.observation.apply(signals.observations, signals.decisions))
    return [
        ((value.mean(0) @ layer.weights.T.astype(np.float64) + layer.bias) * layer.row_scale)
        - pre.mean(0)
        for layer, value, pre in zip(network.layers, signals.values, wanted, strict=True)
    ]


def _before_trigger(network: Network, layer: Layer, arriving: Float, said: Float) -> Float:
    """What the neurons would have said without sdn's trigger, [n, neurons]."""
    if network.coding != Coding.ACROSS:
        return said
    accumulator = (
        np.rint(arriving @ layer.weights.T.astype(np.float64)).astype(np.int64) + layer.bias
    )
    return np.clip(
        quantised_activation(layer, accumulator), layer.payload_low, layer.payload_high
    ).astype(np.float64)


def largest_value(network: Network) -> float:
    """How often the largest payload fits into a decision's value.

    The harmonic number for a running mean, else once.
    """
    if network.coding == Coding.DIFFERENTIAL:
        return float((1.0 / np.arange(1, network.timesteps + 1)).sum())
    return 1.0


def _action_error(policy: Policy, index: int, before: Float, after: Float) -> float:
    """RMS change of the action, in half ranges, between two outputs of layer `index`.

    Index -1 is the input; the change is summed over all channels.
    """
    if before is after or np.array_equal(before, after):
        return 0.0
    return action_rmse(
        actions_from(policy, index, after) - actions_from(policy, index, before), policy
    )


def actions_from(policy: Policy, index: int, values: Float) -> Float:
    """Actions [n, act] of the source policy where layer `index` puts out `values` [n, neurons]."""
    for layer in policy.layers[index + 1 :]:
        pre = values @ layer.weight.T.astype(np.float64) + layer.bias
        values = np.asarray(ACTIVATIONS[layer.activation].value(pre), np.float64)
    return policy.action.apply(values)


def action_rmse(difference: Float, policy: Policy) -> float:
    """RMS of `difference` [n, act] in half ranges, as `convert` measures it.

    It is sqrt(mean over decisions of sum over channels of (difference / half range)^2).
    """
    return float(np.sqrt(((difference / (policy.action.range / 2)) ** 2).sum(-1).mean()))


def source_activations(policy: Policy, inputs: Float) -> list[Float]:
    """The ANN's activations of every layer on its network inputs [n, features].

    The last layer's outputs unsquashed.
    """
    return [
        np.asarray(ACTIVATIONS[layer.activation].value(pre), np.float64)
        for layer, pre in zip(policy.layers, policy.forward(inputs), strict=True)
    ]
