"""How long a decision takes on a chip whose cores wait for each other after every step.

    t_core = synops * t_synop + active * t_active + inactive * t_inactive + messages * t_message
    t_step = max over cores of t_core + longest path of hops + barrier(tiles)
    latency = (T + L) * t_step

t_core is the mean timestep of a core inside its window. Charging it in every step, as the contract
does (section 5), is more than the chip would take where windows do not overlap; `scheduled_latency`
charges each step with the layers whose window is open.
"""

from __future__ import annotations

import numpy as np

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.mapping import Mapping
from spikeport.toolchain.simulation.census import Census


def barrier_seconds(profile: Profile, tiles: int) -> float:
    """Return the barrier between two steps in s.

    It is linear between the published numbers of tiles and constant beyond them.
    """
    points = sorted(
        (int(key[8:]), profile[key]) for key in profile.numbers if key.startswith("barrier.")
    )
    return float(np.interp(tiles, [at for at, _ in points], [time for _, time in points]))


def core_seconds(
    profile: Profile,
    *,
    synops: float,
    active: float,
    inactive: float,
    received: float = 0.0,
    sent: float = 0.0,
) -> float:
    """Return one step of one core in s.

    Args:
        profile: The chip.
        synops: In this step.
        active: Neurons that fire.
        inactive: Neurons that do not.
        received: Messages, charged where the profile has a time for them.
        sent: Messages, charged where the profile has a time for them.
    """
    messages = sum(
        profile[key] * number
        for key, number in (("time.message_in", received), ("time.message_out", sent))
        if key in profile
    )
    return (
        synops * profile["time.synop"]
        + active * profile["time.neuron_active"]
        + inactive * profile["time.neuron_inactive"]
        + messages
    )


def layer_seconds(
    census: Census, mapping: Mapping, profile: Profile, layer: int, *, window: bool = True
) -> float:
    """Return one step of the busiest core of a layer in s.

    Args:
        census: What was counted.
        mapping: Where the layers lie.
        profile: The chip.
        layer: Its number.
        window: Whether it is a mean timestep of its window, else a step outside it.
    """
    counts = census.layers[layer]
    place = mapping.layers[layer]
    neurons = max(place.slices)
    steps = census.decisions * census.timesteps
    share = neurons / place.neurons
    spikes = counts.spikes / steps * share * window
    if layer + 1 < len(mapping.layers):
        destinations = mapping.layers[layer + 1].cores
    else:
        destinations = 0
    return core_seconds(
        profile,
        synops=counts.synops / steps * share * window,
        active=place.compartments * spikes,
        inactive=place.compartments * (neurons - spikes),
        received=counts.messages_in / steps * window,
        sent=spikes * destinations,
    )


def step_overhead(mapping: Mapping, profile: Profile) -> float:
    """What every step costs beside the busiest core, in s: the longest path and the barrier."""
    x, y = mapping.longest_path()
    if "time.tile" in profile:
        tile = profile["time.tile"]
    else:
        tile = 0.0
    return (
        x * profile["time.hop_x"]
        + y * profile["time.hop_y"]
        + tile
        + barrier_seconds(profile, mapping.tiles)
    )


def step_seconds(census: Census, mapping: Mapping, profile: Profile) -> float:
    """Return t_step in s.

    Args:
        census: What was counted.
        mapping: Where the layers lie.
        profile: The chip.
    """
    return max(
        layer_seconds(census, mapping, profile, layer) for layer in range(len(mapping.layers))
    ) + step_overhead(mapping, profile)


def scheduled_latency(census: Census, mapping: Mapping, profile: Profile) -> float:
    """Return a decision in s where layer l works in steps l + 1 .. l + T and is idle in the others.

    Args:
        census: What was counted.
        mapping: Where the layers lie.
        profile: The chip.
    """
    layers = range(len(mapping.layers))
    busy = [layer_seconds(census, mapping, profile, layer) for layer in layers]
    idle = [layer_seconds(census, mapping, profile, layer, window=False) for layer in layers]
    steps = (
        max(
            busy[layer] if layer < step <= layer + census.timesteps else idle[layer]
            for layer in layers
        )
        for step in range(census.chip_steps)
    )
    return sum(steps) + census.chip_steps * step_overhead(mapping, profile)
