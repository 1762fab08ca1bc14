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
    step = step_seconds(census, mapping, profile)
    latency = census.chip_steps * step
    fastest = scheduled_latency(census, mapping, profile)
    kind, read = profile.grade("energy", "time", "barrier", "power")
    proxy = None
    if "proxy.neuron_update" in profile:
        proxy = activity.synops + profile["proxy.neuron_update"] * (
            activity.active_updates + activity.inactive_updates
        )
    in_period = None if control_period_s is None else latency <= control_period_s
    return Estimate(
        profile=profile.name,
        runs=SPIKING,
        dynamic_j=energy.value,
        low_j=energy.low,
        high_j=energy.high,
        latency_s=latency,
        realtime=in_period,
        grade=kind,
        read=read,
        unpriced=chip_unpriced(census, network, profile, latency, control_period_s),
        census=per_decision(census, network),
        grades=_grades(profile),
        headline=profile.headline,
        control_period_s=control_period_s,
        latency_low_s=fastest,
        step_s=step,
        terms_j={name: part.value for name, part in terms(activity, profile).items()},
        cores=mapping.cores,
        tiles=mapping.tiles,
        chips=mapping.chips,
        proxy_ops=proxy,
        not_expressible=not_expressible(network, profile),
        notes=(*profile.notes, HOST_NOTE),
        **_static_fields(profile, mapping.chips, latency, control_period_s),
        **host_fields(census),
        **_io_fields(profile, (fastest, latency), control_period_s),
    )


def _grades(profile: Profile) -> dict[str, Grade]:
    """Return the grade of each result, by the profile's sections that it comes from."""
    sections = {
        "dynamic_j": ("energy",),
        "latency_s": ("time", "barrier"),
        "static_inference_j": ("power", "time", "barrier"),
        "static_period_j": ("power",),
    }
    if "io.inference" in profile:
        sections |= {"response_s": ("time", "barrier", "io"), "io_j": ("power", "io")}
    grades = {name: Grade(*profile.grade(*used)) for name, used in sections.items()}
    return grades | {"host_j": Grade(*load_profile(HOST).grade("energy", "work"))}


def _static_fields(
    profile: Profile, chips: int, latency: float, period: float | None
) -> dict[str, Any]:
    """Return the static energy over a decision and over a control period, with its bands."""
    inference = static_joules(profile, chips, latency)
    fields: dict[str, Any] = {
        "static_inference_j": inference.value,
        "static_inference_band_j": (inference.low, inference.high),
        "static_period_j": None,
    }
    if period is not None:
        over_period = static_joules(profile, chips, period)
        fields["static_period_j"] = over_period.value
        fields["static_period_band_j"] = (over_period.low, over_period.high)
    return fields


def _io_fields(
    profile: Profile, latency: tuple[float, float], period: float | None
) -> dict[str, Any]:
    """Return host input and output, where the profile has them: time, energy, and what is in time.

    `latency` is the fastest and the slowest decision in s.
    """
    if "io.inference" not in profile:
        return {}
    _, low, high = profile.band("io.inference")
    response = (latency[0] + low, latency[1] + high)
    return {
        "io_s": (low, high),
        "io_j": io_joules(profile, (low, high)),
        "response_s": response,
        "realtime_with_io": None if period is None else in_time(response, period),
    }


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
