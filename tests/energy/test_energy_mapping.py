"""Layers to cores.

The rows that nengo-loihi and Intel's compilers print, where cores and hops come out, and what does
not fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.hardware_profiles import Profile, load_profile
from spikeport.toolchain.energy.layer_plan import LayerPlan, plan_layer
from spikeport.toolchain.energy.limits import WAYS_OUT
from spikeport.toolchain.energy.mapping import Mapping, map_network
from spikeport.toolchain.energy.placement import place, placements
from spikeport.toolchain.energy.small_chips import assign_cores, kernel_words
from spikeport.toolchain.energy.synaptic_memory import nxtf_words, pack, synaptic_words, weight_code
from spikeport.toolchain.errors import CheckFailed
from spikeport.toolchain.network.integer_network import Network
from tests.support.networks import random_artifact

LOIHI1 = load_profile("loihi1-davies")
LOIHI2 = load_profile("loihi2")
SPINNAKER2 = load_profile("spinnaker2")


def full(inputs: int, outputs: int, largest: int = 127) -> np.ndarray:
    """A weight matrix [out, in] without zeros."""
    weights = np.ones((outputs, inputs), np.int8)
    weights[0, 0] = largest
    return weights


def plan(profile: Profile, weights: np.ndarray, **options: Any) -> LayerPlan:
    found = plan_layer(profile, weights, **options)
    assert isinstance(found, LayerPlan), [str(violation) for violation in found]
    return found


def cores_needed(profile: Profile, inputs: int, outputs: int, **options: Any) -> int:
    return len(plan(profile, full(inputs, outputs), **options).slices)


LOIHI1_ROWS = [
    (256, 256, 9_216, 56.2),
    (512, 512, 36_864, 225),
    (256, 512, 18_432, 112.5),
    (400, 300, 16_800, 102.5),
    (3, 256, 108, 0.7),
    (256, 1, 256, 1.6),
]


@pytest.mark.parametrize(("inputs", "neurons", "words", "percent"), LOIHI1_ROWS)
def test_synaptic_memory_of_loihi_1(inputs: int, neurons: int, words: int, percent: float) -> None:
    """As executed with nengo-loihi 1.1.0's SynapseConfig: dense, 8 bits, in percent of a core."""
    assert synaptic_words(LOIHI1, inputs, neurons) == words
    assert 100 * words / LOIHI1.limit("words_per_core") == pytest.approx(percent, abs=0.06)


@pytest.mark.parametrize(
    ("bits", "total"), [(4, 327_680), (5, 393_216), (6, 458_752), (8, 589_824)]
)
def test_synaptic_memory_with_fewer_bits(bits: int, total: int) -> None:
    assert synaptic_words(LOIHI1, 256, 256, bits) * 64 == total


@pytest.mark.parametrize(
    ("inputs", "outputs", "cores"),
    [(256, 256, 1), (512, 512, 3), (256, 512, 2), (400, 300, 2), (3, 256, 1), (256, 1, 1)],
)
def test_cores_of_loihi_1(inputs: int, outputs: int, cores: int) -> None:
    assert cores_needed(LOIHI1, inputs, outputs) == cores


@pytest.mark.parametrize(
    ("inputs", "neurons", "words"),
    [(100, 50, 1_500), (50, 10, 150), (10, 1, 10), (256, 256, 18_688)],
)
def test_synaptic_memory_of_loihi_2(inputs: int, neurons: int, words: int) -> None:
    """The dense rows that the netx compiler prints for PilotNet SDNN in lava-dl's notebook, and a
    policy's layer.
    """
    assert synaptic_words(LOIHI2, inputs, neurons) == words


def test_the_widest_row_of_loihi_2() -> None:
    """2560 inputs in slices of 8 neurons:

    7,253 words printed, zero weights left out; 7,680 with every synapse.
    """
    assert 7_253 <= synaptic_words(LOIHI2, 2560, 8) == 7_680 < 1.06 * 7_253
    assert (
        synaptic_words(LOIHI2, 2560, 15) == 12_800 > LOIHI2.limit("words_per_core")
    )  # the compiler's violation


