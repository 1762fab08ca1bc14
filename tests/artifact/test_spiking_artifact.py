"""`.spk` files of `lif@1`.

Written and read back whole, older files load, and whatever breaks a rule is refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import load, save
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.contracts import ActionContract
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.policies.spiking_policy import SpikingLayer, SpikingPolicy
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support import spk_files
from tests.support.networks import random_artifact
from tests.support.spiking_networks import SpikingShape, build_spiking, spiking_stream

SHAPE = SpikingShape(features=2, hidden=(3,), actions=1, population=2, readers=2, in_current=True)
Change = Callable[[Artifact], Artifact]


def whole(shape: SpikingShape = SHAPE, seed: int = 0) -> Artifact:
    """An artifact with a float source of its shape inside."""
    artifact = build_spiking(shape, seed)
    coding = artifact.network.spike_coding
    rng = np.random.default_rng(seed)
    assert coding is not None
    layers = tuple(
        SpikingLayer(
            rng.normal(size=layer.weights.shape).astype(np.float32),
            rng.normal(size=layer.outputs).astype(np.float32),
            "clif",
            0.5,
        )
        for layer in artifact.network.layers
    )
    if coding.mean is None or coding.std is None:
        ends = (None, None)
    else:
        ends = (coding.mean.astype(np.float32), coding.std.astype(np.float32))
    decoder = coding.decoder_weights.astype(np.float32), coding.decoder_bias.astype(np.float32)
    source = SpikingPolicy(
        layers,
        artifact.network.timesteps,
        artifact.observation,
        artifact.action,
        artifact.provenance,
        *decoder,
        coding.transform,
        *ends,
    )
    return dataclasses.replace(artifact, source=source)


@pytest.mark.parametrize(
    "shape",
    [
        SHAPE,
        dataclasses.replace(SHAPE, population=0, in_current=False, transform="tanh"),
        dataclasses.replace(SHAPE, normaliser="clipped", clip_action=True),
    ],
)
def test_what_is_saved_is_loaded(tmp_path: Path, shape: SpikingShape) -> None:
    artifact = whole(shape)
    save(artifact, tmp_path / "a.spk")
    loaded = load(tmp_path / "a.spk")
    observations, flags = spiking_stream(artifact, 0, 8)
    ours, theirs = (ReferenceBackend(one).trace(observations, flags) for one in (artifact, loaded))
    np.testing.assert_array_equal(ours.actions, theirs.actions)
    assert (
        ours.census == theirs.census
        and loaded.network.layers[0].dynamics == artifact.network.layers[0].dynamics
    )
    assert artifact.source is not None and loaded.source is not None
    np.testing.assert_array_equal(
        artifact.source.act(observations), loaded.source.act(observations)
    )
    save(loaded, tmp_path / "b.spk")
    assert (tmp_path / "a.spk").read_bytes() == (tmp_path / "b.spk").read_bytes()


def test_older_files_load(tmp_path: Path) -> None:
    """Version 1.0 had no key `spike_coding`."""
    artifact = random_artifact(0, widths=(3, 4, 2))
    save(artifact, tmp_path / "a.spk")
    parts = spk_files.read(tmp_path / "a.spk")
    assert parts.description.pop("spike_coding", None) is None
    parts.description["version"] = "1.0"
    (tmp_path / "b.spk").write_bytes(spk_files.encoded(parts))
    loaded = load(tmp_path / "b.spk")
    assert loaded.network.spike_coding is None
    np.testing.assert_array_equal(
        loaded.network.layers[0].weights, artifact.network.layers[0].weights
    )


def in_layer(index: int, **values: Any) -> Change:
    def change(artifact: Artifact) -> Artifact:
        layers = list(artifact.network.layers)
        layers[index] = dataclasses.replace(layers[index], **values)
        return in_network(layers=tuple(layers))(artifact)

    return change


def dynamics(**values: Any) -> Change:
    def change(artifact: Artifact) -> Artifact:
        before = artifact.network.layers[0].dynamics
        assert before is not None
        return in_layer(0, dynamics=dataclasses.replace(before, **values))(artifact)

    return change


def in_network(**values: Any) -> Change:
    return lambda artifact: dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, **values)
    )


def coding(**values: Any) -> Change:
    def change(artifact: Artifact) -> Artifact:
        before = artifact.network.spike_coding
        assert before is not None
        return in_network(spike_coding=dataclasses.replace(before, **values))(artifact)

    return change


def choosing(artifact: Artifact) -> Artifact:
    return dataclasses.replace(
        artifact, action=ActionContract(artifact.action.size, "argmax", np.ones(1), np.zeros(1))
    )


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def floats(*shape: int, value: float = 1.0) -> np.ndarray:
    return np.full(shape, value)


RULES: list[tuple[Change, str]] = [
    (in_layer(0, dynamics=None), "layer 0: lif@1 needs dynamics"),
    (
        in_layer(0, threshold=ints(5, 5, 6)),
        "layer 0: lif@1 has one threshold and one row scale per layer",
    ),
    (
        in_layer(0, row_scale=np.array([0.1, 0.1, 0.2])),
        "layer 0: lif@1 has one threshold and one row scale per layer",
    ),
    (
        in_layer(0, threshold=ints(0, 0, 0)),
        r"layer 0: thresholds must be 1\.\.4094, so that a neuron can always spike on its bias",
    ),
    (in_layer(0, threshold=ints(4095, 4095, 4095)), r"layer 0: thresholds must be 1\.\.4094"),
    (in_layer(0, bias=ints(128, 0, 0)), r"layer 0: a bias in the current is a weight, -127\.\.127"),
    (in_layer(0, payload_high=ints(2, 1, 1)), r"layer 0: the payload of lif@1 is within 0\.\.1"),
    (in_layer(0, unit=np.array([1.0, 2.0, 1.0])), "layer 0: a spike of lif@1 has the unit 1"),
    (
        in_layer(0, activation="relu"),
        "layer 0: lif@1 has the activation identity, no table and trigger 1",
    ),
    (in_layer(0, trigger=2), "layer 0: lif@1 has the activation identity, no table and trigger 1"),
    (
        in_layer(0, hold_input=True),
        "layer 0: hold_input belongs to the first layer of a rate network",
    ),
    (
        in_layer(0, neuron="if@1"),
        "layer 0: neuron if@1 with a spike coding, which belongs to lif@1 and to no other",
    ),
    (
        in_layer(1, neuron="readout@1"),
        "layer 1: neuron readout@1 with a spike coding, which belongs to lif@1 and to no other",
    ),
    (dynamics(current_decay=-1), r"layer 0: current_decay is -1, 0\.\.4095 expected"),
    (dynamics(current_decay=4096), r"layer 0: current_decay is 4096, 0\.\.4095 expected"),
    (dynamics(voltage_decay=4097), r"layer 0: voltage_decay is 4097, 0\.\.4096 expected"),
    (dynamics(weight_exponent=8), r"layer 0: weight_exponent is 8, 0\.\.7 expected"),
    (dynamics(weight_exponent=-1), r"layer 0: weight_exponent is -1, 0\.\.7 expected"),
    (dynamics(bias_in_current=False), "biases go to the current in all layers or in none"),
    (in_network(spike_coding=None), "neuron lif@1 without a spike coding"),
    (in_network(alpha=1), "lif@1 carries nothing over: alpha and resync_every must be 0"),
    (in_network(resync_every=1), "lif@1 carries nothing over: alpha and resync_every must be 0"),
    (coding(transform="sin"), "unknown observation transform 'sin'"),
    (coding(threshold=0), r"the encoder's threshold is 0, 1\.\.1048576 expected"),
    (coding(threshold=2**20 + 1), r"the encoder's threshold is 1048577, 1\.\.1048576 expected"),
    (coding(mean=None), "a population encoder needs mean and std|encoder has shapes"),
    (coding(mean=floats(4)), r"encoder has shapes|the encoder's mean and std have shapes \(4,\)"),
    (
        coding(std=floats(2, 2, value=0.0)),
        "the encoder's mean and std must be finite, std at least 1e-09",
    ),
    (
        coding(std=floats(2, 2, value=1e-200)),
        "the encoder's mean and std must be finite, std at least 1e-09",
    ),
    (coding(mean=floats(2, 2, value=np.nan)), "the encoder's mean and std must be finite"),
    (
        coding(std=floats(2, 3)),
        r"the encoder's mean and std have shapes \(2, 2\), \(2, 3\) for 2 features",
    ),
    (
        coding(decoder_weights=floats(1, 3)),
        r"the decoder has shapes \(1, 3\), \(1,\) for 2 output neurons and 1 action channels",
    ),
    (coding(decoder_bias=floats(2)), r"the decoder has shapes \(1, 2\), \(2,\)"),
    (coding(decoder_weights=floats(1, 2, value=np.inf)), "the decoder's numbers must be finite"),
    (
        choosing,
        "spike counts decode to numbers, not to a choice: the squash argmax does not go with lif@1",
    ),
]


@pytest.mark.parametrize(("change", "text"), RULES)
def test_artifacts_that_break_a_rule_are_refused(change: Change, text: str) -> None:
    with pytest.raises(InputError, match=text):
        check(change(build_spiking(SHAPE, 0)), "a.spk")


def test_a_bias_of_the_membrane_has_one_exponent() -> None:
    artifact = build_spiking(dataclasses.replace(SHAPE, in_current=False), 0)
    for values in ((4096 * 2**7, 0, 0), (4095 * 2**7, 1, 0), (-(2**20), 0, 0)):
        with pytest.raises(
            InputError,
            match=(
                "layer 0: biases must be one mantissa of at most 4095 each times one power of two"
                " up to 2.7"
            ),
        ):
            check(in_layer(0, bias=ints(*values))(artifact), "a.spk")
    check(in_layer(0, bias=ints(-4095 * 2**7, 2**7, 0))(artifact), "a.spk")


def test_current_and_membrane_are_proven() -> None:
    """20 weights of 127 with exponent 7 leave 24 bits in the first step."""
    artifact = build_spiking(
        SpikingShape(features=20, hidden=(), actions=1, population=0, readers=1), 0
    )
    layer = dataclasses.replace(
        artifact.network.layers[0], synapses=Dense(np.full((1, 20), 127, np.int8))
    )
    for exponent, allowed in ((0, True), (7, False)):
        assert layer.dynamics is not None
        changed = dataclasses.replace(
            layer, dynamics=dataclasses.replace(layer.dynamics, weight_exponent=exponent)
        )
        candidate = in_network(layers=(changed,))(artifact)
        if allowed:
            check(candidate, "a.spk")
        else:
            with pytest.raises(
                InputError,
                match=(
                    r"layer 0: 1 rows' synaptic sum may reach \d+, limit 8388607.*Fix: lower"
                    r" --weight-bits.$"
                ),
            ):
                check(candidate, "a.spk")


def edited(tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    save(whole(), tmp_path / "a.spk")
    parts = spk_files.read(tmp_path / "a.spk")
    change(parts.description)
    (tmp_path / "a.spk").write_bytes(spk_files.encoded(parts))
    return tmp_path / "a.spk"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda d: d["layers"][0]["dynamics"].update(more=1),
            "unknown keys more in the dynamics of layer 0",
        ),
        (lambda d: d["layers"][0]["dynamics"].update(bias_in_current=1), "1 is not true or false"),
        (lambda d: d["layers"][0]["dynamics"].update(current_decay="x"), "'x' is not an integer"),
        (lambda d: d["layers"][0]["dynamics"].pop("voltage_decay"), "KeyError 'voltage_decay'"),
        (lambda d: d["layers"][0].pop("dynamics"), "lif@1 needs dynamics"),
        (lambda d: d["spike_coding"].update(more=1), "unknown keys more in spike coding"),
        (
            lambda d: d.update(spike_coding=None),
            (
                "unknown arrays spike_coding|takes|does not fit|without a spike coding|unknown"
                " activation"
            ),
        ),
        (lambda d: d["spike_coding"].update(threshold=2**60), "is not an integer in range"),
        (lambda d: d["source"][0].update(more=1), "a spiking source layer has the keys neuron"),
        (
            lambda d: d["source"][0].update(threshold="x"),
            "the numbers of a spiking source layer are not numbers",
        ),
        (
            lambda d: d["source"][0].update(neuron="qif"),
            "unknown neuron 'qif', known are lif, clif, dn, plif",
        ),
        (
            lambda d: d.update(source=["relu", "identity"]),
            "a spiking source layer has the keys neuron",
        ),
        (lambda d: d.update(timesteps=0), "0 timesteps, 1..1024 expected"),
    ],
)
def test_edited_descriptions_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        load(edited(tmp_path, change))


def test_the_format_page_names_what_a_spiking_file_holds(tmp_path: Path) -> None:
    save(whole(), tmp_path / "a.spk")
    parts = spk_files.read(tmp_path / "a.spk")
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    for name in (
        *parts.description["layers"][0]["dynamics"],
        *parts.description["spike_coding"],
        *parts.description["source"][0],
    ):
        assert name in page, name
    for name in parts.arrays:
        if name.startswith("spike_coding."):
            assert f"`.{name.split('.')[1]}`" in page or f"`{name}`" in page, name
