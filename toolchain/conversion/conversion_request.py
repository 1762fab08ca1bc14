"""What a user asks of `convert`, from Python or the command line: checked, then converted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.state_source import StateSource
from spikeport.toolchain.conversion.closed_loop_conversion import Attempt
from spikeport.toolchain.conversion.conversion_options import ConversionOptions, options_of
from spikeport.toolchain.conversion.neuron_choice import (
    AutomaticAttempt,
    convert_automatically,
    refuse_own_choices,
)
from spikeport.toolchain.conversion.pipeline import convert_from_source
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import is_feed_forward
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.progress import Progress

AUTOMATIC = "auto"


def convert_as_asked(
    policy: AnyPolicy,
    source: StateSource,
    options: ConversionOptions | None,
    choices: dict[str, Any],
    progress: Progress,
) -> tuple[Artifact, Sequence[Attempt | AutomaticAttempt]]:
    """Check what was asked for and convert.

    Args:
        policy: The float policy.
        source: Where its states come from.
        options: What the user chose, or None.
        choices: Single fields of ConversionOptions in their place; the neuron may be `auto`.
        progress: Is called as it goes.

    Returns:
        The artifact, and what the closed loop found of each candidate or neuron.

    Raises:
        InputError: Where policy, source and options do not go together.
    """
    automatic = options is None and choices.get("neuron") == AUTOMATIC
    if automatic and policy.own_neuron is not None:
        raise InputError(
            "--neuron auto",
            "a spiking checkpoint keeps its own neurons",
            got=policy.neuron,
            fix="omit --neuron",
        )
    options = chosen_options(policy, options, choices)
    source = with_own_environment(policy, source)
    source.check(policy)
    if not automatic:
        return convert_from_source(policy, source, options, progress)
    if source.env is None:
        raise InputError(
            "--neuron auto",
            "compares neurons in the closed loop",
            got="no --env",
            fix=("--env ID", "name a --neuron"),
        )
    if not is_feed_forward(policy):
        return convert_from_source(policy, source, options, progress)  # refuses it
    return convert_automatically(policy, source, options, progress)


def chosen_options(
    policy: AnyPolicy, options: ConversionOptions | None, choices: dict[str, Any]
) -> ConversionOptions:
    """The options of either spelling; sdn stands for `auto`."""
    if options is not None:
        if choices:
            raise InputError(
                "convert",
                "give options or single choices, not both",
                got=", ".join(choices),
                fix="ConversionOptions(...)",
            )
        return options
    if choices.get("neuron") != AUTOMATIC:
        return options_of({"neuron": policy.own_neuron or "sdn", **choices})
    rest = {name: value for name, value in choices.items() if name != "neuron"}
    refuse_own_choices(rest.get("timesteps"), rest.get("alpha"), rest.get("threshold_shares", ()))
    return options_of(rest)


def with_own_environment(policy: AnyPolicy, source: StateSource) -> StateSource:
    """The source, in the environment that a spiking checkpoint's sidecar names if none is given."""
    given = source.env is not None or source.observations is not None
    if given or policy.own_neuron is None or not policy.environment:
        return source
    return dataclasses.replace(source, env=policy.environment)
