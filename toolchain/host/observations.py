"""Observations and masks as a caller gives them, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError

Float = NDArray[np.float64]


Mask = NDArray[np.bool_]


def checked_observations(artifact: Artifact, observations: Float, rows: int | None = None) -> Float:
    """Return observations as contiguous float64 [rows, obs].

    Args:
        artifact: Its observation contract gives the channels.
        observations: Anything that NumPy makes an array of.
        rows: How many there must be; any number for None.

    Returns:
        The same numbers.

    Raises:
        InputError: For a shape that does not fit.
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
    """Return a mask as contiguous bool [rows], or raise InputError.

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
    place = f"observation of decision {decision}"
    if row is not None:
        place += f", row {row}"
    return InputError(
        place,
        f"channel {channel} is not finite",
        got=value,
        limit="finite numbers",
        why="a sensor fault must not reach the network",
        fix="filter the observation before deciding",
    )
