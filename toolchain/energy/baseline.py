"""The other side of the scale: the source policy as a dense int8 network on microcontrollers.

The same policy with zeros skipped, or working on changes only, is priced between two ends: low,
every skipped multiply-add is saved in full (no library does that for free: a lower bound); high,
none is.

    E       = MACs * measured energy per inference / its MACs   (all-in: static power while running
                                                                 is inside)
    t       = MACs / (measured inferences per second * its MACs)
    E_sleep = P_sleep * (T_c - t)   (unpriced where the profile has no sleep power)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from spikeport.hardware_profiles import Profile, load_profile, profile_names
from spikeport.toolchain.energy.ann_work import AnnWork
from spikeport.toolchain.energy.caveats import baseline_unpriced
from spikeport.toolchain.energy.estimate_result import (
    ANN,
    DELTA,
    DENSE,
    SPARSE,
    Estimate,
    Grade,
    check_period,
)
from spikeport.toolchain.energy.pricing import Joules
from spikeport.toolchain.errors import InputError

HOST = "stm32l4r5"  # the microcontroller at whose price encode and decode run


def mac_energy(profile: Profile) -> Joules:
    """All-in energy of one int8 multiply-add in J."""
    return Joules(
        *(energy / profile["work.inference"] for energy in profile.band("energy.inference"))
    )


def baseline_estimate(macs: int, profile: Profile, control_period_s: float | None) -> Estimate:
    """Price a dense int8 policy on one microcontroller.

    Args:
        macs: Multiply-adds per decision.
        profile: The microcontroller.
        control_period_s: Between decisions; None where it is not known.

    Raises:
        InputError: For less than one multiply-add.
    """
    if macs < 1:
        raise InputError(
            "energy",
            "the source policy has no multiply-adds to price",
            got=macs,
            limit="1 or more",
            fix="reconvert the policy",
        )
    energy = mac_energy(profile)
    latency = macs / (profile["rate.inference"] * profile["work.inference"])
    if control_period_s is None:
        in_time = None
    else:
        in_time = latency <= control_period_s
    sleep = None
    if control_period_s is not None and "power.sleep" in profile:
        sleep = Joules(
            *(power * max(0.0, control_period_s - latency) for power in profile.band("power.sleep"))
        )
    kind, read = profile.grade("energy", "rate", "work", "power")
    return Estimate(
        profile=profile.name,
        runs=DENSE,
        dynamic_j=macs * energy.value,
        low_j=macs * energy.low,
        high_j=macs * energy.high,
        static_inference_j=0.0,
        static_period_j=sleep and sleep.value,
        latency_s=latency,
        realtime=in_time,
        grade=kind,
        read=read,
        unpriced=baseline_unpriced(profile, control_period_s),
        census={"macs_per_decision": macs},
        grades={
            "dynamic_j": Grade(*profile.grade("energy", "work")),
            "latency_s": Grade(*profile.grade("rate", "work")),
        },
        headline=profile.headline,
        control_period_s=control_period_s,
        static_period_band_j=sleep and (sleep.low, sleep.high),
        notes=profile.notes,
    )


def skipping_estimate(
    runs: str, work: float, macs: int, profile: Profile, control_period_s: float | None
) -> Estimate:
    """Price an int8 policy that skips multiply-adds.

    dynamic_j and low_j are as if skipping were free, high_j and latency_s as if nothing were saved.

    Args:
        runs: SPARSE or DELTA.
        work: Multiply-adds that are done per decision.
        macs: Multiply-adds of the dense policy.
        profile: The microcontroller.
        control_period_s: Between decisions; None where it is not known.
    """
    dense = baseline_estimate(macs, profile, control_period_s)
    energy = mac_energy(profile)
    line = (
        "finding what can be skipped and gathering what cannot: dynamic_j and low_j are lower"
        " bounds, high_j and latency_s are the dense network's"
    )
    return dataclasses.replace(
        dense,
        runs=runs,
        dynamic_j=work * energy.value,
        low_j=work * energy.low,
        latency_low_s=work / (profile["rate.inference"] * profile["work.inference"]),
        unpriced=(line, *dense.unpriced),
        census={"macs_per_decision": macs, "effective_macs_per_decision": work},
    )


def ann_estimates(
    work: AnnWork, control_period_s: float | None = None, names: Sequence[str] | None = None
) -> list[Estimate]:
    """Price the source policy dense, with zeros skipped and as changes.

    Args:
        work: What it does.
        control_period_s: Between decisions; None where it is not known.
        names: Profiles; every microcontroller by default.

    Returns:
        Dense ones first, cheapest first.
    """
    check_period(control_period_s)
    profiles = [load_profile(name) for name in (profile_names("mcu") if names is None else names)]
    found = [baseline_estimate(work.dense, profile, control_period_s) for profile in profiles]
    for runs, done in ((SPARSE, work.sparse), (DELTA, work.delta)):
        found += [
            skipping_estimate(runs, done, work.dense, profile, control_period_s)
            for profile in profiles
            if done is not None
        ]
    return sorted(found, key=lambda estimate: (ANN.index(estimate.runs), estimate.dynamic_j))


def baseline_estimates(macs: int, control_period_s: float | None = None) -> list[Estimate]:
    """Price a dense int8 policy on every microcontroller, cheapest first.

    Raises InputError if `macs`, multiply-adds per decision, is below 1 or the control period is not
    positive.
    """
    check_period(control_period_s)
    estimates = [
        baseline_estimate(macs, load_profile(name), control_period_s)
        for name in profile_names("mcu")
    ]
    return sorted(estimates, key=lambda estimate: estimate.dynamic_j)
