"""`--to netx`.

Lava-dl's own Network runs the file with the reference's spikes; what it has no place for is refused
by name.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import spikeport
from spikeport import api
from spikeport.export.lava import lava_import
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import checksum, save
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.codes import encoder_spikes
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.readers.netx.netx_weights import netx_weights, weights_problem
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.export.test_nir import rate_artifact
from tests.export.test_nir_lif import spiking_artifact
from tests.support.front_door import command, done
from tests.support.netx_child import ROOT, Job, run_netx, supervised
from tests.support.spiking_networks import (
    SpikingShape,
    build_spiking,
    spiking_shapes,
    spiking_stream,
)

h5py = pytest.importorskip("h5py")

from spikeport.export.netx.blocks import ALWAYS_ON, blocks_of  # noqa: E402
from spikeport.export.netx.netx_file import export_netx  # noqa: E402

needs_netx = pytest.mark.skipif(
    not lava_import.lava_available() or lava_import.find_in_lava("lib/dl/netx") is None,
    reason="lava-nc or lava-dl is not installed (`spikeport doctor`)",
)
DECISIONS = 12
DOCUMENTED = "clif, population"  # the documentation's program runs it


def expressible(artifact: Artifact) -> Artifact:
    """The artifact with biases on the membrane that are multiples of 64, and a weight above zero in
    every layer.
    """
    layers = []
    for layer in artifact.network.layers:
        weights = layer.weights.copy()
        bias = layer.bias
        weights[0, 0] = max(weights[0, 0], 1)
        if layer.dynamics is not None and not layer.dynamics.bias_in_current:
            bias = (np.abs(bias) >> 6).clip(0, 4095) * np.sign(
                bias
            ) << 6  # never larger, so the range proof still holds
        layers.append(dataclasses.replace(layer, synapses=Dense(weights), bias=bias))
    found = dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers))
    )
    check(found, "made expressible")
    return found


CASES: dict[str, Artifact] = {
    "clif, rates": spiking_artifact(1, "clif", (4, 20, 15, 4)),
    DOCUMENTED: spiking_artifact(2, "clif", (3, 12, 6), population=4),
    "clif, large exponents": build_spiking(SpikingShape(hidden=(9, 8), size="huge"), 5),
    "lif, other decays": expressible(
        build_spiking(SpikingShape(hidden=(12, 9), in_current=False, timesteps=7, population=0), 7)
    ),
    "lif, one layer": expressible(
        build_spiking(SpikingShape(hidden=(), in_current=False, timesteps=4), 3)
    ),
}


def columns(
    artifact: Artifact, channels: np.ndarray, observations: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Input [channels, steps] with noise outside the windows, and the reference's output spikes
    [decisions, T, neurons].
    """
    network = artifact.network
    period = artifact.network.chip_steps
    timesteps = artifact.network.timesteps
    trace = ReferenceBackend(artifact).trace(observations, np.ones(len(observations), np.int64))
    assert network.spike_coding is not None
    spikes = encoder_spikes(trace.inputs, network.spike_coding.threshold, timesteps)
    found = np.random.default_rng(seed).integers(0, 2, (len(channels), len(observations) * period))
    for decision, window in enumerate(spikes):
        found[:, decision * period : decision * period + timesteps] = window[:, channels].T
    found[channels == ALWAYS_ON] = 1
    return found, trace.layers[-1].payloads


def windows(artifact: Artifact, spikes: np.ndarray) -> np.ndarray:
    """[outputs, steps] -> [decisions, T, outputs]."""
    network = artifact.network
    decisions = spikes.reshape(len(spikes), -1, network.chip_steps)
    return decisions[:, :, len(network.layers) :].transpose(1, 2, 0)


@pytest.mark.proves(direction="out", format="netx")
@needs_netx
def test_netx_runs_the_reference(tmp_path: Path) -> None:
    """Every spike of every window; a reset one step early is noticed.

    `netx_weights` is what netx makes of weights.
    """
    np.savez(tmp_path / "matrices.npz", **matrices())
    jobs = []
    wanted = []
    artifacts = []
    cases = {name: artifact for name, artifact in CASES.items() if name != DOCUMENTED}
    for index, artifact in enumerate(cases.values()):
        export_netx(artifact, tmp_path / f"{index}.net")
        observations = spiking_stream(artifact, index, DECISIONS)[0]
        fed, spikes = columns(artifact, blocks_of(artifact).channels, observations, index)
        jobs.append(Job(tmp_path / f"{index}.net", artifact.network.chip_steps, 1, fed))
        wanted.append(spikes)
        artifacts.append(artifact)
    found = run_netx(tmp_path, [*jobs, dataclasses.replace(jobs[0], offset=0)])
    for name, artifact, spikes, expected in zip(
        cases, artifacts, found[: len(jobs)], wanted, strict=True
    ):
        assert np.array_equal(windows(artifact, spikes), expected), name
        assert 0 < expected.mean() < 1, name
    assert not np.array_equal(windows(artifacts[0], found[-1]), wanted[0])
    compare_weights(np.load(tmp_path / "effective.npz"))


