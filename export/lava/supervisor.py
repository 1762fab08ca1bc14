"""Runs a worker that may hang or die, and leaves nothing of it behind.

A script of the standard library only:

    python supervisor.py PARENT LIFELINE REPORT REQUEST RESPONSE TOKEN COMMAND...

It starts COMMAND in a session, and so a process group, of its own; COMMAND's working directory and
TMPDIR are a private folder and its output goes to a log there. It waits for the first of: the
lifeline's end or PARENT's death, a failure that a process of the worker reports, the worker's exit.
Then it kills the group, removes the folder and all shared memory whose name starts with TOKEN, and
writes one JSON object to REPORT: `reason` (stopped, failed, exited), `detail` (traceback or exit
code), `log` (the log's end).

The worker gets five more arguments: REQUEST RESPONSE FAILURE LEASH TOKEN. It writes a traceback and
a NUL to FAILURE; LEASH ends when the supervisor itself dies.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

# bytes; together they fit a pipe's buffer
LOG_TAIL = 8_000
FAILURE_LIMIT = 16_000
SHARED_MEMORY = "/dev/shm"
LOG = "log.txt"
LONGEST_FOLDER = 60  # multiprocessing makes socket paths in it, which must stay below 108 bytes


def main(arguments: list[str]) -> None:
    """Run the worker until the first event, then end it and report."""
    parent, lifeline, report, request, response = (int(value) for value in arguments[:5])
    token = arguments[5]
    command = arguments[6:]
    adopt_orphans()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    failure, failing = os.pipe()
    leash, held = os.pipe()
    passed = (request, response, failing, leash)
    worker = None
    folder = ""
    outcome = {"reason": "stopped", "detail": ""}
    try:
        folder = private_folder(token)
        environment = os.environ | {
            "TMPDIR": folder,
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        with open(os.path.join(folder, LOG), "wb") as output:
            worker = subprocess.Popen(
                [*command, *map(str, passed), token],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                pass_fds=passed,
                start_new_session=True,
            )
        for descriptor in passed:
            os.close(descriptor)
        outcome = watch(parent, lifeline, failure, worker.pid)
    except OSError as error:
        outcome = {"reason": "failed", "detail": f"{type(error).__name__}: {error}"}
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if worker is not None:
            kill_group(worker.pid)
        if folder:
            outcome["log"] = tail(os.path.join(folder, LOG))
            clean(folder, token)
        try:
            os.write(report, json.dumps(outcome).encode())
        except OSError:
            pass  # nobody is left to read it
        os.close(held)


def watch(parent: int, lifeline: int, failure: int, worker: int) -> dict[str, Any]:
    """Wait for the first event.

    The worker is not reaped here, so that its process group's number stays taken.
    """
    poll = select.poll()
    poll.register(lifeline, select.POLLIN)
    poll.register(failure, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll(200)]
        if failure in ready and (text := read_failure(failure)):
            return {"reason": "failed", "detail": text}
        if lifeline in ready or os.getppid() != parent:
            return {"reason": "stopped", "detail": ""}
        gone = os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if gone is not None:
            return {
                "reason": "exited",
                "detail": str(gone.si_status if gone.si_code == os.CLD_EXITED else -gone.si_status),
            }


def read_failure(descriptor: int) -> str:
    """What a process of the worker wrote before its NUL; at most a second is spent on it."""
    data = b""
    deadline = time.monotonic() + 1
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while b"\0" not in data and time.monotonic() < deadline:
        if poll.poll(100):
            part = os.read(descriptor, 65536)
            if not part:
                break
            data += part
    return data.split(b"\0")[0][-FAILURE_LIMIT:].decode(errors="replace")


def kill_group(group: int) -> None:
    """Kill every process of the worker's group, the worker included, and reap what became ours."""
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        pass
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not reaped:
            time.sleep(0.005)


def adopt_orphans() -> None:
    """Have processes whose parent dies become our children, on Linux.

    So `kill_group` sees the last of them go.
    """
    if sys.platform == "linux":
        import ctypes

        PR_SET_CHILD_SUBREAPER = 36
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def private_folder(token: str) -> str:
    """A new folder whose path is short."""
    place = tempfile.gettempdir()
    return tempfile.mkdtemp(
        prefix=f"{token}-", dir=place if len(place) <= LONGEST_FOLDER else "/tmp"
    )


def tail(path: str) -> str:
    """The end of a log, or nothing."""
    try:
        with open(path, "rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - LOG_TAIL))
            return log.read().decode(errors="replace").strip()
    except OSError:
        return ""


def clean(folder: str, token: str) -> None:
    """Remove the worker's folder and its shared memory segments."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        names = os.listdir(SHARED_MEMORY)
    except OSError:
        return
    for name in names:
        if name.startswith(token):
            try:
                os.unlink(os.path.join(SHARED_MEMORY, name))
            except OSError:
                pass


if __name__ == "__main__":
    main(sys.argv[1:])
