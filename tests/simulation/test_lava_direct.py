"""`lava-direct`:

Lava's process models in this process, integer by integer equal to the reference.
"""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
from typing import Any

import numpy as np
import pytest

from spikeport.export.lava import lava_import
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.backend import Trace
from spikeport.toolchain.simulation.lava import direct as lava_direct
from spikeport.toolchain.simulation.lava.direct import LavaDirectBackend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.golden.golden import saturating
from tests.support.networks import observation_stream, random_artifact

needs_lava = pytest.mark.skipif(
    not lava_import.lava_available(),
    reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
)

KINDS: dict[str, dict[str, Any]] = {
    "relu": {},
    "identity": {"activation": "identity", "squash": "none"},
    "table": {"activation": "tanh", "resync_every": 7},
    "one layer": {"widths": (4, 2)},
    "four layers": {"widths": (4, 6, 5, 4, 2), "normalised": True},
    "if T=1": {"neuron": "if@1", "timesteps": 1, "alpha": 64},
    "if T=4": {
        "neuron": "if@1",
        "timesteps": 4,
        "alpha": 19,
        "time_feature": True,
        "normalised": True,
    },
    "if T=8": {
        "neuron": "if@1",
        "timesteps": 8,
        "widths": (4, 6, 5, 4, 2),
        "alpha": 32,
        "resync_every": 5,
    },
    "snm T=1": {"neuron": "snm@1", "timesteps": 1, "alpha": 64},
    "snm T=8": {
        "neuron": "snm@1",
        "timesteps": 8,
        "widths": (4, 6, 5, 4, 2),
        "alpha": 32,
        "resync_every": 5,
    },
    "mt T=4": {
        "neuron": "mt@1",
        "timesteps": 4,
        "widths": (4, 6, 5, 4, 2),
        "alpha": 19,
        "time_feature": True,
        "normalised": True,
    },
    "dc T=2": {"neuron": "dc@1", "timesteps": 2, "alpha": 64, "resync_every": 5},
    "dc T=8": {"neuron": "dc@1", "timesteps": 8, "widths": (4, 6, 5, 4, 2), "alpha": 32},
    "if one layer": {"neuron": "if@1", "timesteps": 3, "widths": (4, 2)},
}


