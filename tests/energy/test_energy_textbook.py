"""asic45: every term by hand, the energy of a word, bands, and which operation a payload takes."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeport.hardware_profiles import load_profile
from spikeport.toolchain.energy import estimate_energy
from spikeport.toolchain.energy.ann_work import AnnWork, LayerWork
from spikeport.toolchain.energy.estimate_result import DELTA, DENSE, SPARSE
from spikeport.toolchain.energy.textbook import (
    EventLayer,
    ann_terms,
    operation_of,
    spiking_terms,
    textbook_ann_estimates,
    walked_layer,
    word_energy,
)
from tests.energy.test_energy_estimate import counted
from tests.support.networks import random_artifact

ASIC = load_profile("asic45")
PICO = 1e-12


@pytest.mark.parametrize(
    ("size", "picojoules"),
    [
        (0, 0),
        (4096, 5),
        (8192, 10),
        (20_480, 15),
        (32_768, 20),
        (540_672, 60),
        (2**20, 100),
        (2**20 + 1, 640),
    ],
)
def test_the_energy_of_a_word_grows_with_its_memory(size: int, picojoules: float) -> None:
    energy = word_energy(ASIC, size)
    assert energy.value == pytest.approx(picojoules * PICO)
    assert energy.high == energy.value and energy.low == pytest.approx(
        energy.value * (0.5 if size <= 2**20 else 1)
    )


def test_an_event_layer_by_hand() -> None:
    """64 inputs, 32 neurons:

    2 KB of weights, 128 B of sums; 100 synops from 5 payloads in 4 timesteps.
    """
    parts = EventLayer(
        inputs=64,
        outputs=32,
        synops=100,
        payloads=5,
        timesteps=4,
        state_words=1,
        operation=("mul8", "add32"),
    ).terms(ASIC)
    weight = 10 * 2048 / 8192
    state = 10 * 128 / 8192
    queue = 10 * 256 / 8192
    assert parts["operations"].value == pytest.approx((100 * (0.2 + 0.1 + 0.1) + 128 * 0.1) * PICO)
    assert parts["weights"].value == pytest.approx(100 * weight / 4 * PICO)
    assert parts["states"].value == pytest.approx((2 * 100 + 2 * 128) * state * PICO)
    assert parts["messages"].value == pytest.approx(2 * 5 * queue * PICO)
    assert parts["weights"].high == pytest.approx(100 * weight * PICO)
    assert parts["states"].low == pytest.approx(
        2 * 128 * state / 2 * PICO
    )  # sums kept in registers, 64-bit words at half the price


def test_a_dense_layer_by_hand() -> None:
    parts = walked_layer(ASIC, 64, 32)
    weight, activation, output = (10 * size / 8192 for size in (2048, 64, 32))
    assert parts["operations"].value == pytest.approx(2048 * 0.4 * PICO)
    assert parts["weights"].value == pytest.approx(2048 * weight / 4 * PICO)
    assert parts["states"].value == pytest.approx((2048 * activation + 32 * output) / 4 * PICO)
    assert parts["states"].high == pytest.approx((2048 * activation + 32 * output) * PICO)


@given(st.floats(0, 1), st.floats(0, 1))
def test_less_work_never_costs_more(first: float, second: float) -> None:
    few, many = sorted((first * 2048, second * 2048))

    def energy(done: float, runs: str) -> float:
        work = AnnWork((LayerWork(64, 32, done, done, done / 32, done / 32),))
        terms = ann_terms(work, ASIC, runs)
        assert terms is not None
        return sum(part.value for part in terms.values())

    for runs in (SPARSE, DELTA):
        assert energy(few, runs) <= energy(many, runs) * (1 + 1e-12)
    assert energy(few, SPARSE) <= energy(few, DENSE) * (1 + 1e-12)


OPERATIONS = [
    ("sdn@1", [("mul8", "add32"), ("mul8", "add32")]),
    ("if@1", [("mul8", "add32"), ("add32",)]),
    ("snm@1", [("mul8", "add32"), ("add32",)]),
    ("mt@1", [("mul8", "add32"), ("add32", "add32")]),
    ("dc@1", [("mul8", "add32"), ("add32", "add32")]),
]


@pytest.mark.parametrize(("neuron", "operations"), OPERATIONS)
def test_what_a_payload_takes(neuron: str, operations: list[tuple[str, ...]]) -> None:
    """The graded input and sdn's changes multiply, powers of two shift, spikes add."""
    network = random_artifact(
        1, neuron=neuron, widths=(4, 6, 2), timesteps=1 if neuron == "sdn@1" else 4
    ).network
    assert [operation_of(network, layer) for layer in range(2)] == operations


def test_synops_outside_windows_are_priced() -> None:
    artifact = random_artifact(1, neuron="if@1", widths=(4, 30, 20, 2), timesteps=8)
    quiet = counted(artifact, (30, 800, 400), synops=(900, 16000, 800))
    before, after = (
        spiking_terms(census, artifact.network, ASIC)
        for census in (quiet, dataclasses.replace(quiet, idle_synops=17_700))
    )
    assert after["weights"].value == pytest.approx(2 * before["weights"].value)
    assert after["operations"].value > before["operations"].value


def test_the_estimate_says_what_it_is() -> None:
    artifact = random_artifact(1, neuron="sdn@1", widths=(4, 30, 20, 2))
    estimate = estimate_energy(
        counted(artifact, (30, 80, 40), synops=(900, 1600, 80)), artifact, ("asic45",), 0.02
    )[0]
    assert 0 < estimate.low_j < estimate.dynamic_j < estimate.high_j
    assert sum(estimate.terms_j.values()) == pytest.approx(estimate.dynamic_j)
    assert (estimate.latency_s, estimate.static_period_j, str(estimate.grades["dynamic_j"])) == (
        None,
        None,
        "simulated, quoted",
    )
    assert any("no clock and no leakage" in line for line in estimate.unpriced)
    dense = textbook_ann_estimates(AnnWork((LayerWork(4, 30), LayerWork(30, 2))), ASIC, None)
    assert [other.runs for other in dense] == [DENSE] and not dense[0].all_in
