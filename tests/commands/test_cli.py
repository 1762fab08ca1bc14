"""`spikeport inspect`, `verify`, `export` and `doctor`.

Fields, defaults, exit codes, equal to Python.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spikeport
from spikeport.commands import installation as doctor
from spikeport.export.lava import lava_import
from spikeport.toolchain.errors import InputError
from tests.support.front_door import (
    CHEETAH,
    CHEETAH_ENV,
    PENDULUM,
    PENDULUM_ENV,
    answer,
    command,
    done,
    one_object,
    pendulum,
    refusal,
)

needs_lava = pytest.mark.skipif(
    not lava_import.lava_available(),
    reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
)


def test_inspect_an_artifact(spk: Path) -> None:
    facts = answer("inspect", spk)
    assert facts["kind"] == "artifact" and facts["environment"]["id"] == PENDULUM_ENV
    assert [(layer["neuron"], layer["inputs"], layer["outputs"]) for layer in facts["layers"]] == [
        ("sdn@1", 9, 64),
        ("sdn@1", 64, 64),
        ("readout@1", 64, 1),
    ]
    assert all(layer["proven_bits"] <= 24 for layer in facts["layers"])
    text = done("inspect", spk).stdout
    assert (
        text.startswith("TD3 policy td3-InvertedDoublePendulum-v5.zip -> sdn@1")
        and "layer 2: 64 -> 1 readout@1" in text
    )


@pytest.mark.parametrize(
    ("checkpoint", "environment"),
    [(PENDULUM, None), (PENDULUM, PENDULUM_ENV), (CHEETAH, CHEETAH_ENV)],
    ids=str,
)
def test_inspect_a_checkpoint(checkpoint: Path, environment: str | None) -> None:
    if environment is None:
        options = ()
    else:
        options = ("--env", environment)
    facts = answer("inspect", checkpoint, *options)
    assert (
        facts["kind"] == "checkpoint"
        and facts["file"] == checkpoint.name
        and len(facts["layers"]) == 3
    )
    assert re.fullmatch("[0-9a-f]{64}", facts["sha256"]) and facts["macs"] == sum(
        layer["inputs"] * layer["outputs"] for layer in facts["layers"]
    )
    assert f'"{checkpoint.name}"' in done("inspect", checkpoint, *options).stdout


def test_a_state_dict_alone_is_asked_for_its_limit() -> None:
    facts = answer("inspect", CHEETAH)
    assert facts["missing"] == [
        {
            "fact": "action limit",
            "give": "--env ID or --action-low and --action-high or --action-limit",
        }
    ]
    assert facts["action"]["squash"] == "tanh" and facts["action"]["scale"] is None
    text = refusal(
        "convert",
        CHEETAH,
        "-o",
        CHEETAH.with_suffix(".spk").name,
        "--env",
        "InvertedDoublePendulum-v5",
    )
    assert (
        "does not fit the environment" in text
        and not Path(CHEETAH.with_suffix(".spk").name).exists()
    )
    with pytest.raises(
        InputError,
        match=(
            "does not carry the action limit .* Fix: --env ID or --action-low and --action-high or"
            " --action-limit"
        ),
    ):
        spikeport.load_policy(CHEETAH)
    for options in (("--action-limit", 1), ("--action-low", "-1", "--action-high", "1,1,1,1,1,1")):
        assert answer("inspect", CHEETAH, *options)["action"]["scale"] == [1.0] * 6
        assert answer("inspect", CHEETAH, *options)["missing"] == []


def test_verify_fields_and_python(spk: Path) -> None:
    facts = answer("verify", spk, "--backends", "reference,fast")
    assert list(facts) == ["exact", "decisions", "backends", "first_mismatch"]
    assert facts["exact"] is True and facts["decisions"] == 256 and facts["first_mismatch"] is None
    # inputs, payload and state of every neuron in every timestep, actions; and the census as one
    compared = 256 * (9 + 2 * (64 + 64 + 1) + 1) + 1
    assert facts["backends"] == {
        name: {"mismatches": 0, "compared": compared} for name in ("reference", "fast")
    }
    assert spikeport.verify(spikeport.load(spk), backends=["reference", "fast"]).to_json() == facts
    assert done("verify", spk, "--backends", "reference, fast").stdout.startswith(
        "EXACT over 256 decisions"
    )


@needs_lava
def test_verify_asks_all_five_backends_by_default(spk: Path) -> None:
    facts = answer("verify", spk, "--decisions", 60)
    assert (
        facts["exact"]
        and list(facts["backends"]) == ["reference", "fast", "lava-direct", "lava", "onnx"]
        and facts["decisions"] == 60
    )
    assert len({entry["compared"] for entry in facts["backends"].values()}) == 1


def test_verify_without_lava_fails(spk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lava", None)  # as if it were not installed
    facts = answer("verify", spk, "--decisions", 10, exit_code=1)
    assert facts["exact"] is False and facts["first_mismatch"] is None
    for name in ("lava-direct", "lava"):
        entry = facts["backends"][name]
        assert (
            (entry["mismatches"], entry["compared"]) == (0, 0)
            and "lava-nc is not installed" in entry["missing"]
            and "pip install" in entry["missing"]
        )
    assert facts["backends"]["fast"]["compared"] > 0
    result = command("verify", spk, "--decisions", 10)
    assert (
        result.exit_code == 1
        and result.stdout.startswith("NOT EXACT")
        and "missing: lava-nc is not installed" in result.stdout
    )
    for backend in ("lava-direct", "lava"):
        text = refusal("simulate", spk, "--backend", backend, "--episodes", 1)
        assert (
            text.startswith(f"BackendError: backend {backend}: lava-nc is not installed")
            and "pip install" in text
        )


def test_verify_of_the_reference_alone_fails(spk: Path) -> None:
    assert answer("verify", spk, "--backends", "reference", exit_code=1)["backends"] == {
        "reference": {"mismatches": 0, "compared": 0}
    }


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ("--backends", "reference,fats"),
            r"backend: unknown backend \(got fats, .* Fix: did you mean 'fast'",
        ),
        (
            ("--backends", " , "),
            r"--backends: no backend named \(limit reference, fast, lava-direct, lava, onnx\)",
        ),
        (
            ("--decisions", 1),
            r"--decisions: too few to hold two episode starts \(got 1, limit 2 or more\)",
        ),
        (("--decisions", -5), r"--decisions: too few"),
        (("--env", "HalfCheetah-v5"), r"environment HalfCheetah-v5: does not fit the policy"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_verify_refused(spk: Path, options: tuple[Any, ...], text: str) -> None:
    assert re.search(text, refusal("verify", spk, *options))


@needs_lava
def test_export_writes_a_folder_that_checks_itself(spk: Path, tmp_path: Path) -> None:
    result = done("export", spk.with_name("toy.spk"), "--to", "lava", "-o", tmp_path / "lava")
    assert result.stdout == f"wrote {tmp_path / 'lava'}\n" and [
        path.name for path in tmp_path.iterdir()
    ] == ["lava"]
    replay = subprocess.run(
        [sys.executable, "run.py"],
        cwd=tmp_path / "lava",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert replay.returncode == 0, replay.stdout + replay.stderr


def test_export_refused(spk: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    for target, place, text in (
        (
            "lav",
            "x",
            r"--to: unknown export format \(got lav, limit .*\)\. Fix: did you mean 'lava'",
        ),
        ("tensorflow", "x", r"--to: unknown export format \(got tensorflow, limit .*lava"),
        ("lava", "full", r"full: is not an empty folder\. an export never overwrites anything"),
        ("lava", "full/note.txt", r"note\.txt: is not an empty folder"),
        ("onnx", "full", r"full: cannot be written: it is a folder"),
        (
            "onnx",
            "full/note.txt",
            (
                r"note\.txt: is there already\. an export never overwrites anything\. Fix: give -o"
                r" a path that does not exist"
            ),
        ),
        ("onnx", "gone/x", r"gone/x: cannot be written: its folder does not exist"),
        ("lava", "gone/x", r"gone/x: cannot be written: No such file or directory"),
    ):
        assert re.search(text, refusal("export", spk, "--to", target, "-o", tmp_path / place))
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "note.txt"]


def test_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "PACKAGES", (doctor.Package("no-such-package>=1", "no_such_package", "nothing"),)
    )
    result = command("doctor")
    assert (
        result.exit_code == 1
        and "no-such-package is missing" in result.stdout
        and "fix: " in result.stdout
    )
    monkeypatch.setattr(
        doctor, "diagnose", lambda: [doctor.Check("all", True, "here", "everything", "")]
    )
    assert done("doctor").stdout.endswith("all 1 checks passed\n")


def test_names_from_a_file_cannot_drive_the_terminal(tmp_path: Path) -> None:
    origin = dataclasses.replace(
        pendulum().provenance, family="\x1b[2Jgone", assumptions=("\ud800\x07",)
    )
    environment = dataclasses.replace(pendulum().environment, id="\x1b]0;title\x07")
    spikeport.save(
        dataclasses.replace(pendulum(), provenance=origin, environment=environment),
        tmp_path / "odd.spk",
    )
    text = done("inspect", tmp_path / "odd.spk").stdout
    assert text.startswith("\\x1b[2Jgone policy ") and "\\ud800\\x07" in text
    error = refusal("simulate", tmp_path / "odd.spk")
    assert "got \\x1b]0;title\\x07" in error
    assert not set(text + error) & {"\x1b", "\x07"}
    assert answer("inspect", tmp_path / "odd.spk")["family"] == "\x1b[2Jgone"


def test_json_is_one_object(spk: Path) -> None:
    """The commands of the contract's list, whole stdout each."""
    for arguments in (
        ("inspect", spk),
        ("inspect", PENDULUM),
        ("verify", spk, "--backends", "fast"),
        ("energy", spk),
        ("simulate", spk, "--episodes", 1),
    ):
        result = done(*arguments, "--json")
        assert one_object(result.stdout) and result.stderr == ""
