"""How work that takes a while says where it is."""

from __future__ import annotations

from collections.abc import Callable

# Is called as progress(stage, done, total): what is worked on, what was done of it since the last
# call, and how much there is.
Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Show no progress."""
