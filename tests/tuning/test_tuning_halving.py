"""Who runs the next rung, where the next candidates come from, and what an interruption may cost.

Nothing that was measured.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spikeport
from spikeport.toolchain.conversion.calibration.reset_seeds import search_seeds
from spikeport.toolchain.policies.actor import FloatActor
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.return_statistics import return_ratio
from spikeport.toolchain.simulation.rollout import roll_out
from spikeport.toolchain.tuning import TuningOptions
from spikeport.toolchain.tuning.bisection import between, bisections
from spikeport.toolchain.tuning.course import Course
from spikeport.toolchain.tuning.halving import (
    FIRST_PLACES,
    PLACES,
    alive,
    dominated,
    incumbent,
    promoted,
)
from spikeport.toolchain.tuning.point import Point, no_thriftier
from spikeport.toolchain.tuning.search import Runner, Search
from spikeport.toolchain.tuning.study import open_study, quiet
from spikeport.toolchain.tuning.tuner import prepare
from spikeport.toolchain.tuning.tuning_evidence import Batch, Episodes, Evidence, gather
from spikeport.toolchain.tuning.workers import Outcome, Task, Workers, perform
from tests.support.front_door import TOY_ENV, toy_checkpoint
from tests.support.policy_files import write

RUNGS = (4, 12, 36, 108)
OPTIONS = TuningOptions(target=0.9, chatter=2.0, trials=6, calibration_steps=300, neurons=("sdn",))
UNDER_WAY = ""
FAILED = "chatter 2.00"
SAFE = "held"
DEARER = "no cheaper than the best"


def runner(episodes: int, cost: float, state: str = UNDER_WAY) -> Evidence:
    return Evidence(episodes, 1.0, 1.0, cost, cost, state == SAFE, state, state == FAILED)


def fate() -> st.SearchStrategy[Evidence]:
    return st.builds(
        runner,
        st.sampled_from((0, 4, 12, 36, 108)),
        st.floats(1, 100),
        st.sampled_from((UNDER_WAY, FAILED, SAFE, DEARER)),
    )


def line_of(*found: tuple[Evidence, float]) -> list[float]:
    """Costs of those who would be judged.

    Each with the return of its last episode, all others and the source's being 1.
    """
    search = object.__new__(Search)
    search.course = SimpleNamespace(options=OPTIONS)  # type: ignore[assignment]
    search.rungs, search.ann = RUNGS, Episodes() + [Batch((1.0,) * RUNGS[-1], 0.0, 0, None)]
    returns = [(1.0,) * (evidence.episodes - 1) + (last,) for evidence, last in found]
    search.runners = [
        Runner(
            number,
            Point(action_error=0.01 * (number + 1)),
            Episodes() + [Batch(returns[number], 0.0, 0, None)],
            evidence,
        )
        for number, (evidence, _) in enumerate(found)
    ]
    return [evidence.cost for _, evidence in search.reserve]


def test_the_line_of_judgement() -> None:
    """Safe ones, and others that lost nothing.

    Those cheaper than every safe one need 36 episodes for it.
    """
    safe = (runner(108, 2.0, SAFE), 1.0)
    behind = (runner(36, 3.0, DEARER), 1.0)
    assert line_of(behind, safe) == [2.0, 3.0]
    assert line_of(safe, (runner(36, 3.0, DEARER), 0.5)) == [2.0]  # it lost an episode
    assert line_of(safe, (runner(4, 3.0, DEARER), 1.0)) == [2.0]  # four episodes say too little
    assert line_of(safe, (runner(36, 3.0, FAILED), 1.0)) == [2.0]
    assert line_of(safe, (runner(36, 1.0), 1.0), (runner(12, 0.5), 1.0)) == [1.0, 2.0]
    assert line_of((runner(36, 5.0), 1.0), (runner(12, 4.0), 1.0), (runner(36, 1.0), 0.5)) == [
        5.0
    ]  # nothing is safe


@pytest.mark.parametrize(
    ("found", "rung", "chosen"),
    [
        ([runner(0, np.inf), runner(0, np.inf)], 0, [0, 1]),  # newcomers, whatever they may cost
        ([runner(0, np.inf), runner(108, 5, SAFE)], 0, [0]),  # also beside a safe one
        (
            [runner(4, 3), runner(4, 1), runner(4, 2), runner(12, 1), runner(0, np.inf)],
            1,
            [1, 2, 0],
        ),  # cheapest first, of that rung
        ([runner(4, 1, FAILED), runner(4, 2), runner(4, 3, DEARER)], 1, [1]),  # none that is out
        (
            [runner(4, 9.95), runner(4, 9.8), runner(108, 10, SAFE)],
            1,
            [1],
        ),  # none that is no cheaper than what is safe
        (
            [*(runner(4, cost) for cost in range(20, 0, -1)), runner(108, 50, SAFE)],
            1,
            list(range(19, 19 - PLACES[0], -1)),
        ),
        (
            [*(runner(36, cost) for cost in range(1, 9)), runner(108, 50, SAFE)],
            3,
            list(range(PLACES[2])),
        ),
        (
            [runner(36, cost) for cost in range(9)],
            3,
            [0, 8],
        ),  # nothing is safe yet: from the cheapest to the dearest
        ([runner(4, cost) for cost in range(10)] + [runner(4, 30, FAILED)], 1, [0, 3, 6, 9]),
    ],
)
def test_halving(found: list[Evidence], rung: int, chosen: list[int]) -> None:
    assert promoted(found, RUNGS, rung) == chosen


@given(st.lists(fate(), max_size=40), st.integers(1, 3))
def test_whoever_is_left_behind_is_dearer_or_has_no_place(found: list[Evidence], rung: int) -> None:
    chosen = promoted(found, RUNGS, rung)
    limit = incumbent(found)
    places = (FIRST_PLACES if limit == np.inf else PLACES)[rung - 1]
    assert [found[number].cost for number in chosen] == sorted(
        found[number].cost for number in chosen
    ) and len(set(chosen)) == len(chosen)
    assert len(chosen) <= places and not set(chosen) & set(dominated(found))
    for number, evidence in enumerate(found):
        if number in chosen:
            assert (
                alive(evidence) and evidence.episodes == RUNGS[rung - 1] and evidence.cost < limit
            )
        elif (
            alive(evidence)
            and evidence.episodes == RUNGS[rung - 1]
            and evidence.cost < 0.99 * limit
        ):
            assert len(chosen) == places and (
                limit == np.inf or all(found[other].cost <= evidence.cost for other in chosen)
            )


def test_a_gate_is_a_constraint_to_the_optimiser_and_a_price_is_none() -> None:
    assert (
        runner(4, 1, FAILED).shortfall(0.99, 1.1)
        > 0
        == runner(4, 1, DEARER).shortfall(0.99, 1.1)
        == runner(108, 1, SAFE).shortfall(0.99, 1.1)
    )


PLAIN = Point(action_error=0.1, triggers=(1, 1))


@pytest.mark.parametrize(
    ("failed", "middle"),
    [
        ({"thrift": 0.1}, {"thrift": 0.01}),  # 0 counts as 0.001
        ({"action_error": 0.4}, {"action_error": 0.2}),
        ({"triggers": (5, 2)}, {"triggers": (3, 1)}),
        ({"triggers": (2, 1)}, None),
        ({"action_error": 0.104}, None),
        ({"allocation": "events", "thrift": 0.1}, None),
        ({"weight_bits": 6, "thrift": 0.1}, None),
        ({"error_shares": (1.0, 1.0, 4.0)}, None),
    ],
)
def test_between(failed: dict[str, object], middle: dict[str, object] | None) -> None:
    found = between(PLAIN, dataclasses.replace(PLAIN, **failed))
    assert (found is None) == (middle is None)
    if found is not None and middle is not None:
        wanted = dataclasses.asdict(dataclasses.replace(PLAIN, **middle))
        for name, value in dataclasses.asdict(found).items():
            assert value == (
                pytest.approx(wanted[name]) if isinstance(value, float) else wanted[name]
            ), name


@given(st.floats(0.02, 2.0))
def test_bisection_closes_in_on_the_boundary(boundary: float) -> None:
    """Whatever thrift is the last that holds: ten middles find it to within 15 %."""
    tried = [
        (PLAIN, runner(108, 100.0, SAFE)),
        (dataclasses.replace(PLAIN, thrift=3.0), runner(4, 1.0, FAILED)),
    ]
    for _ in range(10):
        for point in bisections(tried):
            holds = point.thrift <= boundary
            tried.append(
                (point, runner(108 if holds else 12, 100 - point.thrift, SAFE if holds else FAILED))
            )
    best = min((pair for pair in tried if pair[1].safe), key=lambda pair: pair[1].cost)[0].thrift
    assert best <= boundary < 1.15 * best


def test_a_finer_point_than_a_safe_one_is_not_worth_a_try() -> None:
    safe = dataclasses.replace(PLAIN, thrift=0.3, triggers=(2, 1))
    for change, less in (
        ({}, True),
        ({"thrift": 0.1, "triggers": (1, 1)}, True),
        ({"action_error": 0.05}, True),
        ({"thrift": 0.4}, False),
        ({"triggers": (1, 2)}, False),
        ({"action_error": 0.2, "thrift": 0.1}, False),
        ({"allocation": "events", "thrift": 0.1}, False),
        ({"weight_bits": 7}, False),
    ):
        assert no_thriftier(dataclasses.replace(safe, **change), safe) is less, change
    assert not no_thriftier(
        Point("dc", timesteps=4, alpha=0.0), Point("dc", timesteps=4, alpha=0.0)
    )


def test_bisection_needs_a_safe_point_and_a_cheaper_failure() -> None:
    failed = (dataclasses.replace(PLAIN, thrift=0.1), runner(12, 1.0, FAILED))
    assert bisections([failed]) == []
    assert bisections([failed, (PLAIN, runner(108, 0.5, SAFE))]) == []  # dearer and worse
    assert len(bisections([failed, (PLAIN, runner(108, 2.0, SAFE))])) == 1


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    checkpoint = write(tmp_path_factory.mktemp("toy") / "toy.pt", toy_checkpoint())
    return spikeport.load_policy(checkpoint, env=TOY_ENV, activation="relu", squash="tanh")


@pytest.fixture(scope="module")
def course(policy: Policy) -> Course:
    return prepare(policy, TOY_ENV, OPTIONS)


def test_processes_find_what_one_finds(course: Course) -> None:
    """Episodes shared out over two processes are those of one, counts and chatter as well."""
    seeds = search_seeds(0, 10)
    point = PLAIN
    artifact = course.build(point)
    alone = perform(course, Task(seeds, artifact=artifact)).batch
    with Workers(course, 2) as workers:
        shared = Episodes() + workers.episodes(seeds, artifact=artifact)
        source = Episodes() + workers.episodes(seeds)
        converted = dict(workers.run([Task(seeds[:4], point)]))[0].artifact
        late = list(workers.run([Task(seeds)], deadline=time.monotonic() - 1))
        refused = dict(workers.run([Task(seeds, Point(neuron="sdn", triggers=(1, 1, 1, 1)))]))[0]
    assert alone is not None and len(shared.batches) == 2 and shared.count == 10 and not late
    assert refused.batch is None and "one trigger per hidden layer" in refused.problem
    assert np.array_equal(shared.returns, alone.returns) and shared.census() == alone.census
    assert shared.chatter(10) == pytest.approx(alone.moved / alone.moves) and shared.chatter(
        5
    ) != shared.chatter(10)
    # Float products may round otherwise with another number of rows (OpenBLAS does on some CPUs),
    # so the source is held to the same parts.
    parts = [
        roll_out(
            FloatActor(course.policy, len(part)), lambda index: course.make_env(), part
        ).returns
        for part in (seeds[:5], seeds[5:])
    ]
    assert np.array_equal(source.returns, np.concatenate(parts))
    assert converted is not None and all(
        np.array_equal(a.weights, b.weights)
        for a, b in zip(converted.network.layers, artifact.network.layers, strict=True)
    )
    assert gather(artifact, shared, source, OPTIONS).ratio == return_ratio(
        shared.returns, source.returns
    )
    assert [Batch.from_json(dataclasses.asdict(batch)) for batch in shared.batches] == list(
        shared.batches
    )


class Interrupted(Workers):
    """One process that is stopped before its n-th task."""

    def __init__(self, course: Course, tasks: int) -> None:
        super().__init__(course, 1)
        self.left, self.done = tasks, list[Task]()

    def run(
        self, tasks: list[Task], deadline: float = float("inf")
    ) -> Iterator[tuple[int, Outcome]]:  # type: ignore[override]
        for number, task in enumerate(tasks):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.done.append(task)
            yield number, perform(self.course, task)


@pytest.mark.parametrize("first", [0, 3, 6])
def test_a_generation_goes_on_where_it_stopped(course: Course, tmp_path: Path, first: int) -> None:
    """Stopped before the first rung, within it and within the second.

    What was run is not run again, and the end is the same.
    """
    ann = Episodes() + [
        perform(course, Task(search_seeds(0, 12)[a:b])).batch for a, b in ((0, 4), (4, 12))
    ]  # type: ignore[list-item]

    def search(workers: Interrupted, path: Path) -> Search:
        with quiet():
            found = Search(
                workers,
                open_study(path, {}, OPTIONS),
                ("sdn",),
                ann,
                (4, 12),
                lambda number, point, evidence: reported.append((number, point)),
            )
            found.run(time.monotonic() + 60)
        return found

    reported: list[tuple[int, Point]] = []
    whole_workers = Interrupted(course, 1000)
    whole = search(whole_workers, tmp_path / "whole.log")
    straight = reported.copy()
    reported.clear()
    begun = Interrupted(course, first)
    rest = Interrupted(course, 1000)
    with pytest.raises(KeyboardInterrupt):
        search(begun, tmp_path / "study.log")
    again = search(rest, tmp_path / "study.log")
    assert len(begun.done) == first and len(rest.done) == len(whole_workers.done) - first
    assert {point: evidence for point, evidence in again.tried} == {
        point: evidence for point, evidence in whole.tried
    }
    assert [number for number, _ in reported] == list(range(1, OPTIONS.trials + 1)) and {
        p for _, p in reported
    } == {p for _, p in straight}
    assert again.safe == whole.safe and len(again.runners) == OPTIONS.trials
    third = Interrupted(course, 0)
    assert search(third, tmp_path / "study.log").safe == whole.safe  # nothing is left to run
