"""The generated parts of docs/energy.md.

`python -m benchmarks.energy.document docs/energy.md` writes them. A part stands between
`<!-- generated: NAME -->` and `<!-- end: NAME -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.energy.published import published_points
from spikeport.hardware_profiles import PRICED, Number, load_profile, profile_names
from spikeport.hardware_profiles.schema import NEEDS
from spikeport.toolchain.errors import InputError


def sources() -> str:
    """Every number of every profile, with band, grade and source."""
    parts = []
    for name in (name for kind in NEEDS for name in profile_names(kind)):
        profile = load_profile(name)
        rows = (_number_row(key, number) for key, number in profile.numbers.items())
        notes = "".join(
            f"- {note}\n"
            for note in (*profile.notes, *(f"not priced: {line}" for line in profile.unpriced))
        )
        if profile.headline:
            flag = ""
        else:
            flag = " Never in a headline."
        flag += (
            ""
            if profile.kind in PRICED
            else (
                " Checks the pricing, prices no policy."
                if profile.kind == "fit"
                else " Limits only, prices no policy."
            )
        )
        columns = ("number", "value", "band", "kind", "read", "source", "note")
        numbers = _table(columns, rows)
        parts.append(f"### `{name}`\n\n{profile.title}.{flag}\n\n{notes}\n{numbers}")
    return "\n\n".join(parts)


def _number_row(key: str, number: Number) -> tuple[str, ...]:
    if number.low != number.high:
        band = f"{number.low:g} to {number.high:g}"
    else:
        band = ""
    if number.unit == "count":
        unit = ""
    else:
        unit = f" {number.unit}"
    return (
        key,
        f"{number.value:.10g}{unit}",
        band,
        number.kind,
        number.read,
        number.source,
        number.note,
    )


def published() -> str:
    """Our model beside published results and hand calculations."""
    rows = (
        (
            p.name,
            f"{p.reference:g} {p.unit}",
            f"{p.ours:.4g} {p.unit}" if p.ours < 1e4 else f"{p.ours:.0f} {p.unit}",
            p.mark,
            p.why,
        )
        for p in published_points()
    )
    return _table(("point", "reference", "ours", "mark", "the difference"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


PARTS: dict[str, Callable[[], str]] = {"published": published, "sources": sources}


def regenerated(text: str) -> str:
    """`text` with its generated parts written anew.

    Raises InputError where a part's marks are missing.
    """
    for name, part in PARTS.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            raise InputError(
                "docs/energy.md",
                f"the marks of the generated part {name!r} are missing or twice there",
                fix=(
                    f"put <!-- generated: {name} --> and <!-- end: {name} --> on lines of their"
                    " own, once"
                ),
            )
        body = part()
        text = pattern.sub(lambda match, body=body: f"{match[1]}\n{body}\n\n{match[2]}", text)
    return text


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(regenerated(page.read_text("utf-8")), "utf-8")
