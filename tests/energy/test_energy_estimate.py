"""Estimates.

The model's formula term by term, bands, static energy, time, and everything that is refused or
null.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from spikeport.hardware_profiles import load_profile
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy import DEFAULT_PROFILES, baseline_estimates, estimate_energy
from spikeport.toolchain.energy.mapping import map_network
from spikeport.toolchain.energy.timing import barrier_seconds
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.census import Census, LayerCensus
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.networks import observation_stream, random_artifact

CONTRACT = (
    "profile dynamic_j low_j high_j static_inference_j static_period_j latency_s realtime grade"
    " unpriced census".split()
)


def counted(
    artifact: Artifact, messages: tuple[int, ...], *, synops: tuple[int, ...], decisions: int = 10
) -> Census:
    """A census with chosen counts over all decisions.

    Payloads into each layer and synops of each.
    """
    network = artifact.network
    sent = (*messages[1:], 0)
    layers = tuple(
        LayerCensus(
            layer.outputs,
            layer.inputs,
            int(layer.fan_out.sum()),
            messages[i],
            synops[i],
            sent[i],
            layer.outputs * network.chip_steps * decisions,
            0,
        )
        for i, layer in enumerate(network.layers)
    )
    return Census(decisions, network.timesteps, network.chip_steps, layers, 0, artifact.macs, 40)


@pytest.fixture(scope="module")
def sdn() -> Artifact:
    return random_artifact(1, neuron="sdn@1", widths=(4, 30, 20, 2))


@pytest.fixture(scope="module")
def spiking() -> Artifact:
    return random_artifact(1, neuron="if@1", widths=(4, 30, 20, 2), timesteps=8, alpha=32)


def test_every_term_of_sigma_delta_by_hand(sdn: Artifact) -> None:
    """3 cores on one tile, T + L = 4 steps, 10 decisions:

    4 * 52 updates, 12 payloads per decision sent by neurons.
    """
    census = counted(sdn, (30, 80, 40), synops=(900, 1600, 80))
    estimate = estimate_energy(census, sdn, ("loihi1-davies",), 0.02)[0]
    synops = 258.0
    fired = 12.0
    updates = 52 * 4.0
    messages = 15.0
    value = 23.6 * synops + 81 * fired + 52 * (updates - fired) + 1.7 * messages
    assert estimate.dynamic_j == pytest.approx(value * 1e-12)
    assert estimate.low_j == pytest.approx(
        (18.9 * synops + 81 * fired + 52 * (updates - fired) + 1.7 * messages) * 1e-12
    )
    assert estimate.high_j == pytest.approx((35.5 * synops + 81 * updates + 1.7 * messages) * 1e-12)
    assert sum(estimate.terms_j.values()) == pytest.approx(estimate.dynamic_j)
    busiest = (
        160 * 3.5 + 4 * 8.4 + 16 * 5.3
    )  # the second hidden layer: 160 synops, 4 of 20 neurons fire
    first = 90 * 3.5 + 8 * 8.4 + 22 * 5.3
    last = 8 * 3.5 + 2 * 5.3
    assert busiest > max(first, last)
    assert estimate.step_s == pytest.approx((busiest + 2.1 + 113) * 1e-9)
    assert estimate.latency_s == pytest.approx(4 * (busiest + 2.1 + 113) * 1e-9)
    idle = 30 * 5.3
    assert estimate.latency_low_s == pytest.approx(
        (idle + first + busiest + max(idle, last) + 4 * 115.1) * 1e-9
    )
    assert estimate.static_inference_j == pytest.approx(0.104375 * estimate.latency_s)
    assert estimate.static_period_j == pytest.approx(0.104375 * 0.02)
    assert estimate.static_period_band_j == pytest.approx((0.029 * 0.02, 0.45 * 0.02))
    assert (estimate.cores, estimate.tiles, estimate.chips, estimate.realtime) == (3, 1, 1, True)
    assert estimate.host_j == pytest.approx(40 * 322.977e-6 / 264_192)


def test_soft_reset_doubles_compartments_on_loihi_1_only(spiking: Artifact) -> None:
    census = counted(spiking, (30, 800, 400), synops=(900, 16000, 800))
    first, second = estimate_energy(census, spiking, ("loihi1-davies", "loihi2"))
    steps = 11
    fired = 120.0
    assert first.terms_j["neurons"] == pytest.approx(
        (2 * 81 * fired + 52 * (2 * (50 * steps - fired) + 2 * steps)) * 1e-12
    )
    assert second.terms_j["neurons"] == pytest.approx(
        (81 * fired + 52 * (52 * steps - fired)) * 1e-12
    )
    assert second.proxy_ops == pytest.approx(1770 + 10 * 52 * steps)
    assert first.proxy_ops is None
    assert second.latency_s < first.latency_s


def test_hops_are_priced_per_destination_core() -> None:
    """512 neurons sit on cores 1, 2, 3 of the first tile; the readout's core 4 is one tile east."""
    artifact = random_artifact(1, neuron="sdn@1", widths=(4, 512, 512, 2))
    census = counted(artifact, (10, 20, 30), synops=(0, 0, 0), decisions=1)
    assert [
        layer.cores for layer in map_network(artifact.network, load_profile("loihi1-davies")).layers
    ] == [1, 3, 1]
    estimate = estimate_energy(census, artifact, ("loihi1-davies",))[0]
    assert estimate.terms_j["messages"] == pytest.approx(
        (1.7 * (10 + 20 * 3 + 30) + 3.0 * 30) * 1e-12
    )
    assert estimate.tiles == 2


