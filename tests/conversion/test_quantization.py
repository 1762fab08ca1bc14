"""Real rows to integers.

Limits, errors, activation tables, and rows that the proof makes coarser.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.conversion.schemes.perturbed_states import spread
from spikeport.toolchain.network.integer_network import Coding
from spikeport.toolchain.network.parameters import ActivationTable
from spikeport.toolchain.neurons.bounds import RowKind
from spikeport.toolchain.policies.ann_policy import DenseLayer
from spikeport.toolchain.quantization.activation_table import CURVED, build_table
from spikeport.toolchain.quantization.layer_rounding import InputSignal, round_layer
from spikeport.toolchain.quantization.rounding import augmented_moments, quantise_rows


def problem(
    seed: int, inputs: int = 20, outputs: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    states = np.round(
        rng.normal(size=(400, inputs))
        @ rng.normal(size=(inputs, inputs))
        * rng.uniform(0.1, 5, inputs)
    )
    return (
        rng.normal(size=(outputs, inputs)) * rng.uniform(0.01, 1, inputs),
        rng.normal(size=outputs),
        states,
    )


@pytest.mark.parametrize("bits", range(2, 9))
@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_rows_beat_plain_rounding(seed: int, bits: int) -> None:
    weights, bias, states = problem(seed)
    moments = augmented_moments(states)
    limit = 2 ** (bits - 1) - 1
    integers, integer_bias, scale = quantise_rows(
        weights, bias, moments, bits, np.zeros(len(weights))
    )
    assert np.abs(integers).max() <= limit
    natural = np.abs(weights).max(1) / limit

    def error(w: np.ndarray, b: np.ndarray, s: np.ndarray) -> float:
        difference = (states @ w.T + b) * s - (states @ weights.T + bias)
        return float((difference**2).mean())

    plain = error(np.rint(weights / natural[:, None]), np.rint(bias / natural), natural)
    assert error(integers, integer_bias, scale) < plain


def test_mean_output_stays() -> None:
    """The bias is a column of the rounding.

    The mean output on the states is the float row's to a small part of its spread.
    """
    weights, bias, states = problem(1)
    integers, integer_bias, scale = quantise_rows(
        weights, bias, augmented_moments(states), 8, np.zeros(len(weights))
    )
    wanted = states @ weights.T + bias
    assert (
        np.abs(((states @ integers.T + integer_bias) * scale - wanted).mean(0))
        < 0.01 * wanted.std(0)
    ).all()


def test_silent_rows_and_inputs() -> None:
    weights, bias, states = problem(2)
    weights[0] = 0
    bias[0] = 0
    states[:, 3] = 0
    integers, integer_bias, scale = quantise_rows(
        weights, bias, augmented_moments(states), 8, np.zeros(len(weights))
    )
    assert not integers[0].any() and integer_bias[0] == 0 and scale[0] == 1.0
    assert np.isfinite(scale).all()


def test_rows_that_the_proof_refuses_get_coarser() -> None:
    rng = np.random.default_rng(0)
    dense = DenseLayer(rng.normal(size=(3, 50)).astype(np.float32), np.zeros(3, np.float32))
    signal = InputSignal(
        rng.integers(0, 9000, (300, 50)), np.ones(50), np.zeros(50, np.int64), np.full(50, 20_000)
    )
    wanted = signal.values @ dense.weight.T.astype(float)
    rows = round_layer(dense, signal, wanted, 8, RowKind(Coding.ACROSS))
    assert (np.abs(rows.weights) @ np.full(50, 20_000) <= 2**23 - 1).all()
    assert np.abs(rows.weights).max() < 127  # coarser than 8 bits would allow
    assert np.corrcoef(rows.accumulate(signal.values)[:, 0], wanted[:, 0])[0, 1] > 0.99


@settings(deadline=None, max_examples=30)
@given(
    activation=st.sampled_from(sorted(CURVED)),
    row_scale=st.floats(1e-6, 1.0),
    unit=st.floats(1e-4, 0.5),
    seed=st.integers(0, 10**6),
)
def test_error_bound_of_a_table_holds(
    activation: str, row_scale: float, unit: float, seed: int
) -> None:
    table = build_table(activation, np.array([row_scale]), np.array([unit]))
    rng = np.random.default_rng(seed)
    around = (np.array([0.0, 1, -1, 6, -6]) / row_scale).astype(np.int64)
    samples = np.concatenate(
        [
            rng.integers(-(2**23), 2**23, 2000),
            np.rint(rng.normal(size=4000) * 4 / row_scale).astype(np.int64),
            (table.start[0].astype(np.int64)[:, None] + np.arange(-3, 4)).ravel(),
            (around[:, None] + np.arange(-50, 51)).ravel(),
        ]
    )
    accumulators = np.clip(samples, -(2**23) + 1, 2**23 - 1)
    exact = ACTIVATIONS[activation].value(accumulators * row_scale) / unit
    assert np.abs(table(accumulators[:, None])[:, 0] - exact).max() <= table.error_bound[0]
    assert table.start.shape[1] <= 32 and (np.abs(table.multiplier) < 2**15).all()


@pytest.mark.parametrize("activation", sorted(CURVED))
def test_tables_are_near_at_a_usual_scale(activation: str) -> None:
    """At a resolution of 0.05 (tanh:

    40 steps) every activation is within 0.9 of a step, half of which is rounding.
    """
    row_scale = np.array([1e-4])
    unit = np.array([0.05])
    table = build_table(activation, row_scale, unit)
    accumulators = np.arange(-200_000, 200_001)
    exact = ACTIVATIONS[activation].value(accumulators * row_scale[0]) / unit[0]
    assert np.abs(table(accumulators[:, None])[:, 0] - exact).max() < 0.9
    assert table.error_bound[0] < 1.1


@pytest.mark.slow
@pytest.mark.parametrize(("row_scale", "unit"), [(1e-6, 0.02), (3e-5, 0.11), (1e-3, 0.004)])
@pytest.mark.parametrize("activation", sorted(CURVED))
def test_error_bound_of_a_table_holds_for_every_accumulator(
    activation: str, row_scale: float, unit: float
) -> None:
    """All 2^24 - 1 of them."""
    table = build_table(activation, np.array([row_scale]), np.array([unit]))
    for accumulators in np.array_split(np.arange(-(2**23) + 1, 2**23), 64):
        exact = ACTIVATIONS[activation].value(accumulators * row_scale) / unit
        assert np.abs(table(accumulators[:, None])[:, 0] - exact).max() <= table.error_bound[0]


def test_table_takes_the_last_segment_that_starts_at_or_below() -> None:
    start = np.array([[-(2**23), 0, 10, 10]], np.int32)
    table = ActivationTable(
        start,
        np.array([[0, 2, 4, 8]], np.int32),
        np.array([[-1, 0, 10, 20]], np.int32),
        np.array([2], np.int32),
        np.zeros(1),
    )
    accumulators = np.array([[-1], [0], [1], [9], [10], [11], [12]])
    assert table(accumulators)[:, 0].tolist() == [-1, 0, 1, 5, 20, 22, 24]  # (x * m + 2) >> 2


@pytest.mark.parametrize(
    ("action_error", "bits", "deviations"),
    [
        (0.1, 8, 0.3),
        (1.0, 8, 0.3),
        (0.05, 8, 0.15),
        (0.0125, 8, 0.0375),
        (0.0125, 7, 0.1),
        (0.0125, 6, 0.1),
        (0.025, 4, 0.1),
        (0.05, 6, 0.15),
        (0.1, 6, 0.3),
    ],
)
def test_states_are_perturbed_further_for_coarse_actions_and_narrow_weights(
    action_error: float, bits: int, deviations: float
) -> None:
    assert spread(action_error, bits) == pytest.approx(deviations)
