"""The host's side of a decision, for rows of independent environments.

Encode, control words, decode.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.host.observations import Float, Mask, non_finite
from spikeport.toolchain.host.population_code import decode_counts, encode_spiking, spike_host
from spikeport.toolchain.host.value_code import decode_row, encode_row, host_constants
from spikeport.toolchain.neurons import CARRY, INACTIVE, START

Long = NDArray[np.int64]


class HostState:
    """Decision numbers, the encoder's last announced q0 and what the next control word must be."""

    def __init__(self, artifact: Artifact, rows: int) -> None:
        self.artifact = artifact
        self.network = artifact.network
        self.rows = rows
        spiking = artifact.network.spike_coding is not None
        self.constants: Any = (spike_host if spiking else host_constants)(
            artifact.network, artifact.observation, artifact.action
        )
        self.encode_row, self.decode_row = (
            (encode_spiking, decode_counts) if spiking else (encode_row, decode_row)
        )
        self.fresh = np.ones(rows, bool)  # the next decision starts an episode
        self.stale = np.zeros(rows, bool)  # the next decision is a resync
        self.decisions = np.zeros(rows, np.int64)  # since the episode's start
        self.announced = np.zeros((rows, artifact.network.widths[0]), np.int64)
        self.saturations = 0

    def reset(self, mask: Mask | None) -> None:
        self.fresh[slice(None) if mask is None else mask] = True

    def resync(self, mask: Mask | None) -> None:
        self.stale[slice(None) if mask is None else mask] = True

    def encode(self, observations: Float, active: Mask) -> tuple[Long, Long]:
        """Control words [rows] and payloads of the input [rows, features] of one decision.

        Nothing is changed when an observation is refused.
        """
        number = np.where(self.fresh, 0, self.decisions)
        q = np.zeros(self.announced.shape, np.int32)
        saturated = 0
        for row in np.flatnonzero(active):
            clipped, bad = self.encode_row(self.constants, observations[row], number[row], q[row])
            if bad >= 0:
                raise non_finite(
                    int(number[row]),
                    bad,
                    observations[row, bad],
                    int(row) if self.rows > 1 else None,
                )
            saturated += clipped
        period = self.network.resync_every
        if period:
            due = (number > 0) & (number % period == 0)
        else:
            due = np.zeros(self.rows, bool)
        control = np.where(
            active, np.where(self.fresh | self.stale | due, START, CARRY), INACTIVE
        ).astype(np.int64)
        payloads = q.astype(np.int64)
        if self.network.across_decisions:
            payloads -= np.where((control == START)[:, None], 0, self.announced)
            self.announced = np.where(active[:, None], q, self.announced)
        self.decisions = np.where(active, number + 1, self.decisions)
        self.fresh &= ~active
        self.stale &= ~active
        self.saturations += saturated
        return control, np.where(active[:, None], payloads, 0)

    def decode(self, accumulators: NDArray[np.integer], active: Mask) -> Float:
        """Actions [rows, channels] of readout accumulators [rows, act] or spike counts [rows,
        neurons]; NaN where a row is not active.
        """
        actions = np.full((self.rows, self.artifact.action.channels), np.nan)
        for row in np.flatnonzero(active):
            self.decode_row(self.constants, accumulators[row].astype(np.int32), actions[row])
        return actions
