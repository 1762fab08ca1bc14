"""Networks of PopSAN, Proxy-Target, SDDPG and lava-dl to `lif@1`: they are taken as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.calibration.states import (
    Calibration,
    subset,
    synthetic_rates,
)
from spikeport.toolchain.conversion.schemes.action_error import action_difference, rms
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.lif_network import foreign_neurons, spiking_network
from spikeport.toolchain.conversion.schemes.trained_scheme import ANN_OPTIONS, TrainedScheme
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

STATES = 2000  # spread over the calibration: no decision depends on another


class TrainedLifScheme(TrainedScheme[SpikingPolicy]):
    """Weights and thresholds to integers; every decision starts afresh."""

    neuron = "lif"

    def policy_refusals(
        self, policy: SpikingPolicy, choices: ConversionChoices
    ) -> Iterator[InputError]:
        """Name every option without meaning, and neurons that a stock LIF cannot run."""
        problems = self._option_problems(policy, choices)
        if problems:
            yield violations(
                policy.provenance.file,
                problems,
                why="a spiking checkpoint keeps its own neurons and timesteps",
                fix=(
                    "omit them",
                    "say another T in the checkpoint's sidecar, if it was trained with it",
                ),
            )
        yield from foreign_neurons(policy)

    def _option_problems(self, policy: SpikingPolicy, choices: ConversionChoices) -> list[str]:
        meaningless = self.meaningless(choices)
        problems = []
        for name, value in meaningless.items():
            reason = "it belongs to the conversion of an ANN"
            if name == "timesteps":
                reason = f"the checkpoint was trained with T = {policy.timesteps}"
            if name != "timesteps" or value != policy.timesteps:
                problems.append(f"{ANN_OPTIONS[name]} {value}: {reason}")
        bits = choices.weight_bits
        if policy.neuron == "cuba" and bits != ConversionChoices().weight_bits:
            problems.append(f"--weight-bits {bits}: the file's integers are kept as they are")
        if choices.neuron != self.neuron:
            problems.append(
                f"--neuron {choices.neuron}: the checkpoint has {policy.neuron} neurons, which run"
                f" as {self.neuron}"
            )
        return problems

    def synthetic(self, policy: SpikingPolicy) -> Calibration:
        """Rates in 0..1, of a policy whose encoder takes nothing else."""
        normalised = policy.mean is not None or policy.observation.mean is not None
        if normalised or policy.transform != "none":
            raise InputError(
                "convert",
                "the probe needs the policy's own states",
                got="neither --env nor --observations",
                why="only a rate encoder says by itself where its inputs lie",
                fix=("--env ID", "--observations FILE.npy"),
            )
        return synthetic_rates(policy.observation.size)

    def network(
        self, subject: CalibratedPolicy[SpikingPolicy], choices: ConversionChoices
    ) -> Network:
        """Integers of the trained layers."""
        return spiking_network(subject.policy, choices.weight_bits)

    def recipe(
        self,
        subject: CalibratedPolicy[SpikingPolicy],
        choices: ConversionChoices,
        network: Network,
    ) -> dict[str, Any]:
        """Also the neuron that was trained, and which neurons were silent."""
        policy = subject.policy
        states, decisions = _chosen_states(subject)
        counts = policy.counts(policy.network_inputs(states, decisions))
        return {
            "trained_neuron": policy.neuron,
            "weight_bits": choices.weight_bits,
            "alpha": 0.0,
            "action_error": None,
            "silent_neurons": [int((count.sum(0) == 0).sum()) for count in counts[1:]],
            "pruned": False,
        }

    def notes(self, subject: CalibratedPolicy[SpikingPolicy], artifact: Artifact) -> dict[str, Any]:
        """The action error on calibration states."""
        states, decisions = _chosen_states(subject)
        with FastBackend(artifact) as backend:
            actions = backend.trace(states, np.ones(len(states), np.int64)).actions
        difference = action_difference(actions, subject.policy, states, decisions)
        return {"measured_action_error": rms(difference)}


def _chosen_states(subject: CalibratedPolicy[SpikingPolicy]) -> tuple[Any, Any]:
    """Observations [n, obs] and decision numbers [n] to count spikes and errors on."""
    rows = subset(len(subject.calibration.starts), STATES)
    return subject.calibration.observations[rows], subject.calibration.decisions[rows]