@needs_netx
@pytest.mark.slow
def test_netx_runs_popsan(policies: Path, tmp_path: Path) -> None:
    """The published PopSAN actor on HalfCheetah, on states about its normaliser's mean."""
    bounds = {"action_low": -np.ones(6), "action_high": np.ones(6)}
    policy = load_policy(
        policies / "popsan" / "model0_e100.pt",
        environment=EnvironmentFacts(observation_size=17, **bounds),
    )
    rng = np.random.default_rng(0)
    contract = policy.observation
    observations = contract.shift + contract.divisor * rng.normal(size=(120, 17)).clip(-3, 3)
    artifact = spikeport.convert(policy, observations=observations)
    export_netx(artifact, tmp_path / "a.net")
    made = blocks_of(artifact)
    fed, spikes = columns(artifact, made.channels, observations, 1)
    found = run_netx(tmp_path, [Job(tmp_path / "a.net", 8, 1, fed)])
    assert np.array_equal(windows(artifact, found[0]), spikes) and spikes.sum() > 1000
    print([block.weights.shape for block in made.blocks], spikes.shape, int(spikes.sum()))


def matrices() -> dict[str, np.ndarray]:
    """Weight matrices of every kind of sign and step, with the ones that netx changes."""
    rng = np.random.default_rng(0)
    found = {
        f"random {i}": rng.integers(low, high + 1, (3, 4)) * step
        for i in range(200)
        for low, high, step in [_range(rng)]
    }
    found |= {
        f"none positive {n}": np.array([[-n, 0], [0, 0]])
        for n in (1, 2, 4, 3, 64, 128, 254, 255, 256)
    }
    found |= {f"all negative {n}": np.array([[-n, -2]]) for n in (1, 64, 100, 128, 255, 256)}
    return {name: weights for name, weights in found.items() if weights.any()}


def compare_weights(effective: Any) -> None:
    """lava-dl's and lava-nc's own arithmetic against ours, also where that changes weights."""
    changed = 0
    for name, weights in matrices().items():
        if weights.max() <= 254 and weights.min() >= -256:
            assert np.array_equal(netx_weights(weights), effective[name]), (name, weights)
        same = np.array_equal(weights, effective[name])
        assert same == (weights_problem(weights) == "") or (same and weights.max() == 255), (
            name,
            weights,
            effective[name],
        )
        changed += not same
    assert 5 < changed < len(effective) // 2


def _range(rng: np.random.Generator) -> tuple[int, int, int]:
    step = int(rng.choice((1, 2, 8)))
    low, high = np.sort(rng.integers(-256 // step, 254 // step + 1, 2))
    return int(low), int(high), step


@settings(deadline=None, max_examples=60)
@given(shape=spiking_shapes(), seed=st.integers(0, 2**32 - 1))
def test_copies_sum_to_the_weights(shape: SpikingShape, seed: int) -> None:
    try:
        artifact = expressible(build_spiking(shape, seed))
    except InputError:
        reject()  # the weight above zero broke the range proof
    try:
        made = blocks_of(artifact)
    except InputError as error:
        assert "none above zero" in str(error) or "all weights are zero" in str(error)
        return
    senders = made.channels
    for layer, block in zip(artifact.network.layers, made.blocks, strict=True):
        dynamics = layer.dynamics
        assert (
            dynamics is not None
            and np.abs(block.weights).max() <= 254
            and block.weights.shape == (len(block.neurons), len(senders))
        )
        for row, neuron in enumerate(block.neurons):
            if neuron != ALWAYS_ON:
                own = layer.weights[neuron].astype(np.int64)
            else:
                own = np.zeros(layer.inputs, np.int64)
            found = [block.weights[row, senders == sender].sum() for sender in range(layer.inputs)]
            assert np.array_equal(found, own << dynamics.weight_exponent)
            constant = block.weights[row, senders == ALWAYS_ON].sum()
            if neuron == ALWAYS_ON or not dynamics.bias_in_current:
                added = 0
            else:
                added = int(layer.bias[neuron]) << dynamics.weight_exponent
            assert constant == added
            if neuron == ALWAYS_ON:
                bias = layer.threshold[0] + 1
            elif dynamics.bias_in_current:
                bias = 0
            else:
                bias = layer.bias[neuron] // 64
            assert block.bias[row] == bias
        senders = block.neurons
    assert np.array_equal(senders, np.arange(artifact.network.layers[-1].outputs))


def with_layer(artifact: Artifact, index: int, **changes: Any) -> Artifact:
    layers = list(artifact.network.layers)
    layers[index] = dataclasses.replace(layers[index], **changes)
    return dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers))
    )


