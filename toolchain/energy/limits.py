"""What does not fit: each violated limit with its number and the ways out, all in one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.errors import CheckFailed

WAYS_OUT = {
    "cores": (
        "a policy with narrower layers",
        "fewer weight bits where the chip has narrower codes (--weight-bits)",
        "another --profile",
    ),
    "neurons_per_core": ("a policy with narrower layers",),
    "words_per_core": (
        "a policy with fewer inputs to that layer",
        "fewer weight bits where the chip has narrower codes (--weight-bits)",
    ),
    "words_per_axon": ("a policy with narrower layers",),
    "axons_in": ("a policy with fewer inputs to that layer",),
    "axons_out": ("a narrower next layer",),
    "weight_bits": ("--weight-bits 8 or fewer",),
    "layers": ("a policy with fewer layers",),
    "features": ("a policy with narrower layers",),
    "kernel_memory": ("a policy with narrower layers", "another --profile"),
    "network_inputs": ("fewer observation channels", "another --profile"),
    "network_neurons": ("a policy with fewer hidden neurons", "another --profile"),
    "network_outputs": ("fewer action channels", "another --profile"),
    "state_bits": (
        "fewer weight bits (--weight-bits), which shrink thresholds too",
        "another --profile",
    ),
}


@dataclass(frozen=True)
class Violation:
    """One limit of one chip that a network exceeds."""

    profile: str
    place: str
    limit: str  # its name in the profile, without `limits.`
    needed: int
    allowed: int
    note: str = ""

    def __str__(self) -> str:
        name = self.limit.replace("_", " ")
        return (
            f"{self.profile}: {self.place} needs {self.needed} of {name}, {self.allowed} there are"
            + (f" ({self.note})" if self.note else "")
        )

    def as_json(self) -> dict[str, Any]:
        """Return the violation and its ways out as JSON data."""
        return {**self.__dict__, "ways_out": list(WAYS_OUT[self.limit])}


def refusal(found: Sequence[Violation]) -> CheckFailed:
    """One error that names every violation in `found` and the ways out."""
    texts = [str(violation) for violation in found]
    if len(texts) == 1:
        what = texts[0]
    else:
        what = f"{len(texts)} limits are exceeded: " + "; ".join(texts)
    ways = dict.fromkeys(way for violation in found for way in WAYS_OUT[violation.limit])
    return CheckFailed(
        "mapping", what, why="a network that does not fit is not priced", fix=tuple(ways)
    )
