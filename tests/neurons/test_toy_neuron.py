"""A neuron that is one file and one line: everything that needs no technology of its own knows it.

The toy is `if` with a second threshold per neuron, `reserve`, that must be exceeded on top. It is
defined here and registered in HIDDEN_NEURONS; no table in the toolchain names it.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import final

import numpy as np
import pytest

import spikeport
from spikeport import api
from spikeport.hardware_profiles import load_profile
from spikeport.toolchain import neurons
from spikeport.toolchain.artifact import artifact_file
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.energy.caveats import not_expressible
from spikeport.toolchain.energy.mapping import map_network
from spikeport.toolchain.energy.pricing import total
from spikeport.toolchain.energy.textbook import spiking_terms
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Coding, Layer
from spikeport.toolchain.neurons import Traits
from spikeport.toolchain.neurons.neuron import Long
from spikeport.toolchain.neurons.proof import bound
from spikeport.toolchain.neurons.windowed import WindowedNeuron
from spikeport.toolchain.simulation.backend import Trace
from spikeport.toolchain.simulation.backends import backend_class, open_backend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.networks import random_artifact

WIDTHS = (4, 8, 6, 2)
RESERVE = 300


@final
class Toy(WindowedNeuron):
    """Fires above theta + reserve and resets by theta."""

    id = "toy@1"
    traits = Traits(
        "toy",
        Coding.RATE,
        soft_reset=True,
        programmable=True,
        state_words=2,
        update=("add32", "add32"),
        timesteps=4,
    )
    arrays = ("reserve",)

    def range(self, layer: Layer, timesteps: int) -> tuple[Long, Long, Long]:
        theta = layer.threshold.astype(np.int64)
        return theta // 2, np.zeros_like(theta), theta

    def fire(self, layer: Layer, v: Long, net: Long) -> Long:
        return (v > layer.threshold.astype(np.int64) + layer.extra["reserve"]).astype(np.int64)


def plain() -> Artifact:
    """A network of `if@1`."""
    return random_artifact(3, neuron="if@1", widths=WIDTHS, timesteps=4)


def toy(reserve: int = RESERVE) -> Artifact:
    """The same network of the toy, with one reserve for all neurons."""
    network = plain().network
    layers = tuple(
        dataclasses.replace(
            layer,
            neuron=Toy.id,
            extra={"reserve": np.full(layer.outputs, reserve, np.int32)},
        )
        for layer in network.layers[:-1]
    )
    layers = (*layers, network.layers[-1])
    return dataclasses.replace(plain(), network=dataclasses.replace(network, layers=layers))


def with_layer(artifact: Artifact, **changes: object) -> Artifact:
    """The artifact with another first layer."""
    network = artifact.network
    layer = dataclasses.replace(network.layers[0], **changes)  # type: ignore[arg-type]
    layers = (layer, *network.layers[1:])
    return dataclasses.replace(artifact, network=dataclasses.replace(network, layers=layers))


def run(artifact: Artifact) -> Trace:
    """The probe on the reference."""
    return ReferenceBackend(artifact).trace(artifact.probe.observations, artifact.probe.flags)


def spikes(trace: Trace) -> int:
    """Of all hidden layers."""
    return sum(int(layer.payloads.sum()) for layer in trace.layers[:-1])


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line."""
    monkeypatch.setitem(neurons.HIDDEN_NEURONS, Toy.id, Toy())


def test_the_reference_runs_it() -> None:
    without = run(toy(reserve=0))
    for ours, theirs in zip(without.layers, run(plain()).layers, strict=True):
        np.testing.assert_array_equal(ours.payloads, theirs.payloads)
        np.testing.assert_array_equal(ours.states, theirs.states)
    assert 0 < spikes(run(toy())) < spikes(without)


def test_it_is_checked() -> None:
    assert check(toy(), "toy")
    one = np.ones(WIDTHS[1], np.int32)
    for changes, problem in (
        ({"extra": {}}, "toy@1 has the further arrays reserve, not none"),
        ({"extra": {"reserve": one, "more": one}}, "further arrays reserve, not more, reserve"),
        ({"extra": {"reserve": one[1:]}}, r"reserve is int32 of shape \(7,\), int32 for 8 rows"),
        ({"extra": {"reserve": 1.0 * one}}, "reserve is float64 of shape"),
        ({"payload_high": 2 * one}, r"the payload of toy@1 is within 0\.\.1"),
        ({"threshold": 0 * one}, r"thresholds must be 1\.\.8388607"),
        ({"activation": "identity"}, "toy@1 carries relu only, not identity"),
        ({"trigger": 2}, "trigger 2, 1 expected for toy@1"),
    ):
        with pytest.raises(InputError, match=f"layer 0: .*{problem}"):
            check(with_layer(toy(), **changes), "toy")
    with pytest.raises(InputError, match=r"if@1 has the further arrays none, not reserve"):
        check(with_layer(plain(), extra={"reserve": one}), "plain")


