"""`spikeport simulate`.

The contract's fields, the same numbers as from Python, honest about what it cannot say.
"""

from __future__ import annotations

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
    refusal,
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
