"""Feed-forward ANNs to `sdn@1`: one timestep, payloads that are changes, any scalar activation."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.schemes.ann_scheme import AnnScheme
from spikeport.toolchain.conversion.schemes.conversion_choices import (
    DEFAULT_ACTION_ERROR,
    ConversionChoices,
)
from spikeport.toolchain.conversion.schemes.event_curves import event_thresholds
from spikeport.toolchain.conversion.schemes.scheme import Choices, foreign_threshold_shares
from spikeport.toolchain.conversion.schemes.sigma_delta_network import sigma_delta_network
from spikeport.toolchain.conversion.schemes.thresholds import (
    Float,
    equalised,
    sensitivity_thresholds,
)
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.policy_interface import AnyPolicy

ALLOCATIONS = ("sensitivity", "events")
# What the closed loop tries, coarse errors first.
ERRORS = (DEFAULT_ACTION_ERROR, 0.05, 0.025, 0.0125)


class SigmaDeltaScheme(AnnScheme):
    """Thresholds from the action's sensitivity, at an action error that the closed loop accepts."""

    neuron = "sdn"
    # A policy that falls over an error once is fragile: it gets the finest one that is accepted.
    first_accepted = False

    def problems(self, choices: ConversionChoices) -> Iterator[InputError]:
        """Faults of the options that sdn alone has, and options that it has not."""
        if choices.steps != 1 or choices.alpha_64ths:
            yield InputError(
                "--neuron sdn",
                "has one timestep and no residual",
                got=f"timesteps {choices.steps}, alpha {choices.alpha}",
                limit="timesteps 1, alpha 0",
                fix=("omit --timesteps and --alpha", "--neuron if"),
            )
        yield from foreign_threshold_shares(choices)
        if choices.finetune and choices.prune_dead:
            yield InputError(
                "--finetune",
                "distils into all neurons of the policy",
                got="--prune-dead",
                fix=("omit --prune-dead", "omit --finetune"),
            )
        yield from value_problems(choices)

    def policy_refusals(self, policy: Policy, choices: ConversionChoices) -> Iterator[InputError]:
        """Lists whose lengths do not fit, and fine-tuning of a discrete action."""
        if choices.finetune and policy.action.discrete:
            yield InputError(
                policy.provenance.file,
                "a discrete action is not distilled",
                got="--finetune",
                why="its loss is the error of a continuous action",
                fix=("omit --finetune", "--weight-bits 8"),
            )
        for option, what, values, wanted in (
            (
                "--error-shares",
                "one share for the input and one per hidden layer",
                choices.error_shares,
                len(policy.layers),
            ),
            (
                "--triggers",
                "one trigger per hidden layer",
                choices.triggers,
                len(policy.layers) - 1,
            ),
        ):
            if values and len(values) != wanted:
                yield InputError(
                    option,
                    what,
                    got=f"{len(values)} numbers",
                    limit=wanted,
                    fix=f"{option} {','.join('1' * wanted)}",
                )

    def candidates(self, policy: AnyPolicy, choices: Choices) -> list[Choices]:
        """Ever finer action errors, unless the user chose one."""
        if choices.action_error is not None:
            return [choices]
        return [dataclasses.replace(choices, action_error=error) for error in ERRORS]

    def quantise(
        self, policy: Policy, statistics: PolicyStatistics, choices: ConversionChoices
    ) -> Network:
        """Thresholds by the chosen rule, then integers."""
        thresholds = thresholds_by_rule(policy, statistics, choices)
        return sigma_delta_network(policy, statistics, thresholds, choices)

    def recipe(
        self, subject: CalibratedPolicy[Policy], choices: ConversionChoices, network: Network
    ) -> dict[str, Any]:
        """Also the action error aimed at, and the rule for thresholds."""
        return super().recipe(subject, choices, network) | {
            "action_error": choices.wanted_error,
            "allocation": choices.allocation,
        }


def value_problems(choices: ConversionChoices) -> Iterator[InputError]:
    """Values out of range among the options of sdn."""
    if not all(1e-6 <= share <= 1e6 for share in choices.error_shares):
        yield InputError(
            "--error-shares",
            "a share is not usable",
            got=choices.error_shares,
            limit="1e-6..1e6",
            fix="--error-shares 1,1,1",
        )
    if not all(1 <= trigger <= 4096 for trigger in choices.triggers):
        yield InputError(
            "--triggers",
            "a trigger is out of range",
            got=choices.triggers,
            limit="1..4096",
            fix="--triggers 2,2",
        )
    if choices.allocation not in ALLOCATIONS:
        yield InputError(
            "--allocation",
            "unknown rule",
            got=choices.allocation,
            limit=", ".join(ALLOCATIONS),
            fix="--allocation sensitivity",
        )
    if not 0 <= choices.thrift <= 100:
        yield InputError(
            "--thrift",
            "out of range",
            got=choices.thrift,
            limit="0 (keep every synapse) to 100",
            fix="--thrift 0.05",
        )


def thresholds_by_rule(
    policy: Policy, statistics: PolicyStatistics, choices: ConversionChoices
) -> list[Float]:
    """Resolutions [signal][channel] in real units, the input's first."""
    if choices.allocation == "events":
        return event_thresholds(
            statistics, choices.wanted_error, choices.error_shares, choices.triggers
        )
    thresholds = sensitivity_thresholds(
        statistics.signals, choices.wanted_error, choices.error_shares
    )
    return equalised(thresholds, statistics.signals, policy.layers)
