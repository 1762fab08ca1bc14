"""The rules that an artifact keeps, all of them looked at before anything relies on one."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.artifact.network_check import network_problems
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.environments.environment_record import PERIODS, EnvironmentRecord
from spikeport.toolchain.errors import violations
from spikeport.toolchain.neurons.bounds import LayerProof
from spikeport.toolchain.neurons.proof import prove

CALIBRATION_NUMBERS = ("steps", "action_error", "measured_action_error", "weight_bits", "alpha")
CALIBRATION_LISTS = ("seeds", "silent_neurons")


def check(artifact: Artifact, where: str) -> list[LayerProof]:
    """Validate everything a backend relies on; all violations in one InputError.

    Returns the range proof.
    """
    network = artifact.network
    if not network.layers:
        raise violations(where, ["the network has no layer"], fix="reconvert the policy")
    problems = network_problems(network, artifact.observation.features, artifact.action)
    problems += _probe_problems(artifact.probe, artifact.observation.size)
    problems += _observation_problems(artifact.observation)
    problems += _feature_problems(artifact)
    problems += _action_problems(artifact.action)
    problems += _environment_problems(artifact.environment)
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


def _probe_problems(probe: Probe, channels: int) -> list[str]:
    observations = probe.observations
    flags = probe.flags
    fits = observations.ndim == 2 and observations.shape[1] == channels
    if not fits or flags.shape != observations.shape[:1] or len(flags) < 1:
        return [f"probe has shapes {observations.shape}, {flags.shape} for {channels} channels"]
    # an episode that follows another shows that a start clears what the first one left
    if not np.isfinite(observations).all() or flags.max() > 2 or (flags == 1).sum() < 2:
        return ["probe must be finite, with flags 0..2 and two episode starts or more"]
    return []


def _observation_problems(observation: ObservationContract) -> list[str]:
    """What the encoder's arithmetic relies on: finite numbers and positive divisors."""
    problems = []
    if observation.variance is not None:
        spread = observation.variance + observation.epsilon
        if not (np.isfinite(spread) & (spread > 0)).all():
            problems.append("divisor must be finite and positive")
    if observation.mean is not None and not np.isfinite(observation.mean).all():
        problems.append("shift must be finite")
    if observation.clip is not None and not 0 < observation.clip < np.inf:
        problems.append(f"the observation's clip is {observation.clip}, above 0 expected")
    time = observation.time_feature
    if time is not None and time.max_steps < 1:
        problems.append(f"the time feature counts {time.max_steps} steps, at least 1 expected")
    return problems


def _feature_problems(artifact: Artifact) -> list[str]:
    """Whether the network's input fits the observation."""
    observation = artifact.observation
    coding = artifact.network.spike_coding
    population = 1 if coding is None else max(coding.population, 1)
    features = artifact.network.encoder.scale.size // population
    if observation.size < 1 or features != observation.features:
        return [f"{observation.size} observation channels for {features} features"]
    return []


def _action_problems(action: ActionContract) -> list[str]:
    """What the decoder's arithmetic relies on: finite numbers and bounds in order."""
    problems = [
        f"{name} must be finite"
        for name, values in (("action scale", action.scale), ("action offset", action.offset))
        if values is not None and not np.isfinite(values).all()
    ]
    if action.low is None and action.high is None:
        return problems
    if action.low is None or action.high is None:
        problems.append("an action that is clipped needs low and high")
    elif not (action.low <= action.high).all():
        problems.append("action bounds must be numbers, low not above high")
    return problems


def _environment_problems(environment: EnvironmentRecord | None) -> list[str]:
    if environment is None:
        return []
    problems = []
    if ":" in environment.id:
        problems.append(
            f"environment id {environment.id!r} carries a colon, which would import code"
        )
    period = environment.control_period_s
    if period is not None and not PERIODS[0] <= period <= PERIODS[1]:
        problems.append(
            f"the control period is {period} s, {PERIODS[0]:g}..{PERIODS[1]:g} expected"
        )
    return problems


def _calibration_problems(calibration: dict[str, Any]) -> list[str]:
    """Types of the entries that are read elsewhere; further entries are kept as they are."""
    problems = [
        f"calibration {name} is not a number"
        for name in CALIBRATION_NUMBERS
        if calibration.get(name) is not None and not _is_number(calibration[name])
    ]
    for name in CALIBRATION_LISTS:
        values = calibration.get(name, [])
        whole = isinstance(values, list) and all(
            isinstance(value, int) and not isinstance(value, bool) for value in values
        )
        if not whole:
            problems.append(f"calibration {name} is not a list of whole numbers")
    return problems


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