def test_cores_of_loihi_2() -> None:
    assert cores_needed(LOIHI2, 256, 256) == 2
    assert cores_needed(LOIHI2, 100, 50) == 1
    assert cores_needed(LOIHI2, 2560, 100) == 8  # the fewest by memory; the compiler took 12


def test_each_limit_binds() -> None:
    assert cores_needed(LOIHI1, 1, 1_024) == 1
    assert cores_needed(LOIHI1, 1, 1_025) == 2  # compartments
    assert cores_needed(LOIHI1, 1, 1_024, per_neuron=2) == 2  # two of them per neuron
    assert (
        cores_needed(LOIHI1, 1, 1_024, destinations=5) == 2
    )  # output axons: 5 slots each of 4,096
    assert cores_needed(LOIHI1, 4_097, 2) == 2  # input axons
    assert cores_needed(LOIHI2, 1, 8_193) == 2  # neurons


def test_256_by_256_is_one_core_dense_and_two_sparse() -> None:
    """56.2 % of a core dense; 106.2 % as 17-bit sparse synapses, so two cores.

    By NxTF's formula 34 words an axon, 53.1 %.
    """
    weights = full(256, 256)
    dense = plan(LOIHI1, weights)
    assert (
        dense.slices,
        dense.packing.encoding,
        dense.packing.words,
        dense.packing.words_nxtf,
    ) == ((256,), "dense", 9_216, 256 * 34)
    assert 100 * dense.packing.words / LOIHI1.limit("words_per_core") == pytest.approx(
        56.2, abs=0.06
    )
    whole = pack(LOIHI1, np.full(256, 256), 256, 8, "sparse")
    assert (whole.words, whole.index_bits) == (17_408, 8)
    assert 100 * whole.words / LOIHI1.limit("words_per_core") == pytest.approx(106.2, abs=0.06)
    sparse = plan(LOIHI1, weights, encoding="sparse")
    assert sparse.slices == (128, 128) and sparse.binding == ("words_per_core",)


@pytest.mark.parametrize(
    ("density", "encoding"), [(1.0, "dense"), (0.6, "dense"), (0.45, "sparse"), (0.1, "sparse")]
)
def test_the_cheaper_encoding_is_taken(density: float, encoding: str) -> None:
    """An 8-bit index pays below 9/17 = 53 % of weights that are not zero."""
    rng = np.random.default_rng(0)
    weights = np.where(rng.random((256, 256)) < density, 127, 0).astype(np.int8)
    packing = plan(LOIHI1, weights).packing
    assert packing.encoding == encoding
    assert packing.words <= pack(LOIHI1, np.count_nonzero(weights, axis=0), 256, 8, "dense").words


@pytest.mark.parametrize(
    ("largest", "bits"), [(1, 2), (3, 3), (7, 4), (15, 5), (31, 6), (32, 8), (63, 8), (127, 8)]
)
def test_weight_codes_of_loihi_1(largest: int, bits: int) -> None:
    """Signed widths 1, 2, 3, 4, 5, 6 and 8: seven bits take eight.

    Loihi 2's narrower formats are not public.
    """
    assert weight_code(LOIHI1, largest) == bits
    assert weight_code(LOIHI2, largest) == 8


def test_narrow_weights_take_less_memory() -> None:
    """4-bit 256 x 256: 327,680 bits."""
    assert plan(LOIHI1, full(256, 256, 7)).packing.words * 64 == 327_680


