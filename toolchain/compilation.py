"""numba's compiler with a cache on disk that no change of compiled code escapes.

numba asks whether the file has changed that a function stands in. But its machine code holds
functions and constants of other files, too, and a stale kernel gives wrong numbers without a word.
So what is cached here is stamped with the contents of all these files together.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

ROOT = Path(__file__).parent
FILES = (  # with compiled code, with constants of it, or with the layout of what it reads
    "compilation.py",
    "network/integer_network.py",
    "network/parameters.py",
    "quantization/rounding.py",
    "host/value_code.py",
    "host/population_code.py",
    "simulation/fast/kernels.py",
    "simulation/fast/plan.py",
    "simulation/fast/neurons/events.py",
    "simulation/fast/neurons/kernel_layout.py",
    "simulation/fast/neurons/window_start.py",
    "simulation/fast/neurons/differential_coding.py",
    "simulation/fast/neurons/integrate_and_fire.py",
    "simulation/fast/neurons/leaky.py",
    "simulation/fast/neurons/leaky_integrate_and_fire.py",
    "simulation/fast/neurons/multi_threshold.py",
    "simulation/fast/neurons/sigma_delta.py",
    "simulation/fast/neurons/signed_memory.py",
    "simulation/fast/spiking_plan.py",
    "training/layers/dense_kernels.py",
    "training/layers/encoder_kernels.py",
    "training/layers/lanes.py",
    "training/layers/spike_product_kernels.py",
    "training/layers/spiking_backward_kernels.py",
    "training/layers/spiking_forward_kernels.py",
    "training/layers/threads.py",
)


@functools.cache
def stamp() -> str:
    """SHA-256 of the contents of FILES."""
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in FILES)).hexdigest()


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """numba.njit with these options and the cache.

    With a version of numba whose cache is made otherwise, nothing is cached.
    """

    def make(function: Callable[..., Any]) -> Any:
        found: Any = numba.njit(cache=True, **options)(function)
        try:
            _stamp_files(found._cache)
        except (AttributeError, TypeError):
            return numba.njit(**options)(function)
        return found

    return make


def _stamp_files(cache: Any) -> None:
    """Have the stamp in the names of index and data.

    Whoever is killed between the two, or compiles at once, leaves no mixture.
    """
    kind = type(cache._cache_file)
    name = cache._impl.filename_base
    cache._cache_file = kind(
        cache_path=cache.cache_path, filename_base=f"{name}.{stamp()[:16]}", source_stamp=stamp()
    )
