"""Places that cannot be read or written; a failed write leaves nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from spikeport.toolchain.artifact.artifact_file import is_artifact, load, save
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files import atomic
from spikeport.toolchain.files.atomic import check_writable
from tests.support.artifact_edits import SMALL, small


def test_places_that_cannot_be_read(tmp_path: Path) -> None:
    for place in (tmp_path / "absent.spk", tmp_path):
        with pytest.raises(InputError, match="cannot be read: .*Fix: give the path of a .spk file"):
            load(place)
        assert not is_artifact(place)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("absent/a.spk", "No such file or directory"),
        ("folder", "it is a folder"),
        ("file/a.spk", "Not a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_places_that_cannot_be_written_leave_nothing(
    tmp_path: Path, target: str, reason: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("keep")
    with pytest.raises(
        InputError,
        match=(
            f"cannot be written: {reason}.*Fix: give -o a path in an existing folder that you may"
            " write to"
        ),
    ):
        save(small(), tmp_path / target)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "keep"


def test_a_device_is_not_replaced() -> None:
    with pytest.raises(InputError, match="cannot be written: it is no file"):
        save(small(), os.devnull)


def test_read_only_folders_and_full_disks_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.spk").write_bytes(b"before")

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    for place, name, failure, reason in (
        (atomic.tempfile, "mkstemp", refuse, "Permission denied"),
        (Path, "write_bytes", full, "No space left on device"),
        (atomic.os, "replace", refuse, "Permission denied"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, failure)
            with pytest.raises(InputError, match=f"cannot be written: {reason}"):
                save(small(), tmp_path / "a.spk")
        assert [path.name for path in tmp_path.iterdir()] == ["a.spk"]
        assert (tmp_path / "a.spk").read_bytes() == b"before"
    monkeypatch.setattr(atomic.os, "access", lambda *_: False)
    with pytest.raises(InputError, match="cannot be written: its folder is read-only"):
        check_writable(tmp_path / "a.spk")


def test_an_older_file_is_replaced_whole_with_usual_rights(tmp_path: Path) -> None:
    path = tmp_path / "a.spk"
    path.write_bytes(b"before")
    save(small(), path)
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    assert load(path).network.widths == SMALL
