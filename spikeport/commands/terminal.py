"""What the commands say and show: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from spikeport.toolchain.files.display_text import plain


@contextmanager
def progress_bar(total: int, title: str) -> Iterator[Callable[..., None]]:
    """A bar on stderr; silent where stderr is not a terminal."""
    from tqdm import tqdm

    with tqdm(total=total, desc=title, file=sys.stderr, disable=None, leave=False) as bar:

        def advance(stage: str, done: int, total: int) -> None:
            bar.update(done)

        yield advance


@contextmanager
def staged_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar that is renamed whenever a new stage begins."""
    from tqdm import tqdm

    bars: dict[str, Any] = {}

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            close()
            bars[stage] = tqdm(total=total, desc=stage, file=sys.stderr, disable=None, leave=False)
        bars[stage].update(done)

    def close() -> None:
        for bar in bars.values():
            bar.close()

    try:
        yield advance
    finally:
        close()


def emit(machine: bool, facts: dict[str, Any], text: str) -> None:
    """Print a result for a program or for a person."""
    click.echo(json.dumps(facts, allow_nan=False) if machine else plain(text))
