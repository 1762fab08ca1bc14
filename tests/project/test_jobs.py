"""The jobs of continuous integration say honestly what passed, what failed and what was not run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.project import jobs

ROOT = Path(__file__).resolve().parents[2]


def job(name: str, error: Exception | None = None) -> jobs.Job:
    def run(tests: Sequence[str]) -> None:
        if error:
            raise error

    return jobs.Job(name, "a job", run)


@pytest.mark.parametrize(
    ("errors", "code", "closing"),
    [
        ([None], 0, "1 passed, 0 failed, 0 not run"),
        ([None, jobs.NotRun("no such thing")], 0, "1 passed, 0 failed, 1 not run"),
        ([jobs.NotRun("no such thing")], 1, "0 passed, 0 failed, 1 not run"),
        ([None, jobs.Failed("it broke")], 1, "1 passed, 1 failed, 0 not run"),
    ],
)
def test_what_is_not_run_is_not_counted_as_passed(
    errors: list[Exception | None], code: int, closing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [job(f"job{number}", error) for number, error in enumerate(errors)]
    assert jobs.run_jobs(chosen, []) == code
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == closing
    for error in filter(None, errors):
        assert f": {error}" in printed


def shim(folder: Path, version: str, script: str) -> None:
    path = folder / f"python{version}"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_interpreter_is_tried_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = tmp_path / "pyenv" / "versions" / "9.8.1" / "bin"
    versions.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    shim(tmp_path, "9.8", "echo 'pyenv: python9.8: command not found' >&2; exit 127")
    with pytest.raises(jobs.NotRun, match=r"no Python 9\.8 that runs \(tried: .*/python9\.8"):
        jobs.interpreter("9.8")
    shim(versions, "9.8", "printf 9.8")
    assert jobs.interpreter("9.8") == str(versions / "python9.8")
    with pytest.raises(jobs.NotRun, match="none was found"):
        jobs.interpreter("9.7")


@pytest.mark.parametrize(
    ("step", "right"),
    [
        (jobs.Step("-c pass"), True),
        (jobs.Step("-c print(1)", says="1"), True),
        (jobs.Step("-c print(1)", says="2"), False),
        (jobs.Step("-c exit(2)"), False),
        (jobs.Step("-c exit(2)", code=2), True),
        (jobs.Step("-c 1/0", code=1), False),
    ],
)
def test_a_step_is_held_to_its_exit_code_and_message(
    step: jobs.Step, right: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (jobs.wrong(step, Path(sys.executable), tmp_path) == "") is right
    assert ("WRONG" in capsys.readouterr().out) is not right


def test_jobs_are_listed_and_a_misspelt_one_is_refused() -> None:
    def script(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(ROOT / "tests" / "project" / "jobs.py"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    listed = script()
    assert listed.returncode == 0
    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert names == [each.name for each in jobs.JOBS]
    assert {"lint", "test", "wheel", "lava", "no-lava", "python3.12"} <= set(names)
    assert script("weel").returncode == 2


def test_make_offers_the_jobs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "tests/project/jobs.py" in makefile and "--warnings" in makefile
    script = (ROOT / ".ci" / "run").read_text()
    assert "make lint" in script and "make test" in script
