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
from spikeport.toolchain.neurons.neuron import INACTIVE
from spikeport.toolchain.simulation.recorded import RecordedBackend, Window

TIME_LIMIT_VARIABLE = "SPIKEPORT_LAVA_TIME_LIMIT"


@final
class LavaBackend(RecordedBackend):
    """One environment. The runtime starts with the first decision.

    Raises:
        BackendError: Where Lava is missing, raises, dies or runs out of time.
        InputError: For a neuron without a Lava process.
    """

    name = "lava"
    counterparts = NEURONS
    max_rows = 1

    @classmethod
    def missing(cls) -> str:
        """What of Lava is not installed, and the command that installs it."""
        problem = lava_problem()
        return f"{problem}; {install_command()}" if problem else ""

    def __init__(self, artifact: Artifact, rows: int = 1, time_limit: float | None = None) -> None:
        """Describe the network for the runtime.

        Args:
            artifact: What to run.
            rows: 1.
            time_limit: Wall-clock seconds for each request to the runtime: its start, a decision, a
                chunk of a stream. Without one the variable SPIKEPORT_LAVA_TIME_LIMIT, or 120.
        """
        super().__init__(artifact, rows)
        self.time_limit = time_limit_from_environment() if time_limit is None else time_limit
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
        """A runtime of its own with the same time limit."""
        return LavaBackend(self.artifact, time_limit=self.time_limit)

    def run_window(self, payloads: NDArray[np.int64], control: NDArray[np.int64]) -> Window:
        """Run one decision in the runtime."""
        return self.run_windows([payloads], [control])[0]

    def run_windows(
        self, payloads: list[NDArray[np.int64]], control: list[NDArray[np.int64]]
    ) -> list[Window]:
        """Run a stream in the runtime, in chunks."""
        words = np.concatenate(control)
        active = words != INACTIVE
        windows = [Window.silent(self.network) for _ in words]
        if active.any():
            recording = self._run(np.concatenate(payloads)[active], words[active])
            for place, index in enumerate(np.flatnonzero(active)):
                windows[index] = _window(recording, place)
        return windows

    def close(self) -> None:
        """End the runtime."""
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
            fix: tuple[str, ...] = (
                "--backend lava-direct shows whether the network or Lava's runtime is at fault",
            )
            if failure.limit is not None:
                fix = (f"set {TIME_LIMIT_VARIABLE} to more seconds", "--backend lava-direct")
            raise BackendError(
                "backend lava",
                failure.what,
                got=failure.got,
                limit=failure.limit,
                why=failure.detail and f"Lava says:\n{failure.detail}\n",
                fix=fix,
            ) from None


def _window(recording: Recording, place: int) -> Window:
    """The decision that lies at a place of a recording."""
    row = slice(place, place + 1)
    return Window(
        [payloads[row] for payloads in recording.payloads],
        [states[row] for states in recording.states],
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
