"""Power of a measured chip as its paper fits it: base + clock + synops.

It checks pricing; it prices no policy.
"""

from __future__ import annotations

from spikeport.hardware_profiles import Profile


def fitted_power(profile: Profile, synops_per_second: float, clock_hz: float = 0.0) -> float:
    """W at a rate of synaptic events and, where the fit has one, a clock.

    `profile` is of kind `fit`.
    """
    if "power.clock" in profile:
        clock = profile["power.clock"] * clock_hz
    else:
        clock = 0.0
    return profile["power.base"] + clock + profile["energy.synop"] * synops_per_second
