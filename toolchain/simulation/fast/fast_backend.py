"""The fast backend's Python side: it owns the arrays, the kernels do the work."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.host.observations import (
    Float,
    Mask,
    checked_mask,
    checked_observations,
    non_finite,
)
from spikeport.toolchain.network.integer_network import READOUT
from spikeport.toolchain.neurons import LeakyIntegrateAndFire, SigmaDelta
from spikeport.toolchain.simulation.backend import Backend, LayerTrace, Trace
from spikeport.toolchain.simulation.census import Census, Counters, host_macs
from spikeport.toolchain.simulation.fast import kernels
from spikeport.toolchain.simulation.fast.neurons import leaky_integrate_and_fire as spiking_kernels
from spikeport.toolchain.simulation.fast.plan import RATE_KINDS, pack, state_size
from spikeport.toolchain.simulation.fast.spiking_plan import pack_spiking


@final
class FastBackend(Backend):
    name = "fast"
    counterparts = (*RATE_KINDS, SigmaDelta.id, LeakyIntegrateAndFire.id, READOUT)

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        network = artifact.network
        self.refuse_foreign(network)
        inputs = artifact.network.widths[0]
        spiking = network.spike_coding is not None
        self._packed: tuple[Any, ...] = pack_spiking(artifact) if spiking else pack(artifact)
        self._kernel: Any = spiking_kernels.decide_spiking if spiking else kernels.decide
        neurons = sum(network.widths[1:])
        widest = max(network.widths)
        self._rows = np.zeros((rows, 3), np.int64)
        self._announced = np.zeros((rows, 2, inputs), np.int32)
        self._state = np.zeros(
            (rows, inputs + 2 * neurons if spiking else state_size(network)), np.int32
        )
        self._scratch = np.zeros((4 if spiking else 3) * (widest + 1), np.int32)
        self._sums = np.zeros(len(network.layers) * (widest + 1), np.int32)
        self._counts = np.zeros((5, len(network.layers) + 1), np.int64)
        self._traced = (
            np.zeros(inputs, np.int32),
            np.zeros((2, network.timesteps, neurons), np.int32),
        )
        self._everyone = np.ones(rows, bool)
        self._shape = (rows, artifact.observation.size)
        self._actions = (rows, artifact.action.channels)
        super().__init__(artifact, rows)

    def reset(self, mask: Mask | None = None) -> None:
        self._rows[
            slice(None) if mask is None else checked_mask(mask, self.rows), kernels.FRESH
        ] = 1

    def resync(self, mask: Mask | None = None) -> None:
        self._rows[
            slice(None) if mask is None else checked_mask(mask, self.rows), kernels.STALE
        ] = 1

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        return self._decide(observations, active, False)

    def _decide(self, observations: Float, active: Mask | None, tracing: bool) -> Float:
        if not (
            type(observations) is np.ndarray
            and observations.dtype == np.float64
            and observations.shape == self._shape
            and observations.flags.c_contiguous
        ):
            observations = checked_observations(self.artifact, observations, self.rows)
        if active is None:
            active = self._everyone
        else:
            active = checked_mask(active, self.rows)
        actions = np.empty(self._actions)
        bad = self._kernel(
            *self._packed,
            observations,
            active,
            self._rows,
            self._announced,
            self._state,
            self._scratch,
            self._sums,
            self._counts,
            tracing,
            *self._traced,
            actions,
        )
        if bad >= 0:
            row, channel = divmod(bad, self.network.widths[0])
            if self._rows[row, kernels.FRESH]:
                number = 0
            else:
                number = int(self._rows[row, kernels.DECISIONS])
            raise non_finite(
                number, channel, float(observations[row, channel]), row if self.rows > 1 else None
            )
        return actions

    def trace(self, observations: Float, flags: NDArray[np.integer]) -> Trace:
        values = checked_observations(self.artifact, observations)
        stream = FastBackend(self.artifact)
        inputs = []
        traced = []
        actions = []
        for index in range(len(values)):
            if flags[index] == 1:
                stream.reset()
            elif flags[index] == 2:
                stream.resync()
            actions.append(stream._decide(values[index : index + 1], None, True)[0])
            inputs.append(stream._traced[0].copy())
            traced.append(stream._traced[1].copy())
        payloads, states = np.stack(traced, axis=1)
        edges = np.cumsum([0, *self.network.widths[1:]])
        layers = tuple(
            LayerTrace(payloads[:, :, a:b], states[:, :, a:b])
            for a, b in zip(edges[:-1], edges[1:], strict=True)
        )
        return Trace(np.stack(inputs), layers, np.stack(actions), stream.census())

    def census(self) -> Census:
        counts = self._counts
        counters = Counters(
            counts[0, :-1], counts[1, :-1], counts[2, :-1], int(counts[0, -1]), int(counts[2, -1])
        )
        if (
            self.network.spike_coding is not None
        ):  # outside the windows each always-on neuron spikes once per step
            idle_steps = len(self.network.layers) * counters.decisions
            on = [layer.always_on for layer in self.network.layers]
            counters.output_spikes = int(counts[1, -1])
            counters.idle_spikes = int(
                counts[spiking_kernels.IDLE_MESSAGES].sum()
            ) + idle_steps * int(np.count_nonzero(on))
            counters.idle_synops = int(
                counts[spiking_kernels.IDLE_SYNOPS].sum()
            ) + idle_steps * sum(on)
        return counters.census(self.network, self.artifact.macs, host_macs(self.artifact))
