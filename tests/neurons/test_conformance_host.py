"""What backends share with the host: encoding, division, the host that an export carries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.integer_network import READOUT, Encoder, Layer
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import network_of
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.conformance import check_division, check_exported_host, difference
from tests.support.conformance_cases import CASES, around
from tests.support.oracle import Oracle


@settings(max_examples=300, deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.one_of(st.floats(1e-300, 1e300), st.sampled_from((0.5, 1.0, 2.0))),
    st.integers(1, 40_000),
    st.integers(-50, 50),
)
def test_encode_saturates_every_finite_number(
    value: float, scale: float, limit: int, halves: int
) -> None:
    """q0 = clip(floor(x / scale + 0.5)).

    Numbers beyond any integer type keep their sign, halves go up.
    """
    artifact = passing(limit, scale)
    observations = np.array([[value], [halves / 2 * scale], [1e20], [-1e20], [1.7e308], [-1.7e308]])
    flags = np.ones(len(observations), np.int64)
    expected = Oracle(artifact).trace(observations, flags)
    assert expected.inputs[4:].ravel().tolist() == [limit, -limit]
    for kind in (ReferenceBackend, FastBackend):
        assert not difference(expected, kind(artifact).trace(observations, flags)), kind.name


def passing(limit: int, scale: float) -> Artifact:
    """One channel straight into a readout."""
    one = np.ones(1)
    nothing = np.zeros(1, np.int32)
    layer = Layer(
        READOUT,
        Dense(np.ones((1, 1), np.int8)),
        nothing,
        one,
        nothing,
        nothing,
        nothing,
        one,
        "identity",
    )
    return around(
        network_of(Encoder(scale * one, np.array([limit], np.int32)), (layer,), timesteps=1)
    )


def test_division_by_multiplication_is_exact() -> None:
    check_division()


@pytest.mark.parametrize("name", CASES)
def test_the_exported_host_equals_the_oracle(name: str) -> None:
    check_exported_host(name)
