"""The range proof is sound (nothing within the declared widths exceeds it) and tight (something
reaches it).
"""

from __future__ import annotations

import dataclasses
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import (
    READOUT,
    Coding,
    Encoder,
    Layer,
    Network,
    denominator,
)
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import (
    HIDDEN_NEURONS,
    START,
    DifferentialCoding,
    Neuron,
    Readout,
    neuron_of,
)
from spikeport.toolchain.neurons.bounds import RowKind, bound_rows, payload_ranges
from spikeport.toolchain.neurons.differential_coding import ALLOWED_TIMESTEPS
from spikeport.toolchain.neurons.neuron import State
from spikeport.toolchain.neurons.proof import bound, prove
from spikeport.toolchain.simulation.backend import Trace
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.conformance_cases import around
from tests.support.layer_integers import WINDOWED
from tests.support.networks import random_artifact
from tests.support.strategies import NEURONS, Shape, build, shapes, stream

SEEDS = st.integers(0, 2**32 - 1)


def sum_of_shares(synaptic: np.ndarray, timesteps: int, *, first: bool) -> np.ndarray:
    """Of synaptic sums [n T, rows].

    What each window of T timesteps adds to a running mean in units of 1/D, at its end.
    """
    shares = np.array([denominator(timesteps) // t for t in range(1, timesteps + 1)])
    if first:  # the host's input comes once
        shares[1:] = 0
    return np.einsum("ntj,t->nj", synaptic.reshape(-1, timesteps, synaptic.shape[-1]), shares)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    timesteps=st.sampled_from(ALLOWED_TIMESTEPS),
    neuron=st.sampled_from(NEURONS),
)
def test_no_input_exceeds_the_bound(seed: int, timesteps: int, neuron: str) -> None:
    network = random_artifact(seed, neuron=neuron, widths=(4, 5, 3), timesteps=timesteps).network
    rng = np.random.default_rng(seed)
    for index, layer in enumerate(network.layers):
        low, high = payload_ranges(network)[index]
        proof = bound(network, index)
        weights = layer.weights.astype(np.int64)
        values = np.where(
            rng.random((200, layer.inputs)) < 0.5, low, high
        )  # ends are the worst cases
        if network.across_decisions:
            synaptic = (values[1:] - values[:-1]) @ weights.T
            mixed = np.concatenate(
                [values[1:, :2], values[:-1, 2:]], axis=1
            )  # some senders already announced, some not
            accumulated = np.concatenate([values, mixed]) @ weights.T + layer.bias
            assert (np.abs(accumulated) <= proof.accumulator).all()
        elif neuron == "dc@1":
            synaptic = denominator(timesteps) * values @ weights.T
            accumulated = denominator(timesteps) * layer.bias + sum_of_shares(
                values[: 200 // timesteps * timesteps] @ weights.T, timesteps, first=index == 0
            )
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
        weights = layer.weights.astype(np.int64)
        proof = bound(network, index)
        for row in range(layer.outputs):
            top = np.where(weights[row] > 0, high, low)
            bottom = np.where(weights[row] > 0, low, high)
            reached = max(abs(int(weights[row] @ end + layer.bias[row])) for end in (top, bottom))
            assert max(reached, abs(int(layer.bias[row]))) == proof.accumulator[row]
            assert abs(int(weights[row] @ (top - bottom))) == proof.synaptic[row]


@settings(deadline=None, max_examples=150)
@given(shape=shapes(), seed=SEEDS)
def test_no_order_of_partial_sums_exceeds_the_bound(shape: Shape, seed: int) -> None:
    """Senders announce one after another, in any order, any number of times.

    Every sum on the way is covered.
    """
    network = build(shape, seed).network
    rng = np.random.default_rng(seed)
    for index, layer in enumerate(network.layers):
        low, high = payload_ranges(network)[index]
        proof = bound(network, index)
        weights = layer.weights.astype(np.int64)
        readout = layer.neuron == READOUT
        before = rng.integers(low, high + 1)
        for _ in range(20):
            order = rng.permutation(layer.inputs)
            after = np.where(
                rng.random(layer.inputs) < 0.5, rng.choice((low, high)), rng.integers(low, high + 1)
            )
            if network.across_decisions:
                on_the_way = np.cumsum(weights[:, order] * (after - before)[order], axis=1)
                accumulated = on_the_way + (layer.bias + weights @ before)[:, None]
                assert (np.abs(accumulated) <= proof.accumulator[:, None]).all()
                before = after
            elif network.coding == Coding.DIFFERENTIAL:
                on_the_way = denominator(network.timesteps) * np.cumsum(
                    weights[:, order] * after[order], axis=1
                )
                windows = np.repeat(on_the_way, network.timesteps, axis=1).T // denominator(
                    network.timesteps
                )  # the same in each timestep
                accumulated = denominator(network.timesteps) * layer.bias + sum_of_shares(
                    windows, network.timesteps, first=index == 0
                )
                assert (np.abs(accumulated) <= proof.accumulator).all()
            else:
                on_the_way = np.cumsum(weights[:, order] * after[order], axis=1)
                if readout:
                    times = network.timesteps
                else:
                    times = 1
                assert (
                    np.abs(times * (on_the_way + layer.bias[:, None]))
                    <= (proof.accumulator if readout else proof.synaptic)[:, None]
                ).all()
            assert (np.abs(on_the_way) <= proof.synaptic[:, None]).all()


class Watched:
    """A neuron model that remembers the extremes of some of its states, [neurons] each."""

    def __init__(self, neuron: Neuron, names: tuple[str, ...]) -> None:
        self.neuron, self.names, self.worst = (
            neuron,
            names,
            dict.fromkeys(names, np.zeros(1, np.int64)),
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self.neuron, name)

    def begin(self, layer: Layer, state: State, *rest: Any) -> None:
        self.neuron.begin(layer, state, *rest)
        self.look(state)

    def step(self, layer: Layer, state: State, *rest: Any) -> Any:
        payloads = self.neuron.step(layer, state, *rest)
        self.look(state)
        return payloads

    def look(self, state: State) -> None:
        self.worst = {
            name: np.maximum(self.worst[name], np.abs(state[name]).max(axis=0))
            for name in self.names
        }


def watched_trace(
    artifact: Artifact, observations: np.ndarray, flags: np.ndarray, names: tuple[str, ...]
) -> tuple[Trace, list[dict[str, np.ndarray]]]:
    """The reference's trace and, per layer, the extremes of those states that its neurons have."""
    made: list[Watched] = []

    def watch(network: Network, layer: Layer) -> Watched:
        neuron = neuron_of(network, layer)
        made.append(
            Watched(neuron, tuple(name for name in names if name in neuron.initial(layer, 1)))
        )
        return made[-1]

    with mock.patch("spikeport.toolchain.simulation.reference.neuron_of", watch):
        trace = ReferenceBackend(artifact).trace(observations, flags)
    return trace, [watched.worst for watched in made[-len(artifact.network.layers) :]]


@settings(deadline=None, max_examples=150)
@given(shape=shapes(), seed=SEEDS)
def test_what_runs_stays_within_the_bound(shape: Shape, seed: int) -> None:
    """Whole networks on streams with saturating observations, resets and resyncs."""
    artifact = build(shape, seed)
    trace, worst = watched_trace(artifact, *stream(artifact, seed, 20), ("ein", "eout", "c"))
    for index, layer in enumerate(artifact.network.layers):
        proof = bound(artifact.network, index)
        states = trace.layers[index].states.astype(np.int64)
        if layer.neuron not in (*WINDOWED, "leaky@1"):  # their membranes saturate
            assert (np.abs(states) <= proof.accumulator).all()
        assert len(worst[index]) == (3 if layer.neuron == "dc@1" else 0)
        for name, reached in worst[index].items():
            assert (reached <= proof.accumulator).all(), name
        if layer.neuron in WINDOWED:
            payloads = trace.layers[index].payloads
            assert (layer.payload_low <= payloads).all() and (payloads <= layer.payload_high).all()
        assert (np.abs(states) <= STATE_LIMIT).all()


@settings(deadline=None, max_examples=60)
@given(
    seed=SEEDS,
    timesteps=st.integers(1, 12),
    readout=st.booleans(),
    declared=st.sampled_from((0, 1, 8)),
)
def test_the_bound_of_rate_rows_is_attained(
    seed: int, timesteps: int, readout: bool, declared: int
) -> None:
    """By the host's graded input (`declared` 0), by the payloads of snm and by those of mt."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (5, 4))
    bias = rng.integers(-999, 1000, 5)
    if declared:
        limit = np.full(4, declared)
    else:
        limit = rng.integers(1, 300, 4)
    proof = bound_rows(
        Dense(weights), bias, -limit, limit, RowKind(Coding.RATE, timesteps, readout)
    )
    worst = np.where(np.sign(weights) * np.where(bias < 0, -1, 1)[:, None] > 0, limit, -limit)
    reached = np.abs((weights * worst).sum(1) + bias)
    np.testing.assert_array_equal(proof.synaptic, reached)
    np.testing.assert_array_equal(proof.accumulator, timesteps * reached if readout else 0)


@settings(deadline=None, max_examples=60)
@given(seed=SEEDS, timesteps=st.sampled_from(ALLOWED_TIMESTEPS), first=st.booleans())
def test_the_bound_of_differential_rows_is_attained(seed: int, timesteps: int, first: bool) -> None:
    """By ein of dc@1 and by the readout's accumulator.

    The neurons themselves run on the worst payloads in each timestep.
    """
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (5, 4))
    bias = rng.integers(-999, 1000, 5)
    if first:
        limit = rng.integers(1, 300, 4)
    else:
        limit = np.full(4, HIDDEN_NEURONS["dc@1"].traits.high)
    worst = np.abs(weights) @ limit * np.where(bias < 0, -1, 1)
    like = build(Shape("dc@1", (4, 5, 1), timesteps=timesteps), 0).network.layers[0]
    layer = dataclasses.replace(
        like, synapses=Dense(weights.astype(np.int8)), bias=bias.astype(np.int32)
    )
    for neuron, name in ((DifferentialCoding(), "ein"), (Readout(Coding.DIFFERENTIAL), "acc")):
        proof = bound_rows(
            Dense(weights),
            bias,
            -limit,
            limit,
            RowKind(Coding.DIFFERENTIAL, timesteps, name == "acc", first),
        )
        state = neuron.initial(layer, 1)
        neuron.begin(layer, state, np.array([START]), timesteps, 0)
        for timestep in range(timesteps):
            neuron.step(
                layer,
                state,
                (worst if timestep == 0 or not first else 0 * worst)[None],
                np.ones(1, bool),
            )
        np.testing.assert_array_equal(np.abs(state[name][0]), proof.accumulator)
        np.testing.assert_array_equal(denominator(timesteps) * np.abs(worst), proof.synaptic)


@pytest.mark.parametrize("timesteps", ALLOWED_TIMESTEPS)
def test_the_largest_lambda_may_announce_8_in_each_timestep(timesteps: int) -> None:
    """c reaches its bound, T times eout, and one more lambda is refused."""
    shape = Shape("dc@1", (1, 1, 1), timesteps=timesteps)
    network = build(shape, 0).network
    largest = RowKind(Coding.DIFFERENTIAL, timesteps).largest_lambda
    one = np.ones(1, np.int32)
    units = denominator(timesteps)
    hidden = dataclasses.replace(
        network.layers[0],
        synapses=Dense(one[None].astype(np.int8)),
        bias=0 * one,
        threshold=largest * one,
    )
    readout = dataclasses.replace(
        network.layers[1], synapses=Dense(one[None].astype(np.int8)), bias=0 * one
    )
    loud = dataclasses.replace(
        network, layers=(hidden, readout), encoder=Encoder(np.ones(1), one * (STATE_LIMIT // units))
    )
    proof = prove(loud)[0]
    trace, worst = watched_trace(
        around(loud), np.full((1, 1), 1e9), np.ones(1, np.int64), ("eout", "c")
    )
    assert (trace.layers[0].payloads == 8).all()
    assert (
        worst[0]["c"]
        == timesteps * worst[0]["eout"]
        == 8 * largest * timesteps * sum(units // t for t in range(1, timesteps + 1))
    )
    assert worst[0]["c"] <= STATE_LIMIT and proof.accumulator == max(
        worst[0]["c"], units * (STATE_LIMIT // units)
    )
    louder = dataclasses.replace(
        loud, layers=(dataclasses.replace(hidden, threshold=(largest + 1) * one), readout)
    )
    with pytest.raises(
        InputError, match=r"layer 0: 1 rows' accumulator sum may reach \d+, limit 8388607"
    ):
        prove(louder)


@pytest.mark.parametrize("room", [0, -1])
def test_the_limit_itself_is_allowed_and_one_more_is_not(room: int) -> None:
    network = build(Shape("if@1", (1, 1, 1), timesteps=2), 0).network
    weights = np.full((1, 1), 127, np.int8)
    limit = np.array([66_000], np.int32)
    bias = np.array([STATE_LIMIT - 127 * 66_000 - room], np.int32)
    layers = (
        dataclasses.replace(network.layers[0], synapses=Dense(weights), bias=bias),
        network.layers[1],
    )
    edge = dataclasses.replace(
        network, encoder=dataclasses.replace(network.encoder, limit=limit), layers=layers
    )
    if room == 0:
        assert prove(edge)[0].synaptic[0] == STATE_LIMIT and prove(edge)[0].bits == 24
        return
    with pytest.raises(
        InputError, match="layer 0: 1 rows' synaptic sum may reach 8388608, limit 8388607"
    ):
        prove(edge)


def test_violations_are_listed_by_layer() -> None:
    network = random_artifact(0, widths=(4, 5, 3)).network
    wide = dataclasses.replace(
        network,
        encoder=dataclasses.replace(network.encoder, limit=np.full(4, STATE_LIMIT, np.int32)),
    )
    text = (
        r"here: 2 problems: layer 0: \d rows' synaptic sum may reach \d+, limit 8388607.*24-bit"
        r" state.*Fix: raise --action-error"
    )
    with pytest.raises(InputError, match=text):
        prove(wide, "here")
    assert max(proof.bits for proof in prove(network)) <= 24
