"""`lava`: Lava's real runtime, compiled, forked and fed in a supervised process of its own.

This process never imports Lava, and Lava's hangs and leftovers never reach it:
export/lava/client.py. About 0.6 to 1.3 ms per step, so it suits verification; `lava-direct` runs
the same models faster.
"""

from __future__ import annotations

import os
from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.export.lava.client import TIME_LIMIT, LavaClient, LavaFailure
from spikeport.export.lava.lava_import import install_command, lava_problem
from spikeport.export.lava.network_description import NEURONS, describe
from spikeport.export.lava.window import Recording
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.neurons import INACTIVE
from spikeport.toolchain.simulation.recorded import RecordedBackend, Window

TIME_LIMIT_VARIABLE = "SPIKEPORT_LAVA_TIME_LIMIT"


@final
class LavaBackend(RecordedBackend):
    """One environment. The runtime starts with the first decision.

    `time_limit` in wall-clock seconds bounds each request to the runtime: its start, a decision, a
    chunk of a stream (default 120, or the variable SPIKEPORT_LAVA_TIME_LIMIT). Raises BackendError
    where Lava is missing, raises, dies or runs out of time; InputError for a neuron that has no
    Lava process.
    """

    name = "lava"
    counterparts = NEURONS
    max_rows = 1

    @classmethod
    def missing(cls) -> str:
        problem = lava_problem()
        if problem:
            return f"{problem}; {install_command()}"
        return ""

    def __init__(self, artifact: Artifact, rows: int = 1, time_limit: float | None = None) -> None:
        super().__init__(artifact, rows)
        if time_limit is not None:
            self.time_limit = time_limit
        else:
            self.time_limit = time_limit_from_environment()
        self.parts = describe(artifact.network)
        self.client: LavaClient | None = None
        self.closed = False
        if problem := lava_problem():
            raise BackendError(
                "backend lava",
                problem,
                why="Lava runs the exported network",
                fix=f"`{install_command()}`",
            )

    def sibling(self) -> LavaBackend:
        return LavaBackend(self.artifact, time_limit=self.time_limit)

    def run_window(self, payloads: NDArray[np.int64], control: NDArray[np.int64]) -> Window:
        return self.run_windows([payloads], [control])[0]

    def run_windows(
        self, payloads: list[NDArray[np.int64]], control: list[NDArray[np.int64]]
    ) -> list[Window]:
        words = np.concatenate(control)
        active = words != INACTIVE
        if active.any():
            recording = self._run(np.concatenate(payloads)[active], words[active])
        else:
            recording = None
        place = np.cumsum(active) - 1
        return [
            self._window(recording, int(place[index]) if active[index] else None)
            for index in range(len(words))
        ]

    def close(self) -> None:
        self.closed = True
        if self.client is not None:
            self.client.close()

    def _run(self, payloads: NDArray[np.int64], control: NDArray[np.int64]) -> Recording:
        if self.closed:
            raise BackendError(
                "backend lava",
                "it was closed, or closed itself after an error",
                fix="open a new one",
            )
        try:
            if self.client is None:
                self.client = LavaClient(*self.parts, time_limit=self.time_limit)
            return self.client.run(payloads, control)
        except LavaFailure as failure:
            self.closed = True
            timed_out = failure.limit is not None
            if timed_out:
                fix = (f"set {TIME_LIMIT_VARIABLE} to more seconds", "--backend lava-direct")
            else:
                fix = (
                    "--backend lava-direct shows whether the network or Lava's runtime is at fault"
                )
            raise BackendError(
                "backend lava",
                failure.what,
                got=failure.got,
                limit=failure.limit,
                why=failure.detail and f"Lava says:\n{failure.detail}\n",
                fix=fix,
            ) from None

    def _window(self, recording: Recording | None, place: int | None) -> Window:
        if recording is None or place is None:  # not active: it left nothing
            nothing = [
                np.zeros((1, self.network.timesteps, layer.outputs), np.int32)
                for layer in self.network.layers
            ]
            return Window([*nothing], [*nothing], np.zeros(len(nothing), np.int64))
        row = slice(place, place + 1)
        return Window(
            [p[row] for p in recording.payloads],
            [s[row] for s in recording.states],
            recording.saturations[place],
            *recording.idle[place].tolist(),
        )


def time_limit_from_environment() -> float:
    """Seconds from SPIKEPORT_LAVA_TIME_LIMIT, or the default."""
    text = os.environ.get(TIME_LIMIT_VARIABLE, "")
    try:
        seconds = float(text or TIME_LIMIT)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise InputError(
            TIME_LIMIT_VARIABLE,
            "not a number of seconds",
            got=repr(text),
            limit="above 0",
            fix=f"{TIME_LIMIT_VARIABLE}={TIME_LIMIT:g}",
        )
    return seconds