def test_idle_activity_is_priced(sdn: Artifact) -> None:
    quiet = counted(sdn, (30, 80, 40), synops=(900, 1600, 80))
    busy = dataclasses.replace(quiet, idle_spikes=50, idle_synops=1000)
    before, after = (
        estimate_energy(census, sdn, ("loihi1-davies",))[0].dynamic_j for census in (quiet, busy)
    )
    assert after - before == pytest.approx((100 * 23.6 + 5 * (81 - 52) + 5 * 1.7) * 1e-12)


def test_barriers_between_published_tiles() -> None:
    davies, sanafe, loihi2 = (
        load_profile(name) for name in ("loihi1-davies", "loihi1-sanafe", "loihi2")
    )
    assert [barrier_seconds(davies, tiles) for tiles in (1, 32, 40)] == pytest.approx(
        [113e-9, 465e-9, 465e-9]
    )
    assert barrier_seconds(davies, 2) == pytest.approx((113 + 352 / 31) * 1e-9)
    assert [barrier_seconds(sanafe, tiles) for tiles in (1, 2, 3, 4, 29, 32)] == pytest.approx(
        [6e-7, 1e-6, 1.2e-6, 1.4e-6, 1.8e-6, 1.8e-6]
    )
    assert barrier_seconds(loihi2, 20) == pytest.approx(200e-9)


@pytest.mark.parametrize("neuron", ["sdn@1", "if@1"])
def test_estimates_of_a_real_run(neuron: str) -> None:
    artifact = random_artifact(5, neuron=neuron, widths=(6, 40, 30, 3), timesteps=4)
    backend = ReferenceBackend(artifact)
    for observation in observation_stream(np.random.default_rng(2), 40, 6):
        backend.decide(observation[None])
    census = backend.census()
    for estimate in estimate_energy(
        census, artifact, ("loihi1-davies", "loihi1-sanafe", "loihi2", "stm32l4r5"), 0.01
    ):
        assert 0 < estimate.low_j <= estimate.dynamic_j <= estimate.high_j
        assert estimate.latency_low_s is None or 0 < estimate.latency_low_s <= estimate.latency_s
        data = json.loads(json.dumps(estimate.as_json(), allow_nan=False))
        assert set(CONTRACT) <= set(data)
        assert all(isinstance(line, str) and line for line in data["unpriced"])
        assert data["census"]["macs_per_decision"] == artifact.macs
    chip = estimate_energy(census, artifact)[0].as_json()
    assert chip["census"]["synops"] == pytest.approx(census.synops_per_decision)
    assert sum(layer["synops"] for layer in chip["census"]["layers"]) == pytest.approx(
        census.synops_per_decision
    )
    assert chip["grades"]["dynamic_j"] == {"kind": "simulated", "read": "quoted"}


def test_host_input_and_output_are_a_band(sdn: Artifact) -> None:
    """16.5 us, the measured floor, to 4.26 ms, a measured system.

    Meanwhile the chip's static power runs.
    """
    census = counted(sdn, (30, 80, 40), synops=(900, 1600, 80))
    slow, middle, fast = (
        estimate_energy(census, sdn, ("loihi1-davies",), period)[0] for period in (0.02, 1e-3, 1e-5)
    )
    assert (
        slow.io_s == pytest.approx((16.5e-6, 4.26e-3))
        and slow.latency_low_s is not None
        and slow.latency_s is not None
    )
    assert slow.response_s == pytest.approx(
        (slow.latency_low_s + 16.5e-6, slow.latency_s + 4.26e-3)
    )
    assert slow.io_j == pytest.approx((0.029 * 16.5e-6, 0.45 * 4.26e-3))
    assert [e.realtime_with_io for e in (slow, middle, fast)] == ["yes", "open", "no"]
    assert [e.realtime for e in (slow, middle, fast)] == [
        True,
        True,
        True,
    ]  # the contract's verdict is the chip's own
    assert (
        str(slow.grades["response_s"]) == "simulated, secondary"
    )  # the chip's times are simulated, the upper end is a paraphrase
    cheapest = 5.252e-6 / 264_192
    dearest = 443.184e-6 / 264_192
    assert slow.host_band_j == pytest.approx((40 * cheapest, 40 * dearest))


