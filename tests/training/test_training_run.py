"""Training runs: killed and resumed equals uninterrupted, what is refused, Stable-Baselines3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_util import make_vec_env

import spikeport
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.methods.method_choices import make_plan
from spikeport.toolchain.training.methods.proxy_target import ProxyTargetTD3
from spikeport.toolchain.training.methods.spiking_td3 import SpikingTD3
from spikeport.toolchain.training.methods.td3 import TD3Method
from spikeport.toolchain.training.methods.training_plan import TrainingPlan
from spikeport.toolchain.training.runs import training_run
from spikeport.toolchain.training.runs.checkpoint import read_checkpoint
from spikeport.toolchain.training.runs.evaluation import read_evaluations
from spikeport.toolchain.training.runs.mapped_memory import ARRAYS
from spikeport.toolchain.training.runs.run_folder import steps_of
from spikeport.toolchain.training.runs.run_options import RunOptions
from spikeport.toolchain.training.runs.training_run import TrainingResult
from tests.support.front_door import ROOT, TOY_ENV, command
from tests.support.toy_environments import Drift
from tests.support.training_plans import INTERVALS, PLAN, STEPS

CHILD = """
import json, sys
from pathlib import Path
from spikeport.toolchain.training.runs.training_run import train_by_name
method, output, mode, plan, steps, intervals = sys.argv[1:]
choices = json.loads(plan) | json.loads(intervals) | {"resume": mode == "resume"}
train_by_name(method, choices.pop("environment"), int(steps), Path(output), choices)
"""


def train(plan: TrainingPlan, steps: int, output: Path, **options: Any) -> TrainingResult:
    return training_run.train(plan, steps, output, RunOptions(**options))


def child(method: str, output: Path, mode: str) -> subprocess.Popen[bytes]:
    """A run in a process of its own, where the toy environments are a user's module."""
    paths = os.pathsep.join(str(path) for path in (ROOT, ROOT / "tests" / "support"))
    plan = json.dumps(PLAN | {"environment": "toy_environments:Drift-v0"})
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            CHILD,
            method,
            str(output),
            mode,
            plan,
            str(STEPS),
            json.dumps(INTERVALS),
        ],
        env=os.environ | {"PYTHONPATH": paths},
    )


def weights(file: Path) -> dict[str, torch.Tensor]:
    with zipfile.ZipFile(file) as archive:
        names = [
            name
            for name in archive.namelist()
            if name.endswith(".pth") and name != "pytorch_variables.pth"
        ]
        found: dict[str, torch.Tensor] = {}
        for name in names:
            with archive.open(name) as stream:
                state = torch.load(stream, weights_only=True)
            if name == "policy.pth":
                tensors = state
            else:
                tensors = {
                    f"{i}.{k}": v for i, entry in state["state"].items() for k, v in entry.items()
                }
            found |= {f"{name}/{key}": value for key, value in tensors.items()}
    return found


@pytest.mark.parametrize(
    "method",
    [
        "proxy-target",
        pytest.param("spiking-td3", marks=pytest.mark.slow),
        pytest.param("td3", marks=pytest.mark.slow),
    ],
)
def test_a_killed_run_ends_as_an_uninterrupted_one(tmp_path: Path, method: str) -> None:
    plain = train(make_plan(method, **PLAN), STEPS, tmp_path / "plain.zip", **INTERVALS)
    output = tmp_path / "killed.zip"
    checkpoint = tmp_path / "killed.zip.run" / "checkpoint.pt"
    process = child(method, output, "start")
    written = 0.0
    deadline = time.monotonic() + 120
    for _ in range(2):  # the second checkpoint: networks have been trained by then
        while (found := checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0.0) == written:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        written = found
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not output.exists()
    killed_at = read_checkpoint(checkpoint)["counters"]["num_timesteps"]
    assert 100 < killed_at < STEPS
    assert child(method, output, "resume").wait(timeout=120) == 0
    ours = weights(output)
    theirs = weights(tmp_path / "plain.zip")
    assert ours.keys() == theirs.keys() and any(name.startswith("actor.optimizer") for name in ours)
    for name, tensor in theirs.items():
        assert torch.equal(ours[name], tensor), name
    folders = [tmp_path / f"{name}.zip.run" for name in ("plain", "killed")]
    first, second = (weights(folder / "best.zip") for folder in folders)
    assert (
        first
        and first.keys() == second.keys()
        and all(torch.equal(second[name], tensor) for name, tensor in first.items())
    )
    for name in ARRAYS:
        first, second = ((folder / "memory" / f"{name}.bin").read_bytes() for folder in folders)
        assert first == second, name
    evaluations = [
        [
            {k: v for k, v in r.items() if k != "seconds"}
            for r in read_evaluations(f / "evaluations.jsonl")
        ]
        for f in folders
    ]
    assert evaluations[0] == evaluations[1]
    assert (
        [record["steps"] for record in evaluations[0]]
        == [80, 160, 240]
        == [record["steps"] for record in plain.evaluations]
    )


