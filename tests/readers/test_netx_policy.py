"""Networks of lava-dl.

Their integers stay as they are, and slayer, netx and the reference spike alike.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import spikeport
from spikeport.export.lava import lava_import
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.schemes.lif_network import spiking_network
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import read_content
from spikeport.toolchain.network.codes import encoder_spikes
from spikeport.toolchain.readers.detect import detect_format
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.front_door import answer, command
from tests.support.netx_child import Job, run_netx
from tests.support.netx_files import SIDECAR, WIDTHS, T, artifact_of, network, read, written

h5py = pytest.importorskip("h5py")

from spikeport.export.netx.blocks import blocks_of  # noqa: E402

needs_netx = pytest.mark.skipif(
    not lava_import.lava_available() or lava_import.find_in_lava("lib/dl/netx") is None,
    reason="lava-nc or lava-dl is not installed (`spikeport doctor`)",
)
DECISIONS = 12
SLAYER: dict[str, Any] = {
    "widths": (5, 24, 16, 4),
    "seed": 3,
    "threshold": 1.25,
    "current_decay": 0.25,
    "voltage_decay": 0.03,
    "weight_norm": False,
    "delay": False,
    "gain": 3.0,
    "affine": "",
    "shift": False,
}
SPECS = [
    SLAYER | {"file": "plain.net"},
    SLAYER
    | {
        "file": "norm.net",
        "seed": 4,
        "weight_norm": True,
        "delay": True,
        "current_decay": 1.0,
        "voltage_decay": 0.5,
        "threshold": 0.3,
    },
    SLAYER | {"file": "shift.net", "shift": True},
    SLAYER | {"file": "affine.net", "seed": 5, "affine": "weights"},
    SLAYER | {"file": "dynamics.net", "seed": 5, "affine": "dynamics"},
]


def spikes_of(artifact: Artifact, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The encoder's spikes [decisions, T, inputs] and the reference's [decisions, T, outputs]."""
    observations = np.random.default_rng(seed).random((DECISIONS, artifact.observation.size))
    trace = ReferenceBackend(artifact).trace(observations, np.ones(DECISIONS, np.int64))
    assert artifact.network.spike_coding is not None
    return (
        encoder_spikes(
            trace.inputs, artifact.network.spike_coding.threshold, artifact.network.timesteps
        ),
        trace.layers[-1].payloads,
    )


def fed(spikes: np.ndarray, period: int) -> np.ndarray:
    """Input [channels, steps] with noise outside the windows."""
    noise = np.random.default_rng(1).integers(0, 2, (len(spikes), period, spikes.shape[2]))
    noise[:, : spikes.shape[1]] = spikes
    return noise.reshape(-1, spikes.shape[2]).T


def output(spikes: np.ndarray, period: int) -> np.ndarray:
    """[outputs, steps] -> [decisions, T, outputs]."""
    return spikes.reshape(len(spikes), -1, period)[:, :, period - T :].transpose(1, 2, 0)


@needs_netx
def test_slayer_netx_and_reference_spike_alike(tmp_path: Path) -> None:
    """Files that slayer's own blocks write, with weight norm and with delays of 0.

    Slayer sees each decision as a batch of its own.
    """
    rng = np.random.default_rng(7)
    inputs = (rng.random((DECISIONS, T, 5)) < 0.4).astype(np.int64)
    for spec in SPECS:
        np.save(tmp_path / f"columns_{spec['file']}.npy", inputs.transpose(0, 2, 1))
    (tmp_path / "slayer.json").write_text(json.dumps(SPECS))
    jobs = [Job(tmp_path / spec["file"], T + 3, 1, fed(inputs, T + 3)) for spec in SPECS[:2]]
    made = []
    for index in range(2):
        blocks = network(rng)
        blocks[1]["bias"] = rng.integers(-20, 60, WIDTHS[1]).astype(np.float32)
        path = written(tmp_path / f"made{index}.net", blocks)
        spikes, expected = spikes_of(artifact_of(read(path)), index)
        jobs.append(Job(path, T + 2, 1, fed(spikes, T + 2)))
        made.append(expected)
    found = run_netx(tmp_path, jobs)
    for spec, spikes in zip(SPECS[:2], found, strict=False):
        path = tmp_path / spec["file"]
        path.with_suffix(".spikeport.json").write_text(json.dumps(SIDECAR))
        expected = windows_of(artifact_of(read(path)), inputs)
        assert np.array_equal(
            np.load(tmp_path / f"slayer_{spec['file']}.npy").transpose(0, 2, 1), expected
        ), spec["file"]
        assert np.array_equal(output(spikes, T + 3), expected) and 0.01 < expected.mean() < 0.99, (
            spec["file"]
        )
    plain, late = (np.load(tmp_path / f"slayer_{name}.net.npy") for name in ("plain", "shift"))
    assert (
        np.array_equal(late[:, :, 3:], plain[:, :, :-3]) and not late[:, :, :3].any()
    )  # delay_shift: N steps count as T = N - L
    for spikes, expected in zip(found[2:], made, strict=True):
        assert np.array_equal(output(spikes, T + 2), expected) and 0.01 < expected.mean() < 0.99
    refused(
        tmp_path / "dynamics.net",
        SIDECAR,
        r"layer/3: vThMant is 262143, 1..131071 expected \(cuba.Affine writes 262143 for neurons"
        r" that never spike\)",
    )
    affine = SIDECAR | {"netx": {"state": "reset", "decoder": "affine"}}
    refused(
        tmp_path / "affine.net",
        affine,
        r"the affine block reads the same neurons for several actions",
    )
    wanted = (
        r"norm.net.pt: a state_dict of SLAYER blocks does not say its thresholds and scale \(got"
        r" blocks.0.neuron.*export_hdf5"
    )
    with pytest.raises(InputError, match=wanted):
        load_policy(tmp_path / "norm.net.pt")


