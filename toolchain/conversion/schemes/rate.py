"""Feed-forward ReLU policies to rate neurons: `if@1`, `snm@1`, `mt@1` and `dc@1`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.schemes.ann_scheme import AnnScheme
from spikeport.toolchain.conversion.schemes.conversion_choices import ConversionChoices
from spikeport.toolchain.conversion.schemes.rate_network import rate_network
from spikeport.toolchain.conversion.schemes.rate_thresholds import SHARES, shares_to_try
from spikeport.toolchain.conversion.schemes.scheme import LARGEST_TIMESTEPS, Choices
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons import BY_NAME
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.policy_interface import AnyPolicy


class RateScheme(AnnScheme):
    """Thresholds from the largest activations; T timesteps, the residual carried over."""

    def __init__(self, neuron: str) -> None:
        self.neuron = neuron

    def policy_refusals(self, policy: Policy, choices: ConversionChoices) -> Iterator[InputError]:
        """Name every layer whose activation a rate cannot express."""
        foreign = [
            f"layer {index} is {layer.activation}"
            for index, layer in enumerate(policy.layers[:-1])
            if layer.activation != "relu"
        ]
        if foreign:
            yield InputError(
                policy.provenance.file,
                f"{self.neuron} neurons carry relu only: {', '.join(foreign)}",
                why="a rate of spikes is never negative and grows linearly",
                fix="--neuron sdn, which carries any scalar activation",
            )
        if choices.threshold_shares and len(policy.layers) == 1:
            yield InputError(
                "--threshold-shares",
                "the policy has no hidden layer, so no thresholds",
                got=choices.threshold_shares,
                fix="omit them",
            )

    def quantise(
        self, policy: Policy, statistics: PolicyStatistics, choices: ConversionChoices
    ) -> Network:
        """Thresholds from the largest activations, then integers."""
        return rate_network(policy, statistics, choices)


class DifferentialScheme(RateScheme):
    """Differential coding: each neuron's threshold is the best of a few shares of the largest."""

    def __init__(self) -> None:
        super().__init__("dc")

    def problems(self, choices: ConversionChoices) -> Iterator[InputError]:
        """Also timesteps without room for its state, and shares that cannot be used."""
        yield from super().problems(choices)
        steps = choices.steps
        allowed = BY_NAME[self.neuron].traits.allowed_timesteps or ()
        if 1 <= steps <= LARGEST_TIMESTEPS and steps not in allowed:
            yield InputError(
                "--timesteps",
                "dc keeps its state in units of 1 / lcm(1..T), which must leave room in 24 bits",
                got=steps,
                limit=", ".join(map(str, allowed)),
                fix=("--timesteps 4", "--neuron mt"),
            )
        if not all(0.05 <= share <= 20 for share in choices.threshold_shares):
            yield InputError(
                "--threshold-shares",
                "a share is not usable",
                got=choices.threshold_shares,
                limit="0.05..20",
                fix="--threshold-shares 1,0.8,0.6",
            )

    def candidates(self, policy: AnyPolicy, choices: Choices) -> list[Choices]:
        """The lists of shares in turn, unless the user chose one or nothing is searched."""
        searched = choices.searches_thresholds and len(policy.layers) > 1
        if choices.threshold_shares or not searched:
            return [choices]
        return [dataclasses.replace(choices, threshold_shares=shares) for shares in SHARES]

    def recipe(
        self, subject: CalibratedPolicy[Policy], choices: ConversionChoices, network: Network
    ) -> dict[str, Any]:
        """Also the shares that were tried for each neuron."""
        recipe = super().recipe(subject, choices, network)
        if choices.searches_thresholds and len(subject.policy.layers) > 1:
            recipe["threshold_shares"] = list(shares_to_try(choices))
        return recipe
