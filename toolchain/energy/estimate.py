"""Census in, estimates out: each profile priced whole, chips and dense baselines alike."""

from __future__ import annotations

from collections.abc import Sequence

from hardware_profiles import load_profile
from toolchain.artifact import Artifact
from toolchain.energy.activity import check_census
from toolchain.energy.baseline import baseline_estimate
from toolchain.energy.chip import chip_estimate
from toolchain.energy.result import Estimate, check_period
from toolchain.simulation.census import Census

DEFAULT_PROFILES = ("loihi1-davies", "loihi2")


def estimate_energy(
    census: Census, artifact: Artifact, profile_names: Sequence[str] = DEFAULT_PROFILES, control_period_s: float | None = None
) -> list[Estimate]:
    """Price the decisions that `census` counted on each profile; a pure function, nothing is run.

    A chip's profile prices the artifact's spiking network, a microcontroller's the source policy as a dense
    int8 network. Raises InputError for an unknown profile, a census of another network, an empty one, a layer
    that does not fit the chip, and a control period that is not positive.
    """
    check_period(control_period_s)
    check_census(census, artifact.network)
    estimates = []
    for profile in [load_profile(name) for name in profile_names]:
        if profile.kind == "chip":
            estimates.append(chip_estimate(census, artifact.network, profile, control_period_s))
        else:
            estimates.append(baseline_estimate(census.macs_per_decision, profile, control_period_s))
    return estimates