@pytest.mark.parametrize(("synapses", "words"), [(0, 0), (256, 34), (59, 8), (60, 8)])
def test_the_other_formula(synapses: int, words: int) -> None:
    """59 synapses: 490 bits, 8 words; 60: 498 bits, 8 words, 50 bits of the last one used."""
    assert nxtf_words(np.array([synapses]), 8, 8, "dense")[0] == words
    assert nxtf_words(np.array([7]), 8, 0, "dense")[0] == 2  # 66 bits
    assert nxtf_words(np.array([6]), 8, 0, "dense")[0] == 1  # 58 bits; from 59 on one more word
    assert (
        nxtf_words(np.array([49]), 1, 0, "dense")[0] == 2
    )  # 59 bits: the last word counts as full


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.floats(0.02, 1.0),
    st.sampled_from([LOIHI1, LOIHI2, SPINNAKER2]),
    st.integers(0, 40),
)
def test_a_plan_holds_all_neurons_within_every_limit(
    inputs: int, outputs: int, density: float, profile: Profile, destinations: int
) -> None:
    rng = np.random.default_rng(inputs * 301 + outputs)
    weights = np.where(
        rng.random((outputs, inputs)) < density, rng.integers(-127, 128, (outputs, inputs)), 0
    ).astype(np.int8)
    found = plan(profile, weights, destinations=destinations)
    assert sum(found.slices) == outputs and max(found.slices) - min(found.slices) <= 1
    assert found.packing.words <= profile.limit("words_per_core")
    if profile is LOIHI1:
        assert (
            max(found.slices) <= 1024
            and max(found.slices) * destinations <= 4096
            and found.packing.largest_axon <= 256
        )
    assert bool(found.binding) == (len(found.slices) > 1)


def test_spinnaker_2_is_bytes() -> None:
    assert synaptic_words(SPINNAKER2, 256, 256) * 4 == 256 * 256
    assert cores_needed(SPINNAKER2, 512, 512) == 2


@pytest.mark.parametrize(
    ("profile", "inputs", "outputs", "limit", "needed"),
    [
        (LOIHI1, 20_000, 2, "axons_in", 20_000),
        (LOIHI1, 16_385, 5, "words_per_core", 16_385),
        (LOIHI2, 12_001, 3, "words_per_core", 12_001),
    ],
)
def test_a_layer_that_no_number_of_cores_holds(
    profile: Profile, inputs: int, outputs: int, limit: str, needed: int
) -> None:
    found = plan_layer(profile, full(inputs, outputs), "layer 0")
    assert not isinstance(found, LayerPlan)
    assert [(violation.limit, violation.needed) for violation in found] == [(limit, needed)]


def wide(*widths: int) -> Network:
    return random_artifact(1, neuron="sdn@1", widths=widths).network


def test_a_2048_2048_policy_names_every_limit_of_every_chip_at_once() -> None:
    network = wide(17, 2048, 2048, 6)
    names = ("loihi1-davies", "loihi2", "speck2f", "xylo-audio2")
    found = {
        placement.profile: {violation.limit for violation in placement.violations}
        for placement in placements(network, names)
    }
    assert found == {
        "loihi1-davies": set(),
        "loihi2": {"cores", "words_per_core"},
        "speck2f": {"features", "kernel_memory", "state_bits"},
        "xylo-audio2": {"network_inputs", "network_neurons", "state_bits"},
    }
    with pytest.raises(
        CheckFailed,
        match=(
            r"loihi2: the network needs \d+ of cores, 122 there are.*layer 1 needs \d+ of words per"
            r" core"
        ),
    ) as caught:
        map_network(network, LOIHI2)
    assert caught.value.exit_code == 1
    assert all(way in str(caught.value) for way in WAYS_OUT["cores"])


