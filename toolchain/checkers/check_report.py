"""What a checker found: every check by name, whether it passed, and what it saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.errors import CheckFailed


@dataclass(frozen=True)
class Check:
    """One check; `detail` says what was seen, of a failed one all that is wrong."""

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class CheckReport:
    """All checks of one subject; `kind` is policy, artifact or backend."""

    kind: str
    subject: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Something was checked and nothing failed."""
        return bool(self.checks) and not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    def raise_if_failed(self) -> None:
        """Raise CheckFailed that lists every failed check."""
        if not self.passed:
            found = [f"{check.name}: {check.detail}" for check in self.failures] or [
                "nothing was checked"
            ]
            raise CheckFailed(
                self.subject,
                f"{len(found)} of {len(self.checks)} checks failed: " + "; ".join(found),
                fix="mend what the checks name",
            )

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON-able facts."""
        checks = [
            {"name": check.name, "passed": check.passed, "detail": check.detail}
            for check in self.checks
        ]
        return {"kind": self.kind, "subject": self.subject, "passed": self.passed, "checks": checks}

    def __str__(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        verdicts = {True: "ok    ", False: "FAILED"}
        lines = [
            f"{verdicts[check.passed]}  {check.name:{width}}  {check.detail}".rstrip()
            for check in self.checks
        ]
        if self.passed:
            last = "passed"
        elif self.checks:
            last = f"{len(self.failures)} failed"
        else:
            last = "nothing was checked"
        return "\n".join(
            [f"{self.kind} {self.subject}", *lines, f"{len(self.checks)} checks, {last}"]
        )


def run_check(name: str, check: Callable[[], tuple[list[str], str]]) -> Check:
    """Run one check: a function of problems and, where there are none, what to say.

    What is checked may be anybody's code, so whatever it raises is a failure of this check and of
    no other.
    """
    try:
        problems, seen = check()
    except Exception as error:
        return Check(name, False, f"{type(error).__name__}: {error}")
    return Check(name, not problems, "; ".join(problems) if problems else seen)
