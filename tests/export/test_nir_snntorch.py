"""The exported graph in snnTorch's own importer.

It loads, and what deviates is explained to the last spike.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.snntorch_runner import Remedies, SnnTorchNetwork
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.export.test_nir import rate_artifact
from tests.support.networks import observation_stream

pytest.importorskip("snntorch")
pytest.importorskip("nirtorch")

from spikeport.export.nir.nir_file import export_nir  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
DECISIONS = 40


def both(artifact: Artifact, remedies: Remedies, folder: Path, seed: int = 0):
    """Integer spikes and outputs, and snnTorch's, for the same features."""
    if not (folder / "a.nir").exists():
        export_nir(artifact, folder / "a.nir")
    observations = observation_stream(
        np.random.default_rng(seed), DECISIONS, artifact.observation.size
    )
    starts = np.arange(DECISIONS) % 17 == 0
    with ReferenceBackend(artifact) as backend:
        trace = backend.trace(observations, starts.astype(np.uint8))
    features = artifact.observation.apply(observations, np.zeros(DECISIONS, np.int64))
    return trace, SnnTorchNetwork(artifact, folder / "a.nir", remedies).run(features, starts)


def busy(artifact: Artifact) -> Artifact:
    """Thresholds of the second layer so low that a membrane stays above one after a spike."""
    first, second, last = artifact.network.layers
    lower = dataclasses.replace(
        second, threshold=np.maximum(second.threshold // 8, 1).astype(np.int32)
    )
    return dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=(first, lower, last))
    )


@pytest.mark.parametrize("seed", range(4))
def test_every_deviation_is_explained(tmp_path: Path, seed: int) -> None:
    """With all sources of deviation switched off snnTorch's spikes and sums are the integer
    network's, every one.
    """
    artifact = rate_artifact(seed, widths=(5, 12, 9, 3), timesteps=8, alpha=(0, 19, 32, 64)[seed])
    if seed % 2:
        artifact = busy(artifact)
    else:
        artifact = artifact
    trace, run = both(artifact, Remedies.all(), tmp_path, seed)
    assert sum(int(layer.payloads.sum()) for layer in trace.layers) > 1000
    for layer, spikes in zip(trace.layers[:-1], run.spikes, strict=True):
        assert np.array_equal(layer.payloads, spikes)
    readout = (
        trace.layers[-1].states[:, -1]
        * artifact.network.layers[-1].row_scale
        / artifact.network.divisor
    )
    np.testing.assert_allclose(run.outputs, readout, rtol=1e-12)


@pytest.mark.parametrize("source", ["no_leak", "window", "carry_over", "reset", "encoded"])
def test_every_source_matters(tmp_path: Path, source: str) -> None:
    """Each source of deviation alone changes spikes: none of the switches is idle."""
    artifact = busy(rate_artifact(4, widths=(5, 12, 9, 3), timesteps=8, alpha=32))
    trace, run = both(artifact, Remedies.all().without(source), tmp_path)
    assert any(
        (layer.payloads != spikes).any()
        for layer, spikes in zip(trace.layers[:-1], run.spikes, strict=True)
    )


def test_importer_needs_hidden_state(tmp_path: Path) -> None:
    """As imported, an IF neuron returns a pair that the next Linear cannot take.

    The one setting that docs/nir.md asks for.
    """
    import nir
    import torch
    from snntorch.import_nir import import_from_nir

    export_nir(rate_artifact(1), tmp_path / "a.nir")
    module = import_from_nir(nir.read(tmp_path / "a.nir"))
    with pytest.raises(TypeError, match="must be Tensor, not tuple"):
        module(torch.zeros(1, 5))
