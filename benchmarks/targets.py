"""What the benchmark promises, with yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.closed_loop import LoopResult
from benchmarks.rows import ANN, EAGER, FAST, LAVA, ONNX, RATE, SDN, Row, loop_rows

FIXED = (
    "`fast` sdn at batch 1, against onnxruntime's ANN at batch 1",
    "`fast` sdn at batch 1, encode and decode included",
    "`fast` if T=8 at batch 1, against eager torch",
    "`fast` if T=8 at batch 1, against `lava`",
)


@dataclass(frozen=True)
class Target:
    """A figure and the bound it has to keep; `at_least` or at most."""

    name: str
    measured: float
    bound: float
    at_least: bool
    unit: str

    @property
    def met(self) -> bool:
        if self.at_least:
            return self.measured >= self.bound
        return self.measured <= self.bound

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.met}


def ratio(times: dict[Row, NDArray[np.float64]], above: Row, below: Row) -> float:
    """Median over the rounds of the ratio within each."""
    return float(np.median(times[above] / times[below]))


def judge(times: dict[Row, NDArray[np.float64]], loops: Sequence[LoopResult]) -> list[Target]:
    """The targets, in the order of `target_names`."""
    sdn = Row(FAST, SDN)
    rate = Row(FAST, RATE)
    fixed = (
        (ratio(times, sdn, Row(ONNX, ANN)), 1.0, False, "times as long"),
        (float(np.median(times[sdn])) * 1e6, 10.0, False, "us"),
        (ratio(times, Row(EAGER, RATE), rate), 20.0, True, "times as fast"),
        (ratio(times, Row(LAVA, RATE), rate), 200.0, True, "times as fast"),
    )
    made = [Target(name, *numbers) for name, numbers in zip(FIXED, fixed, strict=True)]
    return [
        *made,
        *(
            Target(
                loop_target(loop.environment, loop.way),
                loop.ratio.median,
                loop.limit,
                False,
                "times as long",
            )
            for loop in loops
        ),
    ]


def loop_target(environment: str, way: str) -> str:
    return f"closed loop, {environment}, {way}, against `env.step` alone"


def target_names(public: Path | None) -> list[str]:
    """What `judge` names, without a run."""
    return [*FIXED, *(loop_target(*row) for row in loop_rows(public))]
