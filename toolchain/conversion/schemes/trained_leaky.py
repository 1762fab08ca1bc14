"""Networks of snnTorch's Leaky neurons to `leaky@1`: they are taken as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.schemes.action_error import action_difference, rms
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.leaky_network import leaky_network
from spikeport.toolchain.conversion.schemes.trained_scheme import ANN_OPTIONS, TrainedScheme
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.leaky_policy import LeakyPolicy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

STATES = 2000  # in order, that spikes and the action error are counted on


class TrainedLeakyScheme(TrainedScheme[LeakyPolicy]):
    """Weights, decays and thresholds to integers; membranes live as long as the episode."""

    neuron = "leaky"

    def policy_refusals(
        self, policy: LeakyPolicy, choices: ConversionChoices
    ) -> Iterator[InputError]:
        """Name every option that a network with its own neurons has no use for."""
        problems = [f"{ANN_OPTIONS[name]} {v}" for name, v in self.meaningless(choices).items()]
        if choices.neuron != self.neuron:
            problems.append(f"--neuron {choices.neuron}")
        if problems:
            yield violations(
                policy.provenance.file,
                [f"{problem} has no meaning here" for problem in problems],
                why=(
                    "snnTorch's leaky neurons run once per decision, with the decays and thresholds"
                    " that they were trained with"
                ),
                fix="omit it",
            )

    def network(
        self, subject: CalibratedPolicy[LeakyPolicy], choices: ConversionChoices
    ) -> Network:
        """Integers of the trained layers, the encoder's range from calibration states."""
        calibration = subject.calibration
        contract = subject.policy.observation
        inputs = contract.apply(calibration.observations, calibration.decisions)
        return leaky_network(subject.policy, inputs, choices.weight_bits)

    def recipe(
        self,
        subject: CalibratedPolicy[LeakyPolicy],
        choices: ConversionChoices,
        network: Network,
    ) -> dict[str, Any]:
        """Bits alone: everything else is the checkpoint's."""
        return {
            "weight_bits": choices.weight_bits,
            "alpha": 0.0,
            "action_error": None,
            "pruned": False,
        }

    def notes(self, subject: CalibratedPolicy[LeakyPolicy], artifact: Artifact) -> dict[str, Any]:
        """Which neurons were silent, and the action error, on calibration states in order."""
        states = subject.calibration.observations[:STATES]
        decisions = subject.calibration.decisions[:STATES]
        with FastBackend(artifact) as backend:
            trace = backend.trace(states, (decisions == 0).astype(np.int64))
        difference = action_difference(trace.actions, subject.policy, states, decisions)
        silent = [int((~layer.payloads.any(axis=(0, 1))).sum()) for layer in trace.layers[:-1]]
        return {"silent_neurons": silent, "measured_action_error": rms(difference)}
