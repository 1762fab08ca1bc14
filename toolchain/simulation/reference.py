"""The reference: the neurons' own integer steps in plain numpy, no layer delay, nothing clever.

Within a timestep layer l + 1 sees the payloads of layer l of that same timestep (contract section
3).
"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.neurons import neuron_of
from spikeport.toolchain.neurons.neuron import INACTIVE
from spikeport.toolchain.simulation.backend import Trace
from spikeport.toolchain.simulation.recorded import RecordedBackend, Window


def probe_trace(artifact: Artifact) -> Trace:
    """The reference's trace of an artifact's recorded probe."""
    with ReferenceBackend(artifact) as backend:
        return backend.trace(artifact.probe.observations, artifact.probe.flags)


@final
class ReferenceBackend(RecordedBackend):
    """Any number of environments; every neuron that this version knows."""

    name = "reference"

    def __init__(self, artifact: Artifact, rows: int = 1) -> None:
        """Take each layer's neuron and its state at rest."""
        network = artifact.network
        self.neurons = [neuron_of(network, layer) for layer in network.layers]
        self.states = [
            neuron.initial(layer, rows)
            for neuron, layer in zip(self.neurons, network.layers, strict=True)
        ]
        super().__init__(artifact, rows)

    def run_window(self, payloads: NDArray[np.int64], control: NDArray[np.int64]) -> Window:
        """Run the window, and behind it the steps in which neurons run on until their reset."""
        network = self.network
        layers = network.layers
        active = control != INACTIVE
        rows = int(active.sum())
        for neuron, layer, state in zip(self.neurons, layers, self.states, strict=True):
            neuron.begin(layer, state, control, network.timesteps, network.alpha)
            state["saturations"][:] = 0
        shapes = [(self.rows, network.timesteps, layer.outputs) for layer in layers]
        sent = [np.zeros(shape, np.int64) for shape in shapes]
        states = [np.zeros(shape, np.int64) for shape in shapes]
        received = network.code.arriving(payloads, network.timesteps)
        silence = np.zeros_like(payloads)
        idle = network.code.idle_steps(len(layers))
        idle_spikes = 0
        idle_synops = 0
        for timestep in range(network.timesteps + idle):
            arriving = received[:, timestep] if timestep < received.shape[1] else silence
            for index, (neuron, layer, state) in enumerate(
                zip(self.neurons, layers, self.states, strict=True)
            ):
                arriving = neuron.step(layer, state, layer.synapses.sum(arriving), active)
                if timestep < network.timesteps:
                    sent[index][:, timestep] = arriving
                    states[index][:, timestep] = neuron.observed(state)
                    continue
                idle_spikes += int(arriving.sum()) + rows * (layer.always_on > 0)
                idle_synops += rows * layer.always_on
                if index + 1 < len(layers):
                    idle_synops += int((arriving @ layers[index + 1].fan_out).sum())
        saturations = np.array([state["saturations"].sum() for state in self.states])
        return Window(sent, states, saturations, idle_spikes, idle_synops)
