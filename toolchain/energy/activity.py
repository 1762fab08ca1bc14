"""What a chip does in one decision: the census, put on cores. No joules yet."""

from __future__ import annotations

from dataclasses import dataclass

from spikeport.toolchain.energy.mapping import Mapping
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.census import Census


@dataclass(frozen=True)
class Activity:
    """Counts per decision, averages over a run."""

    synops: float
    active_updates: float  # of compartments, those of neurons that fired
    inactive_updates: float
    messages: float = 0.0  # payloads times destination cores
    hops_x: float = 0.0
    hops_y: float = 0.0

    def __add__(self, other: Activity) -> Activity:
        return Activity(
            *(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__)
        )


def check_census(census: Census, network: Network) -> None:
    """Refuse a census that is empty or belongs to another network."""
    if census.decisions < 1:
        raise InputError(
            "energy",
            "the census holds no decision",
            got=census.decisions,
            limit="1 or more",
            fix="run the policy before pricing it",
        )
    counted = [(layer.inputs, layer.neurons) for layer in census.layers]
    expected = [(layer.inputs, layer.outputs) for layer in network.layers]
    if counted != expected or census.chip_steps != network.chip_steps:
        got, limit = (
            f"layers {layers}, {steps} steps"
            for layers, steps in ((counted, census.chip_steps), (expected, network.chip_steps))
        )
        raise InputError(
            "energy",
            "the census is of another network",
            got=got,
            limit=limit,
            fix="give the census of this artifact's run",
        )


def layer_activity(census: Census, mapping: Mapping, layer: int) -> Activity:
    """Return the activity of one layer's cores per decision.

    A neuron is updated in each of the decision's T + L steps (contract section 5); one that fires
    is active once per spike, with all its compartments. Messages and hops are those of the payloads
    that arrive.

    Args:
        census: What was counted.
        mapping: Where the layers lie.
        layer: Its number.
    """
    counts = census.layers[layer]
    place = mapping.layers[layer]
    decisions = census.decisions
    active = place.compartments * counts.spikes / decisions
    updates = place.compartments * counts.neuron_updates / decisions
    arriving = counts.messages_in / decisions
    x, y = mapping.hops(layer)
    return Activity(
        counts.synops / decisions,
        active,
        updates - active,
        arriving * place.cores,
        arriving * x,
        arriving * y,
    )


def idle_activity(census: Census, mapping: Mapping) -> Activity:
    """Return the activity outside windows (stock LIF only), per decision.

    Each spike goes as far as the farthest layer's.
    """
    spikes = census.idle_spikes / census.decisions
    worst = max(
        range(len(mapping.layers)),
        key=lambda layer: (mapping.layers[layer].cores, sum(mapping.hops(layer))),
    )
    x, y = mapping.hops(worst)
    return Activity(
        census.idle_synops / census.decisions,
        spikes,
        -spikes,
        spikes * mapping.layers[worst].cores,
        spikes * x,
        spikes * y,
    )


def network_activity(census: Census, mapping: Mapping) -> Activity:
    """Activity of the whole chip per decision, idle activity included."""
    total = idle_activity(census, mapping)
    for layer in range(len(mapping.layers)):
        total = total + layer_activity(census, mapping, layer)
    return total
