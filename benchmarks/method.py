"""How times are taken: all contenders in turn, round after round, in one process.

In each round every contender takes one turn of consecutive decisions. Its first ones, a millisecond
or more, are not timed: they fill the caches that the contender before has emptied, and a core takes
that long to bring its vector units back to full clock. The others are timed as one block. A ratio
is formed within a round, where both sides had the same machine, and its median over the rounds is
what counts.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.one_core import unpinned
from benchmarks.rows import Row

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """Quantiles over the rounds."""

    median: float
    low: float  # 10 %
    high: float  # 90 %
    minimum: float

    @classmethod
    def of(cls, values: Float) -> Spread:
        return cls(
            float(np.median(values)),
            float(np.quantile(values, 0.1)),
            float(np.quantile(values, 0.9)),
            float(values.min()),
        )


@dataclass(frozen=True)
class Turn:
    """Decisions of one turn; the first `lead` of them are not timed."""

    decisions: int
    lead: int


@dataclass(frozen=True, eq=False)
class Contender:
    """Something that decides. `inputs` are walked in order, the turn's decisions at a time, which
    divide their number.

    `restart` announces an episode's start; it is called, untimed, whenever the walk is back at the
    first input.
    """

    row: Row
    decide: Callable[[Any], Any]
    inputs: Sequence[Any]
    restart: Callable[[], object]
    turn: Turn
    cores: frozenset[int] = frozenset()  # where it may run; empty: the benchmark's own core

    def take_turn(self, number: int) -> float:
        """Seconds per decision (of one environment) of turn `number`."""
        turn = self.turn
        first = number * turn.decisions % len(self.inputs)
        if first == 0:
            self.restart()
        decide = self.decide
        clock = time.perf_counter
        for observation in self.inputs[first : first + turn.lead]:
            decide(observation)
        inputs = self.inputs[first + turn.lead : first + turn.decisions]
        start = clock()
        for observation in inputs:
            decide(observation)
        return (clock() - start) / (len(inputs) * self.row.batch)


@contextmanager
def undisturbed() -> Iterator[None]:
    """No garbage collection while times are taken."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure(
    contenders: Sequence[Contender], rounds: int, progress: Callable[[int, int], None]
) -> tuple[dict[Row, Float], float]:
    """Seconds per decision, [rounds] for every row, and the share of the time in which this process
    had its core.

    Every other round runs in reverse order. The share leaves contenders out that have cores of
    their own.
    """
    times = {contender.row: np.zeros(rounds) for contender in contenders}
    had = 0.0
    passed = 0.0
    for contender in contenders:  # warm up
        _turn(contender, 0)
    for number in range(rounds):
        with undisturbed():
            for contender in contenders if number % 2 == 0 else reversed(contenders):
                before = time.process_time(), time.perf_counter()
                times[contender.row][number] = _turn(contender, number)
                if not contender.cores:
                    had = had + time.process_time() - before[0]
                    passed = passed + time.perf_counter() - before[1]
        progress(number + 1, rounds)
    return times, had / passed


def _turn(contender: Contender, number: int) -> float:
    if not contender.cores:
        return contender.take_turn(number)
    with unpinned(contender.cores):
        return contender.take_turn(number)
