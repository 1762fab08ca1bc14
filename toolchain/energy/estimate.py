"""Census in, estimates out: each profile priced whole, chips and dense baselines alike."""

from __future__ import annotations

from collections.abc import Sequence

from spikeport.hardware_profiles import PRICED, Profile, load_profile, profile_names
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy.activity import check_census
from spikeport.toolchain.energy.baseline import baseline_estimate
from spikeport.toolchain.energy.chip import chip_estimate
from spikeport.toolchain.energy.counting import counts_estimate
from spikeport.toolchain.energy.estimate_result import Estimate, check_period
from spikeport.toolchain.energy.limits import refusal
from spikeport.toolchain.energy.placement import placements
from spikeport.toolchain.energy.textbook import textbook_estimate
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.census import Census

DEFAULT_PROFILES = ("loihi1-davies", "loihi2")


def estimate_energy(
    census: Census,
    artifact: Artifact,
    names: Sequence[str] = DEFAULT_PROFILES,
    control_period_s: float | None = None,
) -> list[Estimate]:
    """Price the decisions that a census counted on each profile; a pure function, nothing is run.

    A chip's profile prices the artifact's spiking network, a microcontroller's the source policy as
    a dense int8 network.

    Args:
        census: What was counted.
        artifact: Whose decisions these are.
        names: Profiles.
        control_period_s: Between decisions; the environment's by default.

    Raises:
        InputError: For an unknown profile, one that prices nothing, a census of another network, an
            empty one, and a control period that is not positive.
        CheckFailed: Naming every limit of every chip at once, where the network does not fit.
    """
    check_period(control_period_s)
    check_census(census, artifact.network)
    profiles = [priced_profile(name) for name in names]
    violated = [
        violation
        for placement in placements(artifact.network, names)
        for violation in placement.violations
    ]
    if violated:
        raise refusal(violated)
    return [_estimate(census, artifact.network, profile, control_period_s) for profile in profiles]


def priced_profile(name: str) -> Profile:
    """The profile `name`. Raises InputError where it has no energies to price a policy with."""
    profile = load_profile(name)
    if profile.kind not in PRICED:
        if profile.kind == "fit":
            why = "it stands for one measured chip"
        else:
            why = "no energies of its operations are agreed on, only its limits are known"
        priced = ", ".join(other for other in profile_names() if load_profile(other).kind in PRICED)
        raise InputError(
            "--profile", "prices no policy", got=name, limit=priced, why=why, fix="use one of those"
        )
    return profile


def _estimate(census: Census, network: Network, profile: Profile, period: float | None) -> Estimate:
    if profile.kind == "chip":
        return chip_estimate(census, network, profile, period)
    if profile.kind == "counts":
        return counts_estimate(census, network, profile, period)
    if profile.kind == "textbook":
        return textbook_estimate(census, network, profile, period)
    return baseline_estimate(census.macs_per_decision, profile, period)
