"""What the readers of spiking checkpoints share: options without a meaning, T, the action limit."""

from __future__ import annotations

import dataclasses

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.facts.sidecar import Sidecar
from spikeport.toolchain.readers.reading_options import ReadOptions

TIMESTEPS = 5  # of the published PopSAN, Proxy Target and SDDPG code


def refuse_activation(options: ReadOptions, where: str) -> None:
    """Raise InputError for `--activation`: spiking layers have no activation to choose."""
    if options.activation is not None:
        raise InputError(
            where,
            "a spiking checkpoint has neurons, no activation",
            got=f"--activation {options.activation}",
            fix="leave --activation out",
        )


def assumed_timesteps(sidecar: Sidecar, assumptions: list[str], reference: str) -> int:
    """Return the sidecar's T, or the family's.

    Args:
        sidecar: Of the checkpoint.
        assumptions: Gets a line where the family's T is assumed.
        reference: The family's code, for that line.
    """
    if sidecar.timesteps is not None:
        return sidecar.timesteps
    assumptions.append(f"assumed by family: {TIMESTEPS} timesteps ({reference})")
    return TIMESTEPS


def with_sidecar_limit(options: ReadOptions, sidecar: Sidecar) -> ReadOptions:
    """Return the options, with the sidecar's action limit where they have none."""
    if options.action_limit is not None:
        return options
    return dataclasses.replace(options, action_limit=sidecar.action_limit)
