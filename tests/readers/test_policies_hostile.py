"""Hostile checkpoints: an InputError that names the place, nothing executed, nothing slow."""

from __future__ import annotations

import base64
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import (
    Payload,
    edit_json,
    members,
    pickled,
    state_dict,
    torch_bytes,
    write,
    zip_bytes,
)
from tests.support.refusals import FACTS, refusal

torch = pytest.importorskip("torch")


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    """A file that exists after the test only if a payload ran."""
    yield tmp_path / "mark"
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_payload_as_state_dict(tmp_path: Path, mark: Path, legacy: bool) -> None:
    for stored in (
        Payload(mark),
        {**state_dict(), "l1.bias": Payload(mark)},
        {"actor": state_dict(), "extra": [Payload(mark)]},
    ):
        path = write(tmp_path / "actor.pt", torch_bytes(stored, legacy=legacy))
        text = str(refusal(path))
        assert re.search(
            r"^actor\.pt: the file names a Python object that is not loaded \(got posix\.system,"
            r" limit tensors and plain containers\)",
            text,
        )
        assert "nothing was executed" in text and "weights_only" not in text


def test_whole_modules_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "actor.pt", torch_bytes(torch.nn.Linear(2, 2)))
    assert re.search(
        r"got torch\.nn\.modules\.linear\.Linear.*Fix: torch\.save\(actor\.state_dict\(\), FILE\)",
        str(refusal(path)),
    )


def test_payload_as_raw_pickle(tmp_path: Path, mark: Path) -> None:
    for protocol in (2, 3, 4, 5):
        path = write(tmp_path / "actor.pt", pickled(Payload(mark), protocol))
        assert "a raw pickle is never loaded as a checkpoint" in str(refusal(path))
    assert "unknown content" in str(
        refusal(write(tmp_path / "actor.pt", pickled(Payload(mark), 0)))
    )


def test_payload_in_policy_pth(tmp_path: Path, mark: Path, sb3_zip: bytes) -> None:
    path = write(tmp_path / "model.zip", sb3_zip)
    for data in (torch_bytes({"log_std": Payload(mark)}), torch_bytes(Payload(mark), legacy=True)):
        write(path, zip_bytes({**members(path), "policy.pth": data}))
        assert re.search(
            r"^model\.zip \(policy\.pth\): the file names a Python object that is not loaded \(got"
            r" posix\.system",
            str(refusal(path)),
        )
    write(path, zip_bytes({**members(path), "policy.pth": pickled(Payload(mark))}))
    assert re.search(r"^model\.zip \(policy\.pth\): not a file of torch\.save", str(refusal(path)))


def test_payload_in_the_pickled_fields_of_data(tmp_path: Path, mark: Path, sb3_zip: bytes) -> None:
    """They are never decoded: the model loads, and the payload does not run."""
    path = write(tmp_path / "model.zip", sb3_zip)
    expected = load_policy(path)

    def poison(data: dict[str, Any]) -> None:
        for value in data.values():
            if isinstance(value, dict) and ":serialized:" in value:
                value[":serialized:"] = base64.b64encode(pickled(Payload(mark))).decode()

    poisoned = load_policy(edit_json(path, poison))
    assert all(
        (one.weight == other.weight).all()
        for one, other in zip(expected.layers, poisoned.layers, strict=True)
    )


def test_payload_as_normalizer(tmp_path: Path, mark: Path, sb3_zip: bytes) -> None:
    path = write(tmp_path / "model.zip", sb3_zip)
    write(tmp_path / "vecnormalize.pkl", pickled(Payload(mark)))
    with pytest.raises(
        InputError,
        match=(
            r"^vecnormalize\.pkl: the pickle names something that is not loaded \(got posix\.system"
        ),
    ):
        load_policy(path)


