"""The reference: the neurons' own integer steps in plain numpy, no layer delay, nothing clever.

Within a timestep layer l + 1 sees the payloads of layer l of that same timestep (contract section
3).
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.codes import SpikeCoding, encoder_spikes
from spikeport.toolchain.neurons import INACTIVE, neuron_of
from spikeport.toolchain.neurons.neuron import Long
from spikeport.toolchain.simulation.recorded import RecordedBackend, Window


@final
class ReferenceBackend(RecordedBackend):
    name = "reference"

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        network = artifact.network
        self.neurons = [neuron_of(network, layer) for layer in network.layers]
        self.states = [
            neuron.initial(layer, rows)
            for neuron, layer in zip(self.neurons, network.layers, strict=True)
        ]
        self.weights = [layer.weights.astype(np.int64).T for layer in network.layers]
        super().__init__(artifact, rows)

    def run_window(self, payloads: NDArray[np.int64], control: NDArray[np.int64]) -> Window:
        network = self.network
        active = control != INACTIVE
        for neuron, layer, state in zip(self.neurons, network.layers, self.states, strict=True):
            neuron.begin(layer, state, control, network.timesteps, network.alpha)
            state["saturations"][:] = 0
        shape = [(self.rows, network.timesteps, layer.outputs) for layer in network.layers]
        sent = [np.zeros(s, np.int64) for s in shape]
        states = [np.zeros(s, np.int64) for s in shape]
        if network.spike_coding is not None:
            return self._spiking_window(payloads, network.spike_coding, active, sent, states)
        for timestep in range(network.timesteps):
            if timestep == 0:
                arriving = payloads
            else:
                arriving = np.zeros_like(payloads)
            for index, (neuron, layer, state) in enumerate(
                zip(self.neurons, network.layers, self.states, strict=True)
            ):
                arriving = neuron.step(layer, state, arriving @ self.weights[index], active)
                sent[index][:, timestep] = arriving
                states[index][:, timestep] = neuron.observed(state)
        return Window(sent, states, np.array([state["saturations"].sum() for state in self.states]))

    def _spiking_window(
        self,
        payloads: Long,
        coding: SpikeCoding,
        active: NDArray[np.bool_],
        sent: list[Long],
        states: list[Long],
    ) -> Window:
        """The window and the L steps after it, in which a stock LIF runs on until its next reset."""
        network = self.network
        last = len(self.network.layers) - 1
        spikes = encoder_spikes(payloads, coding.threshold, network.timesteps)
        idle_spikes = 0
        idle_synops = 0
        for step in range(network.chip_steps):
            inside = step < network.timesteps
            if inside:
                arriving = spikes[:, step]
            else:
                arriving = np.zeros_like(payloads)
            for index, (neuron, layer, state) in enumerate(
                zip(self.neurons, network.layers, self.states, strict=True)
            ):
                arriving = neuron.step(
                    layer, state, np.matmul(arriving, self.weights[index]), active
                )
                if inside:
                    sent[index][:, step], states[index][:, step] = arriving, neuron.observed(state)
                    continue
                idle_spikes += int(arriving.sum()) + int(active.sum()) * (layer.always_on > 0)
                idle_synops += int(active.sum()) * layer.always_on + (
                    int((arriving @ network.layers[index + 1].fan_out).sum()) if index < last else 0
                )
        return Window(sent, states, np.zeros(last + 1, np.int64), idle_spikes, idle_synops)
