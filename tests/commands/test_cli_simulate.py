"""`spikeport simulate`.

The contract's fields, the same numbers as from Python, honest about what it cannot say.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.export.lava import lava_import
from tests.support.front_door import (
    CHEETAH,
    PENDULUM,
    PENDULUM_ENV,
    TOY_ENV,
    TOY_OPTIONS,
    answer,
    done,
    pendulum,
    recorded,
    refusal,
    toy,
    toy_checkpoint,
)
from tests.support.policy_files import model, normalizer, state_dict, torch_bytes, write

Number = (int, float)
ALWAYS: dict[str, Any] = {
    "backend": str,
    "env": str,
    "seed": int,
    "episodes": int,
    "returns": list,
    "mean_return": float,
    "ci95": list,
    "decisions": int,
    "decisions_per_second": float,
    "env_seconds": float,
    "policy_seconds": float,
    "synops_per_decision": float,
    "macs_per_decision": int,
    "host_macs_per_decision": int,
    "saturations": int,
}
COMPARED: dict[str, Any] = {
    "failed_episodes": int,
    "ann_failed_episodes": int,
    "ann_returns": list,
    "ann_mean_return": float,
    "return_ratio": float,
    "ratio_ci95": list,
    "return_difference": float,
}
CLOCKS = ("decisions_per_second", "env_seconds", "policy_seconds")
needs_lava = pytest.mark.skipif(
    not lava_import.lava_available(),
    reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
)


@pytest.fixture(scope="module")
def spk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulate")
    spikeport.save(pendulum(), folder / "pendulum.spk")
    spikeport.save(pendulum().without_source(), folder / "bare.spk")
    spikeport.save(toy(), folder / "toy.spk")
    return folder / "pendulum.spk"


def test_defaults_fields_and_types(spk: Path) -> None:
    facts = answer("simulate", spk, "--compare")
    assert {name: type(facts.get(name)) for name in ALWAYS | COMPARED} == ALWAYS | COMPARED
    assert (facts["backend"], facts["env"], facts["seed"], facts["episodes"]) == (
        "fast",
        PENDULUM_ENV,
        1000,
        10,
    )
    assert len(facts["returns"]) == len(facts["ann_returns"]) == 10 and all(
        isinstance(value, Number) for value in facts["returns"] + facts["ann_returns"]
    )
    assert (
        facts["macs_per_decision"] == 9 * 64 + 64 * 64 + 64
        and 0 < facts["synops_per_decision"] < 2 * facts["macs_per_decision"]
    )
    mean = np.mean(facts["returns"])
    ann = np.mean(facts["ann_returns"])
    assert facts["mean_return"] == pytest.approx(mean) and facts[
        "ann_mean_return"
    ] == pytest.approx(ann)
    assert facts["return_ratio"] == pytest.approx(1 + (mean - ann) / abs(ann)) and facts[
        "return_difference"
    ] == pytest.approx(mean - ann)
    assert facts["failed_episodes"] == sum(
        value < ann - 0.5 * abs(ann) for value in facts["returns"]
    )
    assert facts["ci95"][0] < mean < facts["ci95"][1] and len(facts["ratio_ci95"]) == 2


def test_same_numbers_as_from_python(spk: Path) -> None:
    facts = answer("simulate", spk, "--compare", "--episodes", 3, "--seed", 77)
    result = spikeport.simulate(spikeport.load(spk), episodes=3, seed=77, compare=True).to_json()
    assert {name: value for name, value in facts.items() if name not in CLOCKS} == {
        name: value for name, value in result.items() if name not in CLOCKS
    }


def test_episode_i_is_that_of_seed_plus_i(spk: Path) -> None:
    three = answer("simulate", spk, "--episodes", 3, "--seed", 2000)["returns"]
    assert [
        answer("simulate", spk, "--episodes", 1, "--seed", 2000 + index)["returns"][0]
        for index in range(3)
    ] == three


def test_without_compare_its_fields_are_null(spk: Path) -> None:
    facts = answer("simulate", spk, "--episodes", 1)
    assert [facts[name] for name in COMPARED] == [None] * len(COMPARED)
    assert facts["ci95"] is None  # one episode has no interval


@pytest.mark.parametrize(
    "backend",
    [
        "reference",
        "onnx",
        pytest.param("lava-direct", marks=needs_lava),
        pytest.param("lava", marks=needs_lava),
    ],
)
def test_backends_return_the_same_episodes(spk: Path, backend: str) -> None:
    """Two of the toy environment's: one row at a time on Lava, both at once on the others."""
    options = ("--env", TOY_ENV, "--episodes", 2)
    facts, fast = (
        answer("simulate", spk.with_name("toy.spk"), *options, "--backend", name)
        for name in (backend, "fast")
    )
    assert facts.pop("backend") == backend and fast.pop("backend") == "fast"
    assert facts.pop("chatter") == pytest.approx(
        fast.pop("chatter")
    )  # a sum over rows in another order
    assert {name: value for name, value in facts.items() if name not in CLOCKS} == {
        name: value for name, value in fast.items() if name not in CLOCKS
    }


