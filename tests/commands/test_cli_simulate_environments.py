"""`spikeport simulate` in environments of the user's own, diverging ones among them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from tests.support.front_door import TOY_ENV, answer, done, pendulum, recorded, refusal


def test_artifact_without_environment_asks_for_one(spk: Path) -> None:
    start = ("simulate", spk.with_name("toy.spk"))
    assert re.search(
        r"^InputError: --env: the artifact was calibrated on recorded observations .* Fix:"
        r" --env ID",
        refusal(*start),
    )
    assert answer(*start, "--env", TOY_ENV, "--episodes", 2)["env"] == TOY_ENV


def test_an_environment_of_the_users_own_module(tmp_path: Path) -> None:
    """The artifact keeps its plain id.

    Another process must be told the module, and the error says how.
    """
    artifact = dataclasses.replace(
        pendulum(), environment=dataclasses.replace(pendulum().environment, id="Mine-v0")
    )  # type: ignore[type-var]
    spikeport.save(artifact, tmp_path / "mine.spk")
    assert "--env MODULE:Mine-v0 with the module that registers it" in refusal(
        "simulate", tmp_path / "mine.spk"
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            "OneStep",
            {"decisions": 2, "decisions_per_second": None},
        ),  # nothing is left after the warm-up decision
        (
            "NoReward",
            {
                "mean_return": 0.0,
                "return_ratio": None,
                "ratio_ci95": None,
                "return_difference": 0.0,
            },
        ),
        (
            "Diverging",
            {
                "returns": [None, None],
                "mean_return": None,
                "ci95": None,
                "ann_returns": [None, None],
                "return_ratio": None,
                "ratio_ci95": None,
            },
        ),
    ],
)
def test_what_is_no_number_is_null_and_said(
    spk: Path, environment: str, expected: dict[str, Any]
) -> None:
    arguments = (
        "simulate",
        spk.with_name("toy.spk"),
        "--env",
        f"tests.support.toy_environments:{environment}-v0",
        "--episodes",
        2,
        "--compare",
    )
    facts = answer(*arguments)
    assert {name: facts[name] for name in expected} == expected
    text = done(*arguments).stdout
    assert "nan" not in text
    assert ("some returns are not numbers: the environment diverged" in text) == (
        environment == "Diverging"
    )


def test_an_episode_that_diverges_has_failed(spk: Path) -> None:
    simulation = spikeport.simulate(
        spikeport.load(spk.with_name("toy.spk")), env=TOY_ENV, episodes=3, compare=True
    )
    simulation.spiking.returns[1] = np.nan
    facts = simulation.to_json()
    assert (
        facts["failed_episodes"] == 1
        and facts["returns"][1] is None
        and facts["return_ratio"] is None
    )


def test_an_environment_that_gives_nan_ends_the_run(spk: Path) -> None:
    text = refusal(
        "simulate",
        spk.with_name("toy.spk"),
        "--env",
        "tests.support.toy_environments:Broken-v0",
        "--episodes",
        2,
    )
    assert re.search(
        r"observation of decision 1, row 0: channel 0 is not finite \(got nan, limit finite"
        r" numbers\)",
        text,
    )


def test_recorded_observations_need_no_environment_for_anything_else(spk: Path) -> None:
    assert recorded(5).shape == (300, 5)
    bare = spk.with_name("toy.spk")
    assert (
        answer("verify", bare, "--backends", "reference,fast", "--decisions", 300)["decisions"]
        == 300
    )
    assert answer("energy", bare)["control_period_s"] is None
