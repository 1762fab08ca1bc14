"""The artifact: one file that holds a deployable spiking policy, and the hub that every later room
knows.

What it holds is here; how it is written to a `.spk` file is in `artifact_file.py`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import violations
from spikeport.toolchain.leaky_check import leaky_layer_problems
from spikeport.toolchain.network.integer_network import (
    DIFFERENTIAL_TIMESTEPS,
    LEAKY,
    LIF,
    MAX_SEGMENTS,
    READOUT,
    STATE_LIMIT,
    Coding,
    Network,
)
from spikeport.toolchain.neurons import HIDDEN_NEURONS, NEURON_IDS, SPIKES
from spikeport.toolchain.neurons.proof import LayerProof, prove
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.spiking_policy import AnyPolicy
from spikeport.toolchain.spiking_check import lif_layer_problems, spike_coding_problems

if TYPE_CHECKING:
    from spikeport.toolchain.simulation.controller import Controller

PROBE_DECISIONS = 256
PERIODS = (1e-6, 1e6)  # s, the control periods that are one
SCALES = (
    1e-60,
    1e30,
    # what one integer stands for: beyond, float64 arithmetic on the host ends in infinities and zeros
)


@dataclass(frozen=True)
class EnvironmentRecord:
    """The environment that a policy was calibrated in, as recorded; ids never carry a colon."""

    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrappers: tuple[str, ...] = ()
    control_period_s: float | None = None
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Probe:
    """Observations [256, obs] float64 for checks without an environment; flags [256]:

    1 starts an episode, 2 resyncs.
    """

    observations: NDArray[np.float64]
    flags: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Artifact:
    """A deployable spiking policy.

    `calibration` records the recipe as JSON: steps, seeds that simulate must not use, action error,
    weight bits, neurons that never fired. `source_macs` is the source ANN's cost and survives
    without the source itself.
    """

    network: Network
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance
    probe: Probe
    calibration: dict[str, Any]
    environment: EnvironmentRecord | None = None
    source: AnyPolicy | None = None
    source_macs: int = 0
    memory: str = (
        "none"  # what memory the policy needs beyond its own neurons: frame stack, action history
    )
    extensions: dict[str, Any] = field(default_factory=dict)

    @property
    def macs(self) -> int:
        """Dense multiply-adds of the source ANN per decision."""
        return self.source_macs

    def without_source(self) -> Artifact:
        """The same artifact without the float policy inside."""
        return dataclasses.replace(self, source=None)

    def controller(self, backend: str = "fast") -> Controller:
        """This policy for a loop of one's own; see toolchain/simulation/controller.py."""
        from spikeport.toolchain.simulation.controller import (
            Controller,
        )  # the hub knows no later room until it is asked for one

        return Controller(self, backend)


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


def _table_problems(table: Any, neurons: int) -> list[str]:
    if table.start.ndim == 2:
        segments = table.start.shape[1]
    else:
        segments = 0
    shapes = {table.start.shape, table.multiplier.shape, table.offset.shape}
    if (
        shapes != {(neurons, segments)}
        or not 1 <= segments <= MAX_SEGMENTS
        or table.shift.shape != (neurons,)
        or table.error_bound.shape != (neurons,)
    ):
        return [
            f"activation table of shapes {sorted(shapes)} for {neurons} neurons and"
            f" 1..{MAX_SEGMENTS} segments"
        ]
    problems = []
    if (table.start[:, 0] != -(2**23)).any() or (
        np.diff(table.start.astype(np.int64), axis=1) < 0
    ).any():
        problems.append("table segments must start at -2^23 and ascend")
    if (np.abs(table.multiplier.astype(np.int64)) >= 2**15).any() or (
        (table.shift < 1) | (table.shift > 31)
    ).any():
        problems.append("table multipliers must be below 2^15 and shifts 1..31")
    if (np.abs(table.offset.astype(np.int64)) > STATE_LIMIT).any():
        problems.append("table offsets must fit 24 bits")
    return problems
