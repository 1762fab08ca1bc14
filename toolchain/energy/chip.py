"""A spiking network on a neuromorphic chip: census to cores, cores to joules and seconds."""

from __future__ import annotations

from typing import Any

from spikeport.hardware_profiles import Profile, load_profile, profile_names
from spikeport.toolchain.energy.activity import network_activity
from spikeport.toolchain.energy.baseline import HOST, mac_energy
from spikeport.toolchain.energy.caveats import chip_unpriced, not_expressible
from spikeport.toolchain.energy.estimate_result import SPIKING, Estimate, Grade
from spikeport.toolchain.energy.mapping import map_network
from spikeport.toolchain.energy.pricing import Joules, dynamic, terms
from spikeport.toolchain.energy.timing import scheduled_latency, step_seconds
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.census import Census

HOST_NOTE = (
    f"host_j, not in dynamic_j, prices encode and decode at {HOST}'s energy per int8 multiply-add,"
    " although they are floating point; the dense baseline needs them too"
)


def chip_estimate(
    census: Census, network: Network, profile: Profile, control_period_s: float | None
) -> Estimate:
    """Price a census of a network on a chip.

    Args:
        census: What was counted.
        network: Whose decisions these are.
        profile: The chip.
        control_period_s: Between decisions; None where it is not known.

    Raises:
        CheckFailed: Where the network does not fit.
    """
    mapping = map_network(network, profile)
    activity = network_activity(census, mapping)
    energy = dynamic(activity, profile)
    parts = terms(activity, profile)
    step = step_seconds(census, mapping, profile)
    latency = census.chip_steps * step
    inference = static_joules(profile, mapping.chips, latency)
    if control_period_s is None:
        period = None
    else:
        period = static_joules(profile, mapping.chips, control_period_s)
    kind, read = profile.grade("energy", "time", "barrier", "power")
    proxy = None
    if "proxy.neuron_update" in profile:
        proxy = activity.synops + profile["proxy.neuron_update"] * (
            activity.active_updates + activity.inactive_updates
        )
    if "io.inference" in profile:
        io = profile.band("io.inference")[1:]
    else:
        io = None
    fastest = scheduled_latency(census, mapping, profile)
    if io is None:
        response = None
    else:
        response = (fastest + io[0], latency + io[1])
    grades = {
        "dynamic_j": ("energy",),
        "latency_s": ("time", "barrier"),
        "static_inference_j": ("power", "time", "barrier"),
        "static_period_j": ("power",),
    } | ({"response_s": ("time", "barrier", "io"), "io_j": ("power", "io")} if io else {})
    return Estimate(
        profile=profile.name,
        runs=SPIKING,
        dynamic_j=energy.value,
        low_j=energy.low,
        high_j=energy.high,
        static_inference_j=inference.value,
        static_period_j=period and period.value,
        latency_s=latency,
        realtime=None if control_period_s is None else latency <= control_period_s,
        grade=kind,
        read=read,
        unpriced=chip_unpriced(census, network, profile, latency, control_period_s),
        census=per_decision(census, network),
        grades={name: Grade(*profile.grade(*sections)) for name, sections in grades.items()}
        | {"host_j": Grade(*load_profile(HOST).grade("energy", "work"))},
        headline=profile.headline,
        control_period_s=control_period_s,
        latency_low_s=fastest,
        step_s=step,
        static_inference_band_j=(inference.low, inference.high),
        static_period_band_j=period and (period.low, period.high),
        terms_j={name: part.value for name, part in parts.items()},
        cores=mapping.cores,
        tiles=mapping.tiles,
        chips=mapping.chips,
        **host_fields(census),
        proxy_ops=proxy,
        io_s=io,
        io_j=io and io_joules(profile, io),
        response_s=response,
        realtime_with_io=None
        if response is None or control_period_s is None
        else in_time(response, control_period_s),
        not_expressible=not_expressible(network, profile),
        notes=(*profile.notes, HOST_NOTE),
    )


def host_fields(census: Census) -> dict[str, Any]:
    """Encode and decode on the host, with the band from the cheapest to the dearest baseline."""
    energies = [mac_energy(load_profile(name)) for name in profile_names("mcu")]
    macs = census.host_macs_per_decision
    band = (
        macs * min(energy.low for energy in energies),
        macs * max(energy.high for energy in energies),
    )
    return {
        "host_j": macs * mac_energy(load_profile(HOST)).value,
        "host": HOST,
        "host_band_j": band,
    }


def io_joules(profile: Profile, seconds: tuple[float, float]) -> tuple[float, float]:
    """What the chip's static power takes while host input and output are under way."""
    _, low, high = profile.band("power.static")
    return low * seconds[0], high * seconds[1]


def in_time(response: tuple[float, float], period: float) -> str:
    """Whether a decision with host input and output is done within the control period."""
    if response[1] <= period:
        return "yes"
    if response[0] > period:
        return "no"
    return "open"


def static_joules(profile: Profile, chips: int, seconds: float) -> Joules:
    """Return the static energy of whole chips, with the band of their static power.

    Args:
        profile: The chip.
        chips: How many.
        seconds: How long.
    """
    return Joules(*(chips * power * seconds for power in profile.band("power.static")))


def per_decision(census: Census, network: Network) -> dict[str, Any]:
    """The census in averages per decision, the whole and per layer."""
    names = ("messages_in", "synops", "spikes", "neuron_updates", "saturations")
    n = census.decisions
    layers = []
    for layer, counts in zip(network.layers, census.layers, strict=True):
        shape = {
            "neuron": layer.neuron,
            "inputs": counts.inputs,
            "neurons": counts.neurons,
            "synapses": counts.synapses,
        }
        layers.append(shape | {name: getattr(counts, name) / n for name in names})
    return {
        "decisions": n,
        "timesteps": census.timesteps,
        "chip_steps": census.chip_steps,
        "synops": census.synops / n,
        "spikes": census.spikes / n,
        "messages": census.messages / n,
        "neuron_updates": census.neuron_updates / n,
        "idle_spikes": census.idle_spikes / n,
        "idle_synops": census.idle_synops / n,
        "macs_per_decision": census.macs_per_decision,
        "host_macs_per_decision": census.host_macs_per_decision,
        "layers": layers,
    }
