"""Bisection: between a point that is safe and a cheaper one that is not lies the boundary."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from spikeport.toolchain.tuning.point import THRIFTS, Point
from spikeport.toolchain.tuning.tuning_evidence import Evidence

NO_THRIFT = THRIFTS[0]  # stands for 0 where a geometric mean is taken
CLOSE = 1.05  # ratio of two values that are not worth telling apart
NEAREST = 6  # failures that are looked at


def between(safe: Point, failed: Point) -> Point | None:
    """The middle of two sdn points of one rule and width.

    None where they are of different kinds or hardly differ. Geometric for action error, thrift and
    shares; triggers are rounded towards the safe point.
    """
    if safe.neuron != "sdn" or (safe.neuron, safe.weight_bits, safe.allocation) != (
        failed.neuron,
        failed.weight_bits,
        failed.allocation,
    ):
        return None
    if len(safe.error_shares) != len(failed.error_shares) or len(safe.triggers) != len(
        failed.triggers
    ):
        return None
    error = _middle(safe.action_error or 0.1, failed.action_error or 0.1)
    if safe.thrift or failed.thrift:
        thrift = _middle(safe.thrift or NO_THRIFT, failed.thrift or NO_THRIFT)
    else:
        thrift = 0.0
    shares = tuple(
        _middle(one, other)
        for one, other in zip(safe.error_shares, failed.error_shares, strict=True)
    )
    triggers = tuple(
        one + int((other - one) / 2)
        for one, other in zip(safe.triggers, failed.triggers, strict=True)
    )
    middle = dataclasses.replace(
        safe, action_error=error, thrift=thrift, error_shares=shares, triggers=triggers
    )
    if middle in (safe, failed):
        return None
    return middle


def bisections(tried: Sequence[tuple[Point, Evidence]]) -> list[Point]:
    """Middles between the cheapest safe point and cheaper ones that a gate shut out.

    The nearest to its cost comes first; there are none where nothing is safe.
    """
    held = [pair for pair in tried if pair[1].safe]
    if not held:
        return []
    safe, best = min(held, key=lambda pair: pair[1].cost)
    failed = [
        (point, evidence)
        for point, evidence in tried
        if evidence.failed and evidence.cost < best.cost
    ]
    failed.sort(key=lambda pair: -pair[1].cost)
    middles = [between(safe, point) for point, _ in failed[:NEAREST]]
    return list(dict.fromkeys(point for point in middles if point is not None))


def _middle(one: float, other: float) -> float:
    """The geometric mean, or `one` where both are as good as equal."""
    if max(one, other) <= CLOSE * min(one, other):
        return one
    return math.sqrt(one * other)
