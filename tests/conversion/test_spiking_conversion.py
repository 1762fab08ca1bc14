"""Spiking checkpoints all the way.

Converted, verified, simulated, priced and exported; what makes no sense is refused.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.schemes.lif_network import quantise_layer, spiking_network
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import LeakyIntegrateAndFire
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.simulation.backends import backend_class, open_backend
from tests.support.front_door import answer, command, done
from tests.support.policy_files import torch_bytes, write
from tests.support.spiking_files import actor, navigation, read
from tests.support.spiking_networks import SpikingShape, build_spiking

OBSERVATIONS = np.random.default_rng(0).normal(size=(300, 3))


def converted(
    folder: Path, sidecar: dict[str, Any] | None = None, plif: bool = False, **choices: Any
) -> Artifact:
    policy = read(
        folder,
        actor(plif=plif, span=2.0),
        sidecar={"observation": "tanh"} | (sidecar or {"neuron": "clif"}),
    )
    return spikeport.convert(policy, observations=OBSERVATIONS, **choices)


@pytest.mark.parametrize("neuron", ["lif", "clif", "plif"])
@pytest.mark.proves(direction="in", format=["PopSAN", "Proxy-Target"])
def test_the_integers_follow_the_float_network(tmp_path: Path, neuron: str) -> None:
    artifact = converted(tmp_path, {"neuron": neuron}, plif=neuron == "plif")
    assert (
        isinstance(artifact.source, SpikingPolicy)
        and artifact.network.neuron == LeakyIntegrateAndFire.id
        and artifact.calibration["trained_neuron"] == neuron
    )
    with open_backend("fast", artifact) as backend:
        actions = backend.trace(OBSERVATIONS, np.ones(len(OBSERVATIONS), np.int64)).actions
    wanted = artifact.source.act(OBSERVATIONS)
    assert np.ptp(wanted, axis=0).min() > 0.2
    assert np.abs(actions - wanted).mean() < 0.06
    assert (
        np.mean(np.abs(actions - wanted).max(1) < 1e-5) > 0.4
    )  # not one spike differs in many decisions
    layers = artifact.network.layers
    assert [layer.dynamics.bias_in_current for layer in layers if layer.dynamics] == [
        neuron == "clif"
    ] * 3
    keeps = {
        "lif": [0.75] * 3,
        "clif": [0.75] * 3,
        "plif": [1 / (1 + np.exp(-0.5 - index)) for index in range(3)],
    }[neuron]
    assert [layer.dynamics.voltage_decay for layer in layers if layer.dynamics] == [
        round(4096 * (1 - keep)) for keep in keeps
    ]
    assert {layer.dynamics.current_decay for layer in layers if layer.dynamics} == {
        2047 if neuron == "clif" else 4095
    }


@pytest.mark.parametrize("bits", range(2, 9))
def test_weight_bits(tmp_path: Path, bits: int) -> None:
    artifact = converted(tmp_path, weight_bits=bits)
    largest = max(int(np.abs(layer.weights).max()) for layer in artifact.network.layers)
    assert largest == 2 ** (bits - 1) - 1
    assert all(
        np.abs(layer.bias).max() <= largest and 40 <= layer.threshold[0] <= 4094
        for layer in artifact.network.layers
    )


def test_dn_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=(
            "cannot run this neuron: layer 0 is dn.*grows with its own square.*Loihi 2 microcode"
            " could run it"
        ),
    ):
        converted(tmp_path, {"neuron": "dn"})


def test_weights_too_small_for_their_threshold_are_refused(tmp_path: Path) -> None:
    policy = read(tmp_path, actor(), sidecar={"neuron": "clif"})
    layer = dataclasses.replace(
        policy.layers[0], weight=policy.layers[0].weight * 1e-4, bias=policy.layers[0].bias * 1e-4
    )
    with pytest.raises(
        InputError,
        match=(
            r"actor.pt, layer 0: does not fit the registers of a stock LIF .*limit threshold 4094"
            r" .clif. or 131071"
        ),
    ):
        spiking_network(dataclasses.replace(policy, layers=(layer, *policy.layers[1:])), 8)
    lif = dataclasses.replace(
        policy.layers[0], neuron="lif", current_keep=0.0, bias=np.full(8, 1e30, np.float32)
    )
    with pytest.raises(InputError, match=r"does not fit the registers .*bias 4095 << 7"):
        quantise_layer(lif, 8, 8, "actor.pt, layer 0")


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"alpha": 0.5}, "--alpha 0.5: it belongs to the conversion of an ANN"),
        ({"action_error": 0.1}, "--action-error 0.1: it belongs"),
        (
            {"timesteps": 8},
            (
                "--timesteps 8: the checkpoint was trained with T = 5.*say another T in the"
                " checkpoint's sidecar"
            ),
        ),
        (
            {"resync_every": 3, "prune_dead": True},
            "2 problems: --resync-every 3: .*; --prune-dead True",
        ),
        ({"neuron": "sdn"}, "--neuron sdn: the checkpoint has clif neurons, which run as lif"),
        ({"neuron": "auto"}, "--neuron auto: a spiking checkpoint keeps its own neurons"),
        ({"triggers": (2, 2)}, "--error-shares/--triggers/--allocation/--thrift: belong to sdn"),
        ({"finetune": True}, "--finetune: distils into sdn's integers only"),
        ({"weight_bits": 1}, "--weight-bits"),
    ],
)
def test_options_without_meaning_are_refused_by_name(
    tmp_path: Path, choices: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        converted(tmp_path, **choices)
    assert converted(tmp_path, timesteps=5, weight_bits=6).network.timesteps == 5


def test_what_belongs_to_anns_alone_says_so(tmp_path: Path) -> None:
    artifact = converted(tmp_path)
    assert artifact.source is not None
    with pytest.raises(
        InputError, match="diagnose: a network that was trained as spiking has no ANN"
    ):
        spikeport.diagnose(artifact)
    with pytest.raises(InputError, match="actor.pt: a spiking checkpoint has nothing to tune"):
        spikeport.tune(artifact.source, "Pendulum-v1", spikeport.TuningOptions())
    write(
        tmp_path / "ann.pt",
        torch_bytes(
            {f"l{index}.{kind}": value for index in (1, 2) for kind, value in _dense(index)}
        ),
    )
    ann = spikeport.load_policy(tmp_path / "ann.pt", action_low=[-1], action_high=[1])
    with pytest.raises(
        InputError, match=r"ann.pt: lif runs networks that were trained as spiking .got an ANN"
    ):
        spikeport.convert(ann, observations=OBSERVATIONS, options=ConversionOptions(neuron="lif"))
    with pytest.raises(
        InputError,
        match="the probe needs the policy's own states .got neither --env nor --observations",
    ):
        spikeport.convert(read(tmp_path, actor()))


def _dense(index: int) -> list[tuple[str, Any]]:
    import torch

    return [
        ("weight", torch.ones(3 if index == 1 else 1, 3)),
        ("bias", torch.zeros(3 if index == 1 else 1)),
    ]


def test_the_environment_may_come_from_the_sidecar(tmp_path: Path) -> None:
    write(tmp_path / "actor.pt", torch_bytes(actor()))
    (tmp_path / "actor.spikeport.json").write_text('{"environment": "Pendulum-v1"}')
    with pytest.raises(InputError, match="got 2 outputs, limit 1 action channels of Pendulum-v1"):
        spikeport.load_policy(tmp_path / "actor.pt")
    (tmp_path / "actor.spikeport.json").write_text(
        '{"environment": "Pendulum-v1", "action_limit": 2.0}'
    )
    policy = spikeport.load_policy(
        tmp_path / "actor.pt", action_low=[-2.0, -2.0], action_high=[2.0, 2.0]
    )
    with pytest.raises(
        InputError,
        match=(
            "environment Pendulum-v1: does not fit the policy: 1 action channels for a policy of 2"
        ),
    ):
        spikeport.convert(policy)


def test_a_missing_normaliser_is_warned_about_on_stderr(tmp_path: Path) -> None:
    write(tmp_path / "actor.pt", torch_bytes(actor()))
    np.save(tmp_path / "states.npy", OBSERVATIONS)
    bounds = ("--observations", tmp_path / "states.npy", "--action-low", "-1", "--action-high", "1")
    result = done("convert", tmp_path / "actor.pt", "-o", tmp_path / "a.spk", *bounds)
    assert "warning: no normaliser was found (actor_mean_var.p beside actor.pt)" in result.stderr
    assert (
        "lif@1 (T=5, 8 chip steps a decision)" in result.stdout
        and "bias in the current" in result.stdout
    )


def test_the_front_door(tmp_path: Path) -> None:
    """convert, inspect, verify, energy and export of an SDDPG actor, which needs no environment."""
    path = navigation(tmp_path)
    artifact = tmp_path / "nav.spk"
    facts = answer("convert", path, "-o", artifact)
    assert (
        facts["family"] == "SDDPG"
        and facts["calibration"]["source"] == "synthetic rates in 0..1"
        and facts["source_inside"]
    )
    assert {layer["neuron"] for layer in facts["layers"]} == {LeakyIntegrateAndFire.id} and facts[
        "chip_steps"
    ] == 8
    checkpoint = answer("inspect", path)
    assert (checkpoint["neuron"], checkpoint["timesteps"], checkpoint["encoder"]["kind"]) == (
        "clif",
        5,
        "rate",
    )
    assert answer("inspect", artifact)["layers"][0]["dynamics"]["bias_in_current"]
    backends = [
        name
        for name in ("reference", "fast", "lava-direct", "onnx")
        if not backend_class(name).missing()
    ]
    assert answer("verify", artifact, "--backends", ",".join(backends))["exact"]
    priced = answer("energy", artifact)["estimates"][0]
    assert (
        priced["census"]["idle_spikes"] > 0
        and priced["census"]["host_macs_per_decision"] == 4 + 2 * 2 + 4 * 5 + 2
    )
    assert not any("control word" in text or "graded input" in text for text in priced["unpriced"])
    assert any("always spikes" in text for text in priced["unpriced"])
    done("export", artifact, "--to", "lava", "-o", tmp_path / "folder")
    assert (tmp_path / "folder" / "spiking_policy" / "spiking_network.py").is_file()
    refused = command("convert", path, "-o", artifact, "--alpha", "0.5")
    assert refused.exit_code == 2 and "--alpha 0.5" in refused.stderr


@pytest.mark.skipif(bool(backend_class("lava").missing()), reason="Lava is not installed")
@pytest.mark.parametrize(
    "shape",
    [
        SpikingShape(population=2, in_current=False, transform="tanh"),
        SpikingShape(population=0, clip_action=True),
    ],
)
@pytest.mark.proves(direction="out", format="lava")
def test_an_exported_folder_replays_alone(tmp_path: Path, shape: SpikingShape) -> None:
    artifact = build_spiking(shape, 1)
    observations = np.random.default_rng(0).normal(size=(12, shape.features))
    probe = dataclasses.replace(
        artifact.probe, observations=observations, flags=np.array([1, 0, 0, 1] * 3, np.uint8)
    )
    spikeport.export(dataclasses.replace(artifact, probe=probe), "lava", tmp_path / "folder")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "run.py"],
        cwd=tmp_path / "folder",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert (
        f"payloads of layer {len(shape.hidden)}: " in run.stdout
        and "spike counts of the last layer: " in run.stdout
        and "exact" in run.stdout
    )


@pytest.mark.parametrize("exponent", range(8))
def test_lavas_dense_computes_the_integer_sum(exponent: int) -> None:
    """v = 64 (sum w) 2^e when nothing is kept:

    (2 w summed) << (e - 1) of stock Dense is exact for every weight of 8 bits.
    """
    if missing := backend_class("lava-direct").missing():
        pytest.skip(missing)
    artifact = build_spiking(
        SpikingShape(
            features=3,
            hidden=(),
            actions=1,
            population=0,
            readers=127,
            timesteps=2,
            in_current=False,
        ),
        0,
    )
    layer = artifact.network.layers[0]
    dynamics = artifact.network.layers[0].dynamics
    assert dynamics is not None
    weights = np.stack([np.arange(1, 128), -np.arange(1, 128), np.arange(127) - 63], axis=1).astype(
        np.int8
    )
    layer = dataclasses.replace(
        layer,
        synapses=Dense(weights),
        bias=0 * layer.bias,
        threshold=0 * layer.threshold + 2**17 - 1,
        dynamics=dataclasses.replace(
            dynamics, current_decay=4095, voltage_decay=4096, weight_exponent=exponent
        ),
    )
    artifact = dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=(layer,))
    )
    patterns = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [0, 1, 1]])
    with open_backend("lava-direct", artifact) as backend:
        trace = backend.trace(patterns.astype(float), np.ones(6, np.int64))
    np.testing.assert_array_equal(
        trace.layers[0].states[:, 0], 64 * 2**exponent * patterns @ weights.T.astype(np.int64)
    )


def test_popsan_of_record(policies: Path) -> None:
    """The published HalfCheetah actor.

    Integers equal on the fast and the reference backend, spikes close to the float network's.
    """
    policy = spikeport.load_policy(
        policies / "popsan" / "model0_e100.pt", action_low=[-1.0], action_high=[1.0]
    )
    assert (
        isinstance(policy, SpikingPolicy)
        and policy.provenance.normalizer_file == "model0_e100_mean_var.p"
    )
    assert policy.observation.mean is not None and policy.observation.variance is not None
    states = policy.observation.mean + np.random.default_rng(0).normal(size=(200, 17)) * np.sqrt(
        policy.observation.variance
    )
    artifact = spikeport.convert(policy, observations=states)
    backends = [
        name
        for name in ("reference", "fast", "lava-direct", "onnx")
        if not backend_class(name).missing()
    ]
    result = spikeport.verify(artifact, backends=backends, decisions=24)
    assert result.exact
    counts = policy.counts(
        policy.observation.apply(states, np.zeros(200, np.int64)).astype(np.float32)
    )
    with open_backend("fast", artifact) as backend:
        census = backend.trace(states, np.ones(200, np.int64)).census
    for layer, count in zip(census.layers, counts[1:], strict=True):
        assert abs(layer.spikes / float(count.sum()) - 1) < 0.03


def test_sddpg_of_record(policies: Path) -> None:
    artifact = spikeport.convert(spikeport.load_policy(policies / "sddpg" / "sddpg_bw_5_bias.p"))
    backends = [
        name
        for name in ("reference", "fast", "lava-direct", "onnx")
        if not backend_class(name).missing()
    ]
    assert spikeport.verify(artifact, backends=backends, decisions=24).exact


@pytest.mark.slow
def test_popsan_holds_its_return(policies: Path) -> None:
    policy = spikeport.load_policy(policies / "popsan" / "model0_e100.pt", env="HalfCheetah-v4")
    artifact = spikeport.convert(policy, env="HalfCheetah-v4", calibration_steps=1000)
    facts = spikeport.simulate(artifact, episodes=20, seed=1000, compare=True).to_json()
    assert (
        facts["return_ratio"] >= 0.98
        and facts["failed_episodes"] == 0
        and 9_700 < facts["ann_mean_return"] < 10_200
    )
    assert spikeport.verify(artifact).exact
