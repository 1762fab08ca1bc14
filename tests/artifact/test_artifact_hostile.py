"""Files that are no artifacts, artifacts that break a rule, places that cannot be written.

Refused, and nothing is left.
"""

from __future__ import annotations

import dataclasses
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import is_artifact, load, save
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files import atomic
from spikeport.toolchain.files.atomic import check_writable
from spikeport.toolchain.network.parameters import ActivationTable, Dynamics
from tests.support import spk_files
from tests.support.networks import random_artifact
from tests.support.policy_files import Payload

SMALL = (3, 2, 1)
WHOLE = (
    "an artifact is loaded whole or not at all. Fix: reconvert it from the source policy with"
    " `spikeport convert`"
)


def small(seed: int = 0, **options: Any) -> Artifact:
    return random_artifact(seed, widths=SMALL, **options)


def in_layer(index: int, **arrays: Any) -> Callable[[Artifact], Artifact]:
    def change(artifact: Artifact) -> Artifact:
        layers = list(artifact.network.layers)
        layers[index] = dataclasses.replace(layers[index], **arrays)
        return dataclasses.replace(
            artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers))
        )

    return change


def encoder(**arrays: Any) -> Callable[[Artifact], Artifact]:
    return lambda artifact: dataclasses.replace(
        artifact,
        network=dataclasses.replace(
            artifact.network, encoder=dataclasses.replace(artifact.network.encoder, **arrays)
        ),
    )


def part(name: str, **arrays: Any) -> Callable[[Artifact], Artifact]:
    """Another observation or action contract, or probe."""

    def change(artifact: Artifact) -> Artifact:
        contents: dict[str, Any] = {name: dataclasses.replace(getattr(artifact, name), **arrays)}
        return dataclasses.replace(artifact, **contents)

    return change


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def time(timesteps: int) -> Callable[[Artifact], Artifact]:
    return lambda artifact: dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, timesteps=timesteps)
    )


def ranges(declared: int) -> list[dict[str, np.ndarray]]:
    """Payload ranges other than the declared one, wider and narrower, at one end."""
    low = ints(-declared, -declared)
    high = ints(declared, declared)
    return [
        {"payload_low": low - ints(1, 0)},
        {"payload_low": low + ints(0, 1)},
        {"payload_high": high + ints(1, 0)},
        {"payload_high": 2 * high},
    ]


