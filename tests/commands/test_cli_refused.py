"""What the commands refuse.

Exit code 2, one line with place, cause and way out, nothing executed, nothing written.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact import artifact_file
from tests.support.front_door import (
    CHEETAH,
    CHEETAH_ENV,
    PENDULUM,
    PENDULUM_ENV,
    QUICK,
    SB3,
    TOY,
    done,
    pendulum,
    recorded,
    refusal,
    refused,
    toy,
)
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

torch = pytest.importorskip("torch")

ARRAYS: dict[str, tuple[Any, str]] = {
    "nan": (
        np.where(np.arange(1500).reshape(300, 5) == 77, np.nan, 0.5),
        r"1 non-finite values, the first in row 15, channel 2 \(got nan, limit finite numbers\)",
    ),
    "inf": (
        np.where(np.arange(1500).reshape(300, 5) >= 1490, -np.inf, 0.5),
        r"10 non-finite values, the first in row 298, channel 0 \(got -inf",
    ),
    "channels": (
        np.zeros((300, 6)),
        r"the policy does not fit the environment \(got 5 inputs, limit 6 observation channels",
    ),
    "one dimension": (
        np.zeros(1500),
        r"array does not fit the policy \(got float64 \(1500,\), limit float \(N, 5\)\)",
    ),
    "three dimensions": (np.zeros((300, 5, 1)), r"array does not fit the policy"),
    "few": (np.zeros((99, 5)), r"too few states to calibrate on \(got 99, limit 100 or more\)"),
    "text": (np.full((300, 5), "a"), r"array does not fit the policy \(got <U1"),
    "complex": (np.zeros((300, 5), complex), r"array does not fit the policy \(got complex128"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_observations(home: Path, name: str) -> None:
    array, text = ARRAYS[name]
    np.save("bad.npy", array)
    assert re.search(text, refused(home, *TOY, "--observations", "bad.npy"))


def test_files_that_are_no_arrays(home: Path) -> None:
    """Objects that would be unpickled, an archive, headers that NumPy's parser chokes on, lengths
    that no memory holds.
    """
    np.save("objects.npy", np.array([Payload(home / "mark")], dtype=object), allow_pickle=True)
    write(home / "pickle.npy", pickled(Payload(home / "mark")))
    np.savez("archive.npy", recorded(5))
    good = (home / "obs.npy").read_bytes()
    write(home / "cut.npy", good[:500])
    write(home / "header.npy", good.replace(b"(300, 5), }", b"(300, 5), (", 1))
    write(
        home / "huge.npy",
        good.replace(b"(300, 5), }       ", b"(300000000000, 5), }", 1)[: len(good)],
    )
    for name in (
        "objects.npy",
        "pickle.npy",
        "archive.npy.npz",
        "cut.npy",
        "header.npy",
        "huge.npy",
        "gone.npy",
        ".",
    ):
        for option in ("--observations", "--episode-starts"):
            text = refused(home, *TOY, option, name)
            assert re.search(
                rf"{option}: \S+ is not a readable \.npy array: .* Fix: np\.save\(FILE, array\)"
                r" with plain numbers",
                text,
            ), name


def test_episode_starts(home: Path) -> None:
    np.save("short.npy", np.zeros(299, bool))
    np.save("text.npy", np.full(300, "no"))
    assert "--episode-starts: length does not fit --observations (got 299, limit 300)" in refused(
        home, *TOY, "--episode-starts", "short.npy"
    )
    assert "--episode-starts: flags are numbers (got <U2" in refused(
        home, *TOY, "--episode-starts", "text.npy"
    )


def payloads(home: Path) -> dict[str, bytes]:
    """A command to the shell posing as each accepted checkpoint."""
    trap = Payload(home / "mark")
    zipped = members(PENDULUM)
    return {
        "torch.pt": torch_bytes(trap),
        "legacy.pt": torch_bytes(trap, legacy=True),
        "inside.pt": torch_bytes({**state_dict((9, 8, 1), ("l1", "l2")), "l1.bias": trap}),
        "pickle.pt": pickled(trap),
        "model.zip": zip_bytes({**zipped, "policy.pth": torch_bytes(trap)}),
        "data.zip": zip_bytes({**zipped, "data": pickled(trap)}),
        "policy.safetensors": (
            lambda header: struct.pack("<Q", len(header)) + header + pickled(trap)
        )(b'{"__metadata__":{"format":"pt"}}'),
        "pickle.spk": pickled(trap),
    }


@pytest.mark.parametrize(
    "name",
    [
        "torch.pt",
        "legacy.pt",
        "inside.pt",
        "pickle.pt",
        "model.zip",
        "data.zip",
        "policy.safetensors",
        "pickle.spk",
    ],
)
def test_payload_as_a_checkpoint(home: Path, name: str) -> None:
    write(home / name, payloads(home)[name])
    for arguments in (
        ("convert", name, "-o", "x.spk", "--env", PENDULUM_ENV),
        ("inspect", name),
        ("simulate", name),
        ("verify", name),
        ("energy", name),
    ):
        assert name in refused(home, *arguments)


def test_payload_beside_a_checkpoint(home: Path) -> None:
    """In `vecnormalize.pkl` it is refused.

    In the base64 fields of the zip's JSON it is never decoded.
    """
    write(home / "model.zip", PENDULUM.read_bytes())
    write(home / "vecnormalize.pkl", pickled(Payload(home / "mark")))
    start = ("convert", "model.zip", "-o", "x.spk", "--env", PENDULUM_ENV, *QUICK)
    assert (
        "vecnormalize.pkl: the pickle names something that is not loaded (got posix.system"
        in refused(home, *start)
    )
    (home / "vecnormalize.pkl").rename(home / "other.pkl")
    assert "other.pkl: the pickle names something that is not loaded" in refused(
        home, *start, "--normalizer", "other.pkl"
    )

    def poison(data: dict[str, Any]) -> None:
        fields = [
            value for value in data.values() if isinstance(value, dict) and ":serialized:" in value
        ]
        assert fields
        for value in fields:
            value[":serialized:"] = base64.b64encode(pickled(Payload(home / "mark"))).decode()

    edit_json(home / "model.zip", poison)
    done(*start)
    assert (
        spikeport.load(home / "x.spk").network.layers[0].weights
        == pendulum().network.layers[0].weights
    ).all()


def test_damaged_checkpoints(home: Path) -> None:
    whole = PENDULUM.read_bytes()
    write(home / "cut.zip", whole[: len(whole) // 2])
    write(home / "empty.pt", b"")
    tensors = state_dict((9, 8, 1), ("l1", "l2"))
    tensors["l1.weight"][3, 4] = np.nan
    write(home / "nan.pt", torch_bytes(tensors))
    for name, text in (
        ("cut.zip", r"cut\.zip: the zip archive is damaged"),
        ("empty.pt", r"empty\.pt: the checkpoint file is empty \(got 0 bytes\)"),
        ("nan.pt", r"nan\.pt: .*1 non-finite values, the first at \(3, 4\)"),
    ):
        assert re.search(text, refused(home, "convert", name, "-o", "x.spk", "--env", PENDULUM_ENV))


@pytest.mark.parametrize(
    ("inputs", "outputs", "environment", "fix"),
    [
        (27, 8, "Ant-v5", "--env Ant-v4, the one whose shapes fit"),
        (111, 8, "Ant-v4", "--env Ant-v5, the one whose shapes fit"),
        (17, 6, "Ant-v5", "--env Ant-v4"),
    ],
)
def test_shapes_that_do_not_fit_a_checkpoint_of_v3(
    home: Path, inputs: int, outputs: int, environment: str, fix: str
) -> None:
    write(home / "TD3_Ant-v3_0.pt", torch_bytes(state_dict((inputs, 8, outputs), ("l1", "l2"))))
    text = refused(home, "convert", "TD3_Ant-v3_0.pt", "-o", "x.spk", "--env", environment)
    assert re.search(
        rf"TD3_Ant-v3_0\.pt: .*do(es)? not fit the environment \(got {inputs} inputs, limit \d+"
        rf" observation channels of {environment}\)",
        text,
    )
    assert fix in text and "(the checkpoint names Ant-v3)" in text


def test_one_flipped_byte_anywhere_in_an_artifact(home: Path) -> None:
    spikeport.save(toy(), "good.spk")
    whole = (home / "good.spk").read_bytes()
    header = struct.unpack("<Q", whole[:8])[0] + 8
    generator = np.random.default_rng(0)
    places = [
        0,
        7,
        8,
        header - 1,
        header,
        len(whole) - 1,
        *generator.integers(8, header, 60),
        *generator.integers(header, len(whole), 30),
    ]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(generator.integers(8))
        write(home / "bad.spk", bytes(changed))
        assert refusal("simulate", "bad.spk").startswith("InputError: bad.spk: "), place
    for arguments in (
        ("inspect", "bad.spk"),
        ("verify", "bad.spk"),
        ("energy", "bad.spk"),
        ("export", "bad.spk", "--to", "lava", "-o", "out"),
    ):
        refused(home, *arguments)


def test_an_artifact_that_names_a_module(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A valid checksum over an id that would import code.

    Refused, and the module is not imported.
    """
    write(home / "trap.py", f"open({str(home / 'mark')!r}, 'w')\n".encode())
    monkeypatch.syspath_prepend(home)
    spikeport.save(pendulum(), "good.spk")
    tensors, metadata = artifact_file.read_container(home / "good.spk")
    description = json.loads(metadata["spikeport"])
    description["environment"]["id"] = "trap:Env-v0"
    text = artifact_file.canonical_json(description)
    facts = {
        "format": "spikeport",
        "sha256": artifact_file.content_digest(tensors, text),
        "spikeport": text,
    }
    from safetensors.numpy import save

    write(home / "bad.spk", save(tensors, facts))
    for arguments in (
        ("simulate", "bad.spk"),
        ("inspect", "bad.spk"),
        ("verify", "bad.spk", "--decisions", 300),
        ("energy", "bad.spk"),
    ):
        assert "environment id 'trap:Env-v0' carries a colon, which would import code" in refused(
            home, *arguments
        )
    assert "trap" not in sys.modules


def test_a_place_that_cannot_be_written(home: Path) -> None:
    """Found before the work, not after it.

    A folder without permission only shows to users who are not root.
    """
    (home / "file").write_text("")
    for output in ("file/x.spk", "/proc/x.spk", "gone/deep/x.spk"):
        assert f"{output}: cannot be written" in refused(home, *SB3, "-o", output)


def test_cheetah_policy_in_the_other_environment(home: Path) -> None:
    text = refused(home, "convert", CHEETAH, "-o", "x.spk", "--env", PENDULUM_ENV)
    assert re.search(
        r"td3-HalfCheetah-v5\.pt: .* \(got 17 inputs, limit 9 observation channels of"
        rf" {PENDULUM_ENV}\)\. Fix: --env {CHEETAH_ENV}",
        text,
    )


@pytest.mark.parametrize("command", ["simulate", "energy", "assess", "diagnose"])
def test_more_episodes_than_a_run_can_keep(home: Path, command: str) -> None:
    artifact_file.save(pendulum(), home / "a.spk")
    text = refused(home, command, "a.spk", "--episodes", 100_000_000)
    assert (
        "--episodes: more than a run can keep (got 100000000, limit 100000). Fix: --episodes 100"
        in text
    )
