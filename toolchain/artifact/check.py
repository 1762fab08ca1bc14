"""The rules that an artifact keeps, all of them looked at before anything relies on one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.environments.environment_record import PERIODS
from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.codes import ENCODER_UNITS, TRANSFORMS, SpikeCoding
from spikeport.toolchain.network.integer_network import (
    DIFFERENTIAL_TIMESTEPS,
    LEAKY,
    LIF,
    READOUT,
    Coding,
    Network,
)
from spikeport.toolchain.network.parameters import STATE_LIMIT, _table_problems
from spikeport.toolchain.neurons import HIDDEN_NEURONS, NEURON_IDS, SPIKES
from spikeport.toolchain.neurons.bounds import LayerProof
from spikeport.toolchain.neurons.leaky import leaky_layer_problems
from spikeport.toolchain.neurons.leaky_integrate_and_fire import lif_layer_problems
from spikeport.toolchain.neurons.proof import prove

SCALES = (
    1e-60,
    1e30,
    # what one integer stands for: beyond, float64 arithmetic on the host ends in infinities and zeros
)


def check(artifact: Artifact, where: str) -> list[LayerProof]:
    """Validate everything a backend relies on; all violations in one InputError.

    Returns the range proof.
    """
    network = artifact.network
    problems = []
    features = artifact.observation.features
    layers = network.layers
    if not layers:
        raise violations(where, ["the network has no layer"], fix="reconvert the policy")
    coding = network.spike_coding
    if coding is None:
        inputs = features
    else:
        inputs = features * coding.population
    if network.encoder.scale.shape != (inputs,) or network.encoder.limit.shape != (inputs,):
        shapes = (network.encoder.scale.shape, network.encoder.limit.shape)
        if coding is None:
            what = "features"
        else:
            what = "inputs"
        problems.append(f"encoder has shapes {shapes[0]}, {shapes[1]} for {inputs} {what}")
    elif not (
        _usable(network.encoder.scale)
        and ((network.encoder.limit >= 1) & (network.encoder.limit <= STATE_LIMIT)).all()
    ):
        problems.append(f"encoder scales must be within 1e-60..1e30, limits 1..{STATE_LIMIT}")
    if not (
        1 <= network.timesteps <= 1024 and 0 <= network.alpha <= 64 and network.resync_every >= 0
    ):
        problems.append(
            f"timesteps {network.timesteps}, alpha {network.alpha}/64, resync_every"
            f" {network.resync_every} must be in 1..1024, 0..64, >= 0"
        )
    for index, layer in enumerate(layers):
        problems += [
            f"layer {index}: {problem}" for problem in _layer_problems(network, index, inputs)
        ]
        inputs = layer.outputs
    if coding is not None:
        problems += spike_coding_problems(network, coding, features, artifact.action.size)
        if artifact.action.discrete:
            problems.append(
                "spike counts decode to numbers, not to a choice: the squash argmax does not go"
                " with lif@1"
            )
    elif inputs != artifact.action.size:
        problems.append(f"the readout has {inputs} rows for {artifact.action.size} action channels")
    probe = artifact.probe
    if (
        probe.observations.ndim != 2
        or probe.observations.shape[1] != artifact.observation.size
        or probe.flags.shape != probe.observations.shape[:1]
        or len(probe.flags) < 1
    ):
        problems.append(
            f"probe has shapes {probe.observations.shape}, {probe.flags.shape} for"
            f" {artifact.observation.size} channels"
        )
    elif (
        not np.isfinite(probe.observations).all()
        or probe.flags.max() > 2
        or (probe.flags == 1).sum() < 2
    ):
        problems.append("probe must be finite, with flags 0..2 and two episode starts or more")
    problems += _contract_problems(artifact)
    if artifact.environment is not None and ":" in artifact.environment.id:
        problems.append(
            f"environment id {artifact.environment.id!r} carries a colon, which would import code"
        )
    if artifact.environment is None:
        period = None
    else:
        period = artifact.environment.control_period_s
    if period is not None and not PERIODS[0] <= period <= PERIODS[1]:
        problems.append(
            f"the control period is {period} s, {PERIODS[0]:g}..{PERIODS[1]:g} expected"
        )
    problems += _calibration_problems(artifact.calibration)
    if artifact.source_macs < 1:
        problems.append(
            f"the source's multiply-adds are {artifact.source_macs}, at least 1 expected"
        )
    if problems:
        raise violations(
            where,
            problems,
            why="an artifact is loaded whole or not at all",
            fix="reconvert it from the source policy with `spikeport convert`",
        )
    return prove(network, where)


def _contract_problems(artifact: Artifact) -> list[str]:
    """What the host's arithmetic relies on: finite numbers, positive divisors, bounds in order."""
    observation = artifact.observation
    action = artifact.action
    problems = []
    time = observation.time_feature
    coding = artifact.network.spike_coding
    if observation.variance is None:
        spread = None
    else:
        spread = observation.variance + observation.epsilon
    if spread is not None and not (np.isfinite(spread) & (spread > 0)).all():
        problems.append("divisor must be finite and positive")
    for name, value in (
        ("shift", observation.mean),
        ("action scale", action.scale),
        ("action offset", action.offset),
    ):
        if value is not None and not np.isfinite(value).all():
            problems.append(f"{name} must be finite")
    if observation.clip is not None and not 0 < observation.clip < np.inf:
        problems.append(f"the observation's clip is {observation.clip}, above 0 expected")
    if time is not None and time.max_steps < 1:
        problems.append(f"the time feature counts {time.max_steps} steps, at least 1 expected")
    features = artifact.network.encoder.scale.size // (
        1 if coding is None else max(coding.population, 1)
    )
    if observation.size < 1 or features != observation.features:
        problems.append(f"{observation.size} observation channels for {features} features")
    if (action.low is None) != (action.high is None):
        problems.append("an action that is clipped needs low and high")
    elif (
        action.low is not None and action.high is not None and not (action.low <= action.high).all()
    ):
        problems.append("action bounds must be numbers, low not above high")
    return problems


