"""The fast backend's Python side: it owns the arrays, the kernels do the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.neurons import LeakyIntegrateAndFire
from spikeport.toolchain.simulation.backend import Backend, LayerTrace, Trace
from spikeport.toolchain.simulation.census import Census, Counters, host_macs
from spikeport.toolchain.simulation.fast.kernels import decide
from spikeport.toolchain.simulation.fast.neurons.events import (
    DECISIONS,
    FRESH,
    MESSAGES,
    SATURATIONS,
    STALE,
    SYNOPS,
)
from spikeport.toolchain.simulation.fast.neurons.leaky_integrate_and_fire import (
    IDLE_MESSAGES,
    IDLE_SYNOPS,
    decide_spiking,
)
from spikeport.toolchain.simulation.fast.plan import LAYOUTS, pack, state_size
from spikeport.toolchain.simulation.fast.spiking_plan import pack_spiking, spiking_state_size


@dataclass(frozen=True)
class Program:
    """What runs networks of one code.

    Attributes:
        kernel: Decides for all rows at once, compiled.
        pack: Lays an artifact out as the kernel's first arguments.
        state_size: Integers of state of one row.
        buffers: Rows as wide as the widest layer that the kernel works in.
    """

    kernel: Any
    pack: Callable[[Artifact], tuple[Any, ...]]
    state_size: Callable[[Network], int]
    buffers: int


PROGRAMS = {
    "value": Program(decide, pack, state_size, buffers=3),
    "spikes": Program(decide_spiking, pack_spiking, spiking_state_size, buffers=4),
}


@final
class FastBackend(Backend):
    """Any number of environments, in one process on one core."""

    name = "fast"
    counterparts = (*LAYOUTS, LeakyIntegrateAndFire.id)

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        """Lay the artifact out and allocate what the kernels write to."""
        network = artifact.network
        self.refuse_foreign(network)
        program = PROGRAMS[network.code.name]
        inputs = network.widths[0]
        neurons = sum(network.widths[1:])
        stride = max(network.widths) + 1
        self._packed = program.pack(artifact)
        self._kernel = program.kernel
        self._rows = np.zeros((rows, 3), np.int64)
        self._announced = np.zeros((rows, 2, inputs), np.int32)
        self._state = np.zeros((rows, program.state_size(network)), np.int32)
        self._scratch = np.zeros(program.buffers * stride, np.int32)
        self._sums = np.zeros(len(network.layers) * stride, np.int32)
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
        """Have the next decision of these rows start an episode."""
        self._rows[self._chosen(mask), FRESH] = 1

    def resync(self, mask: Mask | None = None) -> None:
        """Have the next decision of these rows restart their state."""
        self._rows[self._chosen(mask), STALE] = 1

    def _chosen(self, mask: Mask | None) -> Mask | slice:
        return slice(None) if mask is None else checked_mask(mask, self.rows)

    def decide(self, observations: Float, active: Mask | None = None) -> Float:
        """Actions of the rows, as Backend says."""
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
            number = 0 if self._rows[row, FRESH] else int(self._rows[row, DECISIONS])
            raise non_finite(
                number, channel, float(observations[row, channel]), row if self.rows > 1 else None
            )
        return actions

    def trace(self, observations: Float, flags: NDArray[np.integer]) -> Trace:
        """Run one stream on a backend of its own, every payload and state recorded."""
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
        """Counts of all decisions so far, from the kernels' tallies."""
        layers = self.network.layers
        counts = self._counts
        counters = Counters(
            counts[MESSAGES, :-1],
            counts[SYNOPS, :-1],
            counts[SATURATIONS, :-1],
            decisions=int(counts[MESSAGES, -1]),
            encode_saturations=int(counts[SATURATIONS, -1]),
            output_spikes=int(counts[SYNOPS, -1]),
        )
        # outside the windows each always-on neuron spikes once per step
        idle_steps = self.network.code.idle_steps(len(layers)) * counters.decisions
        on = [layer.always_on for layer in layers]
        always = idle_steps * np.count_nonzero(on)
        counters.idle_spikes = int(counts[IDLE_MESSAGES].sum() + always)
        counters.idle_synops = int(counts[IDLE_SYNOPS].sum()) + idle_steps * sum(on)
        return counters.census(self.network, self.artifact.macs, host_macs(self.artifact))
