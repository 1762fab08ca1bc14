"""The observation normaliser of Stable-Baselines3, `vecnormalize.pkl`.

It is read without running anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import FileContent, read_content
from spikeport.toolchain.readers.pickles.restricted_pickle import Record, load_records, to_float64

NORMALIZER_LIMIT = 64 * 2**20  # bytes
FILE_NAMES = ("vecnormalize.pkl", "vec_normalize.pkl")
VEC_NORMALIZE = "stable_baselines3.common.vec_env.vec_normalize.VecNormalize"
SAVE_AGAIN = "save the normaliser again with VecNormalize.save()"


@dataclass(frozen=True, eq=False)
class Normalizer:
    """A normaliser: x = clip((features - mean) / sqrt(variance + epsilon), -clip, clip).

    Mean and variance are [features]; with clip None nothing is clipped.
    """

    content: FileContent
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    epsilon: float
    clip: float | None


def find_normalizer(checkpoint: Path) -> Path | None:
    """Return the normaliser saved beside a checkpoint, or None.

    The RL Zoo has it in the folder of the checkpoint's name. InputError where several differ.
    """
    folders = (checkpoint.parent, checkpoint.parent / checkpoint.stem)
    found = [
        folder / name for folder in folders for name in FILE_NAMES if (folder / name).is_file()
    ]
    if (
        len(found) > 1
        and len({read_content(path, "normaliser", NORMALIZER_LIMIT).sha256 for path in found}) > 1
    ):
        raise InputError(
            checkpoint.name,
            "several normalisers lie beside the checkpoint",
            got=", ".join(path.name for path in found),
            limit="one",
            fix="--normalizer FILE or --normalizer none",
        )
    if found:
        return found[0]
    return None


def read_vec_normalize(path: str | Path) -> tuple[FileContent, Normalizer | None]:
    """The file and its normaliser, None where it does not normalise observations (norm_obs False).

    Raises InputError for anything but a VecNormalize of one flat observation, and for values that
    are not finite or cannot divide.
    """
    content = read_content(path, "normaliser", NORMALIZER_LIMIT)
    where = content.name
    saved = load_records(content.data, where)
    if not isinstance(saved, Record) or saved.path != VEC_NORMALIZE:
        if isinstance(saved, Record):
            got = saved.path
        else:
            got = type(saved).__name__
        raise InputError(
            where,
            "not a VecNormalize pickle",
            got=got[:100],
            limit="VecNormalize of Stable-Baselines3",
            fix=SAVE_AGAIN,
        )
    space = saved.field("observation_space")
    statistics = saved.field("obs_rms")
    dictionary = isinstance(space, Record) and space.path.endswith(".dict.Dict")
    if (
        dictionary
        or isinstance(statistics, dict)
        or (isinstance(statistics, Record) and statistics.path.endswith("OrderedDict"))
    ):
        raise InputError(
            where,
            "a normaliser of dict observations is not supported",
            got="a dict observation",
            limit="one flat Box observation",
            fix="train with a flat observation (gymnasium.wrappers.FlattenObservation)",
        )
    if saved.field("norm_obs") is False:
        return content, None
    if not isinstance(statistics, Record) or saved.field("norm_obs") is not True:
        raise InputError(where, "the VecNormalize pickle lacks norm_obs or obs_rms", fix=SAVE_AGAIN)
    mean, variance = (
        to_float64(statistics.field(name), where, f"obs_rms.{name}") for name in ("mean", "var")
    )
    epsilon, clip = (to_float64(saved.field(name), where, name) for name in ("epsilon", "clip_obs"))
    problem = normalizer_problem(mean, variance, epsilon, clip)
    if problem:
        raise InputError(
            where, problem, why="every observation would come out wrong", fix=SAVE_AGAIN
        )
    return content, Normalizer(content, mean, variance, float(epsilon), float(clip))


def normalizer_problem(
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    epsilon: NDArray[np.float64],
    clip: NDArray[np.float64],
) -> str:
    """Return all reasons why these statistics cannot normalise, empty where they can.

    Args:
        mean: [features].
        variance: [features].
        epsilon: One number, added to the variance.
        clip: One number, the limit of the result.
    """
    problems = []
    if mean.ndim != 1 or mean.shape != variance.shape or mean.size == 0:
        problems.append(
            f"the normaliser's mean {mean.shape} and variance {variance.shape} are not two flat"
            " arrays of one size"
        )
    if epsilon.size != 1 or clip.size != 1:
        problems.append("epsilon and clip are not single numbers")
    if (
        not np.isfinite(mean).all()
        or not np.isfinite(variance).all()
        or not np.isfinite(epsilon).all()
    ):
        problems.append("the normaliser's mean, variance or epsilon has non-finite values")
    elif (
        epsilon.size == clip.size == 1
        and variance.size
        and (not (variance + epsilon > 0).all() or not (clip > 0).all())
    ):
        smallest = float((variance + epsilon).min())
        problems.append(
            f"the normaliser divides by the root of {smallest:g} and clips at"
            f" {float(clip.ravel()[0]):g}, both must be positive"
        )
    return "; ".join(problems)
