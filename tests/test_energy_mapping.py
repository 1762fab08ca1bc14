"""Layers to cores: the rows that nengo-loihi and Intel's compilers print, and where cores and hops come out."""

from __future__ import annotations

import pytest

from hardware_profiles import load_profile
from tests.networks import random_artifact
from toolchain.energy.mapping import Mapping, cores_needed, map_network
from toolchain.energy.synaptic_memory import synaptic_words
from toolchain.errors import InputError

LOIHI1, LOIHI2 = load_profile("loihi1-davies"), load_profile("loihi2")


LOIHI1_ROWS = [(256, 256, 9_216, 56.2), (512, 512, 36_864, 225), (256, 512, 18_432, 112.5), (400, 300, 16_800, 102.5), (3, 256, 108, 0.7), (256, 1, 256, 1.6)]


@pytest.mark.parametrize(("inputs", "neurons", "words", "percent"), LOIHI1_ROWS)
def test_synaptic_memory_of_loihi_1(inputs: int, neurons: int, words: int, percent: float) -> None:
    """As executed with nengo-loihi 1.1.0's SynapseConfig: dense, 8 bits, in percent of a core."""
    assert synaptic_words(LOIHI1, inputs, neurons) == words
    assert 100 * words / LOIHI1.limit("words_per_core") == pytest.approx(percent, abs=0.06)


@pytest.mark.parametrize(("bits", "total"), [(4, 327_680), (5, 393_216), (6, 458_752), (8, 589_824)])
def test_synaptic_memory_with_fewer_bits(bits: int, total: int) -> None:
    assert synaptic_words(LOIHI1, 256, 256, bits) * 64 == total


@pytest.mark.parametrize(("inputs", "outputs", "cores"), [(256, 256, 1), (512, 512, 3), (256, 512, 2), (400, 300, 2), (3, 256, 1), (256, 1, 1)])
def test_cores_of_loihi_1(inputs: int, outputs: int, cores: int) -> None:
    assert cores_needed(LOIHI1, inputs, outputs) == cores


@pytest.mark.parametrize(("inputs", "neurons", "words"), [(100, 50, 1_500), (50, 10, 150), (10, 1, 10), (256, 256, 18_688)])
def test_synaptic_memory_of_loihi_2(inputs: int, neurons: int, words: int) -> None:
    """The dense rows that the netx compiler prints for PilotNet SDNN in lava-dl's notebook, and a policy's layer."""
    assert synaptic_words(LOIHI2, inputs, neurons) == words


def test_the_widest_row_of_loihi_2() -> None:
    """2560 inputs in slices of 8 neurons: 7,253 words printed, zero weights left out; 7,680 with every synapse."""
    assert 7_253 <= synaptic_words(LOIHI2, 2560, 8) == 7_680 < 1.06 * 7_253
    assert synaptic_words(LOIHI2, 2560, 15) == 12_800 > LOIHI2.limit("words_per_core")  # the compiler's violation


def test_cores_of_loihi_2() -> None:
    assert cores_needed(LOIHI2, 256, 256) == 2
    assert cores_needed(LOIHI2, 100, 50) == 1
    assert cores_needed(LOIHI2, 2560, 100) == 8  # the fewest by memory; the compiler took 12


def test_each_limit_binds() -> None:
    assert cores_needed(LOIHI1, 1, 1_024) == 1
    assert cores_needed(LOIHI1, 1, 1_025) == 2  # compartments
    assert cores_needed(LOIHI1, 1, 1_024, per_neuron=2) == 2  # two of them per neuron
    assert cores_needed(LOIHI1, 1, 1_024, destinations=5) == 2  # output axons: 5 slots each of 4,096
    assert cores_needed(LOIHI1, 4_097, 2) == 2  # input axons
    assert cores_needed(LOIHI2, 1, 8_193) == 2  # neurons


def test_a_layer_that_cannot_fit_is_refused() -> None:
    with pytest.raises(InputError, match="a layer of 20000 inputs and 2 neurons does not fit loihi1-davies"):
        cores_needed(LOIHI1, 20_000, 2)
    with pytest.raises(InputError, match="does not fit loihi2"):
        cores_needed(LOIHI2, 12_001, 3)


def mapped(neuron: str, *widths: int, profile: str = "loihi1-davies") -> Mapping:
    return map_network(random_artifact(1, neuron=neuron, timesteps=2, widths=widths).network, load_profile(profile))


def test_a_policy_of_three_layers_takes_three_cores_on_one_tile() -> None:
    mapping = mapped("if@1", 3, 256, 256, 1)
    assert (mapping.cores, mapping.tiles, mapping.chips) == (3, 1, 1)
    assert [layer.slices for layer in mapping.layers] == [(256,), (256,), (1,)]
    assert [layer.compartments for layer in mapping.layers] == [2, 2, 1]  # soft reset twice, the readout once
    assert all(mapping.hops(layer) == (0, 0) for layer in range(3))
    assert mapping.longest_path() == (0, 0)


def test_sigma_delta_takes_one_compartment_and_loihi_2_one_in_any_case() -> None:
    assert [layer.compartments for layer in mapped("sdn@1", 3, 8, 8, 1).layers] == [1, 1, 1]
    assert [layer.compartments for layer in mapped("if@1", 3, 8, 8, 1, profile="loihi2").layers] == [1, 1, 1]


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
    assert [mapping.position(core) for core in (0, 3, 4, 31, 32, 127)] == [(0, 0), (0, 0), (1, 0), (7, 0), (0, 1), (7, 3)]
