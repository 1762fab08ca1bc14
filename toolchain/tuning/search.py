"""The search: generations of candidates, each over the rungs.

What a generation showed decides who is in the next.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.reset_seeds import search_seeds
from spikeport.toolchain.tuning.bisection import bisections
from spikeport.toolchain.tuning.gate import extra_weak
from spikeport.toolchain.tuning.halving import alive, dominated, incumbent, promoted
from spikeport.toolchain.tuning.point import Point, first_points, neighbours, no_thriftier
from spikeport.toolchain.tuning.study import Study
from spikeport.toolchain.tuning.tuning_evidence import Episodes, Evidence, not_convertible
from spikeport.toolchain.tuning.workers import Outcome, Task, Workers

REACH = 1.2  # times the cheapest safe cost
STEPS = (1.0, 0.5, 0.25)  # of the moves; halved when no move of a size is left
GENERATION = 12  # candidates
MOVES = 6  # of them, next to the cheapest safe points
NOTHING = Evidence(0, 0.0, 0.0, np.inf, np.inf, False, "")

Report = Callable[[int, Point, Evidence], None]


@dataclass(eq=False)
class Runner:
    """A candidate on the course. `artifact` is kept while it may be needed again."""

    number: int  # of the study
    point: Point
    episodes: Episodes = Episodes()
    evidence: Evidence = NOTHING
    settled: bool = False
    artifact: Artifact | None = None


@dataclass(eq=False)
class Search:
    """All candidates, in order.

    `ann` are the source policy's episodes on the search seeds, all rungs.
    """

    workers: Workers
    study: Study
    neurons: tuple[str, ...]
    ann: Episodes
    rungs: tuple[int, ...]
    report: Report
    runners: list[Runner] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runners = [Runner(*known) for known in self.study.recall()]
        self.course = self.workers.course
        self._began = time.monotonic()
        self._before = self.study.spent()

    @property
    def tried(self) -> list[tuple[Point, Evidence]]:
        """Candidates of which something is known."""
        return [
            (runner.point, runner.evidence)
            for runner in self.runners
            if runner.evidence is not NOTHING
        ]

    @property
    def safe(self) -> list[tuple[Point, Evidence]]:
        """Candidates that held on all rungs, cheapest first."""
        return sorted(
            ((point, evidence) for point, evidence in self.tried if evidence.safe),
            key=lambda pair: pair[1].cost,
        )

    @property
    def reserve(self) -> list[tuple[Point, Evidence]]:
        """Candidates that may be judged, cheapest first.

        They are the safe ones, and those under way or left behind that have kept every episode so
        far; cheaper than the cheapest safe one only with the third rung's episodes.
        """
        target = self.course.options.target
        least = incumbent([evidence for _, evidence in self.tried])
        line = [(runner.point, runner.evidence) for runner in self.runners if runner.evidence.safe]
        for runner in self.runners:
            found = runner.evidence
            source = self.ann.returns[: runner.episodes.count]
            if found.cost >= least:
                needed = self.rungs[1]
            else:
                needed = self.rungs[min(2, len(self.rungs) - 1)]
            known = not found.safe and not found.failed and found.episodes >= needed
            if known and found.ratio >= target and extra_weak(runner.episodes.returns, source) <= 0:
                line.append((runner.point, found))
        return sorted(line, key=lambda candidate: candidate[1].cost)

    def run(self, deadline: float) -> None:
        """Generations until `deadline` (of time.monotonic) or the wanted number of trials."""
        while time.monotonic() < deadline:
            went_on = [self._rung(rung, deadline) for rung in range(len(self.rungs))]
            left = self.course.options.trials - len(self.runners)
            if left > 0:
                self._ask(left)
            elif not any(went_on):
                return

    def _rung(self, rung: int, deadline: float) -> bool:
        """Run one rung with those whose turn it is; whether there was anyone.

        On the last rung the cheapest goes first and alone: once it is safe, the dearer ones need
        not run.
        """
        chosen = [
            self.runners[number]
            for number in promoted([runner.evidence for runner in self.runners], self.rungs, rung)
        ]
        groups = [chosen]
        if rung == len(self.rungs) - 1:
            groups = [[runner] for runner in chosen]
        for group in groups:
            self._send([runner for runner in group if alive(runner.evidence)], rung, deadline)
            self._settle_dominated()
        return bool(chosen)

    def _send(self, runners: list[Runner], rung: int, deadline: float) -> None:
        """Their next episodes, all at once on the workers."""
        tasks = []
        owners = []
        for runner in runners:
            seeds = search_seeds(self.course.options.seed, self.rungs[rung])[
                runner.episodes.count :
            ]
            for part in self.workers.parts(seeds):
                tasks.append(Task(part, runner.point, runner.artifact))
                owners.append(runner)
        found: dict[Runner, dict[int, Outcome]] = {runner: {} for runner in runners}
        for number, outcome in self.workers.run(tasks, deadline):
            runner = owners[number]
            found[runner][number] = outcome
            if len(found[runner]) == owners.count(runner):
                self._note(
                    runner, [found[runner][number] for number in sorted(found[runner])], rung
                )

    def _note(self, runner: Runner, outcomes: list[Outcome], rung: int) -> None:
        """A runner has finished a rung."""
        runner.artifact = next(
            (outcome.artifact for outcome in outcomes if outcome.artifact is not None),
            runner.artifact,
        )
        batches = [outcome.batch for outcome in outcomes if outcome.batch is not None]
        if runner.artifact is None:
            runner.evidence = not_convertible(outcomes[0].problem)
        else:
            runner.episodes += batches
            runner.evidence = self.course.assess(
                runner.artifact, runner.episodes, self.ann, rung == len(self.rungs) - 1
            )
        self.study.remember(runner.number, runner.point, runner.episodes, runner.evidence)
        self.study.spend(self._before + time.monotonic() - self._began)
        if not alive(runner.evidence):
            self._settle(runner)

    def _settle_dominated(self) -> None:
        for number in dominated([runner.evidence for runner in self.runners]):
            runner = self.runners[number]
            runner.evidence = dataclasses.replace(
                runner.evidence, reason="no cheaper than the best"
            )
            self.study.remember(runner.number, runner.point, runner.episodes, runner.evidence)
            self._settle(runner)

    def _settle(self, runner: Runner) -> None:
        options = self.course.options
        runner.settled = True
        if not runner.evidence.safe:
            runner.artifact = None
        self.study.settle(
            runner.number,
            runner.evidence,
            runner.evidence.shortfall(options.target, options.chatter),
        )
        self.report(sum(one.settled for one in self.runners), runner.point, runner.evidence)

    def _ask(self, most: int) -> None:
        """Start at most `most` candidates of the next generation."""
        options = self.course.options
        hidden = len(self.course.policy.layers) - 1
        for point in self._generation(hidden)[:most]:
            number, asked = self.study.ask(
                point, point.neuron if point else self._neuron(), options.weight_bits, hidden
            )
            runner = Runner(number, asked)
            self.study.remember(number, asked, runner.episodes, runner.evidence)
            self.runners.append(runner)

    def _generation(self, hidden: int) -> list[Point | None]:
        """Points that were not tried: middles, what is left of the ladder, and moves.

        None stands for a suggestion of the optimiser.
        """
        bits = self.course.options.weight_bits
        seen = {runner.point for runner in self.runners}
        safe = [point for point, _ in self.safe]
        ladder = first_points(self.neurons, bits, hidden)
        worth = [
            point
            for point in bisections(self.tried) + ladder
            if point not in seen and not any(no_thriftier(point, other) for other in safe)
        ]
        moves = (
            point for step in STEPS for best in safe[:3] for point in neighbours(best, step, bits)
        )
        fresh = list(
            dict.fromkeys(point for point in moves if point not in seen and point not in worth)
        )
        chosen: list[Point | None] = [*worth[:GENERATION]]
        chosen += fresh[: min(MOVES, GENERATION - len(chosen))]
        return chosen + [None] * (GENERATION - len(chosen))

    def _neuron(self) -> str:
        """The neuron of the next suggestion.

        Neurons that have been within reach of the cheapest safe cost take turns.
        """
        best = incumbent([evidence for _, evidence in self.tried])
        least = {
            name: min(
                (evidence.cost for point, evidence in self.tried if point.neuron == name),
                default=0.0,
            )
            for name in self.neurons
        }
        within = [name for name in self.neurons if least[name] <= REACH * best]
        return within[len(self.runners) % len(within)]