def refused(path: Path, sidecar: Any, message: str) -> None:
    path.with_suffix(".spikeport.json").write_text(json.dumps(sidecar))
    with pytest.raises(InputError, match=message):
        read(path)


def windows_of(artifact: Artifact, inputs: np.ndarray) -> np.ndarray:
    """Output spikes [decisions, T, outputs] of the reference's neurons for given input spikes."""
    backend = ReferenceBackend(artifact)
    found = []
    one = np.ones(1, bool)
    parts = list(zip(backend.neurons, backend.network.layers, backend.states, strict=True))
    for window in inputs:
        for neuron, layer, state in parts:
            neuron.begin(layer, state, np.ones(1, np.int64), len(window), 0)
        for sent in window[:, None]:
            for neuron, layer, state in parts:
                sent = neuron.step(layer, state, layer.synapses.sum(sent), one)
            found.append(sent[0])
    return np.array(found).reshape(len(inputs), T, -1)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_integers_stay_as_they_are(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = tuple(int(width) for width in rng.integers(1, 7, int(rng.integers(2, 5))))
    blocks = network(rng, widths)
    for block in blocks[1:]:
        block["bias"] = rng.integers(-4095, 4096, len(block["weight"])).astype(np.float32)
        block["neuron"] |= {
            "iDecay": int(rng.choice((1, 4096, rng.integers(1, 4097)))),
            "vThMant": int(rng.choice((1, 2**17 - 1, 77))),
        }
        if rng.random() < 0.5:
            block["weight"] = np.clip(block["weight"] // 2, -127, 127)
    policy = read(written(tmp_path_factory.mktemp("netx") / "a.net", blocks))
    layers = spiking_network(policy, 8).layers
    for block, layer in zip(blocks[1:], layers, strict=True):
        neuron = block["neuron"]
        dynamics = layer.dynamics
        assert dynamics is not None and not dynamics.bias_in_current
        assert np.array_equal(
            layer.weights.astype(np.int64) << dynamics.weight_exponent, block["weight"]
        )
        assert (
            np.array_equal(layer.bias, 64 * block["bias"])
            and (layer.threshold == neuron["vThMant"]).all()
        )
        assert (dynamics.current_decay, dynamics.voltage_decay) == (
            neuron["iDecay"] - 1,
            neuron["vDecay"],
        )


@pytest.mark.proves(direction="in", format="netx")
def test_the_float_policy_agrees(tmp_path: Path) -> None:
    """Without rounding of decays floating point and integers are one: no current memory, a membrane
    that keeps half or all. What goes out again is what came in."""
    for index, decay in enumerate((0, 2048)):
        blocks = network(np.random.default_rng(index))
        for block in blocks[1:]:
            block["neuron"] |= {"iDecay": 4096, "vDecay": decay}
            block["bias"] = np.arange(len(block["weight"])).astype(np.float32)
        policy = read(written(tmp_path / f"{index}.net", blocks, SIDECAR | {"timesteps": 4}))
        artifact = artifact_of(policy)
        observations = np.random.default_rng(2).random((50, 3))
        trace = ReferenceBackend(artifact).trace(observations, np.ones(50, np.int64))
        counts = policy.counts(observations.astype(np.float32))[-1]
        assert np.array_equal(trace.layers[-1].payloads.sum(1), counts) and counts.any()
        np.testing.assert_allclose(trace.actions, policy.act(observations), atol=1e-6)
        for block, exported in zip(blocks[1:], blocks_of(artifact).blocks, strict=True):
            assert np.array_equal(exported.weights, block["weight"]) and np.array_equal(
                exported.bias, block["bias"]
            )
            assert (
                exported.current_decay + 1,
                exported.voltage_decay,
                exported.threshold,
            ) == tuple(block["neuron"].values())[1:4]


def test_a_weight_without_symmetric_place(tmp_path: Path) -> None:
    """-256 is -128 << 1.

    With another weight that is no multiple of 4 it has no place in symmetric 8 bits.
    """
    blocks = network(np.random.default_rng(0))
    blocks[1]["weight"][1, 1] = -256
    policy = read(written(tmp_path / "a.net", blocks))
    with pytest.raises(
        InputError,
        match=(
            r"a.net, layer 0: 1 weights exceed 127 << 1, and \d+ are odd multiples of it\..*clamp"
            r" the weights above -4"
        ),
    ):
        artifact_of(policy)


def test_affine_block_as_decoder(tmp_path: Path) -> None:
    blocks = network(np.random.default_rng(3))
    affine = np.array([[2.0, -64, 0, 0], [0, 0, 32, 254]])
    blocks.append({"type": b"dense", "shape": np.array([2]), "weight": affine})
    sidecar = SIDECAR | {"netx": {"state": "reset", "decoder": "affine"}}
    policy = read(written(tmp_path / "a.net", blocks, sidecar))
    assert (
        policy.decoder_weight.tolist() == [[2 / 64, -1], [0.5, 254 / 64]]
        and not policy.decoder_bias.any()
    )
    blocks[-1]["bias"] = np.zeros(2)
    with pytest.raises(InputError, match=r"layer/3: bias has no place behind the last neurons"):
        read(written(tmp_path / "a.net", blocks, sidecar))


def test_decoder_of_the_sidecar(tmp_path: Path) -> None:
    sidecar = SIDECAR | {
        "netx": {"state": "reset", "decoder": {"weight": [[1, -1], [2, 0.5]], "bias": [0, 1]}},
        "action_limit": 2.0,
    }
    policy = read(
        written(tmp_path / "a.net", network(np.random.default_rng(0)), sidecar), squash="tanh"
    )
    assert (
        policy.decoder_weight.tolist() == [[1, -1], [2, 0.5]]
        and policy.decoder_bias.tolist() == [0, 1]
        and policy.action.scale.tolist() == [2, 2]
    )


def test_content_decides(tmp_path: Path) -> None:
    """NIR or netx by the groups of the file; damaged, gapped and foreign files by name."""
    path = written(tmp_path / "a.nir", network(np.random.default_rng(0)), simulation=np.ones(1))
    assert detect_format(read_content(path)) == "netx" and read(path).neuron == "cuba"
    for group, message in (
        ("node", r"neither a NIR graph nor a netx network \(got entries layer, node"),
        ("other", r"neither .* \(got entries other,"),
    ):
        with h5py.File(tmp_path / "b.net", "w") as file:
            file.create_group(group)
            if group == "node":
                file.create_group("layer")
        with pytest.raises(InputError, match=message):
            load_policy(tmp_path / "b.net")
    with h5py.File(tmp_path / "c.net", "w") as file:
        file.create_group("layer/1")
        file["layer/2"] = h5py.SoftLink("/layer/1")
    with pytest.raises(InputError, match=r"c.net:/layer/2: a symbolic link is never followed"):
        load_policy(tmp_path / "c.net")
    with h5py.File(tmp_path / "c.net", "a") as file:
        del file["layer/2"]
        file.create_dataset("layer/1/weight", (2**40,), "f4", chunks=(1024,))
    with pytest.raises(InputError, match=r"c.net:/layer/1/weight: declares too much"):
        load_policy(tmp_path / "c.net")
    with h5py.File(tmp_path / "c.net", "a") as file:
        del file["layer/1/weight"]
        file["layer/1/weight"] = h5py.ExternalLink("a.nir", "/layer/1/weight")
    with pytest.raises(
        InputError, match=r"c.net:/layer/1/weight: a link to another file is never followed"
    ):
        load_policy(tmp_path / "c.net")
    with h5py.File(tmp_path / "c.net", "a") as file:
        del file["layer/1/weight"]
    with pytest.raises(
        InputError, match=r"c.net: its layers are not numbered from 0 without gaps \(got 1,"
    ):
        load_policy(tmp_path / "c.net")


def test_from_the_command_line(tmp_path: Path) -> None:
    """A rate-coded network needs no environment.

    Options that would change its integers are refused.
    """
    path = written(tmp_path / "a.net", network(np.random.default_rng(0)))
    options = ("--squash", "none", "-o", tmp_path / "a.spk")
    result = command("convert", path, *options, "--weight-bits", "4")
    assert (
        result.exit_code == 2
        and "--weight-bits 4: the file's integers are kept as they are" in result.stderr
    )
    said = answer("convert", path, *options)
    assert said["output"] == "a.spk"
    loaded = spikeport.load(tmp_path / "a.spk")
    assert (
        loaded.calibration["trained_neuron"] == "cuba"
        and loaded.source is not None
        and loaded.provenance.format == "netx"
    )
    assert answer("inspect", path, "--squash", "none")["format"] == "netx"
    assert dataclasses.replace(loaded, source=None).network.timesteps == T
