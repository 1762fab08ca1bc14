"""Files of every version load, and mean what they meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact_file import load, save
from spikeport.toolchain.artifact.parts import VERSION
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.artifact.test_artifact_file import assert_equal
from tests.support import spk_files
from tests.support.networks import leaky_artifact, random_artifact

ROOT = Path(__file__).parents[2]
SPK = ROOT / "tests" / "golden" / "spk"
KEPT = {
    "sdn-1.0.spk": "1.0",
    "sdn.spk": "1.1",
    "dc.spk": "1.1",
    "lif.spk": "1.1",
    "leaky.spk": "1.1",
}


@pytest.mark.parametrize("name", KEPT)
def test_kept_files_of_older_versions_load(name: str, tmp_path: Path) -> None:
    parts = spk_files.read(SPK / name)
    assert parts.description["version"] == KEPT[name] and "synapses" not in parts.description
    artifact = load(SPK / name)
    for index, layer in enumerate(artifact.network.layers):
        assert isinstance(layer.synapses, Dense)
        np.testing.assert_array_equal(layer.weights, parts.arrays[f"layers.{index}.weights"])
    save(artifact, tmp_path / "now.spk")
    now = spk_files.read(tmp_path / "now.spk")
    assert now.description["version"] == ".".join(map(str, VERSION))
    assert spk_files.synapses(now) == ["dense"] * len(artifact.network.layers)
    now = spk_files.older(now, KEPT[name])
    assert now.description == parts.description and set(now.arrays) == set(parts.arrays)
    for array, values in parts.arrays.items():
        np.testing.assert_array_equal(now.arrays[array], values)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_same_artifact_in_an_older_file(version: str, tmp_path: Path) -> None:
    for artifact in (random_artifact(0), random_artifact(1, neuron="dc@1", timesteps=4)):
        save(artifact, tmp_path / "now.spk")
        parts = spk_files.older(spk_files.read(tmp_path / "now.spk"), version)
        (tmp_path / "older.spk").write_bytes(spk_files.encoded(parts))
        assert_equal(load(tmp_path / "older.spk"), artifact)


def test_sums_are_those_of_the_page(tmp_path: Path) -> None:
    artifact = leaky_artifact(2)
    save(artifact, tmp_path / "a.spk")
    parts = spk_files.read(tmp_path / "a.spk")
    trace = ReferenceBackend(artifact).trace(artifact.probe.observations, artifact.probe.flags)
    payloads = trace.layers[0].payloads
    layer = artifact.network.layers[1]
    np.testing.assert_array_equal(
        spk_files.sums(parts, 1, payloads), layer.synapses.sum(payloads.astype(np.int64))
    )


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        (
            ["dense", "sparse", "dense"],
            r"unknown kind of synapses in layers\.1 .got 'sparse', limit dense",
        ),
        (["dense", "dense"], "2 kinds of synapses for 3 layers"),
        (["dense", ["dense"], "dense"], "does not fit the format: TypeError"),
        (None, "does not fit the format: TypeError"),
    ],
)
def test_other_kinds_of_synapses_are_refused(kinds: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.spk"
    save(random_artifact(0), path)
    parts = spk_files.read(path)
    parts.description["synapses"] = kinds
    path.write_bytes(spk_files.encoded(parts))
    with pytest.raises(InputError, match=text):
        load(path)


def test_the_page_lists_every_version() -> None:
    page = (ROOT / "docs" / "format.md").read_text()
    table = page.split("## Versions")[1].split("## Header")[0]
    listed = re.findall(r"^\| (\d+\.\d+) \|", table, re.MULTILINE)
    assert listed == [f"1.{minor}" for minor in range(VERSION[1] + 1)]
    assert f"# The `.spk` format, version {listed[-1]}\n" in page
    for since, names in spk_files.SINCE.items():
        row = re.search(rf"^\| {re.escape(since)} \|.*$", table, re.MULTILINE)
        assert row and all(f"`{name}`" in row[0] for name in names)
