"""The benchmark runs, its result has the documented form, and docs/benchmark.md is what it
generates.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.machine import missing_libraries
from spikeport.toolchain.errors import CheckFailed, InputError

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmark.md"
needs_contenders = pytest.mark.skipif(
    bool(missing_libraries()),
    reason=f"not installed: {', '.join(missing_libraries())} (`make setup`)",
)
SPREAD = {"median", "low", "high", "minimum"}


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "benchmark.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=300
    )


def expected_shape(public: Path | None) -> list[tuple[tuple[str, ...], ...]]:
    """The tables' columns and row names, from the lists that the benchmark works through."""
    from benchmarks.report import DECISION_COLUMNS, LOOP_COLUMNS, TARGET_COLUMNS
    from benchmarks.rows import decision_rows, loop_rows
    from benchmarks.targets import target_names

    decisions = [(row.runs, row.network, str(row.batch)) for row in decision_rows(public)]
    return [
        (DECISION_COLUMNS, *decisions),
        (LOOP_COLUMNS, *loop_rows(public)),
        (TARGET_COLUMNS, *((name,) for name in target_names(public))),
    ]


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """Result and stdout of a quick run with our own policy."""
    file = tmp_path_factory.mktemp("benchmark") / "result.json"
    done = run("--quick", "--json", str(file), SPIKEPORT_POLICIES="")
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text("utf-8")), done.stdout


@needs_contenders
def test_a_quick_run_has_every_row(quick: tuple[dict[str, Any], str]) -> None:
    from benchmarks.report import shape

    assert shape(quick[1]) == expected_shape(None)


@needs_contenders
def test_the_json_result_has_its_fields(quick: tuple[dict[str, Any], str]) -> None:
    result = quick[0]
    assert (
        set(result)
        == {"schema", "quick", "machine", "method", "decisions", "closed_loops", "targets"}
        and result["quick"] is True
    )
    assert set(result["machine"]) == {
        "processor",
        "cores",
        "usable_cores",
        "pinned",
        "system",
        "python",
        "libraries",
        "date",
        "load_before",
        "load_after",
    }
    assert set(result["method"]) == {"rounds", "loop_rounds", "core_share", "policy"}
    for row in result["decisions"]:
        assert (
            set(row) == {"runs", "network", "batch", "seconds", "against_fast"}
            and set(row["seconds"]) == SPREAD
        )
        assert (
            0
            < row["seconds"]["minimum"]
            <= row["seconds"]["low"]
            <= row["seconds"]["median"]
            <= row["seconds"]["high"]
            < 1
        )
    for row in result["closed_loops"]:
        assert set(row) == {"environment", "way", "limit", "loop", "decide", "alone", "ratio"}
        assert all(set(row[name]) == SPREAD for name in ("loop", "decide", "alone", "ratio"))
    for row in result["targets"]:
        assert set(row) == {"name", "measured", "bound", "at_least", "unit", "met"}
        assert row["met"] == (
            (row["measured"] >= row["bound"])
            if row["at_least"]
            else (row["measured"] <= row["bound"])
        )
    assert all(row["against_fast"] == 1 for row in result["decisions"] if row["runs"] == "`fast`")


@needs_contenders
def test_the_page_has_the_tables_that_are_generated() -> None:
    from benchmarks.report import generated_part, shape

    assert shape(generated_part(PAGE.read_text("utf-8"))) == expected_shape(Path("anywhere")), (
        "stale: run `python benchmarks/benchmark.py --write-docs`"
    )


@needs_contenders
def test_the_page_is_written_between_its_marks(
    quick: tuple[dict[str, Any], str], tmp_path: Path
) -> None:
    from benchmarks.report import BEGIN, END, generated_part, write_document

    page = tmp_path / "page.md"
    page.write_text(f"# Prose\n\n{BEGIN}\n{END}\n\nmore prose\n", "utf-8")
    for _ in range(2):
        write_document(quick[0], page)
    text = page.read_text("utf-8")
    assert text.startswith(f"# Prose\n\n{BEGIN}\n") and text.endswith(f"{END}\n\nmore prose\n")
    assert generated_part(text).strip() == quick[1].strip()
    page.write_text("# Prose\n", "utf-8")
    with pytest.raises(InputError, match="marks of the generated part"):
        write_document(quick[0], page)


@pytest.mark.parametrize(
    ("arguments", "policies"), [(("--quick", "--write-docs"), str(ROOT)), (("--write-docs",), "")]
)
def test_the_page_takes_full_runs_only(arguments: tuple[str, ...], policies: str) -> None:
    before = PAGE.read_bytes()
    done = run(*arguments, SPIKEPORT_POLICIES=policies)
    assert done.returncode == 2 and "--write-docs" in done.stderr and PAGE.read_bytes() == before


@needs_contenders
def test_a_missed_target_is_told_and_told_apart() -> None:
    from benchmarks.closed_loop import LoopResult
    from benchmarks.method import Spread
    from benchmarks.rows import CONTENDERS, FAST
    from benchmarks.targets import judge

    times = {row: np.full(3, 5e-6 if row.runs == FAST else 2e-3) for row in CONTENDERS}
    spread = Spread.of(np.ones(3))
    loops = [
        LoopResult(
            "Hopper-v4", "one episode", limit, spread, spread, spread, Spread.of(np.full(3, 1.2))
        )
        for limit in (1.15, 1.3)
    ]
    assert [target.met for target in judge(times, loops)] == [True, True, True, True, False, True]


@needs_contenders
def test_times_are_divided_by_timed_decisions_only() -> None:
    from benchmarks.method import Contender, Turn, measure
    from benchmarks.rows import Row

    seen: list[int] = []
    restarts: list[int] = []
    contender = Contender(
        Row("a", "b"), seen.append, list(range(6)), lambda: restarts.append(len(seen)), Turn(3, 1)
    )
    times, share = measure([contender], 4, lambda done, total: None)
    assert seen == [0, 1, 2] + 2 * [0, 1, 2, 3, 4, 5]
    assert restarts == [0, 3, 9]
    assert times[contender.row].shape == (4,) and share > 0


def test_one_thread_is_set_before_the_libraries_or_not_at_all() -> None:
    from benchmarks.one_core import pin

    before = os.environ.copy()
    with pytest.raises(InputError, match="too late for one thread"):
        pin()
    assert os.environ == before


@needs_contenders
def test_the_eager_networks_must_equal_the_reference() -> None:
    import torch

    from benchmarks.torch_networks import EagerNetwork, TunedNetwork
    from benchmarks.verification import reference_trace, same_spikes
    from tests.support.networks import observation_stream, random_artifact

    artifact = random_artifact(3, neuron="if@1", timesteps=8, alpha=32)
    observations = observation_stream(np.random.default_rng(3), 60, artifact.observation.size)
    trace = reference_trace("if", artifact, observations)
    eager = EagerNetwork(artifact).eval()
    tuned = TunedNetwork(artifact, 1)
    for program in (eager, tuned):
        same_spikes(program, trace, observations)
    tuned.restart()
    tuned.thresholds[0] += torch.tensor(2.0)
    with pytest.raises(CheckFailed, match="differ from the reference"):
        same_spikes(tuned, trace, observations)
