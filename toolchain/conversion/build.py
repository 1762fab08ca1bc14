"""A trained policy in, a deployable spiking artifact out: the pipeline's one orchestrator."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.assemble import artifact_of, common_recipe
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.event_curves import event_thresholds
from spikeport.toolchain.conversion.schemes.rate import rate_network
from spikeport.toolchain.conversion.schemes.sigma_delta import sigma_delta_network
from spikeport.toolchain.conversion.signal_statistics import PolicyStatistics, measure
from spikeport.toolchain.conversion.states import Calibration
from spikeport.toolchain.conversion.thresholds import (
    equalised,
    maximum_thresholds,
    sensitivity_thresholds,
)
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons import SHORT_NAMES, TRAINED_NAMES
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy


def convert(
    policy: Policy,
    calibration: Calibration,
    options: ConversionOptions,
    environment: EnvironmentRecord | None = None,
    seed: int = 0,
    statistics: PolicyStatistics | None = None,
) -> Artifact:
    """Convert a policy with the states it was calibrated on.

    `statistics` are `measure(policy, calibration)`, for who converts the same policy many times.
    Raises InputError for a policy that the neuron cannot carry and for options that conflict with
    the range proof.
    """
    refuse_what_neuron_cannot_carry(policy, options)
    refuse_wrong_lengths(policy, options)
    statistics = statistics or measure(policy, calibration)
    dead = [
        (signal.high <= signal.low) | (signal.high <= 0) & (layer.activation == "relu")
        for signal, layer in zip(statistics.signals[1:], policy.layers[:-1], strict=True)
    ]
    converted = policy
    if options.prune_dead:
        converted = without_neurons(
            policy,
            [
                mask & (layer.activation == "relu")
                for mask, layer in zip(dead, policy.layers[:-1], strict=True)
            ],
        )
        statistics = measure(converted, calibration)
    network = _quantise(converted, statistics, options)
    recipe = common_recipe(calibration, network, seed) | {
        "weight_bits": options.weight_bits,
        "alpha": network.alpha / 64,
        "action_error": options.wanted_error if options.neuron == "sdn" else None,
        "silent_neurons": [int(mask.sum()) for mask in dead],
        "pruned": options.prune_dead,
        "allocation": options.allocation if options.neuron == "sdn" else None,
        "thrift": options.thrift,
        "threshold_shares": list(options.shares)
        if options.searches_thresholds and len(policy.layers) > 1
        else None,
    }
    return artifact_of(policy, network, calibration, recipe, environment, options.keep_source)


def refuse_what_neuron_cannot_carry(policy: Policy, options: ConversionOptions) -> None:
    """Raise InputError naming every layer whose activation the neuron cannot express."""
    if options.neuron in TRAINED_NAMES:
        raise InputError(
            policy.provenance.file,
            f"{options.neuron} runs networks that were trained as spiking",
            got=f"an ANN ({policy.provenance.family})",
            limit="a PopSAN, Proxy-Target, SDDPG or snnTorch checkpoint",
            fix=("--neuron sdn", "--neuron if"),
        )
    foreign = [
        f"layer {index} is {layer.activation}"
        for index, layer in enumerate(policy.layers[:-1])
        if layer.activation != "relu"
    ]
    if options.neuron != "sdn" and foreign:
        raise InputError(
            policy.provenance.file,
            f"{options.neuron} neurons carry relu only: {', '.join(foreign)}",
            why="a rate of spikes is never negative and grows linearly",
            fix="--neuron sdn, which carries any scalar activation",
        )
    if options.finetune and policy.action.discrete:
        raise InputError(
            policy.provenance.file,
            "a discrete action is not distilled",
            got="--finetune",
            why="its loss is the error of a continuous action",
            fix=("leave --finetune away", "--weight-bits 8"),
        )


def refuse_wrong_lengths(policy: Policy, options: ConversionOptions) -> None:
    """Raise InputError where a list of options does not have one entry per signal or hidden layer."""
    if options.threshold_shares and len(policy.layers) == 1:
        raise InputError(
            "--threshold-shares",
            "the policy has no hidden layer, so no thresholds",
            got=options.threshold_shares,
            fix="leave them away",
        )
    for option, values, wanted in (
        ("--error-shares", options.error_shares, len(policy.layers)),
        ("--triggers", options.triggers, len(policy.layers) - 1),
    ):
        if values and len(values) != wanted:
            if option == "--error-shares":
                what = "one share for the input and one per hidden layer"
            else:
                what = "one trigger per hidden layer"
            raise InputError(
                option,
                what,
                got=f"{len(values)} numbers",
                limit=wanted,
                fix=f"{option} {','.join('1' * wanted)}",
            )


def _quantise(policy: Policy, statistics: PolicyStatistics, options: ConversionOptions) -> Network:
    if options.neuron == "sdn":
        if options.allocation == "events":
            thresholds = event_thresholds(
                statistics, options.wanted_error, options.error_shares, options.triggers
            )
        else:
            thresholds = sensitivity_thresholds(
                statistics.signals, options.wanted_error, options.error_shares
            )
            thresholds = equalised(thresholds, statistics.signals, policy.layers)
        return sigma_delta_network(
            policy,
            statistics,
            thresholds,
            options.wanted_error,
            options.weight_bits,
            options.resync_every,
            options.triggers,
            options.thrift,
        )
    maxima = [maximum_thresholds(np.maximum(pre, 0))[0] for pre in statistics.pre_activations[:-1]]
    network = rate_network(
        policy,
        statistics,
        maxima,
        options.weight_bits,
        options.steps,
        options.alpha_64ths,
        SHORT_NAMES[options.neuron],
        options.shares,
    )
    return dataclasses.replace(network, resync_every=options.resync_every)


def without_neurons(policy: Policy, silent: list[NDArray[np.bool_]]) -> Policy:
    """The policy without the marked hidden neurons; at least one neuron stays in every layer."""
    layers = list(policy.layers)
    for index, mask in enumerate(silent):
        if not mask.all():
            keep = ~mask
        else:
            keep = np.arange(len(mask)) == 0
        layers[index] = DenseLayer(
            layers[index].weight[keep], layers[index].bias[keep], layers[index].activation
        )
        layers[index + 1] = DenseLayer(
            layers[index + 1].weight[:, keep], layers[index + 1].bias, layers[index + 1].activation
        )
    return dataclasses.replace(policy, layers=tuple(layers))
