"""Candidates side by side: one process per core converts and runs episodes.

The search waits for what they found. A rollout spends its time in the environment's Python and in
MuJoCo, one core at a time; processes share nothing but what was there when they began. Where
processes cannot be forked, or one core is all there is, the work is done here.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.actor import Actor
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.rollout import Rollout, roll_out
from spikeport.toolchain.tuning.course import Course
from spikeport.toolchain.tuning.point import Point
from spikeport.toolchain.tuning.tuning_evidence import Batch

MAX_ROWS = 128
SMALLEST_PART = 4  # episodes


@dataclass(frozen=True, eq=False)
class Task:
    """Episodes to run: of `artifact`, of what `point` is converted to, or of the source policy."""

    seeds: Sequence[int]
    point: Point | None = None
    artifact: Artifact | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a task brought; `problem` says why the point cannot be converted."""

    batch: Batch | None
    artifact: Artifact | None
    seconds: float
    problem: str = ""


def perform(course: Course, task: Task) -> Outcome:
    """Convert if need be, and run the episodes."""
    started = time.monotonic()
    artifact = task.artifact
    rows = min(len(task.seeds), MAX_ROWS)
    if artifact is None and task.point is not None:
        try:
            artifact = course.build(task.point)
        except InputError as error:
            return Outcome(None, None, time.monotonic() - started, error.what)

    def run(actor: Actor) -> Rollout:
        return roll_out(actor, lambda index: course.make_env(), task.seeds)

    if artifact is None:
        batch = Batch.of(run(course.policy.actor(rows)), None)
    else:
        backend = FastBackend(artifact, rows)
        batch = Batch.of(run(backend), backend.census())
    made = artifact if task.artifact is None else None
    return Outcome(batch, made, time.monotonic() - started)


_course: Course | None = None  # of a worker process


def _begin(course: Course) -> None:
    global _course
    _course = course


def _perform(task: Task) -> Outcome:
    assert _course is not None
    return perform(_course, task)


def usable_cores() -> int:
    """Cores that this process may use, 1 where processes cannot be forked."""
    if "fork" not in multiprocessing.get_all_start_methods():
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """Processes that know a course; to be closed, or used in a `with`."""

    def __init__(self, course: Course, count: int) -> None:
        self.course = course
        self.count = count
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None
        if count > 1:
            # the calibration is large and need not be copied
            context = multiprocessing.get_context("fork")
            self._pool = concurrent.futures.ProcessPoolExecutor(count, context, _begin, (course,))

    def run(
        self, tasks: Sequence[Task], deadline: float = float("inf")
    ) -> Iterator[tuple[int, Outcome]]:
        """(number of the task, outcome) as they come in.

        What has not begun at `deadline` (time.monotonic) is omitted.
        """
        if self._pool is None:
            for number, task in enumerate(tasks):
                if time.monotonic() < deadline:
                    yield number, perform(self.course, task)
            return
        waiting = list(enumerate(tasks))[::-1]
        running = dict[concurrent.futures.Future[Outcome], int]()
        with warnings.catch_warnings():
            # newer Pythons warn of forks beside threads
            warnings.simplefilter("ignore", DeprecationWarning)
            while waiting or running:
                while waiting and len(running) < self.count and time.monotonic() < deadline:
                    number, task = waiting.pop()
                    running[self._pool.submit(_perform, task)] = number
                if not running:
                    return
                for done in concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                ).done:
                    yield running.pop(done), done.result()

    def episodes(
        self, seeds: Sequence[int], point: Point | None = None, artifact: Artifact | None = None
    ) -> list[Batch]:
        """All seeds, shared out over the workers; in the order of the seeds.

        `point` must be one that converts.
        """
        found = dict(self.run([Task(part, point, artifact) for part in self.parts(seeds)]))
        return [
            batch
            for batch in (found[number].batch for number in sorted(found))
            if batch is not None
        ]

    def parts(self, seeds: Sequence[int]) -> list[Sequence[int]]:
        """Seeds in even parts, one per worker, of at least four."""
        count = max(min(self.count, len(seeds) // SMALLEST_PART), 1)
        edges = [len(seeds) * index // count for index in range(count + 1)]
        return [seeds[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
