"""PopSAN's observation normaliser `<stem>_mean_var.p`, a pickled list [mean, var].

It is read without running anything.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.regular_file import FileContent, read_content
from spikeport.toolchain.readers.pickles.restricted_pickle import (
    NUMPY,
    PickleKind,
    load_records,
    to_float64,
)

LIMIT = 16 * 2**20  # bytes
CLIP = 3.0  # of the published training code, and its epsilon
EPSILON = float(np.finfo(np.float32).eps)
FIX = "give the _mean_var.p that was saved with this actor"
PICKLE = PickleKind(NUMPY, "numeric arrays", (FIX, "--normalizer none"))


def find_mean_var(checkpoint: Path) -> Path | None:
    """The normaliser beside a checkpoint, None without one."""
    path = checkpoint.with_name(f"{checkpoint.stem}_mean_var.p")
    if path.is_file():
        return path
    return None


def read_mean_var(
    path: str | Path, features: int
) -> tuple[FileContent, NDArray[np.float64], NDArray[np.float64]]:
    """The file, mean [features] and variance [features]; InputError for anything else."""
    content = read_content(path, "normaliser", LIMIT)
    parts = load_records(content.data, content.name, PICKLE)
    if not isinstance(parts, list | tuple) or len(parts) != 2:
        raise InputError(
            content.name,
            "not a list of mean and variance",
            got=type(parts).__name__,
            limit="[mean, var]",
            fix=FIX,
        )
    mean, variance = (
        to_float64(part, content.name, name, FIX)
        for part, name in zip(parts, ("mean", "var"), strict=True)
    )
    mean = np.atleast_1d(mean.squeeze())
    variance = np.atleast_1d(variance.squeeze())
    problems = []
    if mean.shape != (features,) or variance.shape != (features,):
        problems.append(
            f"the normaliser does not fit the policy (got {mean.shape} and {variance.shape}, limit"
            f" {(features,)})"
        )
    if not (np.isfinite(mean).all() and np.isfinite(variance).all() and (variance >= 0).all()):
        if variance.size:
            smallest = f"{variance.min():g}"
        else:
            smallest = "none"
        problems.append(
            "mean and variance must be finite, the variance not negative (got smallest variance"
            f" {smallest})"
        )
    if problems:
        raise violations(content.name, problems, fix=FIX)
    return content, mean, variance
