"""`lava`.

The real runtime equals the reference, and whatever goes wrong, it ends with a message and leaves
nothing.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.export.lava import client, lava_import
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import BackendError
from spikeport.toolchain.simulation.lava import runtime as backend
from spikeport.toolchain.simulation.lava.runtime import LavaBackend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.networks import observation_stream, random_artifact

ROOT = Path(__file__).resolve().parents[2]
needs_lava = pytest.mark.skipif(
    not lava_import.lava_available(),
    reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
)
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(),
    reason="no /proc: leftover processes cannot be looked for",
)

KINDS: dict[str, dict[str, Any]] = {
    "table": {"activation": "tanh", "resync_every": 7},
    "if": {"neuron": "if@1", "timesteps": 4, "alpha": 19, "time_feature": True, "normalised": True},
    "one layer": {"widths": (4, 2), "squash": "none"},
    "if four layers": {"neuron": "if@1", "timesteps": 8, "widths": (4, 6, 5, 4, 2), "alpha": 64},
}


def stream(artifact: Artifact, seed: int, decisions: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return observation_stream(rng, decisions, artifact.observation.size), rng.choice(
        3, decisions, p=(0.8, 0.1, 0.1)
    )


def leftovers(token: str) -> list[str]:
    """Processes and files that carry the token of a runtime."""
    found = [
        f"{folder}/{name}"
        for folder in ("/dev/shm", "/tmp", os.environ.get("TMPDIR", "/tmp"))
        if os.path.isdir(folder)
        for name in os.listdir(folder)
        if token in name
    ]
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            if (
                token.encode()
                in (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            ):
                found.append(f"process {process.name}: {(process / 'cmdline').read_bytes()[:80]!r}")
        except OSError:
            pass  # it ended meanwhile
    return found


def assert_gone(token: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while (rest := leftovers(token)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not rest


def opened(artifact: Artifact, **options: Any) -> tuple[LavaBackend, str]:
    """A backend whose runtime runs, and the token of its processes and segments."""
    lava = LavaBackend(artifact, **options)
    lava.decide(np.zeros((1, artifact.observation.size)))
    assert lava.client is not None
    return lava, lava.client.handle.token


def children(token: str) -> list[int]:
    """Process numbers of Lava's processes: those forked from the worker."""
    workers = [
        int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and is_worker(p, token)
    ]
    first = min(workers)
    return [number for number in workers if number != first]


def is_worker(process: Path, token: str) -> bool:
    try:
        command = (process / "cmdline").read_bytes()
    except OSError:
        return False
    return token.encode() in command and b"supervisor.py" not in command


def script(tmp_path: Path, body: str) -> Callable[[], list[str]]:
    """A worker command whose worker does `body` first: the way to make Lava misbehave."""
    file = tmp_path / "worker_that_misbehaves.py"
    before = (
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from spikeport.export.lava import worker\n"
        "from spikeport.export.lava.lava_import import import_lava"
    )
    file.write_text(f"{before}\n{body}\nworker.main(*map(int, sys.argv[1:5]), sys.argv[5])\n")
    return lambda: [sys.executable, str(file)]


