"""The jobs of continuous integration, for any machine.

    python tests/project/jobs.py                     lists them
    python tests/project/jobs.py wheel python3.12    runs these
    python tests/project/jobs.py all                 runs all
    python tests/project/jobs.py python3.12 --tests tests/neurons    a part of the tests

A job passes, fails, or is not run, with the reason. Exit code 0: something passed, nothing failed.
Environments are built under build/jobs and used again; `make clean` removes them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "jobs"
PYTHONS = ("3.11", "3.12", "3.13")
POLICY = "examples/policies/td3-InvertedDoublePendulum-v5.zip"
ENVIRONMENT = "InvertedDoublePendulum-v5"
LAVA_TESTS = (
    "tests/export/test_lava_export.py",
    "tests/export/test_lava_import.py",
    "tests/simulation/test_lava_direct.py",
    "tests/simulation/test_lava_runtime.py",
)
LAVA_MISSING = (
    "from spikeport.export.lava.lava_import import lava_problem; print(lava_problem(), end='')"
)


class Failed(Exception):
    """A job ran and failed."""


class NotRun(Exception):
    """A job cannot run on this machine."""


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        name: How it is asked for.
        what: What it does, in a line.
        run: Does it. Takes the tests that were asked for, all where there are none. Raises Failed
            or NotRun.
    """

    name: str
    what: str
    run: Callable[[Sequence[str]], None]


@dataclass(frozen=True)
class Step:
    """A command of a base-only installation and what has to come of it.

    Attributes:
        arguments: Of `spikeport`.
        says: What its message has to hold; empty where it has to work.
        code: Its exit code.
    """

    arguments: str
    says: str = ""
    code: int = 0


# What the base packages carry: everything after the conversion but other people's formats. Reading
# a checkpoint needs PyTorch.
BASE_ONLY = (
    Step("--version"),
    Step("doctor", says="fix: ", code=1),
    Step("inspect policy.spk"),
    Step("verify policy.spk --backends reference,fast"),
    Step("verify policy.spk", says="lava-nc is not installed", code=1),
    Step("simulate policy.spk --episodes 2 --compare"),
    Step("simulate policy.spk --backend lava", says="lava-nc is not installed", code=2),
    Step("diagnose policy.spk --episodes 2"),
    Step("energy policy.spk --episodes 2"),
    Step("assess policy.spk"),
    Step("check policy.spk"),
    Step("golden -o vectors"),
    Step("export policy.spk --to lava -o folder"),
    Step("export policy.spk --to onnx -o policy.onnx", says="onnx is not installed", code=2),
    Step(f"inspect {ROOT / POLICY}", says="needs PyTorch", code=2),
    Step(f"convert {ROOT / POLICY} --env {ENVIRONMENT} -o other.spk", says="needs PyTorch", code=2),
    Step(f"train td3 --env {ENVIRONMENT} --steps 10 -o actor.zip", says="needs torch", code=2),
    Step("demo", says="run the demo from a checkout", code=2),
)


def run(command: Sequence[str | Path], **options: object) -> None:
    """Run a command that has to end with 0; what it prints is printed."""
    done = subprocess.run([*map(str, command)], cwd=ROOT, check=False, **options)  # type: ignore
    if done.returncode:
        raise Failed(f"exit code {done.returncode}: {' '.join(map(str, command))}")


def make(target: str, *variables: str) -> None:
    """Run a target of the Makefile."""
    run(["make", target, *variables])