def test_what_netx_has_no_place_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lif = CASES["lif, other decays"]
    clif = CASES["clif, rates"]
    fine = with_layer(lif, 0, bias=lif.network.layers[0].bias + 1)
    fine = with_layer(fine, 1, bias=np.full(9, 5000 << 6, np.int32))
    empty = with_layer(
        clif,
        1,
        synapses=Dense(np.zeros_like(clif.network.layers[1].weights)),
        bias=np.zeros_like(clif.network.layers[1].bias),
    )
    last = lif.network.layers[2]
    assert last.dynamics is not None
    negative = with_layer(
        lif,
        2,
        synapses=Dense(np.full_like(last.weights, -64)),
        dynamics=dataclasses.replace(last.dynamics, weight_exponent=0),
    )
    refused = [
        (
            rate_artifact(1),
            r"--to netx: netx has no block for if@1 \(limit lif@1\).*Fix: --to lava or --to onnx",
        ),
        (
            fine,
            (
                r"2 problems: layer 0: 12 of 12 biases are no multiples of 64, as bias_exp is 6 in"
                r" netx; layer 1: biases exceed 4095 << 6\."
            ),
        ),
        (empty, r"layer 1: all weights are zero, which netx cannot load"),
        (
            negative,
            (
                r"layer 2: weights -\d+..-\d+ are none above zero, and netx clips their most"
                r" negative ones"
            ),
        ),
    ]
    for artifact, message in refused:
        with pytest.raises(InputError, match=message):
            api.export(artifact, "netx", tmp_path / "a.net")
    monkeypatch.setattr("spikeport.export.netx.blocks.LARGEST_NETWORK", 100)
    with pytest.raises(
        InputError,
        match=(
            r"a block would be too large \(got \d+ weights with weight exponents \d, \d, \d, limit"
            r" 100\)"
        ),
    ):
        export_netx(clif, tmp_path / "a.net")
    assert not list(tmp_path.iterdir())


def test_file_and_description(tmp_path: Path) -> None:
    """Equal artifacts give equal bytes; the attribute says which columns to read."""
    artifact = CASES[DOCUMENTED]
    save(artifact, tmp_path / "a.spk")
    for name in ("a.net", "b.net"):
        done("export", tmp_path / "a.spk", "--to", "netx", "-o", tmp_path / name)
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()
    with h5py.File(tmp_path / "a.net") as file:
        about = json.loads(file.attrs["spikeport"])
        neuron = {name: value[()] for name, value in file["layer/0/neuron"].items()}
    assert (about["format"], about["artifact_sha256"]) == ("spikeport-netx", checksum(artifact))
    assert (
        about["run"] == {"reset_interval": 7, "reset_offset": 1}
        and about["output"] == {"first_column": 2}
        and about["timesteps"] == 5
    )
    assert about["input"]["channels"][-1] == ALWAYS_ON and np.shape(about["encode"]["mean"]) == (
        3,
        4,
    )
    assert neuron == {
        "type": b"CUBA",
        "iDecay": 2048,
        "vDecay": 1024,
        "vThMant": artifact.network.layers[0].threshold[0],
        "refDelay": 1,
        "gradedSpike": False,
    }
    result = command("export", tmp_path / "a.spk", "--to", "netx", "-o", tmp_path / "a.net")
    assert result.exit_code == 2 and "a.net: exists already" in result.stderr
    result = command("convert", tmp_path / "a.net", "-o", tmp_path / "c.spk")
    assert result.exit_code == 2 and "a.net: was exported from an artifact" in result.stderr


def test_a_large_description(tmp_path: Path) -> None:
    """More than the 64 KiB that HDF5 keeps beside an object."""
    artifact = CASES["clif, rates"]
    artifact = dataclasses.replace(
        artifact, observation=dataclasses.replace(artifact.observation, names=("x" * 20_000,) * 4)
    )
    export_netx(artifact, tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        text = file.attrs["spikeport"]
    assert len(text) > 2**16 and json.loads(text)["encode"]["names"] == list(
        artifact.observation.names
    )


@needs_netx
def test_the_program_in_the_documentation(tmp_path: Path) -> None:
    """docs/exports.md gives every action of the reference, bit by bit."""
    programs = [
        text
        for text in re.findall(
            r"```python\n(.*?)```", (ROOT / "docs" / "exports.md").read_text(), re.DOTALL
        )
        if "netx" in text
    ]
    assert len(programs) == 1
    artifact = CASES[DOCUMENTED]
    export_netx(artifact, tmp_path / "policy.net")
    observations = spiking_stream(artifact, 3, 12)[0]
    np.save(tmp_path / "observations.npy", observations)
    before = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tests' / 'support')!r})\n"
        "from netx_child import import_netx\nimport_netx()\n"
    )
    after = (
        "np.save('actions.npy', [decide(row, index) for index, row in"
        " enumerate(np.load('observations.npy'))])\nnetwork.stop()\n"
    )
    (tmp_path / "program.py").write_text(before + programs[0] + after)
    supervised([str(tmp_path / "program.py")], tmp_path)
    with artifact.controller("reference") as controller:
        controller.reset()
        wanted = [controller.decide(row) for row in observations]
    assert np.array_equal(np.load(tmp_path / "actions.npy"), wanted)
