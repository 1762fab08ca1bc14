"""What a user may choose when tuning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from spikeport.hardware_profiles import load_profile, profile_names
from spikeport.toolchain.conversion.calibration.reset_seeds import LARGEST_SEED
from spikeport.toolchain.errors import InputError, did_you_mean
from spikeport.toolchain.neurons import SHORT_NAMES
from spikeport.toolchain.policies.ann_policy import Policy

COSTS = ("synops", "joules")
STUDY_FORMAT = (
    3  # what is written of a candidate (study.py), and the conversion and the gate behind it
)


@dataclass(frozen=True)
class TuningOptions:
    """`target` is the return ratio to hold, `chatter` the largest mean |change of action| as a
    multiple of the source's.

    `cost` is synops per decision, or dynamic joules per decision on the chip `profile`. The search
    ends after `trials` candidates or when `minutes`, calibration and judgement included, are used
    up.
    """

    target: float = 0.99
    cost: str = "synops"
    profile: str | None = None
    neurons: tuple[str, ...] = tuple(SHORT_NAMES)
    weight_bits: tuple[int, ...] = (8,)
    trials: int = 1000
    minutes: float = 12.0
    chatter: float = 1.1
    seed: int = 0
    calibration_steps: int = 10_000
    keep_source: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.target <= 2:
            raise InputError(
                "--target",
                "not a return ratio",
                got=self.target,
                limit="above 0, at most 2",
                fix="--target 0.99",
            )
        if self.cost not in COSTS:
            raise InputError(
                "--cost",
                "unknown cost",
                got=self.cost,
                limit=", ".join(COSTS),
                fix=did_you_mean(self.cost, COSTS) or "--cost synops",
            )
        chips = profile_names("chip")
        if self.cost == "joules" and (
            self.profile is None or load_profile(self.profile).kind != "chip"
        ):
            raise InputError(
                "--profile",
                "joules need a chip to spend them on",
                got=self.profile,
                limit=", ".join(chips),
                fix=f"--profile {chips[-1]}",
            )
        if self.cost == "synops" and self.profile is not None:
            raise InputError(
                "--profile",
                "prices joules, and synops are counted",
                got=self.profile,
                fix=("--cost joules", "leave --profile away"),
            )
        strange = [name for name in self.neurons if name not in SHORT_NAMES]
        if strange or not self.neurons:
            raise InputError(
                "--neurons",
                "neuron not available",
                got=", ".join(strange) or "none",
                limit=", ".join(SHORT_NAMES),
                fix="--neurons sdn,dc",
            )
        if not self.weight_bits or not all(2 <= bits <= 8 for bits in self.weight_bits):
            raise InputError(
                "--weight-bits",
                "a width is out of range",
                got=self.weight_bits,
                limit="2..8",
                fix="--weight-bits 8,6",
            )
        if self.trials < 1:
            raise InputError(
                "--trials", "nothing to try", got=self.trials, limit="1 or more", fix="--trials 100"
            )
        if not (math.isfinite(self.minutes) and self.minutes > 0):
            raise InputError(
                "--minutes",
                "no time to search in",
                got=self.minutes,
                limit="above 0",
                fix="--minutes 12",
            )
        if not self.chatter > 0:
            raise InputError(
                "--chatter",
                "not a multiple of the source policy's chatter",
                got=self.chatter,
                limit="above 0",
                fix="--chatter 1.1",
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(
                "--seed", "out of range", got=self.seed, limit=f"0..{LARGEST_SEED}", fix="--seed 0"
            )

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
