"""A normaliser as plain arrays: an .npz file with `mean`, `var`, `epsilon` and `clip`.

An infinite clip is none.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.display_text import short_reason
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.files.zip_archive import open_archive, read_member
from spikeport.toolchain.readers.facts.vec_normalize import (
    NORMALIZER_LIMIT,
    Normalizer,
    normalizer_problem,
)

NAMES = ("mean", "var", "epsilon", "clip")
SAVE_AGAIN = "np.savez(FILE, mean=rms.mean, var=rms.var, epsilon=1e-8, clip=10.0)"


def read_normalizer_arrays(content: FileContent) -> Normalizer:
    """The four arrays, float64.

    InputError for missing or further ones and for values that cannot normalise.
    """
    where = content.name
    found = dict[str, NDArray[np.float64]]()
    problems = list[str]()
    with open_archive(content.data, where, NORMALIZER_LIMIT) as archive:
        members = archive.namelist()
        problems += [f"{name} is missing" for name in NAMES if f"{name}.npy" not in members]
        problems += [
            f"unknown array {member[:60]!a}"
            for member in members
            if member.removesuffix(".npy") not in NAMES
        ]
        if not problems:
            for name in NAMES:
                try:
                    values = np.lib.format.read_array(
                        io.BytesIO(read_member(archive, f"{name}.npy", where, NORMALIZER_LIMIT)),
                        allow_pickle=False,
                    )
                    found[name] = values.astype(np.float64)
                except InputError:
                    raise
                # NumPy parses the header with Python's own parser, which raises whatever it likes
                except Exception as error:
                    problems.append(f"{name} is not a numeric array ({short_reason(error, 60)})")
    if not problems:
        problem = normalizer_problem(found["mean"], found["var"], found["epsilon"], found["clip"])
        problems += [problem] if problem else []
    if problems:
        raise violations(
            where, problems, why="every observation would come out wrong", fix=SAVE_AGAIN
        )
    clip = float(found["clip"].ravel()[0])
    return Normalizer(
        content,
        found["mean"],
        found["var"],
        float(found["epsilon"].ravel()[0]),
        clip if np.isfinite(clip) else None,
    )
