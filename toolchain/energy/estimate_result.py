"""The answer: what a decision costs on one profile, what that rests on and what it leaves out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from spikeport.toolchain.environments.environment_record import PERIODS
from spikeport.toolchain.errors import InputError

SPIKING = "spiking network"
DENSE = "source policy, dense int8"
SPARSE = "source policy, int8, zeros skipped"
DELTA = "source policy, int8, changes only"
ANN = (DENSE, SPARSE, DELTA)


@dataclass(frozen=True)
class Grade:
    """The worst kind and the worst read of the numbers behind a result, as profiles grade them."""

    kind: str
    read: str

    def __str__(self) -> str:
        return f"{self.kind}, {self.read}"


@dataclass(frozen=True)
class Estimate:
    """What one decision costs, on average over a run. Energies in J, times in s.

    `dynamic_j` is what the work itself takes, `low_j` and `high_j` its band. Static energy comes
    twice and is in addition: over the decision alone (the chip sleeps at no cost in between: a
    lower bound) and over the control period (always on, what a robot pays), each with its own band.
    `latency_s` charges every step with the busiest layer, `latency_low_s` only with the layers
    whose window is open; `response_s` adds the band of host input and output to them, `io_j` is
    what the chip's static power takes in that time. A null carries its reason in `unpriced`.
    `grade` and `read` are the worst of everything used; `grades` gives them per result.
    """

    profile: str
    runs: str  # SPIKING or one of ANN
    dynamic_j: float
    low_j: float
    high_j: float
    static_inference_j: float | None
    static_period_j: float | None
    latency_s: float | None
    realtime: bool | None
    grade: str
    unpriced: tuple[str, ...]
    census: dict[str, Any]
    read: str
    grades: dict[str, Grade]
    headline: bool  # False: never named in a sentence about who wins
    control_period_s: float | None
    latency_low_s: float | None = None
    step_s: float | None = None
    static_inference_band_j: tuple[float, float] | None = None
    static_period_band_j: tuple[float, float] | None = None
    terms_j: dict[str, float] = field(default_factory=dict)  # dynamic_j in its parts
    cores: int | None = None
    tiles: int | None = None
    chips: int | None = None
    host_j: float | None = None  # encode and decode on the host, not in dynamic_j
    host: str | None = None
    proxy_ops: float | None = None  # SynOps + 10 NeuronOps, a count that is not an energy
    host_band_j: tuple[float, float] | None = None  # on the cheapest and the dearest baseline
    io_s: tuple[float, float] | None = None
    io_j: tuple[float, float] | None = None
    response_s: tuple[float, float] | None = None  # decision with host input and output
    realtime_with_io: str | None = None  # yes, no, or open: the band holds the control period
    not_expressible: tuple[str, ...] = ()  # what the chip cannot do and is priced as if it could
    notes: tuple[str, ...] = ()

    @property
    def all_in(self) -> bool:
        """Whether static power while running is inside `dynamic_j`, as in a board measurement."""
        return self.runs in ANN and self.static_inference_j is not None

    def as_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and strings."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def check_period(control_period_s: float | None) -> None:
    """Refuse a control period that no robot has."""
    if control_period_s is not None and not PERIODS[0] <= control_period_s <= PERIODS[1]:
        fix = "--control-period-ms 10, for one decision every 10 ms"
        raise InputError(
            "energy",
            "the control period is out of range",
            got=f"{control_period_s} s",
            limit=f"{PERIODS[0]:g}..{PERIODS[1]:g} s",
            fix=fix,
        )
