"""A policy that was trained as a spiking network to an artifact of `lif@1`: no thresholds to
choose, integers only.

The states it is given serve as probe and to count silent neurons; weights, thresholds and decays
follow from the checkpoint and the weight bits alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact, EnvironmentRecord
from spikeport.toolchain.conversion.build import ConversionOptions, artifact_of, common_recipe
from spikeport.toolchain.conversion.schemes.trained_lif import (
    refuse_foreign_neurons,
    spiking_network,
)
from spikeport.toolchain.conversion.states import Calibration, from_arrays, from_environment, subset
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.simulation.fast import FastBackend

STATES = 2000  # that silent neurons and the action error are counted on
SYNTHETIC = 1000
OPTION_NAMES = {
    "timesteps": "--timesteps", "alpha": "--alpha", "action_error": "--action-error", "error_shares": "--error-shares", "triggers": "--triggers",
    "allocation": "--allocation", "thrift": "--thrift", "resync_every": "--resync-every", "prune_dead": "--prune-dead", "finetune": "--finetune",
}  # fmt: skip


def refuse_meaningless(policy: SpikingPolicy, options: ConversionOptions) -> None:
    """Raise InputError naming every option that an already spiking policy has no use for."""
    plain = ConversionOptions(neuron="lif")
    problems = []
    for name, option in OPTION_NAMES.items():
        value = getattr(options, name)
        if value == getattr(plain, name) or (name == "timesteps" and value == policy.timesteps):
            continue
        if name == "timesteps":
            reason = f"the checkpoint was trained with T = {policy.timesteps}"
        else:
            reason = "it belongs to the conversion of an ANN"
        problems.append(f"{option} {value}: {reason}")
    if policy.neuron == "cuba" and options.weight_bits != plain.weight_bits:
        problems.append(
            f"--weight-bits {options.weight_bits}: the file's integers are kept as they are"
        )
    if options.neuron != "lif":
        problems.append(
            f"--neuron {options.neuron}: the checkpoint has {policy.neuron} neurons, which run"
            " as lif"
        )
    if problems:
        fix = (
            "leave them away",
            "say another T in the checkpoint's sidecar, if it was trained with it",
        )
        raise violations(
            policy.provenance.file,
            problems,
            why="a spiking checkpoint keeps its own neurons and timesteps",
            fix=fix,
        )


def convert_spiking(
    policy: SpikingPolicy,
    calibration: Calibration,
    environment: EnvironmentRecord | None,
    options: ConversionOptions,
    seed: int = 0,
) -> Artifact:
    """The artifact of a spiking policy.

    Raises InputError for neurons that are no current-based LIF and options without meaning.
    """
    refuse_meaningless(policy, options)
    network = spiking_network(policy, options.weight_bits)
    rows = subset(len(calibration.starts), STATES)
    states = calibration.observations[rows]
    decisions = calibration.decisions[rows]
    counts = policy.counts(policy.observation.apply(states, decisions).astype(np.float32))
    recipe = common_recipe(calibration, network, seed) | {
        "trained_neuron": policy.neuron,
        "weight_bits": options.weight_bits,
        "alpha": 0.0,
        "action_error": None,
        "silent_neurons": [int((count.sum(0) == 0).sum()) for count in counts[1:]],
        "pruned": False,
    }
    artifact = artifact_of(policy, network, calibration, recipe, environment, options.keep_source)
    with FastBackend(artifact) as backend:
        difference = backend.trace(states, np.ones(len(states), np.int64)).actions - policy.act(
            states, decisions
        )
    error = float(np.sqrt(((difference / (policy.action.range / 2)) ** 2).sum(1).mean()))
    return dataclasses.replace(artifact, calibration=recipe | {"measured_action_error": error})


def convert_spiking_policy(
    policy: SpikingPolicy,
    options: ConversionOptions,
    environment: str | None,
    observations: NDArray[Any] | None,
    starts: NDArray[Any] | None,
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> Artifact:
    """Convert on the states of an environment that the user named, on recorded ones, or on
    synthetic rates.
    """
    if environment is not None:
        return convert_spiking(
            policy,
            *calibrate_in_environment(policy, environment, steps, seed, progress),
            options=options,
            seed=seed,
        )
    if observations is not None:
        calibration = from_arrays(np.asarray(observations), starts, policy.observation.size)
    else:
        calibration = synthetic_calibration(policy)
    return convert_spiking(policy, calibration, None, options, seed)


def calibrate_in_environment(
    policy: SpikingPolicy,
    identifier: str,
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> tuple[Calibration, EnvironmentRecord]:
    """The states that the float policy visits."""
    refuse_foreign_neurons(policy)  # before the episodes, not after
    env = gymnasium_bridge.make(identifier, trusted=True)
    try:
        calibration = from_environment(
            policy, env, steps, seed, lambda done: progress("calibrate", done, steps)
        )
        return calibration, gymnasium_bridge.record(env, identifier)
    finally:
        env.close()


def synthetic_calibration(policy: SpikingPolicy) -> Calibration:
    """States of a rate-coded policy without an environment: its inputs are rates, so they lie in
    0..1.

    Half of them random walks, reflected at the ends, half uniform. Raises InputError for any other
    policy.
    """
    if policy.mean is not None or policy.observation.mean is not None or policy.transform != "none":
        raise InputError(
            "convert",
            "the probe needs the policy's own states",
            got="neither --env nor --observations",
            why="only a rate encoder says by itself where its inputs lie",
            fix=("--env ID", "--observations FILE.npy"),
        )
    rng = np.random.default_rng(0)
    size = policy.observation.size
    walk = np.cumsum(rng.normal(scale=0.05, size=(SYNTHETIC // 2, size)), axis=0) + rng.random(size)
    reflected = np.abs((walk + 1) % 2 - 1)
    values = np.concatenate([reflected, rng.random((SYNTHETIC - len(walk), size))])
    starts = np.arange(SYNTHETIC) % 100 == 0
    return Calibration(values, starts, (), "synthetic rates in 0..1")