def test_no_source_needs_one(spk: Path) -> None:
    bare = spk.with_name("bare.spk")
    assert re.search(
        r"^InputError: --compare: the artifact was converted with --no-source\. Fix: --source"
        r" CHECKPOINT",
        refusal("simulate", bare, "--compare"),
    )
    with_source = answer("simulate", bare, "--compare", "--source", PENDULUM, "--episodes", 2)
    inside = answer("simulate", spk, "--compare", "--episodes", 2)
    assert {name: with_source[name] for name in COMPARED} == {
        name: inside[name] for name in COMPARED
    }


def test_another_source_is_noted_and_one_that_does_not_fit_refused(
    spk: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "other.pt", torch_bytes(state_dict((9, 8, 1), ("l1", "l2"))))
    result = done("simulate", spk, "--compare", "--source", other, "--episodes", 1)
    assert (
        "note: other.pt is not the file that the artifact was converted from"
        " (td3-InvertedDoublePendulum-v5.zip)" in result.stderr
    )
    assert (
        "the policy does not fit the environment (got 17 inputs, limit 9 observation channels"
        in refusal("simulate", spk, "--compare", "--source", CHEETAH)
    )
    assert "no such checkpoint file" in refusal(
        "simulate", spk, "--compare", "--source", tmp_path / "gone.zip"
    )
    assert "--compare compares with (got no --compare)" in refusal(
        "simulate", spk, "--source", PENDULUM
    )


def test_a_source_is_read_as_it_was_converted(tmp_path: Path) -> None:
    """Activation and squash of a plain state dict, and a normaliser that now lies elsewhere, are
    the artifact's.
    """
    checkpoint = write(tmp_path / "toy.pt", toy_checkpoint())
    quick = ("--env", TOY_ENV, "--calibration-steps", 300, "--action-error", 0.1)
    done("convert", checkpoint, "-o", tmp_path / "whole.spk", *TOY_OPTIONS, *quick)
    model(
        "TD3",
        size=5,
        low=-np.ones(2, np.float32),
        high=np.ones(2, np.float32),
        policy_kwargs={"net_arch": [8, 8]},
    ).save(tmp_path / "td3.zip")
    normalizer(tmp_path / "elsewhere.pkl", 5)
    done(
        "convert",
        tmp_path / "td3.zip",
        "-o",
        tmp_path / "normalised.spk",
        "--normalizer",
        tmp_path / "elsewhere.pkl",
        *quick,
    )
    for name, source in (("whole.spk", checkpoint), ("normalised.spk", tmp_path / "td3.zip")):
        artifact = spikeport.load(tmp_path / name)
        spikeport.save(artifact.without_source(), tmp_path / "bare.spk")
        inside = answer("simulate", tmp_path / name, "--compare", "--episodes", 2)
        outside = answer(
            "simulate", tmp_path / "bare.spk", "--compare", "--episodes", 2, "--source", source
        )
        assert outside["ann_returns"] == inside["ann_returns"], name


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