def _calibration_problems(calibration: dict[str, Any]) -> list[str]:
    """Types of the entries that other rooms read; further entries are kept as they are."""

    def number(value: Any) -> bool:
        return value is None or (isinstance(value, int | float) and not isinstance(value, bool))

    seeds = calibration.get("seeds", [])
    silent = calibration.get("silent_neurons", [])
    problems = [
        f"calibration {name} is not a number"
        for name in ("steps", "action_error", "measured_action_error", "weight_bits", "alpha")
        if not number(calibration.get(name))
    ]
    for name, values in (("seeds", seeds), ("silent_neurons", silent)):
        if not isinstance(values, list) or not all(
            isinstance(value, int) and not isinstance(value, bool) for value in values
        ):
            problems.append(f"calibration {name} is not a list of whole numbers")
    return problems


def _usable(scales: NDArray[np.float64]) -> bool:
    """Whether all are numbers within SCALES; NaN is not."""
    return bool(((scales >= SCALES[0]) & (scales <= SCALES[1])).all())


def _layer_problems(network: Network, index: int, inputs: int) -> list[str]:
    layer = network.layers[index]
    last = index == len(network.layers) - 1
    problems = []
    if layer.neuron not in NEURON_IDS:
        return [f"unknown neuron {layer.neuron!r}, known are {', '.join(NEURON_IDS)}"]
    if (layer.neuron == LIF) != (network.spike_coding is not None):
        problems.append(
            f"neuron {layer.neuron} {'without' if layer.neuron == LIF else 'with'} a spike coding,"
            f" which belongs to {LIF} and to no other"
        )
    elif (layer.neuron == READOUT) != (last and layer.neuron != LIF):
        problems.append(
            f"neuron {layer.neuron} in this place; the last layer, and only it, is {READOUT}"
        )
    if not last and layer.neuron != network.neuron:
        problems.append(
            f"neuron {layer.neuron} beside {network.neuron}: one network has one kind of hidden"
            " neuron"
        )
    if layer.neuron == "sdn@1" and network.timesteps != 1:
        problems.append(f"sdn@1 has one timestep, not {network.timesteps}")
    if layer.neuron == "dc@1" and network.timesteps not in DIFFERENTIAL_TIMESTEPS:
        problems.append(
            f"dc@1 has {', '.join(map(str, DIFFERENTIAL_TIMESTEPS))} timesteps, not"
            f" {network.timesteps}"
        )
    if layer.weights.ndim != 2 or layer.weights.shape[1] != inputs or layer.weights.shape[0] < 1:
        return [*problems, f"weights of shape {layer.weights.shape} where {inputs} inputs arrive"]
    if layer.weights.min(initial=0) < -127:
        problems.append("weights must be symmetric, -127..127")
    for name in ("bias", "threshold", "payload_low", "payload_high", "row_scale", "unit"):
        if getattr(layer, name).shape != (layer.outputs,):
            problems.append(
                f"{name} has shape {getattr(layer, name).shape} for {layer.outputs} rows"
            )
    if problems:
        return problems
    if not (_usable(layer.row_scale) and _usable(layer.unit)):
        problems.append("row scales and units must be within 1e-60..1e30")
    if layer.hold_input != (index == 0 and network.coding == Coding.RATE):
        problems.append("hold_input belongs to the first layer of a rate network and to no other")
    if layer.activation not in ACTIVATIONS:
        problems.append(f"unknown activation {layer.activation!r}")
    if layer.neuron == LIF:
        return problems + lif_layer_problems(layer)
    if (layer.leak is not None) != (layer.neuron == LEAKY):
        problems.append(
            f"{layer.neuron} {'needs' if layer.leak is None else 'takes no'} leak, which belongs to"
            f" {LEAKY}"
        )
    elif layer.neuron == LEAKY:
        return problems + leaky_layer_problems(network, layer)
    if layer.dynamics is not None:
        problems.append(f"dynamics belong to {LIF}, not to {layer.neuron}")
    if last:
        return problems
    if (
        (layer.payload_low > 0).any()
        or (layer.payload_high < 1).any()
        or (layer.payload_high > STATE_LIMIT).any()
        or (layer.payload_low < -STATE_LIMIT).any()
    ):
        problems.append("payload ranges must include 0 and 1 within 24 bits")
    needs_threshold = layer.neuron != "sdn@1" or layer.table is None
    largest = STATE_LIMIT // (SPIKES[layer.neuron].levels if layer.neuron in SPIKES else 1)
    if needs_threshold and ((layer.threshold < 1) | (layer.threshold > largest)).any():
        problems.append(f"thresholds must be 1..{largest}")
    if layer.neuron in HIDDEN_NEURONS and layer.neuron != "sdn@1" and layer.activation != "relu":
        problems.append(f"{layer.neuron} carries relu only, not {layer.activation}")
    spikes = SPIKES.get(layer.neuron)
    if (
        spikes is not None
        and ((layer.payload_low != spikes.low) | (layer.payload_high != spikes.high)).any()
    ):
        problems.append(f"the payload of {layer.neuron} is within {spikes.low}..{spikes.high}")
    if not 1 <= layer.trigger <= (STATE_LIMIT if layer.neuron == "sdn@1" else 1):
        problems.append(
            f"trigger {layer.trigger}, 1..{STATE_LIMIT} expected for sdn@1, 1 for every other"
            " neuron"
        )
    if layer.neuron == "sdn@1" and (layer.table is None) != (
        layer.activation in ("relu", "identity")
    ):
        problems.append(
            f"activation {layer.activation} {'needs' if layer.table is None else 'takes no'} table"
        )
    if layer.table is not None:
        problems += _table_problems(layer.table, layer.outputs)
    return problems


