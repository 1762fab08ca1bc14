"""The process in which Lava runs: it builds a network and answers requests to run it (client.py).

Lava hangs for ever, in silence, when one of its processes raises or dies. Here each of them, Lava's
own ones included, reports its traceback to the supervisor, which ends everything at once.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection, shared_memory
from typing import Any

from .messages import Arrays, Channel
from .supervisor import clean


def main(request: int, response: int, failure: int, leash: int, token: str) -> None:
    """Serve until killed. The descriptors are those of supervisor.py."""
    name_segments(token)
    threading.Thread(target=die_with_supervisor, args=(leash, token), daemon=True).start()
    channel = Channel(request, response)
    description, arrays = channel.receive()
    try:
        from .lava_import import import_lava

        import_lava()
        report_raising_processes(failure)
        from .network import lava_network

        network = lava_network(description["network"], arrays, int(description["decisions"]))
        network.start()
    except Exception as error:
        channel.send({"error": told(error)})
        return
    threading.Thread(target=report_dead_processes, args=(network, failure), daemon=True).start()
    channel.send({})
    while True:
        _, arrays = channel.receive()
        try:
            recording = network.run(arrays["payloads"], arrays["control"])
        except Exception as error:
            channel.send({"error": told(error)})
            return
        reply: Arrays = {"saturations": recording.saturations, "idle": recording.idle}
        for index, (payloads, states) in enumerate(
            zip(recording.payloads, recording.states, strict=True)
        ):
            reply |= {f"payloads.{index}": payloads, f"states.{index}": states}
        channel.send({}, reply)


def name_segments(token: str) -> None:
    """Give the shared memory that Lava creates names that start with `token`, instead of `psm_`."""
    prefix = f"/{token}-"
    shared_memory._SHM_NAME_PREFIX = prefix  # type: ignore[attr-defined]
    shared_memory._SHM_SAFE_NAME_LENGTH = len(prefix) + 12  # type: ignore[attr-defined]


def told(error: Exception) -> str:
    """A traceback; Lava keeps that of a process which it could not build in `trace`."""
    return getattr(error, "trace", None) or traceback.format_exc()


def report(failure: int, text: str) -> None:
    """Tell the supervisor; the log gets it too."""
    print(text, flush=True)
    os.write(failure, text.encode()[-16_000:] + b"\0")


def report_raising_processes(failure: int) -> None:
    """Wrap the function that Lava starts each of its processes with."""
    from lava.magma.runtime import runtime

    start: Callable[..., None] = runtime.target_fn

    def start_and_report(*arguments: Any, **options: Any) -> None:
        try:
            start(*arguments, **options)
        except BaseException:
            report(failure, traceback.format_exc())
            raise

    runtime.target_fn = start_and_report


def report_dead_processes(network: Any, failure: int) -> None:
    """Wait for a process of the runtime that ends without a word, such as one killed for memory."""
    actors = {
        actor.sentinel: actor for actor in network.source.runtime._messaging_infrastructure.actors
    }
    ended = [actors[sentinel] for sentinel in connection.wait(list(actors))]
    time.sleep(0.5)  # when one raises, Lava stops others at once: its traceback goes first
    for actor in ended:
        report(failure, f"{actor.name} of the Lava runtime ended (got exit code {actor.exitcode})")


def die_with_supervisor(leash: int, token: str) -> None:
    """Wait for the leash's end, which means that the supervisor was killed, and end everything."""
    while os.read(leash, 1):
        pass
    clean(os.environ["TMPDIR"], token)
    os.killpg(0, signal.SIGKILL)
