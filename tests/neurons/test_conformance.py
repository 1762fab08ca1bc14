"""Every backend against the oracle.

The same integers on every neuron and timestep, the same actions and counts.
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons.differential_coding import ALLOWED_TIMESTEPS
from spikeport.toolchain.simulation.backends import BACKENDS, backend_class, open_backend
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.conformance import (
    check_refusal,
    check_rows,
    check_trace,
    difference,
    open_or_skip,
)
from tests.support.conformance_cases import CASES, case, made_spiking
from tests.support.layer_integers import WINDOWED
from tests.support.oracle import Oracle
from tests.support.spiking_networks import SpikingShape, build_spiking, spiking_shapes
from tests.support.spiking_oracle import SpikingOracle
from tests.support.strategies import Shape, build, shapes, stream

IN_PROCESS = ("reference", "fast", "lava-direct", "onnx")
ON_LAVAS_RUNTIME = (
    *(
        "sdn, three activations",
        "if, four layers",
        "if, no hidden layer",
        "if, membranes at both ends",
    ),
    *(
        "snm, four layers",
        "mt, tiny",
        "dc, T = 3, tiny",
        "dc, T = 6, huge",
        "lif, tiny",
        "lif, huge, bias in the current",
    ),
    *("leaky, tiny", "leaky, huge"),
)
SEEDS = st.integers(0, 2**32 - 1)
RATE = Shape("if@1", (4, 6, 5, 2), timesteps=5, alpha=32)
CHANGES = Shape(widths=(4, 6, 5, 2), activations=("relu", "tanh"), trigger=2, resync_every=4)
SHAPES = {"if": RATE, "sdn": CHANGES} | {
    kind: dataclasses.replace(RATE, neuron=f"{kind}@1", late=True) for kind in ("snm", "mt", "dc")
}
SHAPES["leaky"] = Shape("leaky@1", (4, 6, 5, 2), resync_every=4)


def test_the_suite_knows_every_backend() -> None:
    assert set(BACKENDS) == {*IN_PROCESS, "lava"}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", IN_PROCESS)
@pytest.mark.proves(direction="backend", format=["reference", "fast", "lava-direct", "onnx"])
def test_trace_equals_the_oracle(backend: str, name: str) -> None:
    check_trace(backend, name)


@pytest.mark.parametrize("name", ON_LAVAS_RUNTIME)
@pytest.mark.proves(direction="backend", format="lava")
def test_trace_on_lavas_runtime_equals_the_oracle(name: str) -> None:
    check_trace("lava", name)


def test_the_cases_reach_every_rule() -> None:
    """The oracle counts where each rule of contract sections 1-3 made a difference."""
    events: Counter[str] = Counter()
    for name in CASES:
        events.update(case(name).oracle.events)
    assert len(events) == 139
    assert not [event for event, times in events.items() if not times]
    networks = [case(name).artifact.network for name in CASES]
    assert {len(network.layers) for network in networks} == {1, 2, 3, 4}
    assert {1, 3, 4, 6, 7, 8, 12} <= {network.timesteps for network in networks}
    for neuron in WINDOWED:
        assert {0, 19, 32, 63, 64} <= {
            network.alpha for network in networks if network.neuron == neuron
        }, neuron
    assert {network.timesteps for network in networks if network.neuron == "dc@1"} == set(
        ALLOWED_TIMESTEPS
    )
    thresholds = np.concatenate(
        [
            layer.threshold
            for network in networks
            for layer in network.layers[:-1]
            if layer.table is None and layer.leak is None
        ]
    )
    assert thresholds.min() == 1 and thresholds.max() == STATE_LIMIT


@settings(max_examples=400, deadline=None)
@given(shapes(), SEEDS)
def test_reference_and_fast_equal_the_oracle(shape: Shape, seed: int) -> None:
    artifact = build(shape, seed)
    observations, flags = stream(artifact, seed, 12)
    expected = Oracle(artifact).trace(observations, flags)
    for kind in (ReferenceBackend, FastBackend):
        assert not difference(expected, kind(artifact).trace(observations, flags)), kind.name


@settings(max_examples=40, deadline=None)
@given(shapes(), SEEDS)
def test_lava_direct_equals_the_oracle(shape: Shape, seed: int) -> None:
    artifact = build(shape, seed)
    observations, flags = stream(artifact, seed, 12)
    with open_or_skip("lava-direct", artifact) as backend:
        assert not difference(
            Oracle(artifact).trace(observations, flags), backend.trace(observations, flags)
        )


@settings(max_examples=200, deadline=None)
@given(shapes(most_timesteps=6), SEEDS, st.integers(1, 5))
def test_rows_are_independent_on_fast(shape: Shape, seed: int, rows: int) -> None:
    check_rows("fast", build(shape, seed), rows, seed)


@settings(max_examples=60, deadline=None)
@given(shapes(most_timesteps=6), SEEDS, st.integers(1, 5))
def test_rows_are_independent_on_the_reference(shape: Shape, seed: int, rows: int) -> None:
    check_rows("reference", build(shape, seed), rows, seed)


@settings(max_examples=40, deadline=None)
@given(shapes(), SEEDS)
def test_onnx_equals_the_oracle(shape: Shape, seed: int) -> None:
    artifact = build(shape, seed)
    observations, flags = stream(artifact, seed, 12)
    with open_or_skip("onnx", artifact) as backend:
        assert not difference(
            Oracle(artifact).trace(observations, flags), backend.trace(observations, flags)
        )


@settings(max_examples=30, deadline=None)
@given(shapes(most_timesteps=6), SEEDS, st.integers(1, 5))
def test_rows_are_independent_on_onnx(shape: Shape, seed: int, rows: int) -> None:
    check_rows("onnx", build(shape, seed), rows, seed)


@settings(max_examples=20, deadline=None)
@given(shapes(most_timesteps=6), SEEDS)
def test_pauses_starts_and_resyncs_on_lava_direct(shape: Shape, seed: int) -> None:
    check_rows("lava-direct", build(shape, seed), 1, seed)


@settings(max_examples=60, deadline=None)
@given(spiking_shapes(), SEEDS)
def test_reference_and_fast_equal_the_oracle_of_lif(shape: SpikingShape, seed: int) -> None:
    wanted = made_spiking(shape, seed, 6)
    for kind in (ReferenceBackend, FastBackend):
        got = kind(wanted.artifact).trace(wanted.observations, wanted.flags)
        assert not difference(wanted.expected, got), kind.name
        assert got.census == wanted.expected.census, kind.name


@settings(max_examples=30, deadline=None)
@given(spiking_shapes(), SEEDS)
def test_onnx_equals_the_oracle_of_lif(shape: SpikingShape, seed: int) -> None:
    wanted = made_spiking(shape, seed, 6)
    with open_or_skip("onnx", wanted.artifact) as backend:
        got = backend.trace(wanted.observations, wanted.flags)
    assert not difference(wanted.expected, got) and got.census == wanted.expected.census


@settings(max_examples=20, deadline=None)
@given(spiking_shapes(most_timesteps=5), SEEDS, st.integers(1, 4))
def test_rows_of_lif_are_independent_on_onnx(shape: SpikingShape, seed: int, rows: int) -> None:
    check_rows("onnx", build_spiking(shape, seed), rows, seed, decisions=8)


@settings(max_examples=10, deadline=None)
@given(spiking_shapes(), SEEDS)
def test_lava_direct_equals_the_oracle_of_lif(shape: SpikingShape, seed: int) -> None:
    wanted = made_spiking(shape, seed, 6)
    with open_or_skip("lava-direct", wanted.artifact) as backend:
        assert not difference(wanted.expected, backend.trace(wanted.observations, wanted.flags))


@settings(max_examples=20, deadline=None)
@given(spiking_shapes(most_timesteps=5), SEEDS, st.integers(1, 4))
def test_rows_of_lif_are_independent(shape: SpikingShape, seed: int, rows: int) -> None:
    for backend in ("fast", "reference"):
        check_rows(backend, build_spiking(shape, seed), rows, seed, decisions=8)


@pytest.mark.parametrize(
    ("backend", "rows"),
    [("reference", 3), ("fast", 3), ("lava-direct", 1), ("onnx", 1), ("onnx", 3)],
)
def test_non_finite_observations_change_nothing_on_lif(backend: str, rows: int) -> None:
    check_refusal(backend, build_spiking(SpikingShape(), 4), rows)


@pytest.mark.parametrize("in_current", [False, True])
def test_idle_activity_on_lava_is_what_the_oracle_counts(in_current: bool) -> None:
    """With a silent start and a silent end nothing is cut off, so both counts are equal to the last
    synop.
    """
    artifact = build_spiking(SpikingShape(population=0, in_current=in_current, hidden=(6, 6)), 3)
    layers = [
        dataclasses.replace(layer, bias=np.zeros_like(layer.bias))
        for layer in artifact.network.layers
    ]
    artifact = dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers))
    )
    observations = np.array([[0.0] * 3, [1.0] * 3, [0.6, 0.9, 0.3], [1.0, 0.2, 1.0], [0.0] * 3])
    flags = np.array([1, 0, 0, 0, 0])
    expected = SpikingOracle(artifact).trace(observations, flags).census
    assert expected.idle_spikes > 0
    for backend in ("lava-direct", "lava"):
        with open_or_skip(backend, artifact) as opened:
            assert opened.trace(observations, flags).census == expected


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_pauses_starts_and_resyncs_on_lavas_runtime(shape: Shape) -> None:
    check_rows("lava", build(shape, 2), 1, 2, decisions=40)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(
    ("backend", "rows"),
    [
        ("reference", 1),
        ("reference", 3),
        ("fast", 1),
        ("fast", 3),
        ("lava-direct", 1),
        ("onnx", 1),
        ("onnx", 3),
    ],
)
def test_non_finite_observations_change_nothing(backend: str, rows: int, shape: Shape) -> None:
    check_refusal(backend, build(shape, 4), rows)


@pytest.mark.parametrize("kind", ["if", "sdn"])
def test_non_finite_observations_change_nothing_on_lavas_runtime(kind: str) -> None:
    check_refusal("lava", build(SHAPES[kind], 4), 1)


@pytest.mark.parametrize("backend", IN_PROCESS)
def test_a_trace_leaves_the_backends_own_rows_alone(backend: str) -> None:
    wanted = case("sdn relu")
    with (
        open_or_skip(backend, wanted.artifact) as opened,
        open_backend("reference", wanted.artifact) as undisturbed,
    ):
        for index, values in enumerate(wanted.observations[:8]):
            if index == 4:
                assert not difference(
                    wanted.expected, opened.trace(wanted.observations, wanted.flags)
                )
            np.testing.assert_array_equal(
                opened.decide(values[None]), undisturbed.decide(values[None])
            )
        assert opened.census() == undisturbed.census()


@pytest.mark.parametrize("backend", IN_PROCESS)
def test_a_trace_refuses_non_finite_observations_too(backend: str) -> None:
    observations = np.zeros((6, 4))
    observations[4, 2] = np.inf
    flags = np.array([1, 0, 1, 0, 0, 0])
    with open_or_skip(backend, build(RATE, 0)) as opened:
        with pytest.raises(
            InputError,
            match=(
                "observation of decision 2: channel 2 is not finite .got inf, limit finite"
                " numbers.*Fix: filter"
            ),
        ):
            opened.trace(observations, flags)
        assert len(opened.trace(observations[:4], flags[:4]).actions) == 4
        assert opened.census().decisions == 0


@pytest.mark.parametrize("backend", IN_PROCESS)
def test_at_least_one_row(backend: str) -> None:
    with pytest.raises(
        InputError,
        match=f"backend {backend}: cannot run this many environments at once .got 0, limit 1 to",
    ):
        backend_class(backend)(build(RATE, 0), 0)


@pytest.mark.parametrize("backend", ["lava-direct", "lava"])
def test_lava_runs_one_row(backend: str) -> None:
    with pytest.raises(
        InputError,
        match=f"backend {backend}: .*got 2, limit 1 to 1.*Fix: use rows=1 or the fast backend",
    ):
        backend_class(backend)(build(RATE, 0), 2)


@pytest.mark.parametrize("backend", ["reference", "fast", "onnx"])
@pytest.mark.parametrize(
    "mask",
    [np.ones(2, bool), np.ones(4, bool), np.array([1, 0, 1]), np.ones((3, 1), bool)],
    ids=["short", "long", "numbers", "column"],
)
def test_masks_must_fit(backend: str, mask: np.ndarray) -> None:
    artifact = build(RATE, 0)
    with open_backend(backend, artifact, 3) as opened:
        for call in (
            opened.reset,
            opened.resync,
            lambda mask: opened.decide(np.zeros((3, artifact.observation.size)), mask),
        ):
            with pytest.raises(
                InputError,
                match=(
                    r"backend: mask does not fit .got .*, limit bool .3,..\. Fix: give one bool per"
                    r" environment"
                ),
            ):
                call(mask)
        assert opened.census().decisions == 0


@pytest.mark.parametrize("backend", ["reference", "fast", "onnx"])
@pytest.mark.parametrize("shape", [(4,), (1, 3), (1, 5), (2, 4), (1, 4, 1)])
def test_observations_must_fit(backend: str, shape: tuple[int, ...]) -> None:
    with (
        open_backend(backend, build(RATE, 0)) as opened,
        pytest.raises(
            InputError, match=r"decide: observations do not fit the policy .*limit \(1, 4\)"
        ),
    ):
        opened.decide(np.zeros(shape))


def test_unknown_backend_is_told_the_nearest() -> None:
    with pytest.raises(
        InputError, match="backend: unknown backend .got lava-dirct.*did you mean 'lava-direct'"
    ):
        backend_class("lava-dirct")