def test_a_run_goes_on_with_more_steps(tmp_path: Path) -> None:
    """In two parts, the second with more steps, with and without a checkpoint between.

    The weights are those of one run.
    """
    own = {name: value for name, value in PLAN.items() if name != "environment"}
    found = spikeport.train("td3", TOY_ENV, 220, tmp_path / "whole.zip", **own, **INTERVALS)
    assert found.steps == 220 and [record["steps"] for record in found.evaluations] == [80, 160]
    theirs = weights(tmp_path / "whole.zip")
    for every in (50, 10_000):
        output = tmp_path / f"parts-{every}.zip"
        intervals = INTERVALS | {"checkpoint_every": every}
        train(make_plan("td3", **PLAN), 170, output, **intervals)
        assert (tmp_path / f"parts-{every}.zip.run" / "checkpoint.pt").exists() == (every == 50)
        again = train(make_plan("td3", **PLAN), 220, output, resume=True, **intervals)
        ours = weights(output)
        assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
        assert [record["mean"] for record in again.evaluations] == [
            record["mean"] for record in found.evaluations
        ]


def test_the_best_policy_is_that_of_the_best_evaluation_that_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evaluations are at 40, 80, ....

    The checkpoint is at 60, so that a run that goes on from it loses what came after.
    """
    output = tmp_path / "a.zip"
    means = {40: 5.0, 80: 9.0, 120: float("nan"), 160: 7.0}
    best = tmp_path / "a.zip.run" / "best.zip"
    monkeypatch.setattr(
        TD3Method,
        "evaluate",
        lambda self, model, environment, episodes: {
            "steps": model.num_timesteps,
            "mean": means[model.num_timesteps],
            "returns": [],
        },
    )
    intervals = INTERVALS | {"evaluate_every": 40, "checkpoint_every": 60}
    train(make_plan("td3", **PLAN), 110, output, **intervals)
    assert steps_of(best) == 80
    means[80] = 1.0
    train(make_plan("td3", **PLAN), 130, output, resume=True, **intervals)
    assert [
        record["steps"] for record in read_evaluations(best.with_name("evaluations.jsonl"))
    ] == [40, 80, 120]
    # that of step 40 went with the former 80; of those that are left to save this is the best
    assert steps_of(best) == 80
    best.write_bytes(b"torn")
    train(make_plan("td3", **PLAN), 170, output, resume=True, **intervals)
    assert steps_of(best) == 160


def test_a_run_without_a_checkpoint_begins_again_with_the_same_plan(tmp_path: Path) -> None:
    output = tmp_path / "a.zip"
    intervals = INTERVALS | {"checkpoint_every": 10_000}
    train(make_plan("td3", **PLAN), 130, output, **intervals)
    before = weights(output)
    notes = list[str]()
    with pytest.raises(
        InputError, match="plan.json: method is 'spiking-td3', the run was started with 'td3'"
    ):
        train(make_plan("spiking-td3", **PLAN), 140, output, resume=True, **intervals)
    train(make_plan("td3", **PLAN), 130, output, resume=True, note=notes.append, **intervals)
    assert notes == ["there is no checkpoint yet: begins at step 0 again"] and all(
        torch.equal(weights(output)[name], value) for name, value in before.items()
    )
    (tmp_path / "a.zip.run" / "plan.json").write_text("[")
    with pytest.raises(
        InputError, match="--resume: the run has neither a checkpoint nor a readable plan"
    ):
        train(make_plan("td3", **PLAN), 140, output, resume=True, **intervals)


def test_a_memory_that_lost_steps_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "a.zip"
    train(make_plan("td3", **PLAN), 130, output, **INTERVALS)
    rewards = tmp_path / "a.zip.run" / "memory" / "rewards.bin"
    rewards.write_bytes(rewards.read_bytes()[:40])
    with pytest.raises(
        InputError,
        match=(
            r"rewards.bin: holds fewer steps than the checkpoint counts \(got 40 bytes, limit \d+"
            r" bytes\)"
        ),
    ):
        train(make_plan("td3", **PLAN), 140, output, resume=True, **INTERVALS)


def test_another_seed_is_another_run(tmp_path: Path) -> None:
    for seed in (1, 2):
        train(make_plan("td3", **PLAN | {"seed": seed}), 130, tmp_path / f"{seed}.zip", **INTERVALS)
    first, second = (
        np.fromfile(tmp_path / f"{seed}.zip.run" / "memory" / "observations.bin") for seed in (1, 2)
    )
    assert not np.intersect1d(first[first != 0], second[second != 0]).size


def test_a_short_run_says_that_nothing_was_evaluated(tmp_path: Path) -> None:
    arguments = ("--steps", 110, "--learning-starts", 100, "--evaluate-every", 500)
    result = command("train", "td3", "--env", TOY_ENV, "-o", tmp_path / "policy.zip", *arguments)
    assert result.exit_code == 0, result.stderr
    assert (
        result.stdout == "no evaluation: the first comes after 500 steps (--evaluate-every)\nwrote"
        f" {tmp_path / 'policy.zip'}\n"
    )


def test_one_process_trains_a_run(tmp_path: Path) -> None:
    """The lock is the process's: it ends with it, however it ends."""
    output = tmp_path / "policy.zip"
    train(make_plan("td3", **PLAN), 130, output, **INTERVALS)
    evaluations = (tmp_path / "policy.zip.run" / "evaluations.jsonl").read_text()
    script = (
        f"import fcntl, time; f = open({str(output) + '.run/lock'!r}, 'w'); fcntl.flock(f,"
        " fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(InputError, match="-o: another process trains this run .*one at a time"):
            train(make_plan("td3", **PLAN), 150, output, resume=True, **INTERVALS)
        holder.kill()
    assert (tmp_path / "policy.zip.run" / "evaluations.jsonl").read_text() == evaluations
    assert train(make_plan("td3", **PLAN), 150, output, resume=True, **INTERVALS).steps == 150


@pytest.mark.parametrize(
    ("speed", "said"),
    [
        (
            0.1,
            [
                "products in bfloat16 are 0.10 times as fast as in float32 on this CPU: without"
                " --bfloat16 it trains faster"
            ],
        ),
        (1.5, []),
    ],
)
def test_a_slow_bfloat16_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speed: float, said: list[str]
) -> None:
    notes = list[str]()
    monkeypatch.setattr(
        "spikeport.toolchain.training.methods.td3_family.bfloat16_speed", lambda: speed
    )
    plan = make_plan("proxy-target", **PLAN, bfloat16=True)
    train(plan, 130, tmp_path / "policy.zip", note=notes.append, **INTERVALS)
    assert notes == said


