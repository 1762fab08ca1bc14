"""A network in Lava's runtime, run from outside: this process never imports Lava.

    this process <-- requests, responses --> worker.py --> Lava's processes
          `--- lifeline, report --- supervisor.py ---^ kills, cleans

Whatever becomes of this process, the supervisor ends the rest within moments.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .messages import Alarm, Arrays, Channel
from .window import Recording

TIME_LIMIT = 120.0  # seconds for one request; start-up is one, a chunk of decisions is one
CHUNK_STEPS = 2_000
CHUNK_BYTES = 2**22
CHUNK_DECISIONS = 256
GRACE = 15.0  # seconds that the supervisor may take to end everything
BOOT = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from importlib import import_module; "
    "import_module(sys.argv[2]).main(*map(int, sys.argv[3:7]), sys.argv[7])"
)


class LavaFailure(RuntimeError):
    """The runtime died, raised or ran out of time; `detail` is a traceback or its log's end."""

    def __init__(
        self, what: str, *, got: object = None, limit: object = None, detail: str = ""
    ) -> None:
        self.what = what
        self.got = got
        self.limit = limit
        self.detail = detail
        measured = ", ".join(
            f"{name} {value}"
            for name, value in (("got", got), ("limit", limit))
            if value is not None
        )
        text = f"{what} ({measured})" if measured else what
        super().__init__(f"{text}\n{detail}" if detail else text)


class LavaClient:
    """A network in the runtime, at rest when it has started.

    Raises LavaFailure when the start or a run fails; it is closed then.
    """

    def __init__(
        self, description: dict[str, Any], arrays: Arrays, time_limit: float = TIME_LIMIT
    ) -> None:
        self.time_limit = time_limit
        self.layers = len(description["layers"])
        timesteps = int(description["timesteps"])
        neurons = sum(len(arrays[f"layers.{index}.bias"]) for index in range(self.layers))
        by_memory = CHUNK_BYTES // (8 * timesteps * neurons)
        by_time = CHUNK_STEPS // (timesteps + self.layers)
        self.chunk = max(1, min(by_memory, by_time, CHUNK_DECISIONS))
        self.handle = Handle()
        self._finalizer = weakref.finalize(self, self.handle.shut)
        self._request({"network": description, "decisions": self.chunk}, arrays)

    def run(self, payloads: NDArray[np.integer], control: NDArray[np.integer]) -> Recording:
        """Run decisions in order.

        Args:
            payloads: Of the input, [n, features].
            control: Control words [n]: 1 carry, 2 start afresh.

        Returns:
            What the layers did.

        Raises:
            LavaFailure: When the runtime raises, dies or runs out of time.
        """
        replies = []
        for first in range(0, len(control), self.chunk):
            part = slice(first, first + self.chunk)
            replies.append(
                self._request(
                    {},
                    {
                        "payloads": payloads[part].astype(np.int32),
                        "control": control[part].astype(np.int32),
                    },
                )
            )
        joined = {name: np.concatenate([reply[name] for reply in replies]) for name in replies[0]}
        sent, states = (
            [joined[f"{name}.{i}"] for i in range(self.layers)] for name in ("payloads", "states")
        )
        return Recording(sent, states, joined["saturations"], joined["idle"])

    def close(self) -> None:
        """End all processes; the network cannot be used afterwards."""
        self._finalizer()

    def _request(self, header: dict[str, Any], arrays: Arrays) -> Arrays:
        """One request and its answer; whatever goes wrong ends the runtime first."""
        if not self._finalizer.alive:
            raise LavaFailure("the Lava runtime is closed")
        begin = time.monotonic()
        try:
            self.handle.channel.send(header, arrays, begin + self.time_limit)
            answer, reply = self.handle.channel.receive(begin + self.time_limit)
        except TimeoutError:
            report = self._finalizer() or {}
            raise LavaFailure(
                "no answer from the Lava runtime in time",
                got=f"none after {time.monotonic() - begin:.1f} s",
                limit=f"{self.time_limit:g} s",
                detail=report.get("log", ""),
            ) from None
        except (Alarm, EOFError):
            # the worker's end shows here before the supervisor has seen it
            self.handle.await_report(2.0)
            raise failure(self._finalizer() or {}) from None
        except BaseException:
            self._finalizer()
            raise
        if "error" in answer:
            self._finalizer()
            raise failure({"reason": "failed", "detail": answer["error"]})
        return reply


def failure(report: dict[str, Any]) -> LavaFailure:
    """A supervisor's report in words."""
    reason = report.get("reason")
    detail = report.get("detail", "")
    log = report.get("log", "")
    if reason == "failed":
        message = detail.strip().splitlines()[-1] if detail.strip() else "no message"
        return LavaFailure(f"a Lava process failed with {message}", detail=detail)
    if reason == "exited":
        return LavaFailure(
            "the Lava runtime's process ended", got=f"exit code {detail}", detail=log
        )
    return LavaFailure("the Lava runtime's supervisor was killed", detail=log)


class Handle:
    """The supervisor and the pipes to it and to the worker; `shut` may be called anywhere, once."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.token = f"spk{secrets.token_hex(5)}"
        lifeline, self.lifeline = os.pipe()
        self.report, report = os.pipe()
        request, sending = os.pipe()
        receiving, response = os.pipe()
        self.channel = Channel(receiving, sending, alarm=self.report)
        theirs = (lifeline, report, request, response)
        quiet = subprocess.DEVNULL
        supervisor = [
            sys.executable,
            "-I",
            "-S",
            str(Path(__file__).with_name("supervisor.py")),
            str(self.owner),
            *map(str, theirs),
            self.token,
        ]
        try:
            self.process = subprocess.Popen(
                [*supervisor, *worker_command()],
                stdin=quiet,
                stdout=quiet,
                stderr=quiet,
                pass_fds=theirs,
                start_new_session=True,
            )
        except OSError:
            self._let_go()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def shut(self) -> dict[str, Any]:
        """End everything and return the supervisor's report.

        A forked copy of this process only lets go.
        """
        report = self._last_words() if os.getpid() == self.owner else b""
        self._let_go()
        return json.loads(report) if report else {}

    def await_report(self, seconds: float) -> None:
        """Give the supervisor time to find out by itself what happened."""
        poll = select.poll()
        poll.register(self.report, select.POLLIN)
        poll.poll(seconds * 1000)

    def _last_words(self) -> bytes:
        report = b""
        deadline = time.monotonic() + GRACE
        poll = select.poll()
        poll.register(self.report, select.POLLIN)
        try:
            # closing is not enough where a forked process holds a copy
            os.write(self.lifeline, b"end")
        except BrokenPipeError:
            pass  # it has ended already
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            part = os.read(self.report, 65536)
            if not part:
                break
            report += part
        try:
            self.process.wait(max(1.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return report

    def _let_go(self) -> None:
        for descriptor in (
            self.lifeline,
            self.report,
            self.channel.receiving,
            self.channel.sending,
        ):
            os.close(descriptor)


def worker_command() -> list[str]:
    """Start worker.py of this very package, with this process's import path."""
    package = __package__ or ""
    root = str(Path(os.path.abspath(__file__)).parents[package.count(".") + 1])
    path = [os.path.abspath(entry) for entry in sys.path]
    return [
        sys.executable,
        "-c",
        BOOT,
        json.dumps(path if root in path else [*path, root]),
        f"{package}.worker",
    ]