NAN = np.nan
INF = np.inf
FAR = (5e-324, 9e-61, 1.1e30, 1e300, 1e308)  # scales that no policy has
RULES: list[tuple[Callable[[Artifact], Artifact], str]] = [
    (in_layer(0, threshold=ints(0, 5)), "layer 0: thresholds must be 1..8388607"),
    (in_layer(0, threshold=ints(5, 2**23)), "layer 0: thresholds must be 1..8388607"),
    (
        in_layer(0, row_scale=np.array([NAN, 1.0])),
        r"layer 0: row scales and units must be within 1e-60\.\.1e30",
    ),
    (
        in_layer(1, row_scale=np.array([INF])),
        r"layer 1: row scales and units must be within 1e-60\.\.1e30",
    ),
    (
        in_layer(1, row_scale=np.array([-1.0])),
        r"layer 1: row scales and units must be within 1e-60\.\.1e30",
    ),
    (
        in_layer(0, unit=np.array([0.0, 1.0])),
        r"layer 0: row scales and units must be within 1e-60\.\.1e30",
    ),
    *(
        (
            in_layer(0, row_scale=np.array([1.0, scale])),
            r"layer 0: row scales and units must be within 1e-60\.\.1e30",
        )
        for scale in FAR
    ),
    *(
        (
            in_layer(0, unit=np.array([1.0, scale])),
            r"layer 0: row scales and units must be within 1e-60\.\.1e30",
        )
        for scale in FAR
    ),
    *(
        (
            encoder(scale=np.array([1.0, 1.0, scale])),
            r"encoder scales must be within 1e-60\.\.1e30, limits 1\.\.8388607",
        )
        for scale in FAR
    ),
    (
        in_layer(0, payload_low=ints(1, 0)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_high=ints(0, 3)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_high=ints(2**23, 1)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_low=ints(-(2**23), 0)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_high=ints(2**22, 1), weights=np.full((2, 3), 100, np.int8)),
        r"layer 1: 1 rows' \w+ sum may reach \d+, limit 8388607",
    ),
    (
        in_layer(0, bias=ints(2**23, 0)),
        r"layer 0: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    (
        in_layer(0, weights=np.full((2, 3), -128, np.int8)),
        "layer 0: weights must be symmetric, -127..127",
    ),
    (
        in_layer(0, weights=np.zeros((2, 4), np.int8)),
        r"layer 0: weights of shape \(2, 4\) where 3 inputs arrive",
    ),
    (
        in_layer(0, weights=np.zeros((0, 3), np.int8)),
        r"layer 0: weights of shape \(0, 3\) where 3 inputs arrive",
    ),
    (in_layer(0, bias=np.zeros(3, np.int32)), r"layer 0: bias has shape \(3,\) for 2 rows"),
    (
        in_layer(0, hold_input=True),
        "layer 0: hold_input belongs to the first layer of a rate network and to no other",
    ),
    (in_layer(0, trigger=0), "layer 0: trigger 0, 1..8388607 expected"),
    (in_layer(0, activation="tanh"), "layer 0: activation tanh needs table"),
    (in_layer(0, neuron="if@1"), r"layer 0: the payload of if@1 is within 0\.\.1"),
    (
        in_layer(0, neuron="lif@2"),
        (
            "layer 0: unknown neuron 'lif@2', known are sdn@1, if@1, snm@1, mt@1, dc@1, lif@1,"
            " leaky@1, readout@1"
        ),
    ),
    (
        in_layer(0, neuron="lif@1"),
        "layer 0: neuron lif@1 without a spike coding, which belongs to lif@1 and to no other",
    ),
    (in_layer(0, dynamics=Dynamics(4095, 0)), "layer 0: dynamics belong to lif@1, not to sdn@1"),
    (
        in_layer(1, neuron="sdn@1"),
        "layer 1: neuron sdn@1 in this place; the last layer, and only it, is readout@1",
    ),
    (
        encoder(scale=np.array([0.0, 1.0, 1.0])),
        r"encoder scales must be within 1e-60\.\.1e30, limits 1..8388607",
    ),
    (encoder(scale=np.array([NAN, 1.0, 1.0])), r"encoder scales must be within 1e-60\.\.1e30"),
    (encoder(scale=np.ones(4)), r"encoder has shapes \(4,\), \(3,\) for 3 features"),
    (encoder(limit=ints(0, 1, 1)), "limits 1..8388607"),
    (encoder(limit=ints(2**23, 1, 1)), "limits 1..8388607"),
    (encoder(limit=ints(2**22, 2**22, 2**22)), "layer 0: 2 rows' synaptic sum may reach"),
    (part("observation", mean=np.array([NAN, 0, 0]), variance=np.ones(3)), "shift must be finite"),
    (
        part("observation", mean=np.zeros(3), variance=np.array([0.0, 1, 1])),
        "divisor must be finite and positive",
    ),
    (
        part("observation", mean=np.zeros(3), variance=np.array([INF, 1, 1])),
        "divisor must be finite and positive",
    ),
    (
        part("observation", mean=np.zeros(3), variance=np.array([-1.0, 1, 1])),
        "divisor must be finite and positive",
    ),
    (
        part("observation", mean=np.zeros(3), variance=np.ones(3), epsilon=-2.0),
        "divisor must be finite and positive",
    ),
    (part("action", scale=np.array([NAN])), "action scale must be finite"),
    (part("action", offset=np.array([INF])), "action offset must be finite"),
    (part("action", low=np.array([0.0])), "an action that is clipped needs low and high"),
    (part("action", high=np.array([0.0])), "an action that is clipped needs low and high"),
    (
        part("action", low=np.array([NAN]), high=np.array([0.0])),
        "action bounds must be numbers, low not above high",
    ),
    (
        part("action", low=np.array([1.0]), high=np.array([0.0])),
        "action bounds must be numbers, low not above high",
    ),
    (
        part("probe", observations=np.full((12, 3), NAN)),
        "probe must be finite, with flags 0..2 and two episode starts or more",
    ),
    (
        part("probe", flags=np.full(12, 3, np.uint8)),
        "probe must be finite, with flags 0..2 and two episode starts or more",
    ),
    (
        part("probe", flags=np.zeros(12, np.uint8)),
        "probe must be finite, with flags 0..2 and two episode starts or more",
    ),
    (
        part("probe", flags=np.zeros(11, np.uint8)),
        r"probe has shapes \(12, 3\), \(11,\) for 3 channels",
    ),
    (
        lambda a: dataclasses.replace(a, network=dataclasses.replace(a.network, layers=())),
        "the network has no layer",
    ),
    (
        lambda a: dataclasses.replace(a, extensions={"x": float("nan")}),
        "cannot be written as JSON: Out of range float values",
    ),
    (
        lambda a: dataclasses.replace(a, extensions={"x": np.float32(1)}),
        "cannot be written as JSON: Object of type float32",
    ),
]


