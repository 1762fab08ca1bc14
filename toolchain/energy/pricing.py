"""Counts times energies: the dynamic energy of a decision, with its band.

E_dyn = e_synop * synops + e_active * active updates + e_inactive * inactive updates
      + e_message * messages + e_x * hops_x + e_y * hops_y
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spikeport.hardware_profiles import Profile
from spikeport.toolchain.energy.activity import Activity

TERMS = {
    "synops": (("energy.synop", "synops"),),
    "neurons": (
        ("energy.neuron_active", "active_updates"),
        ("energy.neuron_inactive", "inactive_updates"),
    ),
    "messages": (
        ("energy.message", "messages"),
        ("energy.hop_x", "hops_x"),
        ("energy.hop_y", "hops_y"),
    ),
}


@dataclass(frozen=True)
class Joules:
    """An energy in J and the band that its numbers' own bands give it."""

    value: float
    low: float
    high: float

    def __add__(self, other: Joules) -> Joules:
        return Joules(self.value + other.value, self.low + other.low, self.high + other.high)


def total(parts: Iterable[Joules]) -> Joules:
    """The sum of energies and of their bands."""
    return sum(parts, Joules(0.0, 0.0, 0.0))


def terms(activity: Activity, profile: Profile) -> dict[str, Joules]:
    """The energy of synops, neuron updates and messages, apart."""

    def price(key: str, count: str) -> Joules:
        return Joules(*(getattr(activity, count) * energy for energy in profile.band(key)))

    return {name: total(price(*part) for part in parts) for name, parts in TERMS.items()}


def dynamic(activity: Activity, profile: Profile) -> Joules:
    """The dynamic energy of `activity`, whole."""
    return total(terms(activity, profile).values())
