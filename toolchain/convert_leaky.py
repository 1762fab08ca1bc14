"""A policy of snnTorch's leaky neurons to an artifact of `leaky@1`.

Integers for what was trained, nothing to choose but the bits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact, EnvironmentRecord
from spikeport.toolchain.conversion.build import ConversionOptions, artifact_of, common_recipe
from spikeport.toolchain.conversion.schemes.trained_leaky import leaky_network
from spikeport.toolchain.conversion.states import Calibration, from_arrays, from_environment
from spikeport.toolchain.convert_spiking import OPTION_NAMES
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.policies.leaky_policy import LeakyPolicy
from spikeport.toolchain.simulation.fast import FastBackend

STATES = 2000  # in order, that spikes and the action error are counted on


def refuse_meaningless(policy: LeakyPolicy, options: ConversionOptions) -> None:
    """Raise InputError naming every option that a network with its own neurons has no use for."""
    plain = ConversionOptions(neuron="leaky")
    problems = [
        f"{option} {getattr(options, name)}"
        for name, option in OPTION_NAMES.items()
        if getattr(options, name) != getattr(plain, name)
    ]
    if options.neuron != "leaky":
        problems.append(f"--neuron {options.neuron}")
    if problems:
        why = (
            "snnTorch's leaky neurons run once per decision, with the decays and thresholds that"
            " they were trained with"
        )
        raise violations(
            policy.provenance.file,
            [f"{problem} has no meaning here" for problem in problems],
            why=why,
            fix="leave it away",
        )


def convert_leaky_policy(
    policy: LeakyPolicy,
    options: ConversionOptions,
    environment: str | None,
    observations: NDArray[Any] | None,
    starts: NDArray[Any] | None,
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Artifact:
    """Convert on the states that the float policy visits in an environment, or on recorded ones in
    order.
    """
    refuse_meaningless(policy, options)
    if environment is None:
        if observations is None:
            raise InputError(
                "convert",
                "the encoder's range comes from the policy's own states",
                fix=("--env ID", "--observations FILE.npy"),
            )
        return convert_leaky(
            policy,
            from_arrays(np.asarray(observations), starts, policy.observation.size),
            None,
            options,
            seed,
        )
    env = gymnasium_bridge.make(environment, trusted=True)
    try:
        calibration = from_environment(
            policy, env, steps, seed, lambda done: progress("calibrate", done, steps)
        )
        return convert_leaky(
            policy, calibration, gymnasium_bridge.record(env, environment), options, seed
        )
    finally:
        env.close()


def convert_leaky(
    policy: LeakyPolicy,
    calibration: Calibration,
    environment: EnvironmentRecord | None,
    options: ConversionOptions,
    seed: int = 0,
) -> Artifact:
    """The artifact of a leaky policy.

    Raises InputError for options without meaning and rows that fit no scale.
    """
    refuse_meaningless(policy, options)
    inputs = policy.observation.apply(calibration.observations, calibration.decisions)
    network = leaky_network(policy, inputs, options.weight_bits)
    recipe = common_recipe(calibration, network, seed) | {
        "weight_bits": options.weight_bits,
        "alpha": 0.0,
        "action_error": None,
        "pruned": False,
    }
    artifact = artifact_of(policy, network, calibration, recipe, environment, options.keep_source)
    rows = calibration.observations[:STATES]
    decisions = calibration.decisions[:STATES]
    with FastBackend(artifact) as backend:
        trace = backend.trace(rows, (decisions == 0).astype(np.int64))
    difference = (trace.actions - policy.act(rows, decisions)) / (policy.action.range / 2)
    silent = [int((~layer.payloads.any(axis=(0, 1))).sum()) for layer in trace.layers[:-1]]
    error = float(np.sqrt((difference**2).sum(1).mean()))
    return dataclasses.replace(
        artifact, calibration=recipe | {"silent_neurons": silent, "measured_action_error": error}
    )
