"""Errors that name the place, what was got, the limit and the way out.

    <where>: <what> (got X, limit Y). <why>. Fix: <a> or <b>.

`InputError` and `BackendError` end a command with exit code 2, `CheckFailed` with exit code 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class SpikeportError(Exception):
    """Base of every error that Spikeport raises on purpose."""

    exit_code = 2

    def __init__(
        self,
        where: str,
        what: str,
        *,
        got: object = None,
        limit: object = None,
        why: str = "",
        fix: str | Sequence[str] = "",
    ) -> None:
        self.where = where
        self.what = what
        self.got = got
        self.limit = limit
        self.why = why
        if isinstance(fix, str):
            self.fix = fix
        else:
            self.fix = " or ".join(fix)
        measured = ", ".join(
            f"{name} {value}"
            for name, value in (("got", got), ("limit", limit))
            if value is not None
        )
        text = f"{where}: {what}" + (f" ({measured})" if measured else "") + "."
        text += f" {why.rstrip('.')}." if why else ""
        text += f" Fix: {self.fix.rstrip('.')}." if self.fix else ""
        super().__init__(text)


class InputError(SpikeportError):
    """A file, an option or an array that cannot be used as given.

    `missing` names facts of a checkpoint that options would give.
    """

    missing: tuple[str, ...] = ()


class BackendError(SpikeportError):
    """A backend that is missing, died or ran out of time."""


class CheckFailed(SpikeportError):
    """A check ran to its end and its answer is no."""

    exit_code = 1


def violations(
    where: str, problems: Iterable[str], *, fix: str | Sequence[str] = "", why: str = ""
) -> InputError:
    """One error that lists every problem found at `where`."""
    found = list(problems)
    if len(found) == 1:
        what = found[0]
    else:
        what = f"{len(found)} problems: " + "; ".join(found)
    return InputError(where, what, why=why, fix=fix)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'a'?`, or the empty string where nothing is close."""
    near = difflib.get_close_matches(name, list(known), n=2, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(repr(item) for item in near)}?"
    return ""


def refuse_faults(where: str, faults: Sequence[InputError]) -> None:
    """Raise the one fault, or an error at `where` that names all of them."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        texts = [str(fault).split(" Fix: ")[0].rstrip(".") for fault in faults]
        fixes = dict.fromkeys(fault.fix.rstrip(".") for fault in faults)
        raise violations(where, texts, fix="; ".join(fixes))