def test_large_json_is_refused(tmp_path: Path, sb3_zip: bytes) -> None:
    contents = members(write(tmp_path / "model.zip", sb3_zip))
    bomb = zip_bytes({**contents, "data": b" " * (65 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert re.search(
        r"^model\.zip \(data\): the member unpacks to too much \(got 68157440 bytes, limit 67108864"
        r" bytes\)",
        str(refusal(write(tmp_path / "model.zip", bomb))),
    )


def test_a_tensor_larger_than_its_storage(tmp_path: Path) -> None:
    """A stride of 0 lets four bytes look like a terabyte."""
    stored = {**state_dict(), "l1.weight": torch.zeros(1).expand(2**20, 2**20)}
    assert re.search(
        r"^actor\.pt: the tensors unpack to too much \(got 4398\d+ bytes",
        str(refusal(write(tmp_path / "actor.pt", torch_bytes(stored)))),
    )


TWICE = b"".join(
    bytes([0x68, number, 0x68, number, 0x86, 0x71, number + 1]) for number in range(60)
)  # t = (t, t), 60 times
BOMBS = {
    "memo": b"\x80\x02Nr\xff\xff\xff\xff.",  # entry 4294967295 of the memo
    "length": (
        b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"abc."
    ),  # a terabyte in three bytes
    "hash": b"\x80\x02})q\x00" + TWICE + b"Ns.",  # as a key, its hash visits 2**60 tuples
    "hash after pop": b"\x80\x02})q\x00" + TWICE.replace(b"\x86q", b"\x86N0q") + b"Ns.",
    "depth": b"\x80\x02})" + b"\x85" * 150_000 + b"Ns.",  # and this one's overflows the stack
    "steps": b"\x80\x02" + b"N0" * 10**6 + b"N.",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_pickles_that_would_take_all_memory_or_time(
    tmp_path: Path, sb3_zip: bytes, bomb: str
) -> None:
    expected = (
        r"the pickle is not one that an honest program writes \(got|not a readable pickle \(got"
        r" ValueError"
    )
    path = write(tmp_path / "model.zip", sb3_zip)
    assert re.search(
        expected,
        str(
            refusal(
                write(
                    tmp_path / "actor.pt",
                    zip_bytes({"a/data.pkl": BOMBS[bomb], "a/version": b"3\n"}),
                )
            )
        ),
    )
    legacy = torch_bytes(state_dict(), legacy=True)
    start = legacy.find(b"ccollections\nOrderedDict")
    assert re.search(
        expected,
        str(
            refusal(
                write(tmp_path / "actor.pt", legacy[: start - 2] + BOMBS[bomb] + legacy[start:])
            )
        ),
    )
    policy = zip_bytes({"a/data.pkl": BOMBS[bomb], "a/version": b"3\n"})
    assert re.search(
        expected,
        str(
            refusal(
                write(tmp_path / "other.zip", zip_bytes({**members(path), "policy.pth": policy}))
            )
        ),
    )
    write(tmp_path / "vecnormalize.pkl", BOMBS[bomb])
    with pytest.raises(InputError, match="^vecnormalize.pkl: (" + expected + ")"):
        load_policy(path)


def test_duplicate_and_encrypted_members(tmp_path: Path, sb3_zip: bytes) -> None:
    stream = io.BytesIO(sb3_zip)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr("policy.pth", b"another one")
    assert re.search(
        r"^model\.zip: the zip archive has members of the same name \(got policy\.pth\)",
        str(refusal(write(tmp_path / "model.zip", stream.getvalue()))),
    )
    locked = bytearray(sb3_zip)
    locked[sb3_zip.rfind(b"PK\x01\x02") + 8] |= 1
    assert re.search(
        "the zip archive is encrypted", str(refusal(write(tmp_path / "model.zip", bytes(locked))))
    )


def test_places_that_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert re.search(
        r"^folder: a directory is not a checkpoint .*Fix: name the file inside it",
        str(refusal(tmp_path / "folder")),
    )
    assert re.search(r"^absent\.pt: no such checkpoint file", str(refusal(tmp_path / "absent.pt")))
    with pytest.raises(InputError, match="not a regular file"):
        load_policy("/dev/null")
    with pytest.raises(InputError, match="cannot be read|no such checkpoint file"):
        load_policy("a\0b")


def test_content_counts_and_not_the_name(tmp_path: Path, sb3_zip: bytes) -> None:
    assert (
        load_policy(write(tmp_path / "model.pt", sb3_zip)).provenance.format == "stable-baselines3"
    )
    assert (
        load_policy(
            write(tmp_path / "actor.zip", torch_bytes(state_dict())), environment=FACTS
        ).provenance.format
        == "state-dict"
    )


@pytest.mark.parametrize("option", [None, "file"])
def test_a_normalizer_that_is_none(tmp_path: Path, sb3_zip: bytes, option: str | None) -> None:
    path = write(tmp_path / "model.zip", sb3_zip)
    write(tmp_path / "vecnormalize.pkl", b"words")
    with pytest.raises(InputError, match=r"^vecnormalize\.pkl: not a readable pickle"):
        load_policy(path, normalizer=None if option is None else tmp_path / "vecnormalize.pkl")
    with pytest.raises(InputError, match=r"^gone\.pkl: no such normaliser file"):
        load_policy(path, normalizer=tmp_path / "gone.pkl")
