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
from spikeport.toolchain.errors import BackendError, CheckFailed, InputError
from spikeport.toolchain.simulation.backend import Backend, Trace
from spikeport.toolchain.simulation.fast import FastBackend
from spikeport.toolchain.simulation.reference import ReferenceBackend
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


class Wrong(Backend):
    """The reference with one fault."""

    name = "wrong"
    fault = ""

    def __init__(self, artifact: Any, rows: int = 1) -> None:
        if rows < 1 and self.fault == "no rows":
            rows = 1
        self.inner = ReferenceBackend(artifact, rows)
        super().__init__(artifact, rows)

    def reset(self, mask: Any = None) -> None:
        if self.fault == "reset of all":
            mask = None
        self.inner.reset(
            mask
            if self.fault != "any mask" or mask is None
            else np.resize(np.asarray(mask, bool), self.rows)
        )

    def resync(self, mask: Any = None) -> None:
        (self.inner.reset if self.fault == "resync is a reset" else self.inner.resync)(mask)

    def decide(self, observations: Any, active: Any = None) -> Any:
        if self.fault == "sensor faults pass":
            observations = np.nan_to_num(observations)
        actions = self.inner.decide(observations, active)
        if self.fault == "zeros for rows at rest":
            return np.nan_to_num(actions)
        return actions

    def trace(self, observations: Any, flags: Any) -> Trace:
        if self.fault == "trace in the rows":
            self.inner.reset()
        found = self.inner.trace(observations, flags)
        if self.fault == "dies":
            raise BackendError("chip", "lost the link")
        if self.fault == "actions of float32":
            found = Trace(
                found.inputs,
                found.layers,
                found.actions.astype(np.float32).astype(np.float64),
                found.census,
            )
        if self.fault == "inputs":
            found = Trace(found.inputs + 1, found.layers, found.actions, found.census)
        return found

    def census(self) -> Any:
        return self.inner.census()


FAULTS: dict[str, tuple[str, str]] = {
    "reset of all": (
        "mt: rows are independent",
        r"action of decision \d+, row \d \(active\), channel \d: expected .*, got",
    ),
    "resync is a reset": ("mt: rows are independent", "action of decision"),
    "zeros for rows at rest": (
        "mt: rows are independent",
        r"\(not active\), channel 0: expected nan, got 0\.0",
    ),
    "sensor faults pass": (
        "mt: non-finite observations",
        r"nan in channel 0: an InputError that names the channel was expected, got an answer",
    ),
    "trace in the rows": ("mt: a trace leaves the rows alone", "decision 4 differs after a trace"),
    "actions of float32": (
        "mt: host, normaliser and tanh",
        r"action, decision \d+, place \(\d+,\): expected .*, got",
    ),
    "dies": ("mt-t1-a0", "BackendError: chip: lost the link"),
    "inputs": ("mt-t1-a0", "the encoder's payloads differ"),
    "any mask": (
        "mt: shapes and masks",
        "a mask that is too long for reset: an InputError was expected, got an answer",
    ),
    "no rows": ("mt: shapes and masks", "0 rows: an InputError was expected, got an answer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    report = check_backend(type("Faulty", (Wrong,), {"fault": fault}), neurons=["mt"])
    name, told = FAULTS[fault]
    found = next(check for check in report.checks if check.name == name)
    assert not found.passed and re.search(told, found.detail), found
    with pytest.raises(CheckFailed, match=re.escape(name)):
        report.raise_if_failed()


def test_without_a_fault_it_passes() -> None:
    assert check_backend(Wrong, neurons=["mt"]).passed


def test_what_is_no_backend_is_told_first() -> None:
    class Absent(Wrong):
        @classmethod
        def missing(cls) -> str:
            return "the chip is not plugged in"

    for factory, told in (
        (Absent, "cannot run here: the chip is not plugged in"),
        (dict, "TypeError"),
        (lambda artifact: open("/dev/null"), "no spikeport.toolchain"),
    ):
        report = check_backend(factory, neurons=["mt"])
        assert [check.name for check in report.checks] == ["interface"] and told in str(report), (
            str(report)
        )


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
