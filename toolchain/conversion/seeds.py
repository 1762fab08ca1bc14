"""Reset seeds of tuning: a range of their own, so that nothing is reported on what was searched on.

    10**9 + 1000 S + k      k = 0..499 search, k = 500..999 judgement; S is --seed, 0..900,000

Reports use small seeds, calibration 10**6 + 1000 S + k, which stays below 10**9 for these S; all
fit a signed 32-bit integer.
"""

from __future__ import annotations

SEED_BASE = 10**9
ROOM = 500
LARGEST_SEED = 900_000


def search_seeds(seed: int, count: int) -> range:
    """At most 500 seeds to search on."""
    return range(SEED_BASE + 1000 * seed, SEED_BASE + 1000 * seed + count)


def judging_seeds(seed: int, count: int) -> range:
    """At most 500 seeds to judge on, none of which the search saw."""
    return range(SEED_BASE + 1000 * seed + ROOM, SEED_BASE + 1000 * seed + ROOM + count)