@pytest.mark.parametrize(("change", "text"), RULES)
def test_artifacts_that_break_a_rule_are_never_written(
    tmp_path: Path, change: Callable[[Artifact], Artifact], text: str
) -> None:
    with pytest.raises(InputError, match=f"^a.spk: .*{text}"):
        save(change(small(3)), tmp_path / "a.spk")
    assert not list(tmp_path.iterdir())


RATE: dict[str, dict[str, Any]] = {
    "snm@1": {"timesteps": 3},
    "mt@1": {"timesteps": 2},
    "dc@1": {"timesteps": 4},
}
LARGEST_LAMBDA = (2**23 - 1) // (
    8 * 4 * (12 + 6 + 4 + 3)
)  # of dc with T = 4: c <= 8 lambda T (D + D/2 + D/3 + D/4)
RATE_RULES: list[tuple[str, Callable[[Artifact], Artifact], str]] = [
    *(
        ("dc@1", time(timesteps), f"layer 0: dc@1 has 2, 3, 4, 5, 6, 8 timesteps, not {timesteps}")
        for timesteps in (1, 7, 9, 16)
    ),
    *(
        (
            neuron,
            in_layer(0, hold_input=neuron == "dc@1"),
            "layer 0: hold_input belongs to the first layer of a rate network",
        )
        for neuron in RATE
    ),
    *(
        (
            neuron,
            in_layer(1, hold_input=True),
            "layer 1: hold_input belongs to the first layer of a rate network",
        )
        for neuron in RATE
    ),
    *(
        ("snm@1", in_layer(0, **payloads), r"the payload of snm@1 is within -1\.\.1")
        for payloads in ranges(1)
    ),
    *(
        (neuron, in_layer(0, **payloads), rf"the payload of {neuron} is within -8\.\.8")
        for neuron in ("mt@1", "dc@1")
        for payloads in ranges(8)
    ),
    *(
        (neuron, in_layer(0, threshold=ints(5, 0)), "layer 0: thresholds must be 1..")
        for neuron in RATE
    ),
    ("snm@1", in_layer(0, threshold=ints(2**23, 5)), "layer 0: thresholds must be 1..8388607"),
    *(
        (neuron, in_layer(0, threshold=ints(2**20, 5)), "layer 0: thresholds must be 1..1048575")
        for neuron in ("mt@1", "dc@1")
    ),
    (
        "dc@1",
        in_layer(0, threshold=ints(LARGEST_LAMBDA + 1, 5)),
        r"layer 0: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    (
        "dc@1",
        in_layer(0, bias=ints(700_000, 0)),
        r"layer 0: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    (
        "dc@1",
        in_layer(1, bias=ints(700_000)),
        r"layer 1: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    *(
        (
            neuron,
            in_layer(0, activation="identity"),
            f"layer 0: {neuron} carries relu only, not identity",
        )
        for neuron in RATE
    ),
    *(
        (
            neuron,
            in_layer(1, neuron=neuron),
            f"layer 1: neuron {neuron} in this place; the last layer, and only it, is readout@1",
        )
        for neuron in RATE
    ),
]


