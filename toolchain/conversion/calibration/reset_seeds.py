"""Which seeds reset the environment: every purpose has a range of its own.

    10**6 + 1000 S + k      k = 0, 1, ... calibration and the closed loop after it
    10**9 + 1000 S + k      k = 0..499 search, k = 500..999 judgement

S is --seed, 0..900,000, for which calibration's seeds stay below those of the search, and all fit
a signed 32-bit integer. Reports use small seeds, so nothing is reported on what was converted,
searched or judged on (contract section 7).
"""

from __future__ import annotations

CALIBRATION_BASE = 10**6
SEARCH_BASE = 10**9
STRIDE = 1000  # from one --seed to the next
SEARCH_COUNT = 500
LARGEST_SEED = 900_000


def calibration_seed(seed: int, episode: int) -> int:
    """The seed that resets episode `episode` of a calibration."""
    return CALIBRATION_BASE + STRIDE * seed + episode


def search_seeds(seed: int, count: int) -> range:
    """At most 500 seeds to search on."""
    first = SEARCH_BASE + STRIDE * seed
    return range(first, first + count)


def judging_seeds(seed: int, count: int) -> range:
    """At most 500 seeds to judge on, none of which the search saw."""
    first = SEARCH_BASE + STRIDE * seed + SEARCH_COUNT
    return range(first, first + count)