@needs_lava
@pytest.mark.parametrize("kind", KINDS)
def test_trace_equals_the_reference(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CHUNK_DECISIONS", 7)
    artifact = random_artifact(3, **KINDS[kind])
    observations, flags = stream(artifact, 3, 30)
    with LavaBackend(artifact) as lava:
        got = lava.trace(observations, flags)
        expected = ReferenceBackend(artifact).trace(observations, flags)
    np.testing.assert_array_equal(got.inputs, expected.inputs)
    for layer, other in zip(got.layers, expected.layers, strict=True):
        np.testing.assert_array_equal(layer.payloads, other.payloads)
        np.testing.assert_array_equal(layer.states, other.states)
    np.testing.assert_array_equal(got.actions, expected.actions)
    assert got.census == expected.census


@needs_lava
@needs_proc
def test_closed_loop_equals_the_reference_and_close_leaves_nothing() -> None:
    artifact = random_artifact(5, neuron="if@1", timesteps=3, alpha=32)
    observations, flags = stream(artifact, 5, 25)
    active = np.random.default_rng(1).random(len(flags)) < 0.8
    lava, token = opened(artifact)
    lava.reset()
    reference = ReferenceBackend(artifact)
    reference.decide(np.zeros((1, artifact.observation.size)))
    reference.reset()
    for observation, flag, acts in zip(observations, flags, active, strict=True):
        for each in (lava, reference):
            if flag:
                (each.reset if flag == 1 else each.resync)()
        np.testing.assert_array_equal(
            lava.decide(observation[None], np.array([acts])),
            reference.decide(observation[None], np.array([acts])),
        )
    assert lava.census() == reference.census()
    assert leftovers(token)
    lava.close()
    assert not leftovers(token)
    lava.close()
    with pytest.raises(BackendError, match="backend lava: it was closed"):
        lava.decide(observations[:1])


@needs_lava
@needs_proc
def test_garbage_collection_ends_the_runtime() -> None:
    lava, token = opened(random_artifact(0))
    del lava
    gc.collect()
    assert not leftovers(token)


PARENT = """
import multiprocessing, os, sys, time
sys.path[:0] = [{root!r}, {tests!r}]
import numpy as np
from networks import random_artifact
from spikeport.toolchain.simulation.lava.runtime import LavaBackend
artifact = random_artifact(0)
lava = LavaBackend(artifact)
lava.decide(np.zeros((1, artifact.observation.size)))
assert multiprocessing.get_start_method(allow_none=True) is None
assert not [name for name in sys.modules if name.split(".")[0] == "lava"]
if {fork} and os.fork() == 0:  # a copy that holds every descriptor and outlives its parent
    time.sleep(60)
    os._exit(0)
print(lava.client.handle.token, flush=True)
while {loop}:
    lava.decide(np.zeros((1, artifact.observation.size)))
"""


def start_parent(cwd: Path, *, loop: bool, fork: bool = False) -> tuple[subprocess.Popen[str], str]:
    code = PARENT.format(
        root=str(ROOT), tests=str(ROOT / "tests" / "support"), loop=loop, fork=fork
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    return parent, parent.stdout.readline().strip()


@needs_lava
@needs_proc
def test_interpreter_exit_without_close_leaves_nothing(tmp_path: Path) -> None:
    parent, token = start_parent(tmp_path, loop=False)
    _, errors = parent.communicate(timeout=60)
    assert parent.returncode == 0 and token, errors
    assert not leftovers(token)
    assert not list(tmp_path.iterdir())


@needs_lava
@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_to_the_parent_leave_nothing(number: signal.Signals, tmp_path: Path) -> None:
    parent, token = start_parent(tmp_path, loop=True)
    assert (
        token
        and any("process" in rest for rest in leftovers(token))
        and any("/dev/shm" in rest for rest in leftovers(token))
    )
    parent.send_signal(number)
    try:
        parent.communicate(timeout=60)  # a busy machine takes its time
    finally:
        parent.kill()
    assert_gone(token)


@needs_lava
@needs_proc
def test_a_forked_copy_of_the_parent_keeps_nothing_alive(tmp_path: Path) -> None:
    parent, token = start_parent(tmp_path, loop=True, fork=True)
    parent.kill()
    try:
        parent.wait(10)
        assert_gone(token)
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()


@needs_lava
@needs_proc
def test_killed_supervisor_takes_everything_along() -> None:
    artifact = random_artifact(0)
    lava, token = opened(artifact)
    assert lava.client is not None
    lava.client.handle.process.kill()
    with pytest.raises(BackendError, match="supervisor was killed"):
        for _ in range(100):
            lava.decide(np.zeros((1, artifact.observation.size)))
    assert_gone(token)


@needs_lava
@needs_proc
def test_time_limit_ends_a_hanging_runtime() -> None:
    artifact = random_artifact(0)
    lava, token = opened(artifact, time_limit=20)
    assert lava.client is not None
    lava.client.time_limit = 1.0
    for number in children(token):
        os.kill(number, signal.SIGSTOP)
    begin = time.monotonic()
    with pytest.raises(
        BackendError,
        match=(
            r"no answer.*got none after 1\.. s, limit 1 s.*Fix: set SPIKEPORT_LAVA_TIME_LIMIT to"
            r" more seconds or --backend lava-direct"
        ),
    ):
        lava.decide(np.zeros((1, artifact.observation.size)))
    assert time.monotonic() - begin < 8
    assert not leftovers(token)


@needs_lava
@needs_proc
def test_killed_lava_process_is_reported() -> None:
    artifact = random_artifact(0)
    lava, token = opened(artifact)
    os.kill(children(token)[-1], signal.SIGKILL)
    with pytest.raises(BackendError, match="of the Lava runtime ended .got exit code -9."):
        for _ in range(100):
            lava.decide(np.zeros((1, artifact.observation.size)))
    assert not leftovers(token)


@needs_lava
@needs_proc
def test_process_that_cannot_be_built_gives_its_traceback() -> None:
    artifact = random_artifact(0)
    wrong = dataclasses.replace(artifact.network.layers[0], payload_low=np.zeros(3, np.int32))
    network = dataclasses.replace(artifact.network, layers=(wrong, *artifact.network.layers[1:]))
    lava = LavaBackend(dataclasses.replace(artifact, network=network))
    with pytest.raises(
        BackendError,
        match="(?s)a Lava process failed with ValueError: could not broadcast.*py_builder.py",
    ) as caught:
        lava.decide(np.zeros((1, artifact.observation.size)))
    assert caught.value.exit_code == 2


SPOIL = """
import_lava()
from spikeport.export.lava.network import LavaNetwork
start = LavaNetwork.start
def spoiled(network):
    network.{process}.proc_params.overwrite({parameter!r}, None)
    start(network)
LavaNetwork.start = spoiled
"""


@needs_lava
@needs_proc
@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            SPOIL.format(process="synapses[1]", parameter="weight_exp"),
            "(?s)a Lava process failed with TypeError.*lava/proc/dense/models.py",
        ),
        (
            SPOIL.format(process="neurons[0]", parameter="window"),
            "(?s)a Lava process failed with AttributeError.*sigma_delta/process.py",
        ),
        (
            "print('last words', flush=True)\nsys.exit(3)",
            "(?s)the Lava runtime's process ended .got exit code 3.*last words",
        ),
        (
            "import spikeport.export.lava.lava_import as module\n"
            "module._CHANGES = {'no.such.module': {}}",
            "(?s)a Lava process failed with ModuleNotFoundError.*Traceback",
        ),
    ],
    ids=["stock Dense raises", "neurons raise", "worker exits", "Lava cannot be imported"],
)
def test_failures_of_the_worker_are_told(
    body: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "worker_command", script(tmp_path, body))
    before = set(os.listdir("/dev/shm"))
    begin = time.monotonic()
    lava = LavaBackend(random_artifact(0))
    with pytest.raises(BackendError, match=told):
        lava.decide(np.zeros((1, lava.artifact.observation.size)))
    assert time.monotonic() - begin < 20  # Lava itself would wait for ever
    assert not [
        name for name in set(os.listdir("/dev/shm")) - before if name.startswith(("psm_", "sem.mp"))
    ]


@needs_lava
def test_time_limit_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(backend.TIME_LIMIT_VARIABLE, "0.01")
    lava = LavaBackend(random_artifact(0))
    with pytest.raises(BackendError, match=r"limit 0\.01 s"):
        lava.decide(np.zeros((1, lava.artifact.observation.size)))
