"""Damaged and hostile checkpoints.

An InputError that names the place, nothing executed, nothing slow.
"""

from __future__ import annotations

import base64
import io
import re
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import (
    Payload,
    edit_json,
    members,
    model,
    pickled,
    state_dict,
    torch_bytes,
    write,
    zip_bytes,
)

torch = pytest.importorskip("torch")
FACTS = EnvironmentFacts("E-v1", None, 100, -np.ones(2), np.ones(2))
SECONDS = 2.0


def refusal(path: Path, **options: Any) -> InputError:
    """The error that loading gives, in time, with its place and a way out."""
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        load_policy(path, environment=FACTS, **options)
    assert time.perf_counter() - start < SECONDS
    assert caught.value.where.startswith(path.name) or path.name not in str(caught.value)
    assert caught.value.fix
    assert str(path.parent) not in str(caught.value)
    return caught.value


@pytest.fixture(scope="module")
def sb3_zip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    pytest.importorskip("stable_baselines3")
    path = tmp_path_factory.mktemp("sb3") / "model.zip"
    model(
        "PPO",
        low=-np.ones(2, np.float32),
        high=np.ones(2, np.float32),
        policy_kwargs={"net_arch": [4], "activation_fn": torch.nn.ReLU},
    ).save(path)
    return path.read_bytes()


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


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def understated(data: bytes, member: bytes, size: int) -> bytes:
    """The archive with another unpacked size for `member` in its central directory."""
    changed = bytearray(data)
    position = data.rfind(member)
    assert data[position - 46 : position - 42] == b"PK\x01\x02"
    changed[position - 22 : position - 18] = size.to_bytes(4, "little")
    return bytes(changed)


def test_damaged_files(tmp_path: Path, sb3_zip: bytes) -> None:
    actor = torch_bytes(state_dict())
    safetensors = pytest.importorskip("safetensors.torch").save(state_dict())
    whole = members(write(tmp_path / "whole.zip", sb3_zip))
    flipped = bytearray(actor)
    flipped[actor.find(state_dict()["l2.weight"].numpy().tobytes()[:16])] ^= 1
    zeros = zip_bytes({**whole, "policy.pth": bytes(10**6)}, zipfile.ZIP_DEFLATED)
    cases: list[tuple[str, bytes, str]] = [
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
    for name, data, text in cases:
        assert re.search(text, str(refusal(write(tmp_path / name, data)))), name


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
