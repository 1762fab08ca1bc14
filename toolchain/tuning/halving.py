"""Successive halving: of many candidates with few episodes, the few that are worth more.

Source: Jamieson and Talwalkar 2016 (arXiv 1502.07943). There one score grows more certain with the
budget; here the cost is known after four episodes and what grows certain is that the return holds.
So the cheapest that no gate has shut out go on, and those left behind stay in the running for later
generations. While nothing is safe there are fewer places, spread from the cheapest to the dearest:
a first safe one soon is what bisection needs to start.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikeport.toolchain.tuning.course import CHEAPER
from spikeport.toolchain.tuning.tuning_evidence import Evidence

PLACES = (10, 5, 3)  # that a generation has on the second rung, the third, and all above
FIRST_PLACES = (4, 2, 2)  # the same while nothing is safe


def alive(evidence: Evidence) -> bool:
    """Neither out nor through."""
    return not evidence.safe and not evidence.reason


def incumbent(found: Sequence[Evidence]) -> float:
    """The least cost that is known to be safe; inf for none."""
    return min((evidence.cost for evidence in found if evidence.safe), default=np.inf)


def dominated(found: Sequence[Evidence]) -> list[int]:
    """Those under way that are not worth another episode: a safe one is as cheap.

    Nothing is known of the cost before the first episode.
    """
    limit = CHEAPER * incumbent(found)
    return [
        number
        for number, evidence in enumerate(found)
        if alive(evidence) and evidence.episodes and evidence.cost >= limit
    ]


def promoted(found: Sequence[Evidence], rungs: Sequence[int], rung: int) -> list[int]:
    """Choose who runs a rung next.

    Args:
        found: What is known of every candidate.
        rungs: Numbers of episodes.
        rung: Index of the rung to be run.

    Returns:
        Numbers of candidates: all newcomers on the first rung; then as many as there are places,
        cheapest first, or while nothing is safe evenly from all.
    """
    before = rungs[rung - 1] if rung else 0
    out = set(dominated(found))
    waiting = [
        number
        for number, evidence in enumerate(found)
        if alive(evidence) and evidence.episodes == before and number not in out
    ]
    if not rung:
        return waiting
    ordered = sorted(waiting, key=lambda number: found[number].cost)
    index = min(rung, len(PLACES)) - 1
    if incumbent(found) < np.inf:
        return ordered[: PLACES[index]]
    places = min(FIRST_PLACES[index], len(ordered))
    return [ordered[round(place)] for place in np.linspace(0, len(ordered) - 1, places)]