def stream(artifact: Artifact, seed: int, decisions: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Observations and flags with episode starts and resyncs."""
    rng = np.random.default_rng(seed)
    return observation_stream(rng, decisions, artifact.observation.size), rng.choice(
        3, decisions, p=(0.8, 0.1, 0.1)
    )


def assert_equal(got: Trace, expected: Trace) -> None:
    np.testing.assert_array_equal(got.inputs, expected.inputs)
    for index, (layer, other) in enumerate(zip(got.layers, expected.layers, strict=True)):
        np.testing.assert_array_equal(layer.payloads, other.payloads, f"payloads of layer {index}")
        np.testing.assert_array_equal(layer.states, other.states, f"states of layer {index}")
    np.testing.assert_array_equal(got.actions, expected.actions)
    assert got.census == expected.census


def with_network(network: Network, seed: int = 0) -> Artifact:
    """A random artifact's contracts around another network."""
    return dataclasses.replace(
        random_artifact(seed, widths=(network.widths[0], network.widths[-1]), squash="none"),
        network=network,
    )


@needs_lava
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_trace_equals_the_reference(kind: str, seed: int) -> None:
    artifact = random_artifact(seed, **KINDS[kind])
    observations, flags = stream(artifact, seed)
    with LavaDirectBackend(artifact) as backend:
        assert_equal(
            backend.trace(observations, flags),
            ReferenceBackend(artifact).trace(observations, flags),
        )


@needs_lava
def test_decide_equals_the_reference_with_resets_resyncs_and_pauses() -> None:
    artifact = random_artifact(5, neuron="if@1", timesteps=4, alpha=32)
    observations, flags = stream(artifact, 5)
    backends = LavaDirectBackend(artifact), ReferenceBackend(artifact)
    active = np.random.default_rng(1).random(len(flags)) < 0.8
    for observation, flag, acts in zip(observations, flags, active, strict=True):
        actions = []
        for backend in backends:
            if flag:
                (backend.reset if flag == 1 else backend.resync)()
            actions.append(backend.decide(observation[None], np.array([acts])))
        np.testing.assert_array_equal(*actions)
        assert np.isnan(actions[0]).all() != acts
    assert backends[0].census() == backends[1].census()


@needs_lava
def test_saturating_membranes_and_debts_beyond_32_bits() -> None:
    longer = dataclasses.replace(saturating(), timesteps=300)  # emitted reaches 300 * 8,000,000
    for network in (saturating(), longer):
        artifact = with_network(network)
        limits = network.encoder.limit
        observations = np.random.default_rng(2).choice((-1, 0, 0.7, 1), (12, 2)) * limits
        observations[:6] = (
            limits,
            (limits[0], -limits[1]),
            limits,
            (0, 0),
            (-limits[0], limits[1]),
            (0, 0),
        )
        flags = np.array([1] + [0] * 11)
        expected = ReferenceBackend(artifact).trace(observations, flags)
        assert expected.census.saturations > 0
        assert_equal(LavaDirectBackend(artifact).trace(observations, flags), expected)


@needs_lava
@pytest.mark.parametrize("kind", ["relu", "if T=4", "if one layer"])
def test_what_arrives_outside_the_window_is_ignored(kind: str) -> None:
    artifact = random_artifact(7, **KINDS[kind])
    observations, _ = stream(artifact, 7, 12)
    backend = LavaDirectBackend(artifact)
    reference = ReferenceBackend(artifact)
    for observation in observations:
        for synapse in backend.models[1::2]:
            synapse.a_buff[:] = (
                1_000_003  # leaves with the decision's step 0, before any window opens
            )
        np.testing.assert_array_equal(
            backend.decide(observation[None]), reference.decide(observation[None])
        )


@needs_lava
def test_models_are_lavas_own_and_nothing_of_the_process_changes() -> None:
    artifact = random_artifact(0)
    handlers = logging.root.handlers[:]
    method = multiprocessing.get_start_method(allow_none=True)
    backend = LavaDirectBackend(artifact)
    from lava.magma.core.process.process import ProcessServer
    from lava.proc.dense.models import PyDenseModelBitAcc

    assert [type(model) for model in backend.models[1::2]] == [PyDenseModelBitAcc] * 3
    assert all(model.weights.dtype == np.int32 for model in backend.models[1::2])
    kept = len(ProcessServer().processes)
    LavaDirectBackend(artifact)
    assert len(ProcessServer().processes) == kept
    assert logging.root.handlers == handlers
    assert multiprocessing.get_start_method(allow_none=True) == method


@needs_lava
@pytest.mark.slow
def test_many_random_networks() -> None:
    rng = np.random.default_rng(11)
    for seed in range(300):
        rate = bool(rng.integers(2))
        widths = tuple(rng.integers(1, 9, int(rng.integers(2, 6))).tolist())
        if rate:
            choice = {
                "neuron": "if@1",
                "timesteps": int(rng.integers(1, 17)),
                "alpha": int(rng.integers(65)),
            }
        else:
            choice = {"activation": str(rng.choice(["relu", "identity", "tanh"]))}
        artifact = random_artifact(
            seed, widths=widths, resync_every=int(rng.choice([0, 0, 3])), **choice
        )
        observations, flags = stream(artifact, seed, 25)
        assert_equal(
            LavaDirectBackend(artifact).trace(observations, flags),
            ReferenceBackend(artifact).trace(observations, flags),
        )


def test_missing_lava_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        monkeypatch.undo()
        monkeypatch.setattr(lava_import, "find_in_lava", lambda path: None)
        lava_import.import_lava()

    monkeypatch.setattr(lava_direct, "import_lava", missing)
    with pytest.raises(
        BackendError,
        match=(
            "backend lava-direct: lava-nc is not installed.*--ignore-requires-python"
            " lava-nc==0.10.0`"
        ),
    ):
        LavaDirectBackend(random_artifact(0))


def test_one_environment_and_known_neurons_only() -> None:
    artifact = random_artifact(0)
    with pytest.raises(InputError, match="got 2, limit 1 to 1"):
        LavaDirectBackend(artifact, rows=2)
    layers = tuple(
        dataclasses.replace(layer, neuron="lif@9") if index == 0 else layer
        for index, layer in enumerate(artifact.network.layers)
    )
    other = dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=layers)
    )
    with pytest.raises(
        InputError,
        match=(
            r"backend lava-direct: has no counterpart for the artifact's neurons .got lif@9.*Fix:"
            r" --backend fast"
        ),
    ):
        LavaDirectBackend(other)
