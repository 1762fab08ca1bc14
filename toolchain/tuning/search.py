"""The search: known good points first, then moves around the cheapest safe one in turn with TPE's suggestions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toolchain.tuning.course import Course
from toolchain.tuning.evidence import Evidence
from toolchain.tuning.point import Point, first_points, neighbours, suggest
from toolchain.tuning.study import recall, remember

REACH = 1.2  # times the cheapest safe cost
STEPS = (1.0, 0.5, 0.25)  # of the moves; halved when no move of a size is left

Report = Callable[[int, Point, Evidence], None]


@dataclass(eq=False)
class Search:
    """All candidates tried, in order, each with its evidence."""

    course: Course
    study: Any
    neurons: tuple[str, ...]
    tried: list[tuple[Point, Evidence]] = field(default_factory=list)
    seconds: float = 0.0  # spent by earlier runs of a study

    def __post_init__(self) -> None:
        for point, evidence, seconds in recall(self.study):
            self.tried.append((point, evidence))
            self.seconds += seconds

    @property
    def safe(self) -> list[tuple[Point, Evidence]]:
        """Candidates that held on all rungs, cheapest first."""
        return sorted(((point, evidence) for point, evidence in self.tried if evidence.safe), key=lambda pair: pair[1].cost)

    def run(self, deadline: float, report: Report) -> None:
        """Try candidates until `deadline` (of time.monotonic) or the wanted number of trials."""
        options, seen = self.course.options, {point for point, _ in self.tried}
        hidden = len(self.course.policy.layers) - 1
        waiting = [point for point in first_points(self.neurons, options.weight_bits, hidden) if point not in seen]
        while len(self.tried) < options.trials and time.monotonic() < deadline:
            started, safe = time.monotonic(), self.safe
            point = waiting.pop(0) if waiting else self._move(seen) if len(self.tried) % 2 and safe else None
            if point is not None:
                self.study.enqueue_trial(point.parameters())
            trial = self.study.ask()
            point = suggest(trial, point.neuron if point else self._neuron(), options.weight_bits, hidden)
            evidence = self.course.run(point, safe[0][1].cost if safe else np.inf, deadline)
            remember(self.study, trial, point, evidence, time.monotonic() - started, options)
            seen.add(point)
            self.tried.append((point, evidence))
            report(len(self.tried), point, evidence)

    def _neuron(self) -> str:
        """Whose turn it is: neurons that have been within reach of the cheapest safe cost take turns."""
        best = self.safe[0][1].cost if self.safe else np.inf
        least = {name: min((evidence.cost for point, evidence in self.tried if point.neuron == name), default=0.0) for name in self.neurons}
        within = [name for name in self.neurons if least[name] <= REACH * best]
        return within[len(self.tried) // 2 % len(within)]

    def _move(self, seen: set[Point]) -> Point | None:
        """The first untried move from the cheapest safe points; None where all have been made."""
        for best, _ in self.safe[:3]:
            for step in STEPS:
                for point in neighbours(best, step, self.course.options.weight_bits):
                    if point not in seen:
                        return point
        return None
