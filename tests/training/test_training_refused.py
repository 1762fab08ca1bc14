"""Training runs that are refused before anything is trained."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.methods.method_choices import make_plan
from tests.support.front_door import TOY_ENV, answer, command
from tests.support.toy_environments import Drift
from tests.support.training_plans import INTERVALS, PLAN
from tests.training.test_training_run import train


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "policy.zip"
    quick = ("--steps", 130, "--learning-starts", 100, "--proxy-iterations", 1)
    start = ("train", "proxy-target", "--env", TOY_ENV, "-o", output, *quick)
    assert "--resume: there is no run beside the output" in command(*start, "--resume").stderr
    found = answer(*start, "--evaluate-every", 65, "--evaluation-episodes", 1)
    assert (
        found["steps"] == 130
        and [record["steps"] for record in found["evaluations"]] == [65, 130]
        and found["output"] == "policy.zip"
    )
    assert "-o: would overwrite a run" in command(*start).stderr
    plan = make_plan("proxy-target", **PLAN | {"hidden": [256, 256], "seed": 0})
    train(plan, 130, tmp_path / "other.zip", **INTERVALS)
    changed = make_plan("proxy-target", **PLAN | {"threads": 2, "neuron": "clif"})
    with pytest.raises(
        InputError,
        match=(
            "4 problems: neuron is 'clif', the run was started with 'lif'; seed is 3, .*; threads"
            " is 2, .*; hidden"
        ),
    ):
        train(changed, 130, tmp_path / "other.zip", resume=True, **INTERVALS)
    before = (tmp_path / "other.zip").read_bytes()
    for fewer, reached in (
        (125, 130),
        (60, 130),
    ):  # FILE is further than its run's checkpoint, which is at 120
        with pytest.raises(
            InputError,
            match=rf"--steps: the run is further already \(got {fewer}, limit {reached}\)",
        ):
            train(plan, fewer, tmp_path / "other.zip", resume=True, **INTERVALS)
    (tmp_path / "other.zip").rename(tmp_path / "aside.zip")
    with pytest.raises(
        InputError, match=r"--steps: the run is further already \(got 60, limit 120\)"
    ):
        train(plan, 60, tmp_path / "other.zip", resume=True, **INTERVALS)
    (tmp_path / "other.zip.run" / "checkpoint.pt").rename(tmp_path / "aside.pt")
    with pytest.raises(
        InputError,
        match=(
            "--steps: nothing would be trained .*got 60 steps, .* Fix: --steps 400 or"
            " --learning-starts 15"
        ),
    ):
        train(plan, 60, tmp_path / "other.zip", resume=True, **INTERVALS)
    (tmp_path / "aside.pt").rename(tmp_path / "other.zip.run" / "checkpoint.pt")
    assert (tmp_path / "aside.zip").read_bytes() == before
    (tmp_path / "other.zip.run" / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(InputError, match="checkpoint.pt: is not a readable checkpoint"):
        train(plan, 130, tmp_path / "other.zip", resume=True, **INTERVALS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("sac", "--neuron", "izh", "--threads", "0"),
            (
                "3 problems: unknown method 'sac'; neuron is 'izh', known are lif, clif, dn;"
                " threads is 0, 1..1024"
            ),
        ),
        (("td3", "--threads", "100000"), "training: threads is 100000, 1..1024 expected"),
        (
            ("td3", "--device", "foo"),
            "--device: unknown device (got foo, limit auto, cpu, cuda, cuda:N). Fix: --device auto",
        ),
        (
            ("td3", "--device", "mps"),
            "--device: unknown device (got mps, limit auto, cpu, cuda, cuda:N). Fix: --device auto",
        ),
        (
            ("td3", "--device", "meta"),
            (
                "--device: unknown device (got meta, limit auto, cpu, cuda, cuda:N). Fix: --device"
                " auto"
            ),
        ),
        (
            ("td3", "--steps", "25000"),
            (
                "--steps: nothing would be trained (got 25000 steps, limit more than the 25000"
                " random ones of --learning-starts)"
            ),
        ),
        (
            ("td3", "--steps", "500"),
            "random ones of --learning-starts). Fix: --steps 100000 or --learning-starts 125.",
        ),
        (
            ("td3", "--steps", "5000000", "--learning-starts", "5000000"),
            "random ones of --learning-starts). Fix: --learning-starts 1250000.",
        ),
        (
            ("td3", "--bfloat16"),
            (
                "training: bfloat16 is for the critics and the proxy of spiking methods, td3 is"
                " Stable-Baselines3's own"
            ),
        ),
        (
            ("td3", "--steps", "0", "--evaluate-every", "0"),
            "2 problems: 0 steps, 1..5000000 expected; evaluate_every is 0, at least 1 expected",
        ),
        (
            ("td3", "--env", "CartPole-v1"),
            (
                "environment CartPole-v1: its action space is Discrete(2), a Box with finite bounds"
                " expected"
            ),
        ),
        (("td3", "--tensorboard", "x"), "--tensorboard: needs tensorboard, which is not installed"),
    ],
)
def test_wrong_choices_are_listed(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    if "--tensorboard" in arguments:
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("tensorboard is installed")
    result = command("train", "--env", TOY_ENV, "-o", tmp_path / "policy.zip", *arguments)
    assert result.exit_code == 2 and said in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("choices", "steps", "said"),
    [
        (
            {"hidden": (32.0, 32)},
            130,
            r"training: hidden is \(32.0, 32\), at least one whole number expected",
        ),
        ({"hidden": ()}, 130, r"training: hidden is \(\), at least one whole number expected"),
        (
            {"environment": Drift()},
            130,
            "training: environment is a Drift, a Gymnasium id expected",
        ),
        ({}, "130", "training: '130' steps, 1..5000000 expected"),
    ],
)
def test_wrong_types_are_said(
    tmp_path: Path, choices: dict[str, object], steps: int, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        train(make_plan("td3", **PLAN | choices), steps, tmp_path / "policy.zip", **INTERVALS)
    assert not list(tmp_path.iterdir())


def test_a_folder_for_tensorboard_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError,
        match="--tensorboard: the folder cannot be made .*exists. Fix: --tensorboard with a folder",
    ):
        train(
            make_plan("td3", **PLAN),
            130,
            tmp_path / "policy.zip",
            tensorboard=tmp_path / "file",
            **INTERVALS,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
