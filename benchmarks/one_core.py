"""One core and one thread for this process.

Standard library only: it must run before numpy is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_COUNTS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
READ_THEM_AT_IMPORT = ("numpy", "torch", "onnxruntime")


def available_cores() -> frozenset[int]:
    """The cores that this process may run on; empty where the system has no affinity."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset()


def pin() -> frozenset[int]:
    """Confine this process, and what it starts later, to its last core; every thread count becomes
    1.

    Returns the cores it could have used. Raises InputError after a library that has read the thread
    counts.
    """
    early = [name for name in READ_THEM_AT_IMPORT if name in sys.modules]
    if early:
        from spikeport.toolchain.errors import InputError

        raise InputError(
            "benchmark",
            "too late for one thread",
            got=f"{', '.join(early)} imported",
            why="thread counts are read at import",
            fix="pin() first",
        )
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))
    cores = available_cores()
    if cores:
        os.sched_setaffinity(0, {max(cores)})
    return cores


@contextmanager
def unpinned(cores: frozenset[int]) -> Iterator[None]:
    """Let this process, and what it starts meanwhile, use `cores`."""
    before = available_cores()
    if before:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)
