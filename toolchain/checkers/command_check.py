"""A backend that is a command, in any language.

It is given a folder of vectors and writes a folder of results.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.toolchain.checkers.check_report import Check, run_check
from spikeport.toolchain.checkers.golden import read as read_golden
from spikeport.toolchain.checkers.golden_vectors import write_cases
from spikeport.toolchain.checkers.integer_check import Integers, differences
from spikeport.toolchain.errors import InputError

LARGEST_RESULT = 2**26
KINDS = ("payloads", "states", "saturations")


def check_command(command: Sequence[str], cases: list[str], timeout_s: float) -> list[Check]:
    """Run `command VECTORS RESULTS` once and hold every result against the recording.

    Raises InputError where the command cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="spikeport-check-") as name:
        vectors = Path(name, "vectors")
        results = Path(name, "results")
        vectors.mkdir()
        results.mkdir()
        write_cases(vectors, cases, expected=False)
        ran = _run([*command, str(vectors), str(results)], timeout_s)
        return [
            ran,
            *(
                run_check(case, lambda case=case: _result(results / f"{case}.json", case))
                for case in cases
            ),
        ]


def _run(command: list[str], timeout_s: float) -> Check:
    """Run the command to its end, or to that of its time."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
        except OSError as error:
            raise InputError(
                "--backend-command",
                f"cannot be started: {error.strerror}",
                got=command[0],
                limit="a program that takes VECTORS RESULTS",
                fix="name the program by its path",
            ) from None
        try:
            code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        said.seek(max(0, said.seek(0, os.SEEK_END) - 400))
        words = " ".join(said.read().decode(errors="replace").split())
    seconds = time.monotonic() - started
    if code is None:
        detail = f"still running after {timeout_s:g} s; its process group was ended"
        return Check("command ends", False, detail)
    detail = f"exit code {code} after {seconds:.1f} s"
    if code:
        detail += f"; its last words: {words}"
    return Check("command ends", code == 0, detail)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and everything that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def _result(path: Path, case: str) -> tuple[list[str], str]:
    """What is wrong with the file that the command wrote for a case, or what to say of it."""
    if not path.is_file() or path.is_symlink():
        return [f"RESULTS/{path.name} was not written"], ""
    if path.stat().st_size > LARGEST_RESULT:
        return [
            f"RESULTS/{path.name} is too large (got {path.stat().st_size} bytes, limit"
            f" {LARGEST_RESULT})"
        ], ""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        return [f"RESULTS/{path.name} is not JSON: {error}"], ""
    if not isinstance(found, dict) or set(found) != set(KINDS):
        keys = ", ".join(sorted(found)) if isinstance(found, dict) else type(found).__name__
        return [f"RESULTS/{path.name} has {keys or 'nothing'}, {', '.join(KINDS)} expected"], ""
    return _integers(found, case)


def _integers(found: dict[str, Any], case: str) -> tuple[list[str], str]:
    """Results of one case against its recording."""
    problems = [
        f"{kind} is not a list of layers" for kind in KINDS[:2] if not isinstance(found[kind], list)
    ]
    if problems:
        return problems, ""
    arrays: dict[str, Any] = {
        kind: [
            _whole(f"{kind} of layer {index}", layer, problems)
            for index, layer in enumerate(found[kind])
        ]
        for kind in KINDS[:2]
    }
    saturations = _whole("saturations", found["saturations"], problems)
    if not problems and saturations.ndim != 2:
        problems.append(
            f"saturations have {saturations.ndim} dimensions, [decision][layer] expected"
        )
    if problems:
        return problems, ""
    return differences(
        read_golden(case), Integers(arrays["payloads"], arrays["states"], saturations)
    )


def _whole(what: str, values: Any, problems: list[str]) -> Any:
    """Nested lists of whole numbers as an array; anything else is added to `problems`."""
    try:
        array = np.array(values)
    except (ValueError, OverflowError, RecursionError):
        problems.append(f"{what}: the lists differ in length")
        return np.zeros(0)
    if array.dtype.kind != "i":
        problems.append(f"{what}: whole numbers expected, got {array.dtype}")
    return array
