"""What an artifact of `leaky@1` must keep to, and what its range proof says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import load, save
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.energy import estimate_energy
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.parameters import STATE_LIMIT, Leak
from spikeport.toolchain.neurons.proof import prove
from spikeport.toolchain.simulation.backends import open_backend
from tests.artifact.test_artifact_file import assert_equal
from tests.support.networks import leaky_artifact, random_artifact


def changed(
    layer: dict[str, Any] | None = None,
    network: dict[str, Any] | None = None,
    artifact: Artifact | None = None,
) -> Artifact:
    artifact = artifact or leaky_artifact(1, shift=2)
    layers = artifact.network.layers
    first = dataclasses.replace(layers[0], **(layer or {}))
    return dataclasses.replace(
        artifact,
        network=dataclasses.replace(
            artifact.network, layers=(first, *layers[1:]), **(network or {})
        ),
    )


@pytest.mark.parametrize("shift", range(4))
def test_round_trip(tmp_path: Path, shift: int) -> None:
    artifact = leaky_artifact(shift, shift=shift)
    save(artifact, tmp_path / "a.spk")
    assert_equal(artifact, load(tmp_path / "a.spk"))


KEEP = leaky_artifact(1, shift=2).network.layers[0].leak
BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no leak": ({"leak": None}, {}, r"layer 0: leaky@1 needs leak, which belongs to leaky@1"),
    "keep": (
        {"leak": Leak(np.full(9, 4097, np.int32))},
        {},
        r"layer 0: a leak keeps 0\.\.4096 of 4096 and shifts by 0\.\.6",
    ),
    "shift": ({"leak": Leak(np.ones(9, np.int32), 7)}, {}, r"shifts by 0\.\.6"),
    "shape": (
        {"leak": Leak(np.ones(8, np.int32))},
        {},
        r"layer 0: leak has shape \(8,\) for 9 rows",
    ),
    "timesteps": (
        {},
        {"timesteps": 2},
        r"leaky@1 has one timestep and no residual, not 2 and alpha 0/64",
    ),
    "alpha": ({}, {"alpha": 3}, r"not 1 and alpha 3/64"),
    "threshold": (
        {"threshold": np.full(9, -(2**23), np.int32)},
        {},
        r"thresholds and biases must be within 24 bits",
    ),
    "payload": (
        {"payload_high": np.full(9, 2, np.int32)},
        {},
        r"a spike of leaky@1 is 0 or 1 and has the unit 1",
    ),
    "activation": (
        {"activation": "relu"},
        {},
        r"leaky@1 has the activation identity, no table and trigger 1",
    ),
    "held input": (
        {"hold_input": False},
        {},
        r"hold_input belongs to the first layer of a rate network",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rules(name: str) -> None:
    layer, network, message = BROKEN[name]
    with pytest.raises(InputError, match=message):
        check(changed(layer, network), "a.spk")


def test_leak_of_another_neuron() -> None:
    with pytest.raises(InputError, match=r"layer 0: if@1 takes no leak, which belongs to leaky@1"):
        check(
            changed({"leak": KEEP}, artifact=random_artifact(1, neuron="if@1", timesteps=2)),
            "a.spk",
        )


def test_proof_counts_the_shift() -> None:
    """The synaptic sum is bounded after the shift.

    One step finer than the proof allows is refused.
    """
    artifact = leaky_artifact(1)
    layer = artifact.network.layers[0]
    largest = artifact.network.encoder.limit.astype(np.int64)
    sums = np.abs(layer.weights.astype(np.int64)) @ largest
    for shift in range(7):
        moved = changed(
            {"leak": Leak(layer.leak.keep, shift) if layer.leak else None}, artifact=artifact
        )
        wanted = (sums << shift) + np.abs(layer.bias.astype(np.int64))
        if wanted.max() > STATE_LIMIT:
            with pytest.raises(
                InputError,
                match=rf"rows' synaptic sum may reach {wanted.max()}, limit {STATE_LIMIT}",
            ):
                prove(moved.network)
        else:
            assert np.array_equal(prove(moved.network)[0].synaptic, wanted)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), shift=st.integers(0, 3), integrating=st.booleans())
def test_membranes_stay_in_24_bits(seed: int, shift: int, integrating: bool) -> None:
    artifact = leaky_artifact(seed, shift=shift, integrating=integrating)
    observations = np.random.default_rng(seed).choice(
        (-1e9, 0.0, 1e9), (40, artifact.observation.size)
    )
    with open_backend("reference", artifact) as backend:
        trace = backend.trace(observations, np.zeros(40, np.int64))
    for layer in trace.layers[:-1]:
        assert np.abs(layer.states.astype(np.int64)).max() <= STATE_LIMIT and set(
            np.unique(layer.payloads)
        ) <= {0, 1}


def test_energy_of_a_leaky_network() -> None:
    artifact = leaky_artifact(1)
    with open_backend("fast", artifact) as backend:
        census = backend.trace(artifact.probe.observations, artifact.probe.flags).census
    for estimate in estimate_energy(census, artifact, ("loihi1-davies", "loihi2"), 0.01):
        assert estimate.as_json()["dynamic_j"] > 0
