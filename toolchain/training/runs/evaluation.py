"""The evaluations of a run, in a file of JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from spikeport.toolchain.files.atomic import write_atomically


def read_evaluations(path: Path) -> list[dict[str, Any]]:
    """Read the records of a file; none where there is no file.

    A line that a killed run left unfinished is dropped.
    """
    records = []
    if not path.exists():
        return records
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def keep_evaluations(path: Path, steps: int) -> None:
    """Drop what a killed run evaluated after `steps`: the run that goes on does it again."""
    kept = [
        json.dumps(record) + "\n" for record in read_evaluations(path) if record["steps"] <= steps
    ]
    write_atomically(path, lambda temporary: temporary.write_text("".join(kept)))
