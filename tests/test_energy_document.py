"""docs/energy.md holds what the profiles and the code say now."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware_profiles import load_profile, profile_names
from toolchain.energy.document import regenerated
from toolchain.errors import InputError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "energy.md"


def test_the_page_is_not_stale() -> None:
    text = PAGE.read_text("utf-8")
    assert regenerated(text) == text, "stale: run `python -m toolchain.energy.document docs/energy.md`"


def test_every_source_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for name in profile_names():
        assert f"### `{name}`" in text
        assert all(number.source in text for number in load_profile(name).numbers.values())


def test_the_limits_come_first() -> None:
    headings = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("## ")]
    assert "limits" in headings[0].lower()


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(InputError, match="marks of the generated part 'published'"):
        regenerated("# Energy")
