"""`lif@1` as NIR: the nodes keep what the integers keep, and the artifact comes back equal."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.conversion.schemes.trained_lif import spiking_network
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import Provenance
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy
from tests.artifact.test_artifact_file import assert_equal

nir = pytest.importorskip("nir")

from spikeport.export.nir.nir_file import export_nir  # noqa: E402
from spikeport.export.nir.nir_reading import load_nir  # noqa: E402


def spiking_artifact(
    seed: int = 0, neuron: str = "lif", widths: tuple[int, ...] = (4, 9, 7, 2), population: int = 0
) -> Artifact:
    """A random spiking policy in integers; `population` neurons per feature, 0 for rate coding."""
    rng = np.random.default_rng(seed)
    inputs = (widths[0] * max(population, 1), *widths[1:])
    layers = tuple(
        SpikingLayer(
            rng.normal(size=(b, a)).astype(np.float32),
            rng.normal(scale=0.1, size=b).astype(np.float32),
            neuron,
            0.5 if neuron == "clif" else 0.0,
        )
        for a, b in zip(inputs[:-1], inputs[1:], strict=True)
    )
    action = ActionContract(2, "tanh", np.ones(2), np.zeros(2))
    if population:
        mean = rng.normal(size=(widths[0], population)).astype(np.float32)
    else:
        mean = None
    if mean is not None:
        std = np.ones_like(mean)
    else:
        std = None
    provenance = Provenance("random", "0" * 64, "test", "random")
    decoder = rng.normal(size=(2, widths[-1] // 2)).astype(np.float32)
    policy = SpikingPolicy(
        layers,
        5,
        ObservationContract(widths[0]),
        action,
        provenance,
        decoder,
        np.ones(2, np.float32),
        "none",
        mean,
        std,
    )
    probe = Probe(rng.random((8, widths[0])), np.array([1, 0, 0, 0, 1, 0, 0, 0], np.uint8))
    return Artifact(
        spiking_network(policy, 8),
        policy.observation,
        action,
        provenance,
        probe,
        {"seeds": []},
        source=policy,
        source_macs=policy.macs,
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"neuron": "clif", "population": 3}, {"neuron": "clif", "widths": (3, 5, 4)}],
    ids=str,
)
@pytest.mark.proves(direction="out", format="nir")
def test_round_trip(tmp_path: Path, options: dict[str, Any]) -> None:
    artifact = spiking_artifact(1, **options)
    export_nir(artifact, tmp_path / "a.nir")
    assert_equal(artifact, load_nir(tmp_path / "a.nir"))
    nir.write(tmp_path / "b.nir", nir.read(tmp_path / "a.nir"))
    assert_equal(artifact, load_nir(tmp_path / "b.nir"))


@pytest.mark.parametrize("neuron", ["lif", "clif"])
def test_nodes_keep_what_integers_keep(tmp_path: Path, neuron: str) -> None:
    """One Euler step of NIR's equations, next to one step of the integers, in units of the
    threshold.
    """
    artifact = spiking_artifact(2, neuron)
    export_nir(artifact, tmp_path / "a.nir")
    graph = nir.read(tmp_path / "a.nir")
    dt = 1e-4
    for index, layer in enumerate(artifact.network.layers):
        node = graph.nodes[f"lif_{index}"]
        affine = graph.nodes[f"affine_{index}"]
        dynamics = layer.dynamics
        assert dynamics is not None and isinstance(
            node, nir.CubaLIF if neuron == "clif" else nir.LIF
        )
        if neuron == "clif":
            tau = node.tau_mem
        else:
            tau = node.tau
        assert (
            (node.v_threshold == 1).all() and (node.v_reset == 0).all() and (node.v_leak == 0).all()
        )
        np.testing.assert_allclose(1 - dt / tau, (4096 - dynamics.voltage_decay) / 4096, rtol=1e-6)
        np.testing.assert_allclose(node.r * dt / tau, 1, rtol=1e-6)
        if neuron == "clif":
            np.testing.assert_allclose(
                1 - dt / node.tau_syn, (4095 - dynamics.current_decay) / 4096, rtol=1e-6
            )
            np.testing.assert_allclose(node.w_in * dt / node.tau_syn, 1, rtol=1e-6)
        theta = layer.threshold.astype(float) * 64
        np.testing.assert_allclose(
            affine.weight,
            (layer.weights.astype(float) * 2 ** (dynamics.weight_exponent + 6)) / theta[:, None],
            rtol=1e-6,
        )
        added = layer.bias.astype(float) * (
            2 ** (dynamics.weight_exponent + 6) if dynamics.bias_in_current else 1
        )
        np.testing.assert_allclose(affine.bias, added / theta, rtol=1e-6)
    decoder = graph.nodes[f"affine_{len(artifact.network.layers)}"]
    coding = artifact.network.spike_coding
    assert coding is not None and decoder.weight.shape == (2, coding.decoded)
    spikes = np.random.default_rng(0).random(coding.decoded)
    np.testing.assert_allclose(
        decoder.weight @ spikes + decoder.bias,
        (coding.decoder_weights * spikes.reshape(2, -1)).sum(1) + coding.decoder_bias,
        rtol=1e-5,
    )


def test_what_nir_cannot_place(tmp_path: Path) -> None:
    """A bias behind a decaying current and a membrane that keeps everything: both named at once."""
    artifact = spiking_artifact(3, "clif", (3, 4, 2))
    first = artifact.network.layers[0]
    assert first.dynamics is not None
    foreign = dataclasses.replace(
        first, dynamics=dataclasses.replace(first.dynamics, bias_in_current=False, voltage_decay=0)
    )
    artifact = dataclasses.replace(
        artifact,
        network=dataclasses.replace(
            artifact.network, layers=(foreign, *artifact.network.layers[1:])
        ),
    )
    wanted = (
        r"2 problems: layer 0: its bias is added to the membrane behind a current that decays;"
        r" layer 0: its membrane does not decay"
    )
    with pytest.raises(InputError, match=wanted):
        export_nir(artifact, tmp_path / "a.nir")
