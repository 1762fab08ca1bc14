"""The building blocks of the ONNX graphs against numpy and the neurons' own functions, value by
value in onnxruntime.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import checker, helper, numpy_helper

from spikeport.export.onnx.graph.carry_over import Range, Residual, window_start
from spikeport.export.onnx.graph.onnx_graph import IR_VERSION, OPSET, Graph, element_type
from spikeport.export.onnx.graph.onnx_integers import (
    beyond_limit,
    clip,
    clip_long,
    decay,
    difference,
    floor_division,
    saturate,
    shift_right,
)
from spikeport.export.onnx.graph.onnx_window import Control
from spikeport.export.onnx.graph.timesteps import UNROLLED
from spikeport.export.onnx.model import node_protos
from spikeport.export.onnx.neurons.activation import quantised_activation
from spikeport.export.onnx.neurons.encoder import encoder_spikes
from spikeport.export.onnx.neurons.multi_threshold import largest_payload as largest_payload_graph
from spikeport.toolchain.network.codes import encoder_spikes as neurons_encoder_spikes
from spikeport.toolchain.network.integer_network import Layer
from spikeport.toolchain.network.parameters import STATE_LIMIT, ActivationTable
from spikeport.toolchain.network.parameters import decay as neurons_decay
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons.multi_threshold import largest_payload
from spikeport.toolchain.neurons.neuron import carry_residual
from spikeport.toolchain.neurons.sigma_delta import quantised_activation as reference_activation
from tests.support.layer_integers import tie_table
from tests.support.networks import random_table

TYPES = [np.int32, np.int64]
SEEDS = st.integers(0, 2**32 - 1)


def evaluate(graph: Graph, output: str, kind: type[np.generic], **inputs: np.ndarray) -> np.ndarray:
    """What onnxruntime computes for `output`; every input keeps its shape and type."""
    nodes = node_protos(graph)
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    fed = [
        helper.make_tensor_value_info(name, element_type(value.dtype), value.shape)
        for name, value in inputs.items()
    ]
    got = [helper.make_tensor_value_info(output, element_type(np.dtype(kind)), ["a", "b", "c"])]
    model = helper.make_model(
        helper.make_graph(nodes, "test", fed, got, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run([output], inputs)[0]


def values(rng: np.random.Generator, shape: tuple[int, ...], most: int) -> np.ndarray:
    """Small and large numbers of both signs."""
    size = np.exp(rng.uniform(0, np.log(most), shape)).astype(np.int64)
    return np.where(rng.random(shape) < 0.5, size - 1, -size)


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_division_rounds_down(kind: type[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    divisor = np.maximum(np.abs(values(rng, (7,), STATE_LIMIT)), 1).astype(kind)
    x = (
        (values(rng, (3, 5, 7), 64) * divisor + rng.integers(-1, 2, (3, 5, 7)))
        .clip(np.iinfo(kind).min + 1, np.iinfo(kind).max)
        .astype(kind)
    )
    graph = Graph()
    np.testing.assert_array_equal(
        evaluate(graph, floor_division(graph, "x", divisor), kind, x=x), x // divisor
    )


@pytest.mark.parametrize("kind", TYPES)
@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_shifts_are_arithmetic(kind: type[Any], seed: int) -> None:
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 31, 6).astype(kind)
    x = values(rng, (2, 4, 6), 2**31 if kind is np.int32 else 2**62).astype(kind)
    graph = Graph()
    np.testing.assert_array_equal(
        evaluate(graph, shift_right(graph, "x", bits), kind, x=x), x >> bits
    )


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_clipping(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = values(rng, (2, 3, 5), 2**26).astype(np.int32)
    ends = np.sort(values(rng, (2, 5), 2**24).astype(np.int32), axis=0)
    graph = Graph()
    np.testing.assert_array_equal(
        evaluate(graph, clip(graph, "x", ends[0], ends[1]), np.int32, x=x), x.clip(ends[0], ends[1])
    )
    x[0, 0, :4] = STATE_LIMIT, STATE_LIMIT + 1, -STATE_LIMIT, -STATE_LIMIT - 1
    graph = Graph()
    np.testing.assert_array_equal(
        evaluate(graph, saturate(graph, "x"), np.int32, x=x), x.clip(-STATE_LIMIT, STATE_LIMIT)
    )
    graph = Graph()
    np.testing.assert_array_equal(
        evaluate(graph, beyond_limit(graph, ["x"]), np.bool_, x=x), np.abs(x) > STATE_LIMIT
    )


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 2**40))
def test_clipping_of_long_integers(seed: int, limit: int) -> None:
    """Beyond 31 bits, where onnxruntime's own Clip goes wrong."""
    rng = np.random.default_rng(seed)
    x = values(rng, (2, 3, 8), 2**62)
    x[0, 0] = 2**31, -(2**31), limit, limit + 1, -limit, -limit - 1, 2**31 + limit, -(2**31) - limit
    graph = Graph()
    np.testing.assert_array_equal(
        evaluate(graph, clip_long(graph, "x", limit), np.int64, x=x), x.clip(-limit, limit)
    )


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_decay(seed: int) -> None:
    """Towards zero, and beyond 32 bits in between: 2^23 times 2^12."""
    rng = np.random.default_rng(seed)
    x = values(rng, (2, 3, 6), STATE_LIMIT).astype(np.int32)
    x[0, 0] = 0, STATE_LIMIT, -STATE_LIMIT, 1, -1, -4097
    x[1, 0] = STATE_LIMIT, -STATE_LIMIT, 2**20, -(2**20), -4095, 4097
    kept = rng.permutation([0, 4096, 4095, *rng.integers(1, 4095, 3)])
    graph = Graph()
    np.testing.assert_array_equal(
        evaluate(graph, decay(graph, "x", kept), np.int32, x=x),
        neurons_decay(x.astype(np.int64), kept),
    )