SMALLEST_STD = 1e-9  # its square still divides


def spike_coding_problems(
    network: Network, coding: SpikeCoding, features: int, actions: int
) -> list[str]:
    """Problems of the encoder's and decoder's numbers."""
    problems = []
    outputs = network.layers[-1].outputs
    if coding.transform not in TRANSFORMS:
        problems.append(f"unknown observation transform {coding.transform!r}")
    if not 1 <= coding.threshold <= ENCODER_UNITS:
        problems.append(
            f"the encoder's threshold is {coding.threshold}, 1..{ENCODER_UNITS} expected"
        )
    if (network.encoder.limit > ENCODER_UNITS).any():
        problems.append(f"the encoder's limits must be 1..{ENCODER_UNITS}")
    if (coding.mean is None) != (coding.std is None):
        problems.append("a population encoder needs mean and std")
    elif coding.mean is not None and coding.std is not None:
        if (
            coding.mean.ndim != 2
            or coding.mean.shape != coding.std.shape
            or coding.mean.shape[0] != features
            or coding.mean.shape[1] < 1
        ):
            problems.append(
                f"the encoder's mean and std have shapes {coding.mean.shape}, {coding.std.shape}"
                f" for {features} features"
            )
        elif not (
            np.isfinite(coding.mean).all()
            and np.isfinite(coding.std).all()
            and (np.abs(coding.std) >= SMALLEST_STD).all()
        ):
            problems.append(
                f"the encoder's mean and std must be finite, std at least {SMALLEST_STD:g}"
            )
    weights = coding.decoder_weights
    if (
        weights.ndim != 2
        or len(weights) != actions
        or weights.size != outputs
        or coding.decoder_bias.shape != (actions,)
    ):
        problems.append(
            f"the decoder has shapes {weights.shape}, {coding.decoder_bias.shape} for {outputs}"
            f" output neurons and {actions} action channels"
        )
    elif not (np.isfinite(weights).all() and np.isfinite(coding.decoder_bias).all()):
        problems.append("the decoder's numbers must be finite")
    if (
        len(
            {
                layer.dynamics is not None and layer.dynamics.bias_in_current
                for layer in network.layers
            }
        )
        > 1
    ):
        problems.append("biases go to the current in all layers or in none")
    if network.alpha or network.resync_every:
        problems.append("lif@1 carries nothing over: alpha and resync_every must be 0")
    return problems