def test_defaults_and_grades(sdn: Artifact) -> None:
    estimates = estimate_energy(counted(sdn, (1, 2, 3), synops=(1, 2, 3)), sdn)
    assert (
        tuple(estimate.profile for estimate in estimates)
        == DEFAULT_PROFILES
        == ("loihi1-davies", "loihi2")
    )
    assert [(e.grade, e.read, e.headline) for e in estimates] == [
        ("derived", "quoted", True),
        ("inherited", "quoted", False),
    ]  # static power is derived
    assert str(estimates[0].grades["dynamic_j"]) == "simulated, quoted"
    assert str(estimates[1].grades["dynamic_j"]) == "inherited, quoted"


def test_without_a_control_period(sdn: Artifact) -> None:
    census = counted(sdn, (1, 2, 3), synops=(1, 2, 3))
    for estimate in (*estimate_energy(census, sdn), *baseline_estimates(100)):
        assert (
            estimate.static_period_j is None
            and estimate.realtime is None
            and estimate.static_period_band_j is None
        )
        assert any("no control period is known" in line for line in estimate.unpriced)


def test_too_slow_for_its_period(spiking: Artifact) -> None:
    census = counted(spiking, (30, 800, 400), synops=(900, 16000, 800))
    estimate = estimate_energy(census, spiking, ("loihi1-davies",), 1e-6)[0]
    assert estimate.realtime is False
    assert any("come too late" in line for line in estimate.unpriced)
    assert baseline_estimates(10**6, 1e-5)[0].realtime is False


def test_what_a_chip_cannot_do_is_said(sdn: Artifact, spiking: Artifact) -> None:
    first, second = estimate_energy(counted(sdn, (1, 2, 3), synops=(1, 2, 3)), sdn)
    assert first.not_expressible == ("sdn@1 needs programmable neurons", "graded input payloads")
    assert any("priced as if it could" in line and "sdn@1" in line for line in first.unpriced)
    assert second.not_expressible == () and any("no microcode" in note for note in second.notes)
    rate = estimate_energy(counted(spiking, (1, 2, 3), synops=(1, 2, 3)), spiking)[0]
    assert (
        "restarting the state at each decision with 32/64 of the residual carried over"
        in rate.not_expressible
    )
    assert any("soft reset's own synapse" in line for line in rate.unpriced)
    for estimate in (first, second, rate):
        assert any("host input and output" in line for line in estimate.unpriced)
        assert any("barrier" in line for line in estimate.unpriced)


def test_a_microcontroller_named_as_profile_prices_the_source_policy(sdn: Artifact) -> None:
    estimate = estimate_energy(
        counted(sdn, (1, 2, 3), synops=(1, 2, 3)), sdn, ("gap9-650mv",), 0.01
    )[0]
    same = {other.profile: other for other in baseline_estimates(sdn.macs, 0.01)}["gap9-650mv"]
    assert estimate == same
    assert estimate.latency_s == pytest.approx(sdn.macs / (3682.97 * 264_192))
    assert estimate.static_inference_j == 0 and estimate.static_period_j is None
    assert any("sleep power" in line for line in estimate.unpriced)


def test_baselines_are_sorted_and_the_band_is_the_published_one() -> None:
    estimates = baseline_estimates(71_424, 0.05)
    assert [estimate.profile for estimate in estimates] == [
        "gap9-650mv",
        "gap9-800mv",
        "xg24",
        "stm32u575",
        "stm32h7a3",
        "stm32l4r5",
    ]
    assert estimates[-1].high_j / estimates[-1].dynamic_j == pytest.approx(443.184 / 322.977)
    assert all(estimate.grade == "derived" and estimate.read == "primary" for estimate in estimates)


def test_what_is_refused(sdn: Artifact, spiking: Artifact) -> None:
    census = counted(sdn, (1, 2, 3), synops=(1, 2, 3))
    with pytest.raises(InputError, match="unknown name"):
        estimate_energy(census, sdn, ("loihi3",))
    with pytest.raises(InputError, match="census is of another network"):
        estimate_energy(census, spiking)
    with pytest.raises(InputError, match="holds no decision"):
        estimate_energy(dataclasses.replace(census, decisions=0), sdn)
    for period in (0.0, -1.0, 9e-7, 1.1e6, 1e-320, 1e308, float("nan"), float("inf")):
        with pytest.raises(InputError, match="control period is out of range"):
            estimate_energy(census, sdn, control_period_s=period)
        with pytest.raises(InputError, match="control period is out of range"):
            baseline_estimates(100, period)
    with pytest.raises(InputError, match="no multiply-adds"):
        baseline_estimates(0)


def test_a_policy_without_hidden_layers() -> None:
    artifact = random_artifact(1, widths=(5, 3))
    network: Network = artifact.network
    assert network.chip_steps == 2
    estimate = estimate_energy(
        counted(artifact, (20,), synops=(50,)), artifact, ("loihi1-davies",), 0.01
    )[0]
    assert estimate.dynamic_j == pytest.approx((23.6 * 5 + 52 * 6 + 1.7 * 2) * 1e-12)
