"""Artifacts on disk: what is written comes back, anything else is refused with a reason."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_artifact
from toolchain.artifact import Artifact, EnvironmentRecord, check
from toolchain.artifact_file import load, save
from toolchain.errors import InputError
from toolchain.policies.policy import DenseLayer, Policy


def small(seed: int = 0, **options: Any) -> Artifact:
    return random_artifact(seed, widths=options.pop("widths", (3, 2, 1)), **options)


def assert_equal(one: Any, two: Any, where: str = "artifact") -> None:
    """Field by field, arrays with their types."""
    if isinstance(one, np.ndarray):
        assert one.dtype == two.dtype and np.array_equal(one, two), where
    elif dataclasses.is_dataclass(one):
        assert type(one) is type(two), where
        for field in dataclasses.fields(one):
            assert_equal(getattr(one, field.name), getattr(two, field.name), f"{where}.{field.name}")
    elif isinstance(one, tuple):
        assert len(one) == len(two), where
        for index, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_equal(a, b, f"{where}[{index}]")
    else:
        assert one == two, where


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    neuron=st.sampled_from(["sdn@1", "if@1"]),
    widths=st.lists(st.integers(2, 12), min_size=2, max_size=5).map(tuple),
    activation=st.sampled_from(["relu", "identity", "tanh"]),
    flags=st.tuples(st.booleans(), st.booleans()),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, seed: int, neuron: str, widths: tuple[int, ...], activation: str, flags: tuple[bool, bool]
) -> None:
    artifact = random_artifact(
        seed,
        neuron=neuron,
        widths=widths,
        timesteps=3,
        alpha=19,
        activation=activation if neuron == "sdn@1" else "relu",
        time_feature=flags[0],
        normalised=flags[1],
    )
    path = tmp_path_factory.mktemp("spk") / "a.spk"
    save(artifact, path)
    assert_equal(load(path), artifact)


def test_source_environment_and_extensions_come_back(tmp_path: Path) -> None:
    artifact = small()
    dense = (DenseLayer(np.ones((2, 3), np.float32), np.zeros(2, np.float32), "relu"), DenseLayer(np.ones((1, 2), np.float32), np.zeros(1, np.float32)))
    artifact = dataclasses.replace(
        artifact,
        source=Policy(dense, artifact.observation, artifact.action, artifact.provenance),
        environment=EnvironmentRecord("Hopper-v5", {"a": 1}, ("W",), 0.008, {"mujoco": "4"}),
        extensions={"theirs": [1, {"b": None}]},
    )
    save(artifact, tmp_path / "a.spk")
    assert_equal(load(tmp_path / "a.spk"), artifact)
    save(artifact, tmp_path / "b.spk")
    assert (tmp_path / "a.spk").read_bytes() == (tmp_path / "b.spk").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.spk", "b.spk"]


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the description and give it a right checksum, as somebody with a hex editor and patience would."""
    from toolchain import artifact_file

    tensors, metadata = artifact_file._read(path)
    description = json.loads(metadata["spikeport"])
    change(description)
    text = artifact_file.canonical_json(description)
    from safetensors.numpy import save_file

    save_file(tensors, path, {"format": "spikeport", "spikeport": text, "sha256": artifact_file._digest(tensors, text)})


def test_unknown_keys_are_kept_as_extensions(tmp_path: Path) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    rewritten(path, lambda description: description.update(from_the_future={"x": 1}))
    artifact = load(path)
    assert artifact.extensions == {"from_the_future": {"x": 1}}
    save(artifact, path)
    assert load(path).extensions == {"from_the_future": {"x": 1}}


