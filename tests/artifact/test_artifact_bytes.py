"""Conversion writes the bytes that it always wrote: hashes in tests/golden/artifact_bytes.json.

The cases, what is hashed and what is left out of it are in tests/support/artifact_bytes.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import spikeport
from tests.support import artifact_bytes
from tests.support.artifact_bytes import SPK, differences, recorded, run_pinned
from tests.support.artifact_cases import Case, cases
from tests.support.artifact_hashes import hashes

pytest.importorskip("torch", reason="torch is not installed: make setup")


def assert_as_recorded(chosen: list[Case]) -> None:
    """One process converts them all, so that compiling and importing is paid once."""
    assert chosen
    different = differences(recorded(), run_pinned([case.name for case in chosen]))
    assert not different, "artifacts changed:\n" + "\n".join(different)


def test_small_policies() -> None:
    assert_as_recorded([case for case in cases().values() if not case.slow])


@pytest.mark.slow
def test_finetuned_and_shipped_policies() -> None:
    assert_as_recorded([case for case in cases().values() if case.slow and not case.public])


@pytest.mark.slow
def test_public_policies(policies: Path) -> None:
    assert_as_recorded([case for case in cases().values() if case.public])


def test_every_case_is_recorded() -> None:
    assert list(recorded()["cases"]) == list(cases())
    assert not [name for name, found in recorded()["cases"].items() if "refused" in found]


def test_a_change_is_told() -> None:
    """Another file is no difference in another format; anything else is one."""
    wanted = {"format": "1.1", "cases": {"a": {"file": "1", "tensors": "2", "metadata": "3"}}}
    for version_now, part, lines in (
        ("1.1", "file", ["a: file"]),
        ("1.2", "file", []),
        ("1.2", "tensors", ["a: tensors"]),
        ("1.2", "metadata", ["a: metadata"]),
    ):
        found = {"format": version_now, "cases": {"a": wanted["cases"]["a"] | {part: "0"}}}
        assert differences(wanted, found) == lines


@pytest.mark.parametrize("name", artifact_bytes.SMALL_FILES)
def test_old_files_are_read_and_written_as_they_are(name: str, tmp_path: Path) -> None:
    """A later format may write other bytes around the same content."""
    known = recorded()["files"][name]
    blob = (SPK / name).read_bytes()
    assert len(blob) < 30_000
    assert {"format": artifact_bytes.version(blob), **hashes(blob)} == known
    spikeport.save(spikeport.load(SPK / name), tmp_path / name)
    again = (tmp_path / name).read_bytes()
    if artifact_bytes.version(again) == known["format"]:
        assert again == blob
    for part in ("tensors", "metadata", "network"):
        assert hashes(again)[part] == known[part], part
