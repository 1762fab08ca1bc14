"""A training method that one file and one entry add: it trains, resumes, and is in the help."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain import plugins
from spikeport.toolchain.errors import InputError
from tests.support.front_door import TOY_ENV, command

ENTRY = metadata.EntryPoint(
    "toy", "tests.support.toy_training_method:ToyMethod", "spikeport.training_methods"
)
QUICK: dict[str, Any] = {
    "learning_starts": 30,
    "hidden": [8, 8],
    "evaluate_every": 50,
    "evaluation_episodes": 1,
    "device": "cpu",
}


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package whose metadata names the method is installed."""
    found = metadata.entry_points

    def with_toy(**choices: str) -> Any:
        if choices == {"group": ENTRY.group}:
            return (*found(**choices), ENTRY)
        return found(**choices)

    with monkeypatch.context() as patched:
        patched.setattr(metadata, "entry_points", with_toy)
        plugins.places.cache_clear()
        yield
    plugins.places.cache_clear()


def test_it_trains_and_goes_on_by_the_public_function(tmp_path: Path) -> None:
    output = tmp_path / "toy.zip"
    notes = list[str]()
    choices = QUICK | {"batch": 4, "note": notes.append}
    first = spikeport.train("toy", TOY_ENV, 60, output, checkpoint_every=20, **choices)
    assert first.steps == 60 and [record["method"] for record in first.evaluations] == ["toy"]
    plan = json.loads((tmp_path / "toy.zip.run" / "plan.json").read_text())
    assert (plan["method"], plan["batch"], "proxy_iterations" in plan) == ("toy", 4, False)
    again = spikeport.train("toy", TOY_ENV, 100, output, resume=True, **choices)
    assert [record["steps"] for record in again.evaluations] == [50, 100]
    assert notes == ["replays 4 steps at once", "goes on at step 60", "replays 4 steps at once"]
    with pytest.raises(InputError, match="batch is 5, the run was started with 4"):
        spikeport.train("toy", TOY_ENV, 120, output, resume=True, **QUICK, batch=5)
    policy = spikeport.load_policy(output)
    assert np.isfinite(policy.layers[0].weight).all()


def test_the_command_knows_it(tmp_path: Path) -> None:
    assert "proxy-target|spiking-td3|td3|toy" in command("train", "--help").stdout
    output = tmp_path / "toy.zip"
    start = ("train", "toy", "--env", TOY_ENV, "-o", output, "--steps", 40)
    wrong = command(*start, "--choice", "batch=0")
    assert wrong.exit_code == 2 and "batch is 0, at least 1 expected" in wrong.stderr
    done = command(*start, "--learning-starts", 30, "--choice", "batch=4")
    assert done.exit_code == 0, done.stderr
    assert "note: replays 4 steps at once" in done.stderr and output.exists()


def test_choices_that_it_does_not_have_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "toy.zip"
    with pytest.raises(
        InputError,
        match="2 problems: there is no choice 'bacth' did you mean 'batch'.; there is no choice"
        " 'proxy_iterations'",
    ):
        spikeport.train("toy", TOY_ENV, 60, output, **QUICK, bacth=3, proxy_iterations=2)
    result = command(
        "train", "toy", "--env", TOY_ENV, "-o", output, "--proxy-iterations", 2, "--choice", "batch"
    )
    assert result.exit_code == 2 and "--choice: is not NAME=VALUE (got batch)" in result.stderr
    result = command("train", "td4", "--env", TOY_ENV, "-o", output)
    assert result.exit_code == 2
    assert "unknown method 'td4' did you mean 'td3'?" in result.stderr
    assert "methods are proxy-target, spiking-td3, td3, toy." in result.stderr
