"""Damaged checkpoints are refused with the place of the damage."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from tests.support.policy_files import members, state_dict, torch_bytes, write, zip_bytes
from tests.support.refusals import refusal

pytest.importorskip("torch")


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def understated(data: bytes, member: bytes, size: int) -> bytes:
    """The archive with another unpacked size for `member` in its central directory."""
    changed = bytearray(data)
    position = data.rfind(member)
    assert data[position - 46 : position - 42] == b"PK\x01\x02"
    changed[position - 22 : position - 18] = size.to_bytes(4, "little")
    return bytes(changed)


Cases = list[tuple[str, bytes, str]]  # a name, what the file holds, what is said


def damaged_files(sb3_zip: bytes) -> Cases:
    """Files of every kind, cut, flipped or not a checkpoint at all."""
    actor = torch_bytes(state_dict())
    safetensors = pytest.importorskip("safetensors.torch").save(state_dict())
    flipped = bytearray(actor)
    flipped[actor.find(state_dict()["l2.weight"].numpy().tobytes()[:16])] ^= 1
    return [
        ("empty.pt", b"", r"^empty\.pt: the checkpoint file is empty \(got 0 bytes\)"),
        ("cut.pt", truncated(actor), r"^cut\.pt: the zip archive is damaged\. BadZipFile"),
        (
            "flip.pt",
            bytes(flipped),
            r"^flip\.pt \(archive/data/\d\): the member is damaged\. BadZipFile: Bad CRC-32",
        ),
        (
            "legacy.pt",
            truncated(torch_bytes(state_dict(), legacy=True)),
            r"^legacy\.pt: (not a readable pickle|torch cannot read the file)",
        ),
        ("cut.zip", truncated(sb3_zip), r"^cut\.zip: the zip archive is damaged"),
        (
            "cut.safetensors",
            truncated(safetensors),
            r"^cut\.safetensors: the safetensors file is damaged\. SafetensorError",
        ),
        (
            "words.zip",
            b"these are words",
            r"^words\.zip: unknown content \(got a file that starts with 74 68 65",
        ),
        ("keras.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), r"^keras\.h5: the HDF5 file is damaged"),
        (
            "photos.zip",
            zip_bytes({"a.jpg": b"1", "b.jpg": b"2"}),
            r"^photos\.zip: a zip without a policy \(got members a\.jpg, b\.jpg",
        ),
        (
            "nothing.zip",
            zip_bytes({}),
            r"^nothing\.zip: a zip without a policy \(got members nothing",
        ),
    ]


def damaged_zips(whole: dict[str, bytes]) -> Cases:
    """Zips with members that are missing or of other content."""
    return [
        (
            "sb2.zip",
            zip_bytes({"data": b"{}", "parameters": b"", "parameter_list": b""}),
            "saved by Stable-Baselines 2",
        ),
        (
            "script.pt",
            zip_bytes({"m/data.pkl": b"", "m/constants.pkl": b"", "m/code/m.py": b""}),
            r"^script\.pt \(data\.pkl\): not a readable pickle",
        ),
        (
            "half.zip",
            zip_bytes({"data": whole["data"]}),
            r"^half\.zip: the zip archive has no member policy\.pth \(got data\)",
        ),
        (
            "other.zip",
            zip_bytes({"policy.pth": whole["policy.pth"]}),
            "the zip archive has no member data",
        ),
        (
            "text.zip",
            zip_bytes({**whole, "data": b"{not json"}),
            r"^text\.zip \(data\): not the JSON of a Stable-Baselines3 model\. JSONDecodeError",
        ),
        (
            "deep.zip",
            zip_bytes({**whole, "data": b"[" * 100_000}),
            r"not the JSON of a Stable-Baselines3 model\. RecursionError",
        ),
        (
            "bytes.zip",
            zip_bytes({**whole, "data": b"\xff\xfe\xfd"}),
            "not the JSON of a Stable-Baselines3 model",
        ),
        ("list.zip", zip_bytes({**whole, "data": b"[]"}), r"\(got a list, limit an object\)"),
        (
            "blank.zip",
            zip_bytes({**whole, "data": b"{}"}),
            r"the policy class comes from an unnamed module",
        ),
        (
            "strings.zip",
            zip_bytes({**whole, "policy.pth": torch_bytes([1])}),
            r"^strings\.zip \(policy\.pth\): not a state_dict \(got a list",
        ),
    ]


def zips_that_lie(whole: dict[str, bytes]) -> Cases:
    """Zips whose members are larger or smaller than they say."""
    zeros = zip_bytes({**whole, "policy.pth": bytes(10**6)}, zipfile.ZIP_DEFLATED)
    return [
        (
            "bomb.zip",
            understated(zeros, b"policy.pth", 2**32 - 2),
            r"unpacks to too much \(got 42949\d+ bytes, limit 536870912 bytes\)",
        ),
        (
            "bomb.pt",
            understated(
                zip_bytes({"a/data.pkl": bytes(10**6)}, zipfile.ZIP_DEFLATED),
                b"a/data.pkl",
                2**32 - 2,
            ),
            "unpacks to too much",
        ),
        (
            "liar.zip",
            understated(zeros, b"policy.pth", 9),
            r"^liar\.zip \(policy\.pth\): the member is damaged\. BadZipFile",
        ),
    ]


def test_damaged_files(tmp_path: Path, sb3_zip: bytes) -> None:
    whole = members(write(tmp_path / "whole.zip", sb3_zip))
    cases = [*damaged_files(sb3_zip), *damaged_zips(whole), *zips_that_lie(whole)]
    for name, data, text in cases:
        assert re.search(text, str(refusal(write(tmp_path / name, data)))), name
