"""Facts that neither a file, nor its documented family, nor the caller gives."""

from __future__ import annotations

from typing import Any

from toolchain.errors import InputError

ACTIVATION, SQUASH, BOUNDS, LIMIT, NORMALIZER = "activation", "squash", "action bounds", "action limit", "normaliser"


class MissingFact(InputError):
    """An option that must be given; `facts` names what is not known."""

    def __init__(self, facts: tuple[str, ...], where: str, what: str, **parts: Any) -> None:
        self.facts = facts
        super().__init__(where, what, **parts)