def set_in(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(description: dict[str, Any]) -> None:
        place: Any = description
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


ENVIRONMENT = {"id": "os:Env-v0", "kwargs": {}, "wrappers": [], "control_period_s": None, "versions": {}}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (set_in("environment", value=ENVIRONMENT), "environment id 'os:Env-v0' carries a colon, which would import code"),
        (set_in("version", value="2.0"), r"format version is not readable here \(got 2.0, limit 1.0 to 1.0\).*spikeport convert"),
        (set_in("version", value="1.1"), "format version is not readable here"),
        (set_in("version", value=1), "damaged description"),
        (set_in("timesteps", value=4), "sdn@1 has one timestep, not 4"),
        (set_in("timesteps", value=10**9), "must be in 1..1024"),
        (set_in("timesteps", value="1"), "'1' is not an integer in range"),
        (set_in("alpha", value=65), "alpha 65/64"),
        (set_in("layers", 0, "neuron", value="sdn@9"), "unknown neuron 'sdn@9'"),
        (set_in("layers", 0, "neuron", value="readout@1"), "neuron readout@1 in this place"),
        (set_in("layers", 0, "hold_input", value=True), "hold_input belongs to"),
        (set_in("layers", 0, "trigger", value=0), "trigger 0"),
        (set_in("layers", 0, "activation", value="tanh"), "activation tanh needs table"),
        (set_in("layers", 0, "table", value=True), "array layers.0.table.start is missing"),
        (set_in("layers", value=[]), "unknown arrays|no layer"),
        (set_in("source_macs", value=0), "multiply-adds are 0"),
        (set_in("calibration", "seeds", value=["x"]), "calibration seeds is not a list of whole numbers"),
        (set_in("calibration", "measured_action_error", value="x"), "calibration measured_action_error is not a number"),
        (set_in("observation", "clip", value="inf"), "'inf' is not a finite number"),
        (set_in("observation", "size", value=2), "does not fit|for 2"),
        (set_in("action", "squash", value="sin"), "unknown squash"),
        (set_in("provenance", "more", value=1), "unknown keys more in provenance"),
        (lambda description: description.pop("probe_missing", None) or description.pop("memory"), "does not fit the format: KeyError 'memory'"),
    ],
)
def test_edited_descriptions_are_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None], text: str) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    rewritten(path, change)
    with pytest.raises(InputError, match=text):
        load(path)


def in_layer(index: int, **arrays: Any) -> Callable[[Artifact], Artifact]:
    def change(artifact: Artifact) -> Artifact:
        layers = list(artifact.network.layers)
        layers[index] = dataclasses.replace(layers[index], **arrays)
        return dataclasses.replace(artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers)))

    return change


def encoder(**arrays: Any) -> Callable[[Artifact], Artifact]:
    return lambda artifact: dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, encoder=dataclasses.replace(artifact.network.encoder, **arrays))
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (in_layer(0, threshold=np.array([0, 5], np.int32)), "thresholds must be 1..8388607"),
        (in_layer(0, row_scale=np.array([np.nan, 1.0])), "row scales and units must be finite and positive"),
        (in_layer(0, unit=np.array([0.0, 1.0])), "row scales and units must be finite and positive"),
        (in_layer(0, payload_low=np.array([1, 0], np.int32)), "payload ranges must include 0 and 1"),
        (in_layer(0, payload_high=np.array([2**23, 1], np.int32)), "payload ranges must include 0 and 1 within 24 bits"),
        (in_layer(0, payload_high=np.array([2**22, 1], np.int32), weights=np.full((2, 3), 100, np.int8)), r"layer 1: 1 rows' \w+ sum may reach"),
        (in_layer(0, weights=np.full((2, 3), -128, np.int8)), "weights must be symmetric"),
        (in_layer(0, weights=np.zeros((2, 4), np.int8)), "weights of shape"),
        (in_layer(0, bias=np.zeros(3, np.int32)), "bias has shape"),
        (encoder(scale=np.array([0.0, 1.0, 1.0])), "encoder scales must be finite and positive"),
        (encoder(limit=np.array([0, 1, 1], np.int32)), "limits 1..8388607"),
        (encoder(limit=np.full(3, 2**22, np.int32)), "range|sum may reach"),
    ],
)
def test_networks_that_break_a_rule_are_never_written(tmp_path: Path, change: Callable[[Artifact], Artifact], text: str) -> None:
    artifact = change(small(3))
    with pytest.raises(InputError, match=text):
        save(artifact, tmp_path / "a.spk")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="a.spk"):
        check(artifact, "a.spk")


def test_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.spk"
    save(random_artifact(1, widths=(1, 1)), path)
    blob = path.read_bytes()
    for place in range(len(blob)):
        damaged = bytearray(blob)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        with pytest.raises(InputError):
            load(path)


@pytest.mark.parametrize("share", [0, 1, 7, 8, 9, 100, 500, -1, -8, -100])
def test_truncated_files_are_refused(tmp_path: Path, share: int) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    path.write_bytes(path.read_bytes()[:share])
    with pytest.raises(InputError, match="a.spk: "):
        load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04cos\nsystem\n(S'touch executed'\ntR.",
        b"PK\x03\x04" + b"\0" * 60,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 40000) + b"[" * 40000,
    ],
)
def test_other_files_are_refused_and_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.spk").write_bytes(content)
    with pytest.raises(InputError, match="not a readable artifact"):
        load(tmp_path / "a.spk")
    assert [path.name for path in tmp_path.iterdir()] == ["a.spk"]


def test_places_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "absent.spk")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path)
    for target in (tmp_path / "absent" / "a.spk", tmp_path, Path(os.devnull)):
        with pytest.raises(InputError, match="cannot be written"):
            save(small(), target)
    assert list(tmp_path.iterdir()) == []
