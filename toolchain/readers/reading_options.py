"""What the caller says about a checkpoint, and the error for what nobody says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError, did_you_mean, violations

SQUASHES = ("tanh", "clip", "none", "argmax")
# Facts that neither a file, nor its documented family, nor the caller gives.
ACTIVATION = "activation"
SQUASH = "squash"
BOUNDS = "action bounds"
LIMIT = "action limit"
NORMALIZER = "normaliser"


@dataclass(frozen=True, eq=False)
class ReadOptions:
    """Facts given beside the file; None means: as the file or its documented family says.

    `squash`: tanh = tanh then scaled, clip = clipped to the action bounds, none = the network's
    output as it is, argmax = the number of the largest output. `action_limit`: a positive number,
    or one per action channel. `normalizer`: a path, "none", or None to look beside the file.
    `action_output`: the output of a graph that holds the action.
    """

    activation: str | None = None
    squash: str | None = None
    action_limit: object = None
    normalizer: str | Path | None = None
    environment: EnvironmentFacts = EnvironmentFacts()
    action_output: str | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.activation is not None and self.activation not in ACTIVATIONS:
            problems.append(
                f"unknown activation {self.activation!r}, known are {', '.join(ACTIVATIONS)}"
                f" {did_you_mean(str(self.activation), ACTIVATIONS)}".rstrip()
            )
        if self.squash is not None and self.squash not in SQUASHES:
            problems.append(
                f"unknown squash {self.squash!r}, known are {', '.join(SQUASHES)}"
                f" {did_you_mean(str(self.squash), SQUASHES)}".rstrip()
            )
        if problems:
            raise violations(
                "options", problems, fix="--activation and --squash with one of the known names"
            )


def missing_fact(facts: tuple[str, ...], where: str, what: str, **parts: Any) -> InputError:
    """Return the error of an option that must be given.

    Args:
        facts: What is not known, of the names above.
        where: The file.
        what: The problem.
        **parts: Of the InputError.
    """
    error = InputError(where, what, **parts)
    error.missing = facts
    return error
