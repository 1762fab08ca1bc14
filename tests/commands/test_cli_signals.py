"""A signal to `spikeport simulate --backend lava`.

Within ten seconds no process and no shared memory of it is left.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import spikeport
from spikeport.export.lava import lava_import
from tests.support.front_door import ROOT, pendulum

SHARED = Path("/dev/shm")
SECONDS = 10.0
pytestmark = [
    pytest.mark.skipif(
        not lava_import.lava_available(),
        reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
    ),
    pytest.mark.skipif(
        not Path("/proc/self/environ").exists(),
        reason="no /proc: leftover processes cannot be looked for",
    ),
]


class Run:
    """A simulation on Lava's runtime whose processes all carry a mark in their environment."""

    def __init__(self, folder: Path) -> None:
        spikeport.save(pendulum(), folder / "p.spk")
        self.mark = secrets.token_hex(12)
        (folder / "cwd").mkdir()
        self.folder = folder / "cwd"
        start = [
            str(Path(sys.executable).with_name("spikeport")),
            "simulate",
            str(folder / "p.spk"),
            "--backend",
            "lava",
            "--episodes",
            "500",
            "--json",
        ]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "SPIKEPORT_TEST_MARK": self.mark}
        self.process = subprocess.Popen(
            start,
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> dict[int, str]:
        """Every process of this run and its command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark.encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    )
            except OSError:
                continue  # it ended meanwhile
        return found

    def token(self) -> str:
        """The name that all shared memory and folders of this run begin with.

        Empty before there is one.
        """
        named = [re.search(r"\bspk[0-9a-f]{10}\b", text) for text in self.processes().values()]
        return next((match.group() for match in named if match), "")

    def wait_until_lava_runs(self) -> str:
        """Until Lava's own processes hold shared memory and have run for a moment."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.communicate()
            token = self.token()
            if token and len(self.processes()) > 4 and list(SHARED.glob(f"{token}*")):
                time.sleep(0.5)
                return token
            time.sleep(0.05)
        raise AssertionError(f"Lava did not start: {self.processes()}")

    def left(self, token: str) -> list[str]:
        """What is still there of the run."""
        places = [SHARED, Path("/tmp"), Path(os.environ.get("TMPDIR", "/tmp"))]
        return [
            *self.processes().values(),
            *(str(path) for place in places if place.is_dir() for path in place.glob(f"*{token}*")),
        ]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    started = Run(tmp_path)
    yield started
    for number in started.processes():
        os.kill(number, signal.SIGKILL)  # only after a failed test
    started.process.communicate(timeout=30)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name
)
def test_nothing_is_left(run: Run, number: signal.Signals) -> None:
    token = run.wait_until_lava_runs()
    assert len(run.left(token)) > 4
    run.process.send_signal(number)
    deadline = time.monotonic() + SECONDS
    while run.left(token) and time.monotonic() < deadline:
        run.process.poll()  # a child that nobody waits for stays in /proc
        time.sleep(0.05)
    assert run.left(token) == []
    output, error = run.process.communicate(timeout=SECONDS)
    assert (
        run.process.returncode == {signal.SIGINT: 130}.get(number, -number)
        and output == ""
        and "Traceback" not in error
    )
    assert list(run.folder.iterdir()) == []


def test_a_signal_while_lava_starts(run: Run) -> None:
    deadline = time.monotonic() + 60
    while not (token := run.token()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert token
    run.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + SECONDS
    while run.left(token) and time.monotonic() < deadline:
        run.process.poll()
        time.sleep(0.05)
    assert run.left(token) == []