def test_it_is_proven() -> None:
    for index in range(len(WIDTHS) - 1):
        ours = bound(toy().network, index)
        theirs = bound(plain().network, index)
        np.testing.assert_array_equal(ours.synaptic, theirs.synaptic)
        np.testing.assert_array_equal(ours.accumulator, theirs.accumulator)
    high = np.full(WIDTHS[0], 2**22, np.int32)
    network = toy().network
    wide = dataclasses.replace(network, encoder=dataclasses.replace(network.encoder, limit=high))
    with pytest.raises(InputError, match=r"layer 0: \d+ rows' synaptic sum may reach"):
        check(dataclasses.replace(toy(), network=wide), "toy")


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    spikeport.save(toy(), tmp_path / "toy.spk")
    loaded = spikeport.load(tmp_path / "toy.spk")
    for ours, theirs in zip(loaded.network.layers, toy().network.layers, strict=True):
        assert ours.neuron == theirs.neuron and set(ours.extra) == set(theirs.extra)
        for name, values in theirs.extra.items():
            np.testing.assert_array_equal(ours.extra[name], values)
    assert loaded.network.coding == Coding.RATE
    for ours, theirs in zip(run(loaded).layers, run(toy()).layers, strict=True):
        np.testing.assert_array_equal(ours.states, theirs.states)
    spikeport.save(loaded, tmp_path / "again.spk")
    assert (tmp_path / "again.spk").read_bytes() == (tmp_path / "toy.spk").read_bytes()


def test_a_file_of_a_neuron_that_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spikeport.save(toy(), tmp_path / "toy.spk")
    monkeypatch.delitem(neurons.HIDDEN_NEURONS, Toy.id)
    with pytest.raises(InputError, match="layer 0: unknown neuron 'toy@1', known are sdn@1, if@1"):
        artifact_file.load(tmp_path / "toy.spk")


def test_it_is_mapped_and_priced() -> None:
    network = toy().network
    census = run(toy()).census
    loihi = load_profile("loihi1-davies")
    assert [layer.compartments for layer in map_network(network, loihi).layers] == [2, 2, 1]
    assert "toy@1 needs programmable neurons" in not_expressible(network, loihi)
    asic = load_profile("asic45")
    ours = spiking_terms(census, network, asic)
    theirs = spiking_terms(census, plain().network, asic)
    updates = 4 * (8 + 6)  # neurons with one more addition of 0.1 pJ in each timestep
    assert ours["operations"].value - theirs["operations"].value == pytest.approx(updates * 1e-13)
    assert ours["states"].value > theirs["states"].value
    assert total(ours.values()).value > 0


def test_a_technology_says_what_it_has_no_price_for(monkeypatch: pytest.MonkeyPatch) -> None:
    census = run(toy()).census
    monkeypatch.setattr(Toy, "traits", dataclasses.replace(Toy.traits, update=("sqrt32",)))
    with pytest.raises(
        InputError, match=r"^asic45: no energy is known .*got sqrt32, limit .*add32"
    ):
        spiking_terms(census, toy().network, load_profile("asic45"))


@pytest.mark.parametrize("backend", ["fast", "lava-direct", "onnx"])
def test_a_backend_without_it_refuses_it_by_name(backend: str) -> None:
    if backend_class(backend).missing():
        pytest.skip(f"{backend} is not installed")
    with pytest.raises(InputError, match="toy@1") as caught:
        open_backend(backend, toy())
    way_out = "--backend reference" if backend == "fast" else "--backend fast"
    assert way_out in caught.value.fix


@pytest.mark.parametrize("name", api.FORMATS)
def test_a_format_without_it_refuses_it_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="toy@1") as caught:
        api.export(toy(), name, tmp_path / "refused")
    assert "--neuron" in caught.value.fix
