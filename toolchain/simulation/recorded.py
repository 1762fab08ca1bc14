"""Backends that record every window: the reference and both Lava backends.

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
from spikeport.toolchain.network.codes import encoder_spikes
from spikeport.toolchain.network.integer_network import Coding
from spikeport.toolchain.simulation.backend import Backend, LayerTrace, Trace
from spikeport.toolchain.simulation.census import Census, Counters, host_macs

Long = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Window:
    """One decision of all rows: per layer payloads and states [rows, T, neurons], saturations [L].

    `idle_spikes` happened outside the windows, `idle_synops` are theirs and the always-on neurons'
    there (lif).
    """

    payloads: Sequence[NDArray[np.integer]]
    states: Sequence[NDArray[np.integer]]
    saturations: Long
    idle_spikes: int = 0
    idle_synops: int = 0

    def readout(self, coding: Coding) -> NDArray[np.integer]:
        """What the host decodes.

        The readout's accumulator at its window's end, [rows, act], or lif's counts [rows, neurons].
        """
        if coding == Coding.SPIKES:
            return self.payloads[-1].sum(axis=1)
        return self.states[-1][:, -1]


class RecordedBackend(Backend):
    """Subclasses compute windows; the first input payload of a rate network's window is the only
    one.

    Of a spiking network it is what the encoder's neurons integrate; their spikes follow from it."""

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        self.host = HostState(artifact, rows)
        self.counters = Counters.empty(len(artifact.network.layers))
        super().__init__(artifact, rows)

    @abstractmethod
    def run_window(self, payloads: Long, control: Long) -> Window:
        """The integer part of one decision.

        Input payloads [rows, features], control words [rows].
        """

    def run_windows(self, payloads: list[Long], control: list[Long]) -> list[Window]:
        """Decisions of a stream in order; backends that can run them in one go override this."""
        return [self.run_window(*decision) for decision in zip(payloads, control, strict=True)]

    def reset(self, mask: Mask | None = None) -> None:
        self.host.reset(None if mask is None else checked_mask(mask, self.rows))

    def resync(self, mask: Mask | None = None) -> None:
        self.host.resync(None if mask is None else checked_mask(mask, self.rows))

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        values = checked_observations(self.artifact, observations, self.rows)
        if active is None:
            active = np.ones(self.rows, bool)
        else:
            active = checked_mask(active, self.rows)
        control, payloads = self.host.encode(values, active)
        window = self.run_window(payloads, control)
        self.count(payloads, window, int(active.sum()))
        return self.host.decode(window.readout(self.network.coding), active)

    def trace(self, observations: Float, flags: NDArray[np.integer]) -> Trace:
        values = checked_observations(self.artifact, observations)
        stream = self.sibling()
        with stream:
            return stream.run_stream(values, flags)

    def sibling(self) -> RecordedBackend:
        """A backend of the same kind with one row at rest."""
        return type(self)(self.artifact)

    def run_stream(self, values: Float, flags: NDArray[np.integer]) -> Trace:
        inputs = []
        control = []
        everyone = np.ones(1, bool)
        for index, row in enumerate(values):
            if flags[index] == 1:
                self.reset()
            elif flags[index] == 2:
                self.resync()
            word, payloads = self.host.encode(row[None], everyone)
            inputs.append(payloads)
            control.append(word)
        windows = self.run_windows(inputs, control)
        for payloads, window in zip(inputs, windows, strict=True):
            self.count(payloads, window, 1)
        layers = tuple(
            LayerTrace(
                np.stack([w.payloads[index][0] for w in windows]).astype(np.int32),
                np.stack([w.states[index][0] for w in windows]).astype(np.int32),
            )
            for index in range(len(self.network.layers))
        )
        actions = np.concatenate(
            [self.host.decode(window.readout(self.network.coding), everyone) for window in windows]
        )
        return Trace(np.concatenate(inputs).astype(np.int32), layers, actions, self.census())

    def count(self, inputs: Long, window: Window, decisions: int) -> None:
        """Add one decision of all rows to the counters (contract section 5)."""
        coding = self.network.spike_coding
        arriving = [inputs[:, None], *window.payloads[:-1]]
        if coding is not None:
            arriving[0] = encoder_spikes(inputs, coding.threshold, self.network.timesteps)
        for index, payloads in enumerate(arriving):
            present = (payloads != 0).sum(axis=(0, 1))
            self.counters.messages[index] += int(present.sum())
            self.counters.synops[index] += int(present @ self.network.layers[index].fan_out)
        if coding is not None:
            self.counters.output_spikes += int(np.count_nonzero(window.payloads[-1]))
            self.counters.idle_spikes += window.idle_spikes
            self.counters.idle_synops += window.idle_synops
        self.counters.saturations += window.saturations
        self.counters.decisions += decisions
        self.counters.encode_saturations = self.host.saturations

    def census(self) -> Census:
        return self.counters.census(self.network, self.artifact.macs, host_macs(self.artifact))
