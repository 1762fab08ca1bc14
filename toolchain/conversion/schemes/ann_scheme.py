"""What schemes share that take a feed-forward ANN: pruning, the error of the action, the recipe."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics, measure
from spikeport.toolchain.conversion.schemes.action_error import open_loop_error
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.scheme import Scheme
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, is_feed_forward
from spikeport.toolchain.policies.policy_interface import AnyPolicy

Silent = list[NDArray[np.bool_]]  # per hidden layer, [out]


class AnnScheme(Scheme[Policy]):
    """A scheme for feed-forward ANNs."""

    def refusals(self, policy: AnyPolicy, choices: ConversionChoices) -> Iterator[InputError]:
        """Say that a policy of another kind cannot be taken apart."""
        if is_feed_forward(policy):
            yield from self.policy_refusals(policy, choices)
            return
        yield InputError(
            policy.provenance.file,
            "no conversion is known for this kind of policy",
            got=type(policy).__name__,
            limit="a feed-forward ANN, or a network that was trained as spiking",
            fix="`spikeport check CHECKPOINT` says what is known of it",
        )

    @abstractmethod
    def policy_refusals(self, policy: Policy, choices: ConversionChoices) -> Iterator[InputError]:
        """Every reason why this ANN cannot be converted with these choices."""

    @abstractmethod
    def quantise(
        self, policy: Policy, statistics: PolicyStatistics, choices: ConversionChoices
    ) -> Network:
        """The network of a policy, pruned or not, with its own statistics."""

    def network(self, subject: CalibratedPolicy[Policy], choices: ConversionChoices) -> Network:
        """The network, without the neurons that never fired where the user chose so."""
        if not choices.prune_dead:
            return self.quantise(subject.policy, subject.statistics, choices)
        layers = subject.policy.layers[:-1]
        silent = [
            mask & (layer.activation == "relu")
            for mask, layer in zip(silent_neurons(subject), layers, strict=True)
        ]
        pruned = without_neurons(subject.policy, silent)
        return self.quantise(pruned, measure(pruned, subject.calibration), choices)

    def recipe(
        self, subject: CalibratedPolicy[Policy], choices: ConversionChoices, network: Network
    ) -> dict[str, Any]:
        """What every artifact of an ANN records; None where it belongs to another neuron."""
        return {
            "weight_bits": choices.weight_bits,
            "alpha": network.alpha / 64,
            "action_error": None,
            "silent_neurons": [int(mask.sum()) for mask in silent_neurons(subject)],
            "pruned": choices.prune_dead,
            "allocation": None,
            "thrift": choices.thrift,
            "threshold_shares": None,
        }

    def notes(self, subject: CalibratedPolicy[Policy], artifact: Artifact) -> dict[str, Any]:
        """The action error on calibration states."""
        error = open_loop_error(artifact, subject.policy, subject.calibration)
        return {"measured_action_error": error}


def silent_neurons(subject: CalibratedPolicy[Policy]) -> Silent:
    """Which hidden neurons never fired, or never changed, on the calibration states."""
    signals = subject.statistics.signals[1:]
    return [
        (signal.high <= signal.low) | (signal.high <= 0) & (layer.activation == "relu")
        for signal, layer in zip(signals, subject.policy.layers[:-1], strict=True)
    ]


def without_neurons(policy: Policy, silent: Silent) -> Policy:
    """The policy without the marked hidden neurons; at least one neuron stays in every layer."""
    layers = list(policy.layers)
    for index, mask in enumerate(silent):
        keep = ~mask
        if not keep.any():
            keep = np.arange(len(mask)) == 0
        layer = layers[index]
        layers[index] = DenseLayer(layer.weight[keep], layer.bias[keep], layer.activation)
        layers[index + 1] = dataclasses.replace(
            layers[index + 1], weight=layers[index + 1].weight[:, keep]
        )
    return dataclasses.replace(policy, layers=tuple(layers))