@pytest.mark.parametrize(("neuron", "change", "text"), RATE_RULES)
def test_rate_networks_that_break_a_rule_are_never_written(
    tmp_path: Path, neuron: str, change: Callable[[Artifact], Artifact], text: str
) -> None:
    artifact = small(3, neuron=neuron, **RATE[neuron])
    check(artifact, "unchanged")
    with pytest.raises(InputError, match=f"^a.spk: .*{text}"):
        save(change(artifact), tmp_path / "a.spk")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", ["sdn@1", "if@1", "mt@1", "dc@1"])
def test_one_network_has_one_kind_of_hidden_neuron(other: str) -> None:
    artifact = random_artifact(0, neuron="snm@1", widths=(3, 2, 2, 1), timesteps=4)
    with pytest.raises(
        InputError,
        match=f"layer 1: neuron {other} beside snm@1: one network has one kind of hidden neuron",
    ):
        check(in_layer(1, neuron=other)(artifact), "here")


def test_the_largest_lambda_is_allowed() -> None:
    check(
        in_layer(0, threshold=ints(LARGEST_LAMBDA, 5))(small(3, neuron="dc@1", timesteps=4)), "here"
    )
    check(in_layer(0, threshold=ints(2**20 - 1, 5))(small(3, neuron="mt@1", timesteps=4)), "here")


@pytest.mark.parametrize("timesteps", [7, 16, 2**40])
def test_a_file_whose_dc_has_other_timesteps_is_refused(tmp_path: Path, timesteps: int) -> None:
    """With a right checksum; lcm(1..2^40) would never come back."""
    path = tmp_path / "a.spk"
    save(small(neuron="dc@1", timesteps=4), path)
    parts = spk_files.read(path)
    parts.description["timesteps"] = timesteps
    path.write_bytes(spk_files.encoded(parts))
    with pytest.raises(InputError, match=f"dc@1 has 2, 3, 4, 5, 6, 8 timesteps, not {timesteps}"):
        load(path)


def test_all_violations_are_told_at_once() -> None:
    broken = in_layer(0, row_scale=np.zeros(2), trigger=0)(
        part("action", scale=np.array([NAN]))(small())
    )
    with pytest.raises(
        InputError,
        match=(
            "^here: 3 problems: layer 0: row scales.*; layer 0: trigger 0.*; action scale must be"
            f" finite. {WHOLE}"
        ),
    ):
        check(broken, "here")


TABLES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (
        lambda arrays: arrays["start"].__setitem__((0, 0), -(2**23) + 1),
        "table segments must start at -2.23 and ascend",
    ),
    (
        lambda arrays: arrays["start"].__setitem__((1, 2), 2**22),
        "table segments must start at -2.23 and ascend",
    ),
    (
        lambda arrays: arrays["multiplier"].__setitem__((0, 1), 2**15),
        "table multipliers must be below 2.15 and shifts 1..31",
    ),
    (
        lambda arrays: arrays["multiplier"].__setitem__((0, 1), -(2**15)),
        "table multipliers must be below 2.15 and shifts 1..31",
    ),
    (
        lambda arrays: arrays["shift"].__setitem__(0, 0),
        "table multipliers must be below 2.15 and shifts 1..31",
    ),
    (
        lambda arrays: arrays["shift"].__setitem__(1, 32),
        "table multipliers must be below 2.15 and shifts 1..31",
    ),
    (lambda arrays: arrays["offset"].__setitem__((0, 0), 2**23), "table offsets must fit 24 bits"),
    (
        lambda arrays: arrays.update(offset=arrays["offset"][:, :3]),
        "activation table of shapes .* for 2 neurons and 1..32 segments",
    ),
    (
        lambda arrays: arrays.update(
            start=np.zeros((2, 0), np.int32), multiplier=ints(), offset=ints()
        ),
        "activation table of shapes",
    ),
    (lambda arrays: arrays.update(shift=arrays["shift"][:1]), "activation table of shapes"),
    (
        lambda arrays: arrays.update(
            {name: np.tile(arrays[name], (1, 9)) for name in ("start", "multiplier", "offset")}
        ),
        "and 1..32 segments",
    ),
]


