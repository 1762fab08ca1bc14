"""`spikeport energy`: fields, defaults, the same numbers as from Python, refusals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import spikeport
from tests.support.front_door import TOY_ENV, answer, done, refusal

ESTIMATE: dict[str, Any] = {
    "profile": str,
    "dynamic_j": float,
    "low_j": float,
    "high_j": float,
    "static_inference_j": float,
    "static_period_j": float,
    "latency_s": float,
    "realtime": bool,
    "grade": str,
    "unpriced": list,
    "census": dict,
}

KINDS = {"measured", "simulated", "derived", "inherited", "vendor"}
READS = {"primary", "quoted", "secondary"}


def test_energy_fields_and_defaults(spk: Path) -> None:
    facts = answer("energy", spk)
    assert [estimate["profile"] for estimate in facts["estimates"]] == ["loihi1-davies", "loihi2"]
    assert facts["control_period_s"] == pytest.approx(0.05)
    for estimate in facts["estimates"]:
        assert {name: type(estimate.get(name)) for name in ESTIMATE} == ESTIMATE
        assert (
            0 < estimate["low_j"] <= estimate["dynamic_j"] <= estimate["high_j"]
            and estimate["unpriced"]
        )
        assert estimate["grade"] in KINDS and estimate["read"] in READS
        assert all(
            grade["kind"] in KINDS and grade["read"] in READS
            for grade in estimate["grades"].values()
        )
        assert estimate["realtime"] == (estimate["latency_s"] < 0.05)
    assert (
        facts["estimates"][0]["census"]["decisions"] == answer("simulate", spk)["decisions"]
    )  # the same ten episodes
    assert {estimate["runs"] for estimate in facts["baselines"]} == {"source policy, dense int8"}


def test_energy_is_that_of_python_and_of_the_simulated_episodes(spk: Path) -> None:
    facts = answer(
        "energy",
        spk,
        "--episodes",
        2,
        "--seed",
        1234,
        "--profile",
        "loihi2",
        "--profile",
        "gap9-650mv",
        "--control-period-ms",
        20,
    )
    artifact = spikeport.load(spk)
    estimates = spikeport.estimate_energy(
        artifact, profiles=("loihi2", "gap9-650mv"), episodes=2, seed=1234, control_period_s=0.02
    )
    assert (
        facts["estimates"] == [estimate.as_json() for estimate in estimates]
        and facts["control_period_s"] == 0.02
    )
    simulated = answer("simulate", spk, "--episodes", 2, "--seed", 1234)
    census = facts["estimates"][0]["census"]
    assert (census["decisions"], census["synops"]) == (
        simulated["decisions"],
        pytest.approx(simulated["synops_per_decision"]),
    )


def test_energy_without_environment_counts_the_recorded_part_of_the_probe(spk: Path) -> None:
    facts = answer("energy", spk.with_name("toy.spk"))
    assert facts["control_period_s"] is None and {
        estimate["census"]["decisions"] for estimate in facts["estimates"]
    } == {224}
    assert [estimate["realtime"] for estimate in facts["estimates"]] == [None, None]
    facts = answer("energy", spk.with_name("toy.spk"), "--env", TOY_ENV, "--episodes", 3)
    assert facts["estimates"][0]["census"]["decisions"] == 90


def test_energy_table(spk: Path) -> None:
    text = done("energy", spk).stdout
    assert (
        "loihi1-davies" in text
        and "Not priced:" in text
        and text.count("source policy, dense int8") == 6
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ("--profile", "loihi3"),
            r"hardware profile: unknown name \(got 'loihi3', limit .*\)\. Fix: did you mean '",
        ),
        (("--profile", "loihi2", "--profile", "abacus"), r"unknown name \(got 'abacus'"),
        (("--episodes", 0), r"--episodes: nothing to count \(got 0, limit 1 or more\)"),
        (
            ("--control-period-ms", 0),
            r"energy: the control period is out of range \(got 0\.0 s, limit 1e-06\.\.1e\+06 s\)",
        ),
        (("--control-period-ms", "nan"), r"energy: the control period is out of range \(got nan"),
        (("--seed", 10**6), r"--seed: these seeds were used for calibration"),
        (("--env", "Ant-v5"), r"environment Ant-v5: does not fit the policy"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_energy_refused(spk: Path, options: tuple[Any, ...], text: str) -> None:
    assert re.search(text, refusal("energy", spk, *options))


def test_energy_of_an_artifact_without_environment_refuses_the_same_episodes(spk: Path) -> None:
    assert "--episodes: nothing to count" in refusal(
        "energy", spk.with_name("toy.spk"), "--episodes", -3
    )
    for name in ("energy", "assess"):
        assert "--episodes: the artifact names no environment (got 2)" in refusal(
            name, spk.with_name("toy.spk"), "--episodes", 2
        )
        assert (
            answer(name, spk.with_name("toy.spk"))["counted_on"]
            == "224 recorded decisions of the probe"
        )
        assert (
            "Counted on 224 recorded decisions of the probe.\n"
            in done(name, spk.with_name("toy.spk")).stdout
        )
