"""What a user may choose when tuning."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spikeport.hardware_profiles import load_profile, profile_names
from spikeport.toolchain.conversion.calibration.reset_seeds import LARGEST_SEED
from spikeport.toolchain.errors import InputError, did_you_mean, refuse_faults
from spikeport.toolchain.neurons import SHORT_NAMES
from spikeport.toolchain.policies.ann_policy import Policy

COSTS = ("synops", "joules")
# What is written of a candidate (study.py), and the conversion and the gate behind it.
STUDY_FORMAT = 3


@dataclass(frozen=True)
class TuningOptions:
    """What a search looks for, where and how long.

    It ends after `trials` candidates or when `minutes`, calibration and judgement included, are
    used up. Raises InputError that names every fault.
    """

    target: float = 0.99  # the return ratio to hold
    cost: str = "synops"  # per decision, or "joules": dynamic ones per decision on the chip
    profile: str | None = None  # the chip
    neurons: tuple[str, ...] = tuple(SHORT_NAMES)
    weight_bits: tuple[int, ...] = (8,)
    trials: int = 1000
    minutes: float = 12.0
    chatter: float = 1.1  # the largest mean |change of action|, as a multiple of the source's
    seed: int = 0
    calibration_steps: int = 10_000
    keep_source: bool = True

    def __post_init__(self) -> None:
        refuse_faults("tune", [*self._cost_faults(), *self._search_faults()])

    def _cost_faults(self) -> Iterator[InputError]:
        """What is wrong with the target, the cost and its profile."""
        if not 0 < self.target <= 2:
            yield InputError(
                "--target",
                "not a return ratio",
                got=self.target,
                limit="above 0, at most 2",
                fix="--target 0.99",
            )
        if self.cost not in COSTS:
            yield InputError(
                "--cost",
                "unknown cost",
                got=self.cost,
                limit=", ".join(COSTS),
                fix=did_you_mean(self.cost, COSTS) or "--cost synops",
            )
        if self.cost == "synops" and self.profile is not None:
            yield InputError(
                "--profile",
                "prices joules, and synops are counted",
                got=self.profile,
                fix=("--cost joules", "omit --profile"),
            )
        if self.cost == "joules":
            yield from self._chip_faults()

    def _chip_faults(self) -> Iterator[InputError]:
        """What is wrong with a profile that joules are spent on."""
        chips = profile_names("chip")
        try:
            usable = self.profile is not None and load_profile(self.profile).kind == "chip"
        except InputError as unknown:
            yield unknown
            return
        if not usable:
            yield InputError(
                "--profile",
                "joules need a chip to spend them on",
                got=self.profile,
                limit=", ".join(chips),
                fix=f"--profile {chips[-1]}",
            )

    def _search_faults(self) -> Iterator[InputError]:
        """What is wrong with the space, the length and the seed of the search."""
        strange = [name for name in self.neurons if name not in SHORT_NAMES]
        if strange or not self.neurons:
            yield InputError(
                "--neurons",
                "neuron not available",
                got=", ".join(strange) or "none",
                limit=", ".join(SHORT_NAMES),
                fix="--neurons sdn,dc",
            )
        if not self.weight_bits or not all(2 <= bits <= 8 for bits in self.weight_bits):
            yield InputError(
                "--weight-bits",
                "a width is out of range",
                got=self.weight_bits,
                limit="2..8",
                fix="--weight-bits 8,6",
            )
        chatter = "not a multiple of the source policy's chatter"
        timed = math.isfinite(self.minutes) and self.minutes > 0
        for fine, name, what, got, limit, usual in (
            (self.trials >= 1, "--trials", "nothing to try", self.trials, "1 or more", 100),
            (timed, "--minutes", "no time to search in", self.minutes, "above 0", 12),
            (self.chatter > 0, "--chatter", chatter, self.chatter, "above 0", 1.1),
            (self._seeded, "--seed", "out of range", self.seed, f"0..{LARGEST_SEED}", 0),
        ):
            if not fine:
                yield InputError(name, what, got=got, limit=limit, fix=f"{name} {usual}")

    @property
    def _seeded(self) -> bool:
        return 0 <= self.seed <= LARGEST_SEED

    def identity(self, policy: Policy, environment: str) -> dict[str, Any]:
        """What two searches must share to continue one another."""
        return {
            "format": STUDY_FORMAT,
            "policy": policy.provenance.sha256,
            "environment": environment,
            "target": self.target,
            "cost": self.cost,
            "profile": self.profile,
            "neurons": list(self.neurons),
            "weight_bits": list(self.weight_bits),
            "chatter": self.chatter,
            "seed": self.seed,
            "calibration_steps": self.calibration_steps,
        }
