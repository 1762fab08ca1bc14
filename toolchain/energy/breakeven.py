"""Where a chip begins to pay: how few synops, how fast a loop, how many policies on one chip.

total(n) is dynamic energy + static power * control period / n, where n policies share one chip, all
at the same rate. The chip pays where total(n) is below the other side's energy, all-in.

synops per MAC   at which the dynamic energy alone equals the other side's, all other terms as they
                 are
control rate     at which the static power per decision, one policy per chip, equals what is left
policies         on one chip at which the shared static power equals what is left, at this control
                 period
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from spikeport.hardware_profiles import load_profile
from spikeport.toolchain.energy.estimate_result import Estimate
from spikeport.toolchain.energy.timing import barrier_seconds


@dataclass(frozen=True)
class BreakEven:
    """A chip against one baseline.

    A null means never: the dynamic energy alone is more than the other side's.
    """

    profile: str
    against: str
    runs: str
    # what the other side takes beyond the chip's dynamic energy; static power must fit into it
    gap_j: float
    synops_per_mac: float | None
    synops_per_mac_now: float | None
    control_rate_hz: float | None
    control_rate_now_hz: float | None
    fastest_rate_hz: float | None  # 1 / latency
    policies_per_chip: int | None
    policies_that_fit: int | None
    late: bool = False  # a decision of one policy ends after the control period

    def as_json(self) -> dict[str, Any]:
        """Return the numbers as JSON data."""
        return asdict(self)

    @property
    def reachable(self) -> bool:
        """Whether the policies that fit on one chip are enough at this control period."""
        return (
            not self.late
            and None not in (self.policies_per_chip, self.policies_that_fit)
            and (self.policies_per_chip or 0) <= (self.policies_that_fit or 0)
        )


def policies_that_fit(estimate: Estimate) -> int | None:
    """Copies of this policy that one chip holds by its cores."""
    if estimate.cores is None or "limits.cores" not in load_profile(estimate.profile):
        return None
    return load_profile(estimate.profile).limit("cores") // estimate.cores


def always_on(estimate: Estimate, policies: int = 1) -> tuple[float, float, float] | None:
    """Return energy per decision with the control period's static power shared by `policies`.

    Value, low and high in J.
    """
    if estimate.static_period_j is None or estimate.static_period_band_j is None:
        return None
    low, high = estimate.static_period_band_j
    return (
        estimate.dynamic_j + estimate.static_period_j / policies,
        estimate.low_j + low / policies,
        estimate.high_j + high / policies,
    )


def busy_latency(estimate: Estimate, policies: int) -> float:
    """Return a decision in s while `policies` run on the chip.

    The barrier of every step spans the tiles of all of them.
    """
    profile = load_profile(estimate.profile)
    more = 0.0
    if estimate.cores is not None and estimate.tiles is not None:
        if "limits.cores_per_tile" in profile:
            per_tile = profile.limit("cores_per_tile")
        else:
            per_tile = 1
        tiles = -(-policies * estimate.cores // per_tile)
        more = int(estimate.census["chip_steps"]) * (
            barrier_seconds(profile, tiles) - barrier_seconds(profile, estimate.tiles)
        )
    return (estimate.latency_s or 0.0) + max(more, 0.0)


def too_late(estimate: Estimate, policies: int = 1) -> bool:
    """Tell whether a decision ends after the control period.

    It is the chip's part at most, or with the least of the host's input and output.
    """
    if estimate.latency_s is None or estimate.control_period_s is None:
        return False
    more = busy_latency(estimate, policies) - estimate.latency_s
    if estimate.response_s is None:
        least = 0.0
    else:
        least = estimate.response_s[0]
    return max(estimate.latency_s, least) + more > estimate.control_period_s


def break_even(spiking: Estimate, other: Estimate) -> BreakEven:
    """`spiking` on a chip against `other`, a baseline measured all-in."""
    gap = other.dynamic_j - spiking.dynamic_j
    period = spiking.control_period_s
    synops = float(spiking.census["synops"])
    macs = int(spiking.census["macs_per_decision"])
    if synops:
        per_synop = spiking.terms_j["synops"] / synops
    else:
        per_synop = None
    left = other.dynamic_j - (spiking.dynamic_j - spiking.terms_j["synops"])
    static = spiking.static_period_j
    if static is None or period is None:
        power = None
    else:
        power = static / period
    return BreakEven(
        spiking.profile,
        other.profile,
        other.runs,
        gap,
        synops_per_mac=left / per_synop / macs if per_synop and left > 0 else None,
        synops_per_mac_now=synops / macs if macs else None,
        control_rate_hz=power / gap if power is not None and gap > 0 else None,
        control_rate_now_hz=None if period is None else 1 / period,
        fastest_rate_hz=1 / spiking.latency_s if spiking.latency_s else None,
        policies_per_chip=math.ceil(static / gap) if static is not None and gap > 0 else None,
        policies_that_fit=policies_that_fit(spiking),
        late=too_late(spiking),
    )
