"""Facts that neither a file, nor its documented family, nor the caller gives."""

from __future__ import annotations

from typing import Any

from spikeport.toolchain.errors import InputError

ACTIVATION = "activation"
SQUASH = "squash"
BOUNDS = "action bounds"
LIMIT = "action limit"
NORMALIZER = "normaliser"


def missing_fact(facts: tuple[str, ...], where: str, what: str, **parts: Any) -> InputError:
    """The error of an option that must be given; `facts` names what is not known."""
    error = InputError(where, what, **parts)
    error.missing = facts
    return error