def answer(python: str | Path, code: str) -> str | None:
    """What a Python program prints, None where the interpreter does not run it."""
    try:
        done = subprocess.run(
            [str(python), "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    return done.stdout


def candidates(version: str) -> Iterable[str]:
    """Where a Python of a version may be: on the PATH, or kept by pyenv (its shims may fail)."""
    if found := shutil.which(f"python{version}"):
        yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for folder in sorted((pyenv / "versions").glob(f"{version}*")):
        yield str(folder / "bin" / f"python{version}")


def interpreter(version: str) -> str:
    """A Python of a version that runs and can make environments."""
    tried = list(candidates(version))
    for python in tried:
        code = "import ensurepip, ssl, sys, venv; print('%d.%d' % sys.version_info[:2], end='')"
        if answer(python, code) == version:
            return python
    raise NotRun(f"no Python {version} that runs (tried: {', '.join(tried) or 'none was found'})")


def with_tests(tests: Sequence[str]) -> str:
    """The variable of `make test` that chooses tests."""
    return f"TESTS={' '.join(tests)}"


def lint(tests: Sequence[str]) -> None:
    """Style, docstrings, types."""
    make("lint")


def test(tests: Sequence[str]) -> None:
    """The default tests in the environment of `make setup`."""
    make("test", with_tests(tests))


def docs(tests: Sequence[str]) -> None:
    """The documentation, warnings as errors."""
    make("docs")


def on_python(version: str) -> Callable[[Sequence[str]], None]:
    """The default tests on another Python, everything installed."""

    def job(tests: Sequence[str]) -> None:
        folder = (BUILD / f"python{version}").relative_to(ROOT)
        make("test", f"PYTHON={interpreter(version)}", f"VENV={folder}", with_tests(tests))

    return job


def lava_present(tests: Sequence[str]) -> None:
    """The tests of Lava, none of which may skip for want of it."""
    problem = answer(sys.executable, LAVA_MISSING)
    if problem != "":
        raise NotRun(problem or f"{sys.executable} cannot import spikeport: make setup")
    command = [sys.executable, "-m", "pytest", "-q", "-rs", *(tests or LAVA_TESTS)]
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, check=False)
    print(done.stdout, flush=True)
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    if done.returncode or skipped:
        raise Failed(f"exit code {done.returncode}, skipped: {'; '.join(skipped) or 'none'}")


def lava_absent(tests: Sequence[str]) -> None:
    """The default tests where everything but Lava is installed: those that need it skip."""
    folder = (BUILD / "no-lava").relative_to(ROOT)
    setup = (f"VENV={folder}", "NODEPS=neurobench")
    make("setup", *setup)
    problem = answer(ROOT / folder / "bin" / "python", LAVA_MISSING)
    if not problem:
        raise Failed("Lava is there, or spikeport does not import")
    make("test", *setup, with_tests(tests))


def wheel(tests: Sequence[str]) -> None:
    """The wheel and its base packages alone, in a fresh environment away from the checkout."""
    folder = BUILD / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    work = folder / "work"
    work.mkdir(parents=True)
    policy = work / "policy.spk"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    spikeport = [sys.executable, "-m", "spikeport.cli"]
    fine = ["--calibration-steps", "1000", "--action-error", "0.0125"]
    convert = [*spikeport, "convert", POLICY, "--env", ENVIRONMENT, *fine, "-o", policy]
    run(convert, env=environment)
    pip = [sys.executable, "-m", "pip", "-qq"]
    build = ["wheel", "--no-deps", "--no-build-isolation"]
    run([*pip, *build, "--wheel-dir", folder / "dist", source(folder / "source")])
    run([sys.executable, "-m", "venv", folder / "venv"])
    binaries = folder / "venv" / "bin"
    built = next((folder / "dist").glob("spikeport-*.whl"))
    run([binaries / "pip", "-qq", "install", "--constraint", ROOT / "constraints.txt", built])
    problems = [said for step in BASE_ONLY if (said := wrong(step, binaries / "spikeport", work))]
    if problems:
        raise Failed("; ".join(problems))


def source(folder: Path) -> Path:
    """A copy of what the wheel is made from, so that the checkout gets no build folder."""
    for name in ("spikeport", "toolchain", "export", "hardware_profiles"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=ignored)
    for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, folder)
    return folder


def wrong(step: Step, spikeport: Path, folder: Path) -> str:
    """Run a step and print what came of it; returns what is wrong, empty where nothing is."""
    done = subprocess.run(
        [str(spikeport), *step.arguments.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    shown = step.arguments.replace(f"{ROOT}/", "")
    problem = ""
    if done.returncode != step.code or step.says not in output or "Traceback" in output:
        tail = " / ".join(output.strip().splitlines()[-3:])
        problem = f"spikeport {shown}: exit code {done.returncode}, {step.code} expected: {tail}"
    verdict = f"says: {step.says}" if step.says else "works"
    print(f"  spikeport {shown}: {'WRONG' if problem else verdict}", flush=True)
    return problem


JOBS = (
    Job("lint", "ruff check, ruff format --check, pyright --warnings", lint),
    Job("test", "the default tests, everything installed", test),
    Job("docs", "the documentation, warnings as errors", docs),
    Job("lava", "Lava present: its tests, none may skip", lava_present),
    Job("no-lava", "Lava absent: the default tests in an environment without it", lava_absent),
    Job("wheel", "base-only wheel in a fresh environment: what works, what the rest says", wheel),
    *(Job(f"python{v}", f"the default tests on Python {v}", on_python(v)) for v in PYTHONS),
)


def run_jobs(jobs: Sequence[Job], tests: Sequence[str]) -> int:
    """Run jobs one after the other and print what became of each.

    Args:
        jobs: Which.
        tests: Paths for pytest; none for all.

    Returns:
        0 where something passed and nothing failed, else 1.
    """
    lines = []
    counts = {"passed": 0, "failed": 0, "not run": 0}
    for job in jobs:
        print(f"== {job.name}: {job.what}", flush=True)
        start = time.monotonic()
        reason = ""
        try:
            job.run(tests)
            outcome = "passed"
        except Failed as failed:
            outcome = "failed"
            reason = f": {failed}"
        except NotRun as refused:
            outcome = "not run"
            reason = f": {refused}"
        counts[outcome] += 1
        lines.append(f"{job.name} ({time.monotonic() - start:.0f} s): {outcome}{reason}")
    print("\n".join(["", *lines]))
    print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()))
    return int(counts["failed"] > 0 or counts["passed"] == 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """List jobs or run them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [job.name for job in JOBS]
    parser.add_argument("jobs", nargs="*", metavar="JOB", choices=[[], "all", *names])
    parser.add_argument("--tests", nargs="+", default=[], help="paths for pytest")
    given = parser.parse_args(arguments)
    if not given.jobs:
        width = max(map(len, names))
        print("\n".join(f"{job.name:{width}}  {job.what}" for job in JOBS))
        return 0
    chosen = [job for job in JOBS if job.name in given.jobs or "all" in given.jobs]
    return run_jobs(chosen, given.tests)


if __name__ == "__main__":
    sys.exit(main())
