"""Backends in Python with planted faults: `check_backend` finds each, and names it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.checkers import check_backend
from spikeport.toolchain.errors import BackendError, CheckFailed
from spikeport.toolchain.simulation.backend import Backend, Trace
from spikeport.toolchain.simulation.reference import ReferenceBackend


class Wrong(Backend):
    """The reference with one fault."""

    name = "wrong"
    fault = ""

    def __init__(self, artifact: Any, rows: int = 1) -> None:
        if rows < 1 and self.fault == "no rows":
            rows = 1
        self.inner = ReferenceBackend(artifact, rows)
        super().__init__(artifact, rows)

    def reset(self, mask: Any = None) -> None:
        if self.fault == "reset of all":
            mask = None
        self.inner.reset(
            mask
            if self.fault != "any mask" or mask is None
            else np.resize(np.asarray(mask, bool), self.rows)
        )

    def resync(self, mask: Any = None) -> None:
        (self.inner.reset if self.fault == "resync is a reset" else self.inner.resync)(mask)

    def decide(self, observations: Any, active: Any = None) -> Any:
        if self.fault == "sensor faults pass":
            observations = np.nan_to_num(observations)
        actions = self.inner.decide(observations, active)
        if self.fault == "zeros for rows at rest":
            return np.nan_to_num(actions)
        return actions

    def trace(self, observations: Any, flags: Any) -> Trace:
        if self.fault == "trace in the rows":
            self.inner.reset()
        found = self.inner.trace(observations, flags)
        if self.fault == "dies":
            raise BackendError("chip", "lost the link")
        if self.fault == "actions of float32":
            found = Trace(
                found.inputs,
                found.layers,
                found.actions.astype(np.float32).astype(np.float64),
                found.census,
            )
        if self.fault == "inputs":
            found = Trace(found.inputs + 1, found.layers, found.actions, found.census)
        return found

    def census(self) -> Any:
        return self.inner.census()


FAULTS: dict[str, tuple[str, str]] = {
    "reset of all": (
        "mt: rows are independent",
        r"action of decision \d+, row \d \(active\), channel \d: expected .*, got",
    ),
    "resync is a reset": ("mt: rows are independent", "action of decision"),
    "zeros for rows at rest": (
        "mt: rows are independent",
        r"\(not active\), channel 0: expected nan, got 0\.0",
    ),
    "sensor faults pass": (
        "mt: non-finite observations",
        r"nan in channel 0: an InputError that names the channel was expected, got an answer",
    ),
    "trace in the rows": ("mt: a trace leaves the rows alone", "decision 4 differs after a trace"),
    "actions of float32": (
        "mt: host, normaliser and tanh",
        r"action, decision \d+, place \(\d+,\): expected .*, got",
    ),
    "dies": ("mt-t1-a0", "BackendError: chip: lost the link"),
    "inputs": ("mt-t1-a0", "the encoder's payloads differ"),
    "any mask": (
        "mt: shapes and masks",
        "a mask that is too long for reset: an InputError was expected, got an answer",
    ),
    "no rows": ("mt: shapes and masks", "0 rows: an InputError was expected, got an answer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    report = check_backend(type("Faulty", (Wrong,), {"fault": fault}), neurons=["mt"])
    name, told = FAULTS[fault]
    found = next(check for check in report.checks if check.name == name)
    assert not found.passed and re.search(told, found.detail), found
    with pytest.raises(CheckFailed, match=re.escape(name)):
        report.raise_if_failed()


def test_without_a_fault_it_passes() -> None:
    assert check_backend(Wrong, neurons=["mt"]).passed


def test_what_is_no_backend_is_told_first() -> None:
    class Absent(Wrong):
        @classmethod
        def missing(cls) -> str:
            return "the chip is not plugged in"

    for factory, told in (
        (Absent, "cannot run here: the chip is not plugged in"),
        (dict, "TypeError"),
        (lambda artifact: open("/dev/null"), "no spikeport.toolchain"),
    ):
        report = check_backend(factory, neurons=["mt"])
        assert [check.name for check in report.checks] == ["interface"] and told in str(report), (
            str(report)
        )
