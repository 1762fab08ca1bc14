"""Files with a valid checksum whose tables, arrays or description do not fit are refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact_file import load, save
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.parameters import ActivationTable
from tests.support import spk_files
from tests.support.artifact_edits import in_layer, ints, small


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