def test_text(spk: Path) -> None:
    text = done("simulate", spk, "--episodes", 2, "--compare").stdout
    for part in (
        "2 episodes from seed 1000, backend fast",
        "spiking return",
        "source return",
        "return ratio",
        "failed episodes",
        "per MAC",
        "decisions/s",
    ):
        assert part in text
    assert "source return" not in done("simulate", spk, "--episodes", 1).stdout


def test_video(spk: Path, tmp_path: Path) -> None:
    imageio = pytest.importorskip("imageio.v3")
    arguments = ("simulate", spk.with_name("toy.spk"), "--env", TOY_ENV, "--episodes", 2, "--video")
    done(*arguments, tmp_path / "episode.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["episode.gif"]
    assert len(imageio.imread(tmp_path / "episode.gif")) >= 29
    for name, text in (
        ("episode.avi", "unknown kind of video file"),
        ("gone/episode.gif", "its folder does not exist"),
    ):
        assert text in refusal(*arguments, tmp_path / name)
    (tmp_path / "folder.gif").mkdir()
    assert "it is a folder" in refusal(*arguments, tmp_path / "folder.gif")
    assert "ended with its first decision" in refusal(
        "simulate",
        spk.with_name("toy.spk"),
        "--env",
        "tests.support.toy_environments:OneStep-v0",
        "--video",
        tmp_path / "short.gif",
    )
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        assert "pip install imageio-ffmpeg" in refusal(*arguments, tmp_path / "episode.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episode.gif", "folder.gif"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ("--seed", 1_000_000),
            r"--seed: these seeds were used for calibration \(got 1000000\.\.1000000",
        ),
        (("--seed", 999_995), r"--seed: these seeds were used for calibration \(got 1000000\.\."),
        (("--seed", -1), r"--seed: a seed is never negative \(got -1, limit 0 or more\)"),
        (("--episodes", 0), r"--episodes: nothing to run \(got 0, limit 1 or more\)"),
        (("--episodes", -3), r"--episodes: nothing to run \(got -3"),
        (
            ("--backend", "fsat"),
            (
                r"backend: unknown backend \(got fsat, limit reference, fast, lava-direct, lava,"
                r" onnx\)\. Fix: did you mean 'fast'"
            ),
        ),
        (
            ("--env", "HalfCheetah-v5"),
            (
                r"environment HalfCheetah-v5: does not fit the policy: 17 observation channels for"
                r" a policy of 9; 6 action channels"
            ),
        ),
        (
            ("--env", "InvertedDoublePendulm-v5"),
            r"environment: unknown environment .* Fix: did you mean 'InvertedDoublePendulum-v5'",
        ),
        (
            ("--env", "InvertedDoublePendulum-v3"),
            (
                r"Fix: --env InvertedDoublePendulum-v4 or --env InvertedDoublePendulum-v5 \(the -v3"
                r" environments are gone"
            ),
        ),
        (
            ("--env", "HalfCheetah-v3"),
            r"Fix: --env HalfCheetah-v4 or --env HalfCheetah-v5 \(the -v3 environments are gone",
        ),
        (
            ("--env", "CartPole-v1"),
            (
                "does not fit the policy: 4 observation channels for a policy of 9; 2 choices for a"
                " policy of 1 action channels"
            ),
        ),
        (
            ("--env", "no_such_module:Robot-v0"),
            r"environment no_such_module:Robot-v0: cannot be made: ModuleNotFoundError",
        ),
        (
            ("--env", "tests.support.toy_environments:Other-v0"),
            r"environment tests\.support\.toy_environments:Other-v0: cannot be made",
        ),
        (
            ("--env", "tests.support.toy_environments:Raising-v0"),
            r"cannot be made: RuntimeError no driver for this robot",
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_refused(spk: Path, options: tuple[Any, ...], text: str) -> None:
    assert re.search(f"^InputError: .*{text}", refusal("simulate", spk, *options))


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
