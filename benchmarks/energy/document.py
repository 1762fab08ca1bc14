"""The generated parts of docs/energy.md.

    python benchmarks/energy/document.py docs/energy.md

writes them. A part stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.energy.published import Point, published_points  # noqa: E402
from spikeport.hardware_profiles import PRICED, Number, load_profile, profile_names  # noqa: E402
from spikeport.hardware_profiles.schema import NEEDS  # noqa: E402
from spikeport.toolchain.errors import InputError  # noqa: E402

# What a profile that prices no policy is for, by its kind.
UNPRICED = {"fit": " Checks the pricing, prices no policy."}
LIMITS_ONLY = " Limits only, prices no policy."


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
        flag = "" if profile.headline else " Never in a headline."
        if profile.kind not in PRICED:
            flag += UNPRICED.get(profile.kind, LIMITS_ONLY)
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
    columns = ("point", "reference", "ours", "mark", "the difference")
    return _table(columns, map(_point_row, published_points()))


def _point_row(point: Point) -> tuple[str, ...]:
    digits = ".4g" if point.ours < 1e4 else ".0f"  # as .4g would write 1.96e+05
    return (
        point.name,
        f"{point.reference:g} {point.unit}",
        f"{point.ours:{digits}} {point.unit}",
        point.mark,
        point.why,
    )


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