def test_speck_puts_one_layer_on_one_core() -> None:
    """256 to 256 fills a core of 64 Ki kernel words, of which there are two."""
    speck = load_profile("speck2f")
    assert kernel_words(256, 256) == 64 * 1024 and kernel_words(17, 200) == 17 * 256
    assert assign_cores(wide(17, 256, 256, 6), speck) == [0, 5, 1]
    assert assign_cores(wide(4, 256, 256, 256, 2), speck) == [0, 5, 6, 1]
    found = place(wide(4, 256, 256, 256, 256, 2), speck)
    assert found is not None and [violation.limit for violation in found.violations] == [
        "kernel_memory"
    ]
    long = place(wide(*[4] * 11), speck)
    assert long is not None and [(v.limit, v.needed, v.allowed) for v in long.violations] == [
        ("layers", 10, 9)
    ]


def test_xylo_is_one_pool() -> None:
    xylo = load_profile("xylo-audio2")
    fits = place(wide(16, 100, 100, 8), xylo)
    crowded = place(wide(17, 600, 401, 9), xylo)
    assert fits is not None and not fits.violations
    assert crowded is not None
    found = [(v.limit, v.needed, v.allowed) for v in crowded.violations]
    assert found[:3] == [
        ("network_inputs", 17, 16),
        ("network_neurons", 1001, 1000),
        ("network_outputs", 9, 8),
    ]
    assert {limit for limit, _, _ in found[3:]} <= {"state_bits"}


def test_how_full_each_core_is() -> None:
    placement = place(wide(17, 256, 256, 6), LOIHI1)
    assert placement is not None and [core.neurons for core in placement.cores] == [256, 256, 6]
    middle = placement.cores[1]
    assert (middle.compartments, middle.axons_in, middle.axons_out) == (
        0.25,
        256 / 4096,
        256 / 4096,
    )
    assert middle.memory == pytest.approx(0.5625) and placement.mean_hops == 0
    assert place(wide(4, 8, 2), load_profile("asic45")) is None  # nothing to exceed


def mapped(neuron: str, *widths: int, profile: str = "loihi1-davies") -> Mapping:
    return map_network(
        random_artifact(1, neuron=neuron, timesteps=2, widths=widths).network, load_profile(profile)
    )


def test_a_policy_of_three_layers_takes_three_cores_on_one_tile() -> None:
    mapping = mapped("if@1", 3, 256, 256, 1)
    assert (mapping.cores, mapping.tiles, mapping.chips) == (3, 1, 1)
    assert [layer.slices for layer in mapping.layers] == [(256,), (256,), (1,)]
    assert [layer.compartments for layer in mapping.layers] == [
        2,
        2,
        1,
    ]  # soft reset twice, the readout once
    assert all(mapping.hops(layer) == (0, 0) for layer in range(3))
    assert mapping.longest_path() == (0, 0)


def test_sigma_delta_takes_one_compartment_and_loihi_2_one_in_any_case() -> None:
    assert [layer.compartments for layer in mapped("sdn@1", 3, 8, 8, 1).layers] == [1, 1, 1]
    assert [
        layer.compartments for layer in mapped("if@1", 3, 8, 8, 1, profile="loihi2").layers
    ] == [1, 1, 1]


def test_slices_are_even_and_hops_are_averages() -> None:
    mapping = mapped("if@1", 17, 400, 300, 6)
    assert [layer.slices for layer in mapping.layers] == [(400,), (150, 150), (6,)]
    assert (mapping.cores, mapping.tiles) == (4, 1)
    wide = mapped("sdn@1", 4, 512, 512, 2)  # cores 0 | 1 2 3 | 4 of tiles 0 0 0 0 1
    assert [layer.cores for layer in wide.layers] == [1, 3, 1]
    assert wide.hops(2) == pytest.approx((1, 0))  # every sender is one tile away
    assert wide.longest_path() == (1, 0)


def test_positions_fill_rows_of_the_mesh() -> None:
    mapping = Mapping((), 128, 32, 1, 4, 8)
    assert [mapping.position(core) for core in (0, 3, 4, 31, 32, 127)] == [
        (0, 0),
        (0, 0),
        (1, 0),
        (7, 0),
        (0, 1),
        (7, 3),
    ]
