"""Observations and masks as a caller gives them, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError

Float = NDArray[np.float64]


Mask = NDArray[np.bool_]


def checked_observations(artifact: Artifact, observations: Float, rows: int | None = None) -> Float:
    """Observations as contiguous float64 [rows, obs], or an InputError that names what does not
    fit.
    """
    values = np.ascontiguousarray(observations, np.float64)
    size = artifact.observation.size
    if (
        values.ndim != 2
        or values.shape[1] != size
        or (rows is not None and values.shape[0] != rows)
    ):
        raise InputError(
            "decide",
            "observations do not fit the policy",
            got=values.shape,
            limit=(rows if rows is not None else "n", size),
            fix="pass one row per environment with the channels the policy was trained on",
        )
    return values


def checked_mask(mask: Mask, rows: int) -> Mask:
    """A mask as contiguous bool [rows], or an InputError.

    Numbers would be read as row numbers by some, as flags by others.
    """
    values = np.ascontiguousarray(mask)
    if values.dtype != np.bool_ or values.shape != (rows,):
        raise InputError(
            "backend",
            "mask does not fit",
            got=f"{values.dtype} {values.shape}",
            limit=f"bool ({rows},)",
            fix="give one bool per environment",
        )
    return values


def non_finite(decision: int, channel: int, value: float, row: int | None = None) -> InputError:
    """The error of a NaN or infinity in an observation."""
    place = f"observation of decision {decision}" + ("" if row is None else f", row {row}")
    return InputError(
        place,
        f"channel {channel} is not finite",
        got=value,
        limit="finite numbers",
        why="a sensor fault must not reach the network",
        fix="filter the observation before deciding",
    )
