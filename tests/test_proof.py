"""The range proof is sound (nothing within the declared widths exceeds it) and tight (something reaches it)."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_artifact
from toolchain.errors import InputError
from toolchain.network import READOUT, STATE_LIMIT
from toolchain.quantization.proof import bound, payload_ranges, prove


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), timesteps=st.integers(1, 6), neuron=st.sampled_from(["sdn@1", "if@1"]))
def test_no_input_exceeds_the_bound(seed: int, timesteps: int, neuron: str) -> None:
    network = random_artifact(seed, neuron=neuron, widths=(4, 5, 3), timesteps=timesteps).network
    rng = np.random.default_rng(seed)
    for index, layer in enumerate(network.layers):
        low, high = payload_ranges(network)[index]
        proof, weights = bound(network, index), layer.weights.astype(np.int64)
        values = np.where(rng.random((200, layer.inputs)) < 0.5, low, high)  # ends are the worst cases
        if network.across_decisions:
            synaptic = (values[1:] - values[:-1]) @ weights.T
            mixed = np.concatenate([values[1:, :2], values[:-1, 2:]], axis=1)  # some senders already announced, some not
            accumulated = np.concatenate([values, mixed]) @ weights.T + layer.bias
            assert (np.abs(accumulated) <= proof.accumulator).all()
        else:
            synaptic = values @ weights.T + layer.bias
            if layer.neuron == READOUT:
                assert (np.abs(timesteps * synaptic) <= proof.accumulator).all()
        assert (np.abs(synaptic) <= proof.synaptic).all()


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6))
def test_the_bound_is_attained(seed: int) -> None:
    network = random_artifact(seed, widths=(4, 5, 3)).network
    for index, layer in enumerate(network.layers):
        low, high = payload_ranges(network)[index]
        weights, proof = layer.weights.astype(np.int64), bound(network, index)
        for row in range(layer.outputs):
            top, bottom = np.where(weights[row] > 0, high, low), np.where(weights[row] > 0, low, high)
            reached = max(abs(int(weights[row] @ end + layer.bias[row])) for end in (top, bottom))
            assert max(reached, abs(int(layer.bias[row]))) == proof.accumulator[row]
            assert abs(int(weights[row] @ (top - bottom))) == proof.synaptic[row]


def test_violations_are_listed_by_layer() -> None:
    network = random_artifact(0, widths=(4, 5, 3)).network
    wide = dataclasses.replace(network, encoder=dataclasses.replace(network.encoder, limit=np.full(4, STATE_LIMIT, np.int32)))
    text = r"here: 2 problems: layer 0: \d rows' synaptic sum may reach \d+, limit 8388607.*24-bit state.*Fix: raise --action-error"
    with pytest.raises(InputError, match=text):
        prove(wide, "here")
    assert max(proof.bits for proof in prove(network)) <= 24
