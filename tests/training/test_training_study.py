"""The study's tables say what its files say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import proxy_target
from benchmarks.proxy_target import (
    BEGIN,
    DOCUMENT,
    END,
    Run,
    areas,
    curve,
    plot,
    record,
    recorded,
    rows,
)
from spikeport.toolchain.simulation.return_statistics import confidence_interval


@pytest.fixture(autouse=True)
def no_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests have evaluations of their own."""
    monkeypatch.setattr(proxy_target, "CURVES", tmp_path / "curves.json")


def test_what_was_recorded_stays(tmp_path: Path) -> None:
    runs = study(tmp_path)
    record(runs[:2])
    assert list(recorded()) == ["HalfCheetah-v5/proxy-target/0", "HalfCheetah-v5/proxy-target/1"]
    elsewhere = [
        Run("HalfCheetah-v5", "proxy-target", seed, tmp_path / "elsewhere") for seed in range(3)
    ]
    assert curve(elsewhere)[1].tolist() == curve(runs[:2])[1].tolist()
    record([runs[2]])
    assert len(recorded()) == 3 and curve(elsewhere)[1].tolist() == curve(runs[:3])[1].tolist()
    shorter = elsewhere[0].output.with_name(f"{elsewhere[0].output.name}.run")
    shorter.mkdir(parents=True)
    (shorter / "evaluations.jsonl").write_text(json.dumps({"steps": 5_000, "mean": -1.0}) + "\n")
    record(elsewhere)
    assert (
        curve(elsewhere)[1].tolist() == curve(runs[:3])[1].tolist()
    )  # a run that came less far changes nothing
    half = Run("HalfCheetah-v5", "proxy-target", 0, tmp_path / "nowhere", bfloat16=True)
    assert (
        not curve([half])[0].size
        and "--bfloat16" in half.command(5)
        and "--bfloat16" not in Run("A-v5", "td3", 0, tmp_path, True).command(5)
    )


def study(folder: Path) -> list[Run]:
    """Three seeds of one method, of which one has come less far, and one run that has not begun."""
    runs = [Run("HalfCheetah-v5", "proxy-target", seed, folder) for seed in range(3)] + [
        Run("HalfCheetah-v5", "td3", 0, folder)
    ]
    for seed, run in enumerate(runs[:3]):
        place = run.output.with_name(f"{run.output.name}.run")
        place.mkdir()
        records = [
            {"steps": 5_000 * (point + 1), "mean": 100.0 * seed + 10.0 * point}
            for point in range(4 - (seed == 1))
        ]
        (place / "evaluations.jsonl").write_text(
            "".join(json.dumps(record) + "\n" for record in records) + '{"steps": 99'
        )
    return runs


def test_tables_end_where_every_seed_has_been(tmp_path: Path) -> None:
    runs = study(tmp_path)
    steps, returns = curve(runs[:3])
    assert steps.tolist() == [5_000, 10_000, 15_000] and returns[:, -1].tolist() == [
        20.0,
        120.0,
        220.0,
    ]
    low, high = confidence_interval(returns[:, -1]) or (0.0, 0.0)
    assert rows(runs) == [
        (
            "HalfCheetah-v5",
            "proxy-target lif",
            "3",
            "15,000",
            "120",
            f"{low:.0f} to {high:.0f}",
            "20",
            "120",
        )
    ]
    assert (
        not runs[0].done(20_000)
        and "--resume" in runs[0].command(20_000)
        and "--resume" not in runs[3].command(20_000)
    )
    plot(runs, tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert (
        "proxy-target lif, 3 seeds" in text and "HalfCheetah-v5" in text and "ANN TD3" not in text
    )


def test_areas_compare_seed_by_seed(tmp_path: Path) -> None:
    """Two methods, the curves of each seed straight lines.

    Areas are their middles, over the steps that both have reached.
    """
    runs = []
    for method, slope in (("proxy-target", 2.0), ("spiking-td3", 1.0)):
        for seed in range(3):
            run = Run("HalfCheetah-v5", method, seed, tmp_path)
            place = run.output.with_name(f"{run.output.name}.run")
            place.mkdir()
            points = range(1, 5 if method == "proxy-target" else 4)
            lines = (
                json.dumps({"steps": 5_000 * point, "mean": slope * (100.0 * point + seed)})
                for point in points
            )
            (place / "evaluations.jsonl").write_text("\n".join(lines) + "\n")
            runs.append(run)
    low, high = confidence_interval(np.array([200.0, 201.0, 202.0])) or (0.0, 0.0)
    text = areas(runs, "HalfCheetah-v5")
    assert (
        "steps 5,000 to 15,000" in text and "proxy target 402, plain 201, difference +201" in text
    )
    assert f"({low:+.0f} to {high:+.0f})".strip("()") in text and "over 3 seeds, at 1.5% of" in text
    fewer = areas(
        [run for run in runs if run.key != "HalfCheetah-v5/proxy-target/0"], "HalfCheetah-v5"
    )
    assert (
        "proxy target 403, plain 202, difference +202" in fewer and "over 2 seeds" in fewer
    )  # of the seeds that both have
    assert areas(runs[:3], "HalfCheetah-v5") == "" == areas(runs, "InvertedDoublePendulum-v5")


def test_the_page_has_its_place_for_the_table() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)
