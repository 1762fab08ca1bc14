"""Files that are not artifacts, damaged artifacts and hostile ones are refused."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact_file import is_artifact, load, save
from spikeport.toolchain.errors import InputError
from tests.support.networks import random_artifact
from tests.support.policy_files import Payload


@pytest.mark.parametrize(
    "header",
    [
        b"{}",
        b'{"__metadata__":null}',
        b'{"__metadata__":{}}',
        b'{"__metadata__":{"format":"spikeport"}}',
    ],
)
def test_safetensors_files_of_others_are_refused(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a.spk").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(InputError, match="^a.spk: not a Spikeport artifact"):
        load(tmp_path / "a.spk")


def tiny(path: Path) -> bytes:
    save(random_artifact(1, widths=(1, 1)), path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "damage", [lambda place: 1 << (place % 8), lambda place: 0xFF], ids=["one bit", "all bits"]
)
def test_every_flipped_byte_is_refused(tmp_path: Path, damage: Callable[[int], int]) -> None:
    path = tmp_path / "a.spk"
    blob = tiny(path)
    for place in range(len(blob)):
        damaged = bytearray(blob)
        damaged[place] ^= damage(place)
        path.write_bytes(damaged)
        with pytest.raises(InputError):
            load(path)


@pytest.mark.slow
def test_every_other_byte_is_refused(tmp_path: Path) -> None:
    """All 255 wrong values in every place.

    Only the padding behind the header may be other white space.
    """
    path = tmp_path / "a.spk"
    blob = tiny(path)
    header = 8 + struct.unpack("<Q", blob[:8])[0]
    padding = range(len(blob[:header].rstrip(b" ")), header)
    for place in range(len(blob)):
        for value in set(range(256)) - {blob[place]}:
            if place in padding and chr(value) in "\t\n\r":
                continue
            path.write_bytes(blob[:place] + bytes([value]) + blob[place + 1 :])
            with pytest.raises(InputError):
                load(path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.spk"
    blob = tiny(path)
    for length in range(len(blob)):
        path.write_bytes(blob[:length])
        with pytest.raises(InputError, match="^a.spk: "):
            load(path)
    path.write_bytes(blob + b"\0")
    with pytest.raises(InputError, match="^a.spk: not a readable artifact"):
        load(path)


def a_pickle(path: Path, executed: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(executed)))


def a_zip(path: Path, executed: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Payload(executed)))


def a_pickle_behind_a_length(path: Path, executed: Path) -> None:
    content = pickle.dumps(Payload(executed))
    path.write_bytes(struct.pack("<Q", len(content)) + content)


def an_array_of_objects(path: Path, executed: Path) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array([Payload(executed)], object), allow_pickle=True)


@pytest.mark.parametrize("make", [a_pickle, a_zip, a_pickle_behind_a_length, an_array_of_objects])
def test_what_would_run_code_is_refused_and_runs_nothing(
    tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    make(tmp_path / "a.spk", tmp_path / "executed")
    with pytest.raises(
        InputError,
        match=(
            "^a.spk: not a readable artifact.*Fix: give a .spk file; if it was one, reconvert the"
            " policy"
        ),
    ):
        load(tmp_path / "a.spk")
    assert not is_artifact(tmp_path / "a.spk")
    assert [path.name for path in tmp_path.iterdir()] == ["a.spk"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2**63 + 5),
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 40000) + b"[" * 40000,
    ],
    ids=["empty", "no length", "huge length", "longer than any file", "no object", "deep"],
)
def test_headers_that_do_not_fit_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.spk").write_bytes(content)
    with pytest.raises(InputError, match="^a.spk: not a readable artifact"):
        load(tmp_path / "a.spk")
    assert not is_artifact(tmp_path / "a.spk")


def test_larger_files_than_any_artifact_are_not_even_read(tmp_path: Path) -> None:
    with (tmp_path / "a.spk").open("wb") as stream:
        stream.truncate(2**31 + 1)
    with pytest.raises(
        InputError, match="a.spk: too large for an artifact .got 2147483649 bytes, limit 2147483648"
    ):
        load(tmp_path / "a.spk")
