"""docs/energy.md holds what the profiles and the code say now, docs/assessment.md what its
benchmark writes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.assessment import BASELINES, BEGIN, COLUMNS, END, NETWORKS
from benchmarks.energy.document import regenerated
from spikeport.hardware_profiles import load_profile, profile_names
from spikeport.toolchain.energy.estimate_result import DENSE, SPARSE
from spikeport.toolchain.errors import InputError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "energy.md"


def test_the_page_is_not_stale() -> None:
    text = PAGE.read_text("utf-8")
    assert regenerated(text) == text, (
        "stale: run `python benchmarks/energy/document.py docs/energy.md`"
    )


def test_every_source_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for name in profile_names():
        assert f"### `{name}`" in text
        assert all(number.source in text for number in load_profile(name).numbers.values())


def test_the_assessment_has_the_shape_that_its_benchmark_writes() -> None:
    """Both tables with today's columns; the headline table without inherited energies."""
    text = (PAGE.parent / "assessment.md").read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    part = text.split(BEGIN)[1].split(END)[0]
    table, inherited = part.split("### The table")[1].split("### Inherited energies")
    head = "| " + " | ".join(COLUMNS) + " |"
    assert head in table and head in inherited.split("###")[0]
    assert "loihi2" not in table and "| loihi2 |" in inherited
    for network in NETWORKS:
        assert (
            f"### {network}: " in part
            and f"| {network} | loihi1-davies |" in table
            and f"| {network} | asic45 |" in table
        )
    assert all(
        f"| source | {name} | {runs} |" in table
        for name, runs in [(name, DENSE) for name in BASELINES] + [("asic45", SPARSE)]
    )


def test_the_limits_come_first() -> None:
    headings = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("## ")]
    assert "limits" in headings[0].lower()


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(InputError, match="marks of the generated part 'published'"):
        regenerated("# Energy")
