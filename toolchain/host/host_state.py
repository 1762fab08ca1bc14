"""The host's side of a decision for independent rows: encode, control words, decode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.host.observations import Float, Mask, non_finite
from spikeport.toolchain.host.population_code import decode_counts, encode_spiking, spike_host
from spikeport.toolchain.host.value_code import decode_row, encode_row, host_constants
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons.neuron import CARRY, INACTIVE, START

Long = NDArray[np.int64]


@dataclass(frozen=True)
class HostCode:
    """Encode and decode of one code.

    Attributes:
        constants: Collects what the two compiled functions need.
        encode: Fills q of one observation; returns saturated entries and a channel that is not
            finite, or -1.
        decode: Fills the action of one row of what the network put out.
    """

    constants: Callable[[Network, ObservationContract, ActionContract], Any]
    encode: Any
    decode: Any


HOST_CODES = {
    "value": HostCode(host_constants, encode_row, decode_row),
    "spikes": HostCode(spike_host, encode_spiking, decode_counts),
}


class HostState:
    """Decision numbers, the encoder's last announced q0 and what the next control word must be."""

    def __init__(self, artifact: Artifact, rows: int) -> None:
        """Start with every row before its first episode."""
        self.artifact = artifact
        self.network = artifact.network
        self.rows = rows
        self.code = HOST_CODES[artifact.network.code.name]
        self.constants = self.code.constants(
            artifact.network, artifact.observation, artifact.action
        )
        self.fresh = np.ones(rows, bool)  # the next decision starts an episode
        self.stale = np.zeros(rows, bool)  # the next decision is a resync
        self.decisions = np.zeros(rows, np.int64)  # since the episode's start
        self.announced = np.zeros((rows, artifact.network.widths[0]), np.int64)
        self.saturations = 0

    def reset(self, mask: Mask | None) -> None:
        """Start an episode with the next decision of these rows, of all for None."""
        self.fresh[slice(None) if mask is None else mask] = True

    def resync(self, mask: Mask | None) -> None:
        """Restart all state with the next decision of these rows, of all for None."""
        self.stale[slice(None) if mask is None else mask] = True

    def quantise(self, observations: Float, active: Mask) -> tuple[Long, Long]:
        """Control words [rows] and q0 [rows, inputs] of one decision; q0 is 0 in rows that wait.

        Nothing is changed when an observation is refused.
        """
        number = np.where(self.fresh, 0, self.decisions)
        q = np.zeros(self.announced.shape, np.int32)
        saturated = 0
        for row in np.flatnonzero(active):
            clipped, bad = self.code.encode(self.constants, observations[row], number[row], q[row])
            if bad >= 0:
                raise non_finite(
                    int(number[row]),
                    bad,
                    observations[row, bad],
                    int(row) if self.rows > 1 else None,
                )
            saturated += clipped
        period = self.network.resync_every
        due = np.zeros(self.rows, bool)
        if period:
            due = (number > 0) & (number % period == 0)
        control = np.where(
            active, np.where(self.fresh | self.stale | due, START, CARRY), INACTIVE
        ).astype(np.int64)
        self.decisions = np.where(active, number + 1, self.decisions)
        self.fresh &= ~active
        self.stale &= ~active
        self.saturations += saturated
        return control, q.astype(np.int64)

    def payloads(self, control: Long, q: Long) -> Long:
        """What the input sends, [rows, inputs]: q0, or its change since the last decision."""
        active = control != INACTIVE
        sent = q
        if self.network.across_decisions:
            sent = q - np.where((control == START)[:, None], 0, self.announced)
            self.announced = np.where(active[:, None], q, self.announced)
        return np.where(active[:, None], sent, 0)

    def encode(self, observations: Float, active: Mask) -> tuple[Long, Long]:
        """Control words [rows] and payloads of the input [rows, inputs] of one decision."""
        control, q = self.quantise(observations, active)
        return control, self.payloads(control, q)

    def decode(self, accumulators: NDArray[np.integer], active: Mask) -> Float:
        """Actions [rows, channels]; NaN where a row is not active.

        `accumulators` are those of the readout, [rows, act], or spike counts, [rows, neurons].
        """
        actions = np.full((self.rows, self.artifact.action.channels), np.nan)
        for row in np.flatnonzero(active):
            self.code.decode(self.constants, accumulators[row].astype(np.int32), actions[row])
        return actions
