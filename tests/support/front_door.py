"""The front door as a user meets it.

Commands in this process or in one of their own, artifacts converted once.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result

import spikeport
from spikeport.cli import main
from spikeport.toolchain.artifact.artifact import Artifact
from tests.support.policy_files import state_dict, torch_bytes

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "examples" / "policies"
PENDULUM = POLICIES / "td3-InvertedDoublePendulum-v5.zip"
PENDULUM_ENV = "InvertedDoublePendulum-v5"
CHEETAH = POLICIES / "td3-HalfCheetah-v5.pt"
CHEETAH_ENV = "HalfCheetah-v5"
TOY_ENV = "tests.support.toy_environments:Drift-v0"
STEPS = 600
ERROR = 0.05
QUICK = (
    "--calibration-steps",
    str(STEPS),
    "--action-error",
    str(ERROR),
)  # a given error needs no closed-loop search


def command(*arguments: object) -> Result:
    """One command in this process; anything but a deliberate exit code is raised."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(*arguments: object) -> Result:
    """A command that succeeds."""
    result = command(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


def answer(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
    """What a command with --json says: one object and nothing else on stdout."""
    result = command(*arguments, "--json")
    assert result.exit_code == exit_code, result.stderr
    return one_object(result.stdout)


def one_object(text: str) -> dict[str, Any]:
    """The one JSON object in a text of one line, without NaN or infinity."""
    assert text.endswith("\n") and text.count("\n") == 1

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    found = json.loads(text, parse_constant=refuse)
    assert isinstance(found, dict)
    return found


def refusal(*arguments: object) -> str:
    """The one line of an input error: exit code 2, nothing on stdout, a way out."""
    result = command(*arguments)
    assert result.exit_code == 2, result.stdout + result.stderr
    assert result.stdout == ""
    assert (
        result.stderr.startswith(("InputError: ", "BackendError: "))
        and result.stderr.count("\n") == 1
    )
    assert " Fix: " in result.stderr
    return result.stderr


def process(
    *arguments: object, folder: Path, code: str = "", seconds: float = 120.0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A command, or Python `code` with these arguments, in a process of its own.

    It runs in `folder`, without MuJoCo's or pytest's settings.
    """
    if code:
        start = [sys.executable, "-c", code]
    else:
        start = [str(Path(sys.executable).with_name("spikeport"))]
    return subprocess.run(
        [*start, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def listing(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, hidden ones too, and its content."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }


@functools.cache
def pendulum() -> Artifact:
    """The shipped Stable-Baselines3 policy, converted as QUICK says."""
    policy = spikeport.load_policy(PENDULUM, env=PENDULUM_ENV)
    return spikeport.convert(policy, env=PENDULUM_ENV, calibration_steps=STEPS, action_error=ERROR)


@functools.cache
def toy_checkpoint() -> bytes:
    """A plain Sequential state dict that fits Drift-v0."""
    return torch_bytes(state_dict((5, 24, 16, 2), ("0", "2", "4")))


TOY_OPTIONS = ("--activation", "tanh", "--squash", "tanh")


@functools.cache
def toy() -> Artifact:
    """An artifact of the toy policy with tanh units, calibrated on recorded observations.

    It names no environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "toy.pt"
        path.write_bytes(toy_checkpoint())
        policy = spikeport.load_policy(
            path, activation="tanh", squash="tanh", action_low=-1.0, action_high=1.0
        )
    return spikeport.convert(policy, observations=recorded(5))


def recorded(channels: int, rows: int = 300) -> np.ndarray:
    """Observations like those of a smooth motion."""
    return np.cumsum(np.random.default_rng(0).normal(scale=0.1, size=(rows, channels)), axis=0)


def refused(home: Path, *arguments: object) -> str:
    """The text of a refused command, which left the folder as it was."""
    before = listing(home)
    text = refusal(*arguments)
    assert listing(home) == before
    assert str(home) not in text.replace(
        str(home / "out"), ""
    )  # names of files, not of the user's folders
    return text


TOY = (
    "convert",
    "toy.pt",
    "-o",
    "x.spk",
    *TOY_OPTIONS,
    "--observations",
    "obs.npy",
    "--action-limit",
    "1",
)

SB3 = ("convert", PENDULUM, "-o", "x.spk", "--env", PENDULUM_ENV, *QUICK)
