"""Slope schedules of van den Berghe et al. 2025 (arXiv 2510.24461).

Surrogates are flat early and steep late:

    fixed      k
    interval   from low to high in steps of one size, one step every `every` epochs
    adaptive   k_t = 1/10 sum_{i=0..9} (r_{t-i} / 2 + r'_{t-i} / 2), clamped to [low, high]

r is an epoch's return and r' its change since the epoch before; what lies before the first epoch is
neither summed nor counted, and the first change is 0. The slope of the next epoch follows
from the returns so far.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from spikeport.toolchain.errors import violations

WINDOW = 10  # epochs
LOW = 1.0
HIGH = 100.0


class SlopeSchedule(ABC):
    """Slopes from the returns of the epochs that are over."""

    @abstractmethod
    def slope(self, returns: Sequence[float]) -> float:
        """The slope after `returns`, one per epoch, oldest first."""


@dataclass(frozen=True)
class Fixed(SlopeSchedule):
    """One slope throughout."""

    k: float = 25.0

    def __post_init__(self) -> None:
        _check("fixed", self.k, self.k)

    def slope(self, returns: Sequence[float]) -> float:
        """The one slope."""
        return self.k


@dataclass(frozen=True)
class Interval(SlopeSchedule):
    """From `low` to `high` in `steps` equal steps, one step every `every` epochs."""

    every: int = 50
    steps: int = 6
    low: float = LOW
    high: float = HIGH

    def __post_init__(self) -> None:
        _check("interval", self.low, self.high, **{"every": self.every, "steps": self.steps})

    def slope(self, returns: Sequence[float]) -> float:
        """The slope of the step that the number of epochs has reached."""
        taken = min(len(returns) // self.every, self.steps)
        return self.low + taken * (self.high - self.low) / self.steps


@dataclass(frozen=True)
class Adaptive(SlopeSchedule):
    """The steeper, the higher and the faster growing the recent returns."""

    low: float = LOW
    high: float = HIGH

    def __post_init__(self) -> None:
        _check("adaptive", self.low, self.high)

    def slope(self, returns: Sequence[float]) -> float:
        """The mean of recent returns and changes, within the limits."""
        if not returns:
            return self.low
        changes = [
            0.0,
            *(after - before for before, after in zip(returns, returns[1:], strict=False)),
        ]
        recent = [(value + change) / 2 for value, change in zip(returns, changes, strict=True)][
            -WINDOW:
        ]
        return min(max(sum(recent) / len(recent), self.low), self.high)


def _check(name: str, low: float, high: float, **counts: int) -> None:
    problems = []
    if not 0 < low <= high < float("inf"):
        problems.append(f"slopes from {low:g} to {high:g}, 0 < low <= high expected")
    problems += [
        f"{what} is {count}, at least 1 expected" for what, count in counts.items() if count < 1
    ]
    if problems:
        raise violations(
            f"slope schedule {name}",
            problems,
            fix=f"slopes between {LOW:g} and {HIGH:g}, counts of 1 or more",
        )