@pytest.mark.parametrize(("change", "text"), TABLES)
def test_tables_that_break_a_rule_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], text: str
) -> None:
    """In a file with a right checksum, as another program might write it."""
    path = tmp_path / "a.spk"
    artifact = small(4, activation="tanh")
    table = dataclasses.asdict(artifact.network.layers[0].table)  # type: ignore[call-overload]
    arrays = {name: values[:, :4] if values.ndim == 2 else values for name, values in table.items()}
    assert arrays["start"].shape == (2, 4)
    save(
        in_layer(
            0,
            table=ActivationTable(**{name: values.copy() for name, values in arrays.items()}),
        )(artifact),
        path,
    )
    parts = spk_files.read(path)
    edited = {name: values.copy() for name, values in arrays.items()}
    change(edited)
    parts.arrays |= {f"layers.0.table.{name}": values for name, values in edited.items()}
    path.write_bytes(spk_files.encoded(parts))
    with pytest.raises(InputError, match=f"^a.spk: layer 0: .*{text}"):
        load(path)


ARRAYS: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (lambda arrays: arrays.pop("encoder.scale"), "array encoder.scale is missing"),
    (lambda arrays: arrays.pop("layers.1.bias"), "array layers.1.bias is missing"),
    (lambda arrays: arrays.pop("probe.flags"), "array probe.flags is missing"),
    (
        lambda arrays: arrays.update({"layers.0.bias": arrays["layers.0.bias"].astype(np.float64)}),
        "layers.0.bias has the wrong type .got float64, limit int32",
    ),
    (
        lambda arrays: arrays.update(
            {"layers.0.weights": arrays["layers.0.weights"].astype(np.int32)}
        ),
        "layers.0.weights has the wrong type",
    ),
    (
        lambda arrays: arrays.update({"encoder.scale": arrays["encoder.scale"].astype(np.float32)}),
        "encoder.scale has the wrong type",
    ),
    (
        lambda arrays: arrays.update({"layers.2.bias": ints(1), "more": ints(2)}),
        "unknown arrays layers.2.bias, more",
    ),
    (
        lambda arrays: arrays.update({"observation.mean": np.zeros(3)}),
        "a normaliser needs mean and variance",
    ),
    (
        lambda arrays: arrays.update(
            {"observation.mean": np.zeros(2), "observation.variance": np.ones(3)}
        ),
        "the normaliser's mean does not fit",
    ),
    (lambda arrays: arrays.update({"action.scale": np.ones(2)}), "scale does not fit the action"),
    (
        lambda arrays: arrays.update({"layers.0.weights": np.zeros(6, np.int8)}),
        r"weights of shape \(6,\) where 3 inputs arrive",
    ),
]


@pytest.mark.parametrize(("change", "text"), ARRAYS)
def test_arrays_that_do_not_fit_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], text: str
) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    parts = spk_files.read(path)
    change(parts.arrays)
    path.write_bytes(spk_files.encoded(parts))
    with pytest.raises(InputError, match=text):
        load(path)


METADATA: list[tuple[dict[str, Any], str]] = [
    (
        {"format": "pt"},
        (
            r"not a Spikeport artifact \(got format 'pt', limit 'spikeport'\). Fix: reconvert the"
            r" policy with `spikeport convert"
        ),
    ),
    (
        {"sha256": "0" * 64},
        (
            r"checksum does not match its content \(got \w{12}, limit 000000000000\). the file was"
            r" damaged or edited. Fix: copy it again"
        ),
    ),
    ({"spikeport": "{"}, "damaged description"),
    ({"spikeport": "[" * 100_000}, "damaged description: maximum recursion"),
    ({"spikeport": "[1]"}, "damaged description"),
    ({"spikeport": '{"version":"' + "9" * 5000 + '.0"}'}, "damaged description: Exceeds the limit"),
]


@pytest.mark.parametrize(("metadata", "text"), METADATA)
def test_metadata_that_does_not_fit_is_refused(
    tmp_path: Path, metadata: dict[str, Any], text: str
) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    parts = spk_files.read(path)
    parts.metadata |= metadata
    path.write_bytes(spk_files.encoded(parts))
    with pytest.raises(InputError, match=f"^a.spk: {text}"):
        load(path)


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
