"""Energy as tools count it that know two numbers of a chip: a synop and a neuron update.

    E = e_synop * synops + e_neuron * neurons * T      every neuron in every timestep (KerasSpiking)

No time, no static power.
"""

from __future__ import annotations

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.caveats import counts_unpriced, not_expressible
from spikeport.toolchain.energy.chip import host_fields, per_decision
from spikeport.toolchain.energy.estimate_result import SPIKING, Estimate, Grade
from spikeport.toolchain.energy.mapping import Mapping, map_network
from spikeport.toolchain.energy.pricing import Joules
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.census import Census


def counted_energy(profile: Profile, synops: float, neuron_updates: float) -> dict[str, Joules]:
    """Return the two terms, per whatever the counts are of.

    Args:
        profile: The two numbers.
        synops: Counted.
        neuron_updates: Counted.
    """
    pairs = (
        ("synops", "energy.synop", synops),
        ("neurons", "energy.neuron_update", neuron_updates),
    )
    return {
        name: Joules(*(count * energy for energy in profile.band(key)))
        for name, key, count in pairs
    }


def counts_estimate(
    census: Census, network: Network, profile: Profile, control_period_s: float | None
) -> Estimate:
    """Price a census of a network by two numbers.

    Args:
        census: What was counted.
        network: Whose decisions these are.
        profile: The two numbers.
        control_period_s: Between decisions; None where it is not known.

    Raises:
        CheckFailed: Where the chip's limits are known and exceeded.
    """
    mapping: Mapping | None = (
        map_network(network, profile) if "limits.words_per_core" in profile else None
    )
    updates = sum(layer.neurons for layer in census.layers) * census.timesteps
    parts = counted_energy(
        profile, (census.synops + census.idle_synops) / census.decisions, updates
    )
    energy = sum(parts.values(), Joules(0.0, 0.0, 0.0))
    kind, read = profile.grade("energy")
    return Estimate(
        profile=profile.name,
        runs=SPIKING,
        dynamic_j=energy.value,
        low_j=energy.low,
        high_j=energy.high,
        static_inference_j=None,
        static_period_j=None,
        latency_s=None,
        realtime=None,
        grade=kind,
        read=read,
        unpriced=counts_unpriced(network, profile),
        census=per_decision(census, network),
        grades={"dynamic_j": Grade(kind, read)},
        headline=profile.headline,
        control_period_s=control_period_s,
        terms_j={name: part.value for name, part in parts.items()},
        cores=mapping and mapping.cores,
        chips=mapping and mapping.chips,
        **host_fields(census),
        not_expressible=not_expressible(network, profile),
        notes=profile.notes,
    )
