"""A checkpoint format that another package adds: one file with a Reader and one entry point."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain import plugins
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import FileContent
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.readers.detect import formats
from spikeport.toolchain.readers.inspection import inspect_checkpoint
from spikeport.toolchain.readers.reader import Reader
from spikeport.toolchain.readers.reading_options import ReadOptions

SIGNATURE = b"TOY1"


def is_toy(content: FileContent) -> bool:
    return content.data.startswith(SIGNATURE)


def read_toy(content: FileContent, options: ReadOptions) -> Policy:
    """A toy file is its signature, then a JSON list of weights [out, in] of relu layers."""
    weights = [np.array(rows, np.float32) for rows in json.loads(content.data[len(SIGNATURE) :])]
    activations = ["relu"] * (len(weights) - 1) + [options.activation or "identity"]
    layers = tuple(
        DenseLayer(weight, np.zeros(len(weight), np.float32), activation)
        for weight, activation in zip(weights, activations, strict=True)
    )
    actions = layers[-1].outputs
    return Policy(
        layers,
        ObservationContract(layers[0].inputs),
        ActionContract(actions, "none", np.ones(actions), np.zeros(actions)),
        Provenance(content.name, content.sha256, "toy", "toy"),
    )


@pytest.fixture
def toy_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with the entry point `toy`."""
    package = types.ModuleType("toy_package")
    package.READER = Reader("a toy file", is_toy, read_toy)  # pyright: ignore
    monkeypatch.setitem(sys.modules, "toy_package", package)
    group = "spikeport.checkpoint_readers"
    point = metadata.EntryPoint("toy", "toy_package:READER", group)
    installed = metadata.entry_points

    def with_toy(**wanted: Any) -> Any:
        found: Any = installed(**wanted)
        if wanted == {"group": group}:
            return metadata.EntryPoints((*found, point))
        return found

    monkeypatch.setattr(metadata, "entry_points", with_toy)
    plugins.places.cache_clear()
    yield
    plugins.places.cache_clear()


def toy_file(folder: Path) -> Path:
    random = np.random.default_rng(0)
    weights = [random.normal(size=(8, 3)).tolist(), random.normal(size=(2, 8)).tolist()]
    path = folder / "actor.toy"
    path.write_bytes(SIGNATURE + json.dumps(weights).encode())
    return path


@pytest.mark.usefixtures("toy_package")
def test_it_is_read_converted_and_inspected(tmp_path: Path) -> None:
    path = toy_file(tmp_path)
    policy = spikeport.load_policy(path)
    assert policy.provenance.format == "toy"
    artifact = spikeport.convert(
        policy, env=None, observations=np.random.default_rng(1).normal(size=(200, 3)), neuron="sdn"
    )
    assert artifact.network.layers[0].inputs == 3
    facts = inspect_checkpoint(path, ReadOptions())
    assert facts["format"] == "toy" and facts["missing"] == []


@pytest.mark.usefixtures("toy_package")
def test_it_is_listed(tmp_path: Path) -> None:
    assert formats()["toy"] == "a toy file"
    (tmp_path / "unknown").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"limit .*a netx network or a toy file"):
        spikeport.load_policy(tmp_path / "unknown")
    with pytest.raises(InputError, match=r"only a graph has named outputs \(got .* a toy file"):
        spikeport.load_policy(toy_file(tmp_path), action_output="mu")
    with pytest.raises(InputError, match=r"not an artifact \(got a toy file"):
        spikeport.load(toy_file(tmp_path))


def test_without_the_package_it_is_unknown(tmp_path: Path) -> None:
    assert "toy" not in formats()
    with pytest.raises(InputError, match="unknown content"):
        spikeport.load_policy(toy_file(tmp_path))
