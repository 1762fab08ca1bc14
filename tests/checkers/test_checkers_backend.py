"""`check_backend` and the golden vectors.

Right backends pass and wrong ones are told where; commands are in test_checkers_command.py.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.checkers import check_backend, golden, write_vectors
from spikeport.toolchain.checkers.golden_vectors import case_names, neurons, vector
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from tests.checkers.test_checkers_command import wrong_plain
from tests.support.front_door import answer, command, refusal

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ROOT / "examples" / "plain_backend.py"
DOCUMENT = (ROOT / "docs" / "checkers.md").read_text()


def test_our_backends_pass() -> None:
    report = check_backend(FastBackend)
    assert report.passed, str(report)
    assert {check.name for check in report.checks} >= {"interface", *golden.names()}
    assert {check.name.split(":")[0] for check in report.checks if ":" in check.name} == set(
        neurons()
    )
    report.raise_if_failed()


@pytest.mark.parametrize("name", golden.names())
def test_vectors_say_what_was_recorded(name: str) -> None:
    case = golden.read(name)
    text = json.dumps(vector(case, name, expected=True))

    def whole(value: Any) -> bool:
        if isinstance(value, dict | list):
            return all(map(whole, value.values() if isinstance(value, dict) else value))
        return isinstance(value, int | str)

    found = json.loads(text)
    assert whole(found)
    for index, layer in enumerate(found["layers"]):
        assert np.array_equal(layer["weights"], case.artifact.network.layers[index].weights)
        for kind in ("payloads", "states"):
            assert np.array_equal(found["expected"][kind][index], case.recorded[f"{kind}.{index}"])
    assert "expected" not in vector(case, name, expected=False)


def test_vectors_on_disk(tmp_path: Path) -> None:
    target = tmp_path / "vectors"
    assert write_vectors(target, ("mt",)) == case_names(("mt",))
    assert sorted(path.stem for path in target.iterdir()) == sorted(
        ["README", *case_names(("mt",))]
    )
    page = (target / "README.md").read_text()
    for known in neurons():
        assert f"### {known}@1" in page
    with pytest.raises(InputError, match=r"cannot be written: it is there already"):
        write_vectors(target)
    with pytest.raises(InputError, match="cannot be written: No such file"):
        write_vectors(tmp_path / "absent" / "vectors")
    assert [path.name for path in tmp_path.iterdir()] == ["vectors"]


def test_commands(tmp_path: Path) -> None:
    facts = answer("check", "--backend-command", f"{sys.executable} {PLAIN}", "--neurons", "if")
    assert facts["kind"] == "backend" and facts["passed"] and len(facts["checks"]) == 12
    wrong = wrong_plain(tmp_path, "int(v > theta)", "int(v >= theta)")
    assert (
        answer("check", "--backend-command", wrong, "--neurons", "if", exit_code=1)["passed"]
        is False
    )
    told = command(
        "check",
        "--backend-class",
        "spikeport.toolchain.simulation.reference:ReferenceBackend",
        "--neurons",
        "if",
    )
    assert told.exit_code == 0 and told.stdout.startswith("backend ReferenceBackend\nok ")
    done = command("golden", "-o", tmp_path / "v", "--neurons", "if")
    assert done.exit_code == 0 and "wrote 11 vectors and README.md" in done.stdout
    for arguments, text in (
        (
            ("check",),
            (
                r"check: checks one thing \(got 0 of them, limit FILE, --backend-command or"
                r" --backend-class\)"
            ),
        ),
        (
            ("check", "x.spk", "--backend-command", "true"),
            r"check: checks one thing \(got 2 of them",
        ),
        (("check", "x.spk", "--neurons", "if"), r"do not belong to a file \(got --neurons\)"),
        (
            ("check", "--backend-command", "true", "--squash", "tanh"),
            r"do not belong to a backend \(got --squash\)",
        ),
        (
            ("check", "--backend-class", "absent:B"),
            r"--backend-class: cannot be imported: ModuleNotFoundError",
        ),
        (
            ("check", "--backend-class", "json:nothing"),
            r"--backend-class: cannot be imported: AttributeError",
        ),
        (
            ("check", "--backend-class", "sys:path"),
            r"--backend-class: is no class \(got sys:path\)",
        ),
    ):
        assert re.search(text, refusal(*arguments)), arguments


def test_the_document_shows_what_happens(tmp_path: Path) -> None:
    assert f"```python\n{PLAIN.read_text()}```" in DOCUMENT
    assert f"writes {len(golden.names())} cases" in DOCUMENT
    report = check_backend([sys.executable, str(PLAIN)], neurons=["if"])
    assert "\n".join(str(report).splitlines()[2:]) in DOCUMENT
    wrong = check_backend(
        wrong_plain(tmp_path, "int(v > theta)", "int(v >= theta)"), neurons=["if"]
    )
    assert next(line for line in str(wrong).splitlines() if line.startswith("FAILED")) in DOCUMENT