@pytest.mark.parametrize("kind", [ProxyTargetTD3, SpikingTD3])
def test_several_environments_callbacks_and_loading(tmp_path: Path, kind: type[TD3]) -> None:
    """What any Stable-Baselines3 algorithm does."""
    envs = make_vec_env(Drift, n_envs=2, seed=0)
    small = {"net_arch": [12, 12], "population": 4, "neuron": "clif"} | (
        {"proxy_arch": [8, 8]} if kind is ProxyTargetTD3 else {}
    )
    model = kind(
        "MlpPolicy",
        envs,
        learning_starts=20,
        batch_size=16,
        buffer_size=500,
        policy_kwargs=small,
        seed=0,
        device="cpu",
    )
    assert (model.gamma, model.tau, model.policy_delay, model.target_policy_noise) == (
        0.99,
        0.005,
        2,
        0.2,
    )
    callback = EvalCallback(
        make_vec_env(Drift, seed=1),
        eval_freq=20,
        n_eval_episodes=1,
        verbose=0,
        best_model_save_path=str(tmp_path),
    )
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(80, callback=callback)
    for part in (
        "actor.mu.encoder.mean",
        "actor.mu.snn.hidden_layers.0.weight",
        "actor_target",
        "critic_target",
    ):
        after = {
            name: value
            for name, value in model.policy.state_dict().items()
            if name.startswith(part)
        }
        assert after and any(
            not torch.equal(value, before[name]) for name, value in after.items()
        ), part
    model.save(tmp_path / "model")
    loaded = kind.load(tmp_path / "model.zip", env=envs, device="cpu")
    observations = np.random.default_rng(0).normal(size=(30, 5))
    for again in (
        loaded,
        kind.load(tmp_path / "model.zip", device="cpu"),
    ):  # the second has no environment
        np.testing.assert_array_equal(
            again.predict(observations)[0], model.predict(observations)[0]
        )
    assert (tmp_path / "best_model.zip").exists()
    loaded.learn(20, reset_num_timesteps=False)
    assert loaded.num_timesteps == model.num_timesteps + 20


def test_the_proxy_learns_the_actor_and_is_not_a_copy() -> None:
    """Regression lowers its distance to the actor; Polyak averaging does not touch it."""
    model = ProxyTargetTD3(
        "MlpPolicy",
        make_vec_env(Drift, seed=0),
        learning_starts=20,
        batch_size=64,
        buffer_size=300,
        seed=0,
        device="cpu",
        learning_rate=0.0,
        policy_kwargs={"net_arch": [16, 16], "proxy_arch": [64, 64]},
    )
    observations = torch.randn(500, 5)

    def distance() -> float:
        with torch.no_grad():
            return float(
                ((model.actor(observations) - model.actor_target(observations)) ** 2).mean()
            )

    before = distance()
    actor = [parameter.clone() for parameter in model.actor.parameters()]
    model.learn(140)
    assert distance() < 0.5 * before
    assert all(torch.equal(a, b) for a, b in zip(actor, model.actor.parameters(), strict=True))
