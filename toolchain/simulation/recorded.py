"""Backends that record every window: the reference, both Lava backends and ONNX's traces.

They differ in who computes a window. Host work, counting and traces are the same and stand here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.host.host_state import HostState
from spikeport.toolchain.host.observations import Float, Mask, checked_mask, checked_observations
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.backend import Backend, LayerTrace, Trace
from spikeport.toolchain.simulation.census import Census, Counters, host_macs

Long = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Window:
    """One decision of all rows.

    Attributes:
        payloads: What each layer sent, [rows, T, neurons] per layer.
        states: Its state after each timestep, the same shapes.
        saturations: [L].
        idle_spikes: Spikes outside the window (lif).
        idle_synops: What these and the always-on neurons cost there.
    """

    payloads: Sequence[NDArray[np.integer]]
    states: Sequence[NDArray[np.integer]]
    saturations: Long
    idle_spikes: int = 0
    idle_synops: int = 0

    @classmethod
    def silent(cls, network: Network) -> Window:
        """What a single row leaves that is not active: nothing."""
        nothing = [
            np.zeros((1, network.timesteps, layer.outputs), np.int32) for layer in network.layers
        ]
        return cls(nothing, nothing, np.zeros(len(nothing), np.int64))


class RecordedBackend(Backend):
    """Abstract: subclasses compute windows.

    A window's input comes once per decision: payloads, or what the neurons of a spike code's
    encoder integrate. `takes_q0` is set where windows are computed from q0 itself and the changes
    of sdn are formed there.
    """

    takes_q0 = False

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        """Start with the host at rest and nothing counted."""
        self.host = HostState(artifact, rows)
        self.counters = Counters.empty(len(artifact.network.layers))
        super().__init__(artifact, rows)

    @abstractmethod
    def run_window(self, payloads: Long, control: Long) -> Window:
        """The integer part of one decision, from payloads [rows, inputs] and words [rows]."""

    def run_windows(self, payloads: list[Long], control: list[Long]) -> list[Window]:
        """Decisions of a stream in order; backends that can run them in one go override this."""
        return [self.run_window(*decision) for decision in zip(payloads, control, strict=True)]

    def reset(self, mask: Mask | None = None) -> None:
        """Have the next decision of these rows start an episode."""
        self.host.reset(None if mask is None else checked_mask(mask, self.rows))

    def resync(self, mask: Mask | None = None) -> None:
        """Have the next decision of these rows restart their state."""
        self.host.resync(None if mask is None else checked_mask(mask, self.rows))

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Encode, run one window, decode."""
        values = checked_observations(self.artifact, observations, self.rows)
        active = self.checked_active(active)
        control, payloads = self.host.encode(values, active)
        window = self.run_window(payloads, control)
        self.count(payloads, window, int(active.sum()))
        return self.host.decode(self.read_out(window), active)

    def checked_active(self, active: Mask | None) -> Mask:
        """The rows that decide: all for None."""
        if active is None:
            return np.ones(self.rows, bool)
        return checked_mask(active, self.rows)

    def read_out(self, window: Window) -> NDArray[np.integer]:
        """What the host decodes of a window, [rows, neurons]."""
        return self.network.code.read_out(window.payloads[-1], window.states[-1])

    def trace(self, observations: Float, flags: NDArray[np.integer]) -> Trace:
        """Run one stream on a backend of its own."""
        values = checked_observations(self.artifact, observations)
        stream = self.sibling()
        with stream:
            return stream.run_stream(values, flags)

    def sibling(self) -> RecordedBackend:
        """A backend of the same kind with one row at rest."""
        return type(self)(self.artifact)

    def run_stream(self, values: Float, flags: NDArray[np.integer]) -> Trace:
        """Encode a whole stream, then run its windows."""
        encoded = []
        inputs = []
        control = []
        everyone = np.ones(1, bool)
        for index, row in enumerate(values):
            if flags[index] == 1:
                self.reset()
            elif flags[index] == 2:
                self.resync()
            word, q = self.host.quantise(row[None], everyone)
            encoded.append(q)
            inputs.append(self.host.payloads(word, q))
            control.append(word)
        windows = self.run_windows(encoded if self.takes_q0 else inputs, control)
        for payloads, window in zip(inputs, windows, strict=True):
            self.count(payloads, window, 1)
        layers = tuple(
            LayerTrace(
                np.stack([w.payloads[index][0] for w in windows]).astype(np.int32),
                np.stack([w.states[index][0] for w in windows]).astype(np.int32),
            )
            for index in range(len(self.network.layers))
        )
        actions = [self.host.decode(self.read_out(window), everyone) for window in windows]
        return Trace(
            np.concatenate(inputs).astype(np.int32), layers, np.concatenate(actions), self.census()
        )

    def count(self, inputs: Long, window: Window, decisions: int) -> None:
        """Add one decision of all rows to the counters (contract section 5)."""
        received = self.network.code.arriving(inputs, self.network.timesteps)
        for index, payloads in enumerate([received, *window.payloads[:-1]]):
            present = (payloads != 0).sum(axis=(0, 1))
            self.counters.messages[index] += int(present.sum())
            self.counters.synops[index] += int(present @ self.network.layers[index].fan_out)
        self.counters.output_spikes += int(np.count_nonzero(window.payloads[-1]))
        self.counters.idle_spikes += window.idle_spikes
        self.counters.idle_synops += window.idle_synops
        self.counters.saturations += window.saturations
        self.counters.decisions += decisions
        self.counters.encode_saturations = self.host.saturations

    def census(self) -> Census:
        """Counts of all decisions so far."""
        return self.counters.census(self.network, self.artifact.macs, host_macs(self.artifact))