@pytest.mark.parametrize("timesteps", [1, UNROLLED, UNROLLED + 1])
@settings(max_examples=10, deadline=None)
@given(SEEDS, st.integers(1, 2**20), st.integers(1, 2**20))
def test_encoder_spikes(timesteps: int, seed: int, most: int, threshold: int) -> None:
    q = np.random.default_rng(seed).integers(-most, most + 1, (3, 1, 4)).astype(np.int32)
    graph = Graph()
    got = evaluate(graph, encoder_spikes(graph, "q", 4, threshold, timesteps), np.int32, q=q)
    np.testing.assert_array_equal(got, neurons_encoder_spikes(q[:, 0], threshold, timesteps))


def test_signs() -> None:
    up = np.array([[[True, False, False]]])
    down = np.array([[[False, True, False]]])
    graph = Graph()
    assert evaluate(
        graph, difference(graph, "up", "down"), np.int32, up=up, down=down
    ).tolist() == [[[1, -1, 0]]]


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(0, 64))
def test_carry_over(seed: int, alpha: int) -> None:
    """Against the neurons' own; 1,024 spikes of the largest threshold do not wrap."""
    rng = np.random.default_rng(seed)
    theta = np.maximum(np.abs(values(rng, (5,), STATE_LIMIT)), 1)
    theta[0] = STATE_LIMIT
    v = values(rng, (4, 1, 5), STATE_LIMIT).astype(np.int32)
    v_start = np.minimum(values(rng, (4, 1, 5), STATE_LIMIT), theta).astype(np.int32)
    v[0, 0, 0] = -STATE_LIMIT
    v_start[0, 0, 0] = STATE_LIMIT
    sent = rng.integers(0, 1025, (4, 1, 5)).astype(np.int32) * (rng.random((4, 1, 5)) < 0.7)
    carry = np.array([True, True, True, False])[:, None, None]
    for span in (Range(theta // 2, 0 * theta, theta), Range(0 * theta, -(theta // 2), theta // 2)):
        graph = Graph()
        residual = Residual("v", "v_start", "sent", theta)
        start = window_start(graph, Control("active", "carry", "start"), span, residual, alpha)
        got = evaluate(
            graph, start, np.int32, v=v, v_start=v_start, sent=sent.astype(np.int32), carry=carry
        )
        expected = carry_residual(
            span.v_init,
            v_start.astype(np.int64),
            v.astype(np.int64),
            sent * theta,
            span.low,
            span.high,
            alpha,
        )
        np.testing.assert_array_equal(got, np.where(carry, expected, span.v_init))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from((1, 12, 840)))
def test_graded_spikes(seed: int, units: int) -> None:
    """At, above and below each threshold, with all, some or nothing sent.

    In lambda and in units of 1/D.
    """
    rng = np.random.default_rng(seed)
    unit = units * np.maximum(np.abs(values(rng, (6,), STATE_LIMIT // (8 * units))), 1)
    p = rng.choice([-16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16], (9, 1, 6))
    v = (
        (3 * p * unit // 4 + rng.integers(-2, 3, p.shape))
        .clip(-STATE_LIMIT, STATE_LIMIT)
        .astype(np.int32)
    )
    sent = (rng.integers(0, 10, v.shape) * unit).astype(np.int32)
    graph = Graph()
    got = evaluate(
        graph, largest_payload_graph(graph, "v", unit, "sent", unit), np.int32, v=v, sent=sent
    )
    np.testing.assert_array_equal(got, largest_payload(v.astype(np.int64), unit, sent // unit))


def layer(activation: str, theta: np.ndarray, table: ActivationTable | None = None) -> Layer:
    one = np.ones(len(theta), np.int32)
    nothing = np.zeros(len(theta), np.int32)
    weights = np.zeros((len(theta), 1), np.int8)
    return Layer(
        "sdn@1",
        Dense(weights),
        nothing,
        np.ones(len(theta)),
        theta.astype(np.int32),
        nothing,
        one,
        np.ones(len(theta)),
        activation,
        table,
    )


@pytest.mark.parametrize("activation", ["relu", "identity", "ties", "table"])
@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_activations(activation: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    theta = np.maximum(np.abs(values(rng, (5,), STATE_LIMIT)), 1)
    accumulator = values(rng, (8, 1, 5), STATE_LIMIT).astype(np.int32)
    if activation in ("relu", "identity"):
        accumulator[:4] = (
            rng.integers(-3, 4, (4, 1, 5)) * theta // 2 + rng.integers(-1, 2, (4, 1, 5))
        ).clip(-STATE_LIMIT, STATE_LIMIT)
        chosen = layer(activation, theta)
    else:
        chosen = layer(
            "tanh",
            theta,
            tie_table(rng, 5) if activation == "ties" else random_table(rng, 5, STATE_LIMIT),
        )
        accumulator[:2] = rng.integers(-12, 13, (2, 1, 5))
        assert chosen.table is not None
        accumulator[2] = chosen.table.start[:, rng.integers(chosen.table.start.shape[1])].clip(
            -STATE_LIMIT
        )
    graph = Graph()
    got = evaluate(graph, quantised_activation(graph, chosen, "acc"), np.int32, acc=accumulator)
    np.testing.assert_array_equal(
        got, reference_activation(chosen, accumulator.astype(np.int64)).clip(-(2**30), 2**30)
    )


def test_equal_constants_are_kept_once() -> None:
    graph = Graph()
    for value in (
        np.array(1, np.int32),
        np.array([1], np.int32),
        np.array(1, np.int64),
        np.array(1, np.int32),
    ):
        graph.node("Add", "x", value)
    assert [(value.dtype.name, value.shape) for value in graph.constants.values()] == [
        ("int32", ()),
        ("int32", (1,)),
        ("int64", ()),
    ]
    assert [inputs[1] for _, inputs, _, _ in graph.nodes] == [
        "constant_0",
        "constant_1",
        "constant_2",
        "constant_0",
    ]
