"""The census of a run: what happened, counted (contract section 5). `energy` prices it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.integer_network import Network


@dataclass(frozen=True)
class LayerCensus:
    """Counts of one weight layer and the neurons behind it, over all decisions of a run."""

    neurons: int
    inputs: int
    synapses: int  # non-zero weights
    messages_in: int  # non-zero payloads that arrived
    synops: int  # non-zero payload x non-zero weight
    spikes: int  # non-zero payloads sent (0 for readout@1)
    neuron_updates: int  # neurons * (T + L) * decisions
    saturations: int  # of the membrane (rate neurons) or of q (sdn)


@dataclass(frozen=True)
class Census:
    """Counts of the windows of a run.

    They are equal on every backend, apart from the idle activity, which `windows` omits.
    """

    decisions: int
    timesteps: int
    chip_steps: int  # per decision, T + L
    layers: tuple[LayerCensus, ...]
    encode_saturations: int
    macs_per_decision: int  # dense multiply-adds of the source ANN
    host_macs_per_decision: int
    idle_spikes: int = 0  # activity outside windows (stock LIF only): priced, not compared
    idle_synops: int = 0

    def windows(self) -> Census:
        """The part that backends are compared on."""
        return replace(self, idle_spikes=0, idle_synops=0)

    @property
    def synops(self) -> int:
        """Synaptic operations of all layers."""
        return sum(layer.synops for layer in self.layers)

    @property
    def spikes(self) -> int:
        """Payloads sent by neurons; the input's are `layers[0].messages_in`."""
        return sum(layer.spikes for layer in self.layers)

    @property
    def messages(self) -> int:
        """Payloads that travelled, the input's included."""
        return sum(layer.messages_in for layer in self.layers)

    @property
    def neuron_updates(self) -> int:
        """Updates of all neurons, in the steps of a chip."""
        return sum(layer.neuron_updates for layer in self.layers)

    @property
    def saturations(self) -> int:
        """How often the encoder or a neuron saturated."""
        return self.encode_saturations + sum(layer.saturations for layer in self.layers)

    @property
    def synops_per_decision(self) -> float:
        """Synaptic operations of a decision; 0 where none was made."""
        return self.synops / max(self.decisions, 1)

    @property
    def synops_per_mac(self) -> float:
        """Synaptic operations per multiply-add of the source ANN."""
        return self.synops_per_decision / self.macs_per_decision


def combined(runs: Sequence[Census]) -> Census:
    """The census of several runs of one artifact as if they had been one; at least one run."""
    counts = ("messages_in", "synops", "spikes", "neuron_updates", "saturations")
    layers = tuple(
        replace(same[0], **{name: sum(getattr(layer, name) for layer in same) for name in counts})
        for same in zip(*(run.layers for run in runs), strict=True)
    )
    totals = {
        name: sum(getattr(run, name) for run in runs)
        for name in ("decisions", "encode_saturations", "idle_spikes", "idle_synops")
    }
    return replace(runs[0], layers=layers, **totals)


def host_macs(artifact: Artifact) -> int:
    """Multiply-adds of encode and decode per decision.

    Each feature is normalised (if at all) and scaled, each output scaled twice (once where it is
    only compared); the rest is the code's.
    """
    observation = artifact.observation
    action = artifact.action
    network = artifact.network
    macs = observation.features * (2 if observation.mean is not None else 1)
    macs += action.size if action.discrete else 2 * action.size
    return macs + network.code.macs(network.widths[0], network.timesteps)


@dataclass(eq=False)
class Counters:
    """What a backend counts while it runs, per weight layer [L]."""

    messages: NDArray[np.int64]
    synops: NDArray[np.int64]
    saturations: NDArray[np.int64]
    decisions: int = 0
    encode_saturations: int = 0
    output_spikes: int = 0  # of the last layer (lif)
    idle_spikes: int = 0
    idle_synops: int = 0

    @classmethod
    def empty(cls, layers: int) -> Counters:
        """Nothing counted yet."""
        messages, synops, saturations = np.zeros((3, layers), np.int64)
        return cls(messages, synops, saturations)

    def census(self, network: Network, macs: int, host_macs_per_decision: int) -> Census:
        """The record of what was counted.

        Args:
            network: What ran.
            macs: Multiply-adds of the source ANN per decision.
            host_macs_per_decision: Those of encode and decode.

        Returns:
            The census; always-on neurons spike and cost in each timestep of a window.
        """
        # what layer l sends is what layer l + 1 receives
        sent = [*self.messages[1:], self.output_spikes]
        # spikes of the always-on neurons
        on = [
            network.timesteps * self.decisions * (layer.always_on > 0) for layer in network.layers
        ]
        layers = tuple(
            LayerCensus(
                layer.outputs,
                layer.inputs,
                int(layer.fan_out.sum()) + layer.always_on,
                int(self.messages[index]) + on[index],
                int(self.synops[index]) + on[index] * layer.always_on,
                int(sent[index]),
                layer.outputs * network.chip_steps * self.decisions,
                int(self.saturations[index]),
            )
            for index, layer in enumerate(network.layers)
        )
        return Census(
            self.decisions,
            network.timesteps,
            network.chip_steps,
            layers,
            self.encode_saturations,
            macs,
            host_macs_per_decision,
            self.idle_spikes,
            self.idle_synops,
        )
