"""The rules that an artifact's network keeps: encoder, time, layers, and the codes at its ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.contracts import ActionContract
from spikeport.toolchain.network.codes import ENCODER_UNITS, TRANSFORMS, SpikeCoding
from spikeport.toolchain.network.integer_network import READOUT, Coding, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons import HIDDEN_NEURONS, coding_of, neuron_of
from spikeport.toolchain.neurons.layer_rules import array_problems

# what one integer stands for: beyond, float64 arithmetic on the host ends in infinities and zeros
SCALES = (1e-60, 1e30)
SMALLEST_STD = 1e-9  # its square still divides
ROW_ARRAYS = ("bias", "threshold", "payload_low", "payload_high", "row_scale", "unit")


def network_problems(network: Network, features: int, action: ActionContract) -> list[str]:
    """Every rule that a network of at least one layer breaks.

    Args:
        network: What is checked.
        features: Of an observation, behind its contract.
        action: What the network's output becomes.
    """
    coding = network.spike_coding
    inputs = features if coding is None else features * coding.population
    problems = _encoder_problems(network, inputs)
    problems += _time_problems(network)
    for index, layer in enumerate(network.layers):
        problems += [f"layer {index}: {problem}" for problem in _problems(network, index, inputs)]
        inputs = layer.outputs
    if coding is None:
        if inputs != action.size:
            problems.append(f"the readout has {inputs} rows for {action.size} action channels")
        return problems
    problems += spike_coding_problems(network, coding, features, action.size)
    if action.discrete:
        problems.append(
            "spike counts decode to numbers, not to a choice: the squash argmax does not go with"
            " lif@1"
        )
    return problems


def usable(scales: NDArray[np.float64]) -> bool:
    """Whether all are numbers within SCALES; NaN is not."""
    return bool(((scales >= SCALES[0]) & (scales <= SCALES[1])).all())


def _encoder_problems(network: Network, inputs: int) -> list[str]:
    scale = network.encoder.scale
    limit = network.encoder.limit
    if scale.shape != (inputs,) or limit.shape != (inputs,):
        what = "features" if network.coding.graded else "inputs"
        return [f"encoder has shapes {scale.shape}, {limit.shape} for {inputs} {what}"]
    if not usable(scale) or (limit < 1).any() or (limit > STATE_LIMIT).any():
        return [f"encoder scales must be within 1e-60..1e30, limits 1..{STATE_LIMIT}"]
    return []


def _time_problems(network: Network) -> list[str]:
    problems = []
    in_range = 1 <= network.timesteps <= 1024 and 0 <= network.alpha <= 64
    if not in_range or network.resync_every < 0:
        problems.append(
            f"timesteps {network.timesteps}, alpha {network.alpha}/64, resync_every"
            f" {network.resync_every} must be in 1..1024, 0..64, >= 0"
        )
    coding = coding_of(network.layers, network.timesteps, network.spike_coding)
    if network.coding != coding:
        problems.append(
            f"payloads are taken for {network.coding.value}, and the neurons' are {coding.value}"
        )
    return problems


def _problems(network: Network, index: int, inputs: int) -> list[str]:
    """What is wrong with one layer, where `inputs` arrive."""
    layer = network.layers[index]
    known = (*HIDDEN_NEURONS, READOUT)
    if layer.neuron not in known:
        return [f"unknown neuron {layer.neuron!r}, known are {', '.join(known)}"]
    problems = _place_problems(network, index)
    found = _shape_problems(layer, inputs)
    if problems or found:
        return problems + found
    if not (usable(layer.row_scale) and usable(layer.unit)):
        problems.append("row scales and units must be within 1e-60..1e30")
    if layer.hold_input != (index == 0 and network.coding == Coding.RATE):
        problems.append("hold_input belongs to the first layer of a rate network and to no other")
    if layer.activation not in ACTIVATIONS:
        problems.append(f"unknown activation {layer.activation!r}")
    neuron = neuron_of(network, layer)
    problems += _parameter_problems(layer, neuron.parameters)
    problems += array_problems(layer, neuron.arrays)
    return problems + neuron.problems(layer, network)


def _place_problems(network: Network, index: int) -> list[str]:
    """Whether a neuron may stand where it stands."""
    layer = network.layers[index]
    last = index == len(network.layers) - 1
    spiking = [
        identifier
        for identifier, neuron in HIDDEN_NEURONS.items()
        if not neuron.traits.coding.graded
    ]
    problems = []
    if (layer.neuron in spiking) != (network.code is network.spike_coding):
        has = "without" if layer.neuron in spiking else "with"
        problems.append(
            f"neuron {layer.neuron} {has} a spike coding, which belongs to {', '.join(spiking)} and"
            " to no other"
        )
    elif (layer.neuron == READOUT) != (last and layer.neuron not in spiking):
        problems.append(
            f"neuron {layer.neuron} in this place; the last layer, and only it, is {READOUT}"
        )
    if not last and layer.neuron != network.neuron:
        problems.append(
            f"neuron {layer.neuron} beside {network.neuron}: one network has one kind of hidden"
            " neuron"
        )
    return problems


def _shape_problems(layer: Layer, inputs: int) -> list[str]:
    problems = layer.synapses.problems(inputs)
    if problems:
        return problems
    for name in ROW_ARRAYS:
        values = getattr(layer, name)
        if values.shape != (layer.outputs,):
            problems.append(f"{name} has shape {values.shape} for {layer.outputs} rows")
    return problems


def _parameter_problems(layer: Layer, names: tuple[str, ...]) -> list[str]:
    """Parameters of other neurons that a layer has."""
    problems = []
    for name in ("leak", "dynamics", "table"):
        if getattr(layer, name) is None or name in names:
            continue
        owners = ", ".join(
            identifier for identifier, neuron in HIDDEN_NEURONS.items() if name in neuron.parameters
        )
        if name == "dynamics":
            problems.append(f"dynamics belong to {owners}, not to {layer.neuron}")
        else:
            problems.append(f"{layer.neuron} takes no {name}, which belongs to {owners}")
    return problems


def spike_coding_problems(
    network: Network, coding: SpikeCoding, features: int, actions: int
) -> list[str]:
    """Problems of the encoder's and decoder's numbers.

    Args:
        network: Fed and read by spikes.
        coding: Its own.
        features: Of an observation, behind its contract.
        actions: Channels of an action.
    """
    problems = []
    if coding.transform not in TRANSFORMS:
        problems.append(f"unknown observation transform {coding.transform!r}")
    if not 1 <= coding.threshold <= ENCODER_UNITS:
        problems.append(
            f"the encoder's threshold is {coding.threshold}, 1..{ENCODER_UNITS} expected"
        )
    if (network.encoder.limit > ENCODER_UNITS).any():
        problems.append(f"the encoder's limits must be 1..{ENCODER_UNITS}")
    problems += _population_problems(coding, features)
    problems += _decoder_problems(coding, network.layers[-1].outputs, actions)
    dynamics = [layer.dynamics for layer in network.layers]
    if len({own is not None and own.bias_in_current for own in dynamics}) > 1:
        problems.append("biases go to the current in all layers or in none")
    if network.alpha or network.resync_every:
        problems.append("lif@1 carries nothing over: alpha and resync_every must be 0")
    return problems


def _population_problems(coding: SpikeCoding, features: int) -> list[str]:
    mean = coding.mean
    std = coding.std
    if mean is None and std is None:
        return []
    if mean is None or std is None:
        return ["a population encoder needs mean and std"]
    shaped = mean.ndim == 2 and mean.shape == std.shape
    if not shaped or mean.shape[0] != features or mean.shape[1] < 1:
        return [
            f"the encoder's mean and std have shapes {mean.shape}, {std.shape} for {features}"
            " features"
        ]
    finite = np.isfinite(mean).all() and np.isfinite(std).all()
    if not finite or (np.abs(std) < SMALLEST_STD).any():
        return [f"the encoder's mean and std must be finite, std at least {SMALLEST_STD:g}"]
    return []


def _decoder_problems(coding: SpikeCoding, outputs: int, actions: int) -> list[str]:
    weights = coding.decoder_weights
    bias = coding.decoder_bias
    shaped = weights.ndim == 2 and len(weights) == actions and weights.size == outputs
    if not shaped or bias.shape != (actions,):
        return [
            f"the decoder has shapes {weights.shape}, {bias.shape} for {outputs} output neurons"
            f" and {actions} action channels"
        ]
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        return ["the decoder's numbers must be finite"]
    return []
