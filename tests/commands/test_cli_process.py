"""Commands in processes of their own.

Exit codes, a clean stdout, an untouched working directory, what is imported.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import spikeport
from spikeport.export.lava import lava_import
from tests.support.front_door import (
    CHEETAH,
    CHEETAH_ENV,
    PENDULUM,
    PENDULUM_ENV,
    QUICK,
    listing,
    one_object,
    pendulum,
    process,
)
from tests.support.policy_files import Payload, pickled, write

LAVA = lava_import.lava_available()
TURN_OFF = """import sys
from importlib.machinery import PathFinder
absent, find = sys.argv.pop(1).split(","), PathFinder.find_spec
def present(kind, name, *rest):
    return None if name.split(".")[0] in absent else find(name, *rest)
PathFinder.find_spec = classmethod(present)
"""
RUN = "from spikeport.cli import main\nmain(sys.argv[1:], standalone_mode=False)\n"
REPORT = "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """An empty working directory, and one for inputs and outputs."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "files").mkdir()
    return tmp_path / "cwd", tmp_path / "files"


def test_every_command_leaves_the_working_directory_alone(folders: tuple[Path, Path]) -> None:
    """Checkpoint to energy, as a user types it.

    Stdout of --json is one object, MuJoCo's log is nowhere.
    """
    cwd, files = folders
    spk = files / "p.spk"
    commands: list[tuple[object, ...]] = [
        ("convert", PENDULUM, "-o", spk, "--env", PENDULUM_ENV, *QUICK, "--json"),
        ("inspect", spk, "--json"),
        (
            "verify",
            spk,
            "--backends",
            "reference,fast,lava-direct,lava,onnx" if LAVA else "reference,fast,onnx",
            "--decisions",
            12,
            "--json",
        ),
        ("simulate", spk, "--episodes", 2, "--compare", "--json"),
        ("energy", spk, "--json"),
        ("doctor",),
        ("export", spk, "--to", "onnx", "-o", files / "p.onnx"),
    ]
    written = {"p.spk", "p.onnx"}
    if LAVA:
        commands.append(("export", spk, "--to", "lava", "-o", files / "lava"))
    for arguments in commands:
        result = process(*arguments, folder=cwd)
        complete = arguments[0] != "doctor" or "all" in result.stdout.splitlines()[-1]
        assert result.returncode == (0 if complete else 1), result.stderr
        if "--json" in arguments:
            one_object(result.stdout)
        assert result.stderr == "", arguments
        assert listing(cwd) == {}, arguments
    assert {path.name for path in files.iterdir()} == written | ({"lava"} if LAVA else set())
    assert (
        one_object(process("inspect", spk, "--json", folder=cwd).stdout)["sha256"]
        == pendulum().provenance.sha256
    )


def test_relative_paths_are_those_of_the_working_directory(folders: tuple[Path, Path]) -> None:
    cwd, _ = folders
    write(cwd / "policy.zip", PENDULUM.read_bytes())
    result = process(
        "convert", "policy.zip", "-o", "p.spk", "--env", PENDULUM_ENV, *QUICK, folder=cwd
    )
    assert result.returncode == 0 and result.stdout.endswith("wrote p.spk\n")
    assert sorted(listing(cwd)) == ["p.spk", "policy.zip"]


def test_a_refusal(folders: tuple[Path, Path]) -> None:
    """Exit code 2, one line, no traceback, and nothing of the payload."""
    cwd, files = folders
    write(files / "model.zip", PENDULUM.read_bytes())
    write(files / "vecnormalize.pkl", pickled(Payload(files / "mark")))
    before = listing(files)
    result = process(
        "convert", files / "model.zip", "-o", files / "p.spk", "--env", PENDULUM_ENV, folder=cwd
    )
    assert (result.returncode, result.stdout) == (2, "") and result.stderr.count("\n") == 1
    assert result.stderr.startswith("InputError: vecnormalize.pkl: ") and " Fix: " in result.stderr
    assert listing(files) == before and listing(cwd) == {}


def test_a_failed_check(folders: tuple[Path, Path]) -> None:
    cwd, files = folders
    spikeport.save(pendulum(), files / "p.spk")
    code = TURN_OFF + "from spikeport.cli import main\nmain(sys.argv[1:])"
    result = process(
        "lava", "verify", files / "p.spk", "--decisions", 4, "--json", folder=cwd, code=code
    )
    facts = one_object(result.stdout)
    assert (
        result.returncode == 1
        and not facts["exact"]
        and set(facts["backends"]["lava"]) == {"mismatches", "compared", "missing"}
    )
    assert process("lava", "doctor", folder=cwd, code=code).returncode == 1


def test_nothing_heavy_is_imported_before_it_is_needed(folders: tuple[Path, Path]) -> None:
    cwd, files = folders
    for code in ("import sys, spikeport\n" + REPORT, "import sys, spikeport.cli\n" + REPORT):
        loaded = process(folder=cwd, code=code).stderr
        for name in ("lava", "torch", "numpy", "numba", "gymnasium", "mujoco", "stable_baselines3"):
            assert f"'{name}'" not in loaded, name
    artifact = files / "p.spk"
    start = ("", "convert", PENDULUM, "-o", artifact, "--env", PENDULUM_ENV, *QUICK)
    for arguments in (
        start,
        ("", "simulate", artifact, "--episodes", 1, "--compare"),
        ("", "energy", artifact),
    ):
        result = process(
            *arguments, folder=cwd, code="import sys\nsys.argv.pop(1)\n" + RUN + REPORT
        )
        assert (
            result.returncode == 0
            and "'lava'" not in result.stderr
            and "'stable_baselines3'" not in result.stderr
        )
    assert "'torch'" not in result.stderr  # nor torch, once converted


def test_a_state_dict_needs_no_stable_baselines3_and_no_lava(folders: tuple[Path, Path]) -> None:
    cwd, files = folders
    without = "stable_baselines3,sb3_contrib,lava"
    result = process(
        without,
        "convert",
        CHEETAH,
        "-o",
        files / "c.spk",
        "--env",
        CHEETAH_ENV,
        *QUICK,
        "--json",
        folder=cwd,
        code=TURN_OFF + RUN,
    )
    assert result.returncode == 0 and json.loads(result.stdout)["macs"] == 71_424


def test_an_artifact_runs_without_torch(folders: tuple[Path, Path]) -> None:
    cwd, files = folders
    spikeport.save(pendulum(), files / "p.spk")
    without = "torch,stable_baselines3,sb3_contrib,lava"
    result = process(
        without,
        "simulate",
        files / "p.spk",
        "--episodes",
        1,
        "--compare",
        "--json",
        folder=cwd,
        code=TURN_OFF + RUN,
    )
    assert result.returncode == 0 and one_object(result.stdout)["episodes"] == 1
    refused = process(
        without,
        "inspect",
        CHEETAH,
        "--env",
        CHEETAH_ENV,
        folder=cwd,
        code=TURN_OFF + "from spikeport.cli import main\nmain(sys.argv[1:])",
    )
    assert (
        refused.returncode == 2
        and "torch" in refused.stderr
        and " Fix: " in refused.stderr
        and "Traceback" not in refused.stderr
    )
