"""`assess`: verdicts from bands, break-evens where two sides meet, what fits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport import api
from spikeport.hardware_profiles import load_profile
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.energy import Assessment, assess, estimate_energy
from spikeport.toolchain.energy.ann_work import (
    AnnWork,
    CountingActor,
    LayerWork,
    dense_work,
    probe_work,
    with_census,
)
from spikeport.toolchain.energy.baseline import ann_estimates, baseline_estimates
from spikeport.toolchain.energy.breakeven import (
    always_on,
    break_even,
    busy_latency,
    policies_that_fit,
    too_late,
)
from spikeport.toolchain.energy.energy_verdict import (
    LATE,
    NOT,
    OPEN,
    PAYS,
    UNJUDGED,
    compare,
)
from spikeport.toolchain.energy.estimate_result import DELTA, DENSE, SPARSE
from spikeport.toolchain.energy.timing import barrier_seconds
from spikeport.toolchain.energy.units import seconds
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.report.energy_assessment_text import render_assessment
from tests.energy.test_energy_estimate import counted
from tests.support.front_door import pendulum
from tests.support.networks import random_artifact

WORK = AnnWork(
    (
        LayerWork(4, 30, 100, 90, 3, 2.5),
        LayerWork(30, 20, 300, 250, 15, 11),
        LayerWork(20, 2, 20, 18, 10, 9),
    ),
    10,
)


@pytest.fixture(scope="module")
def sdn() -> Artifact:
    return random_artifact(1, neuron="sdn@1", widths=(4, 30, 20, 2))


@pytest.fixture(scope="module")
def found(sdn: Artifact) -> Assessment:
    return assess(
        counted(sdn, (30, 80, 40), synops=(900, 1600, 80)), sdn, WORK, control_period_s=0.02
    )


def test_a_chip_that_waits_for_its_control_period_does_not_pay(found: Assessment) -> None:
    """At 50 Hz static power is 2 mJ a decision.

    The dense policy of 760 multiply-adds takes 15 nJ on GAP9.
    """
    assert [(v.profile, v.question, v.answer) for v in found.verdicts[:2]] == [
        ("loihi1-davies", "one policy per chip", NOT),
        ("loihi1-davies", "full chip", NOT),
    ]
    assert found.as_json()["verdict"] == NOT
    first = found.verdicts[0].sentence
    for part in (
        "Does not pay on loihi1-davies",
        "priced as if it could do what it cannot",
        "50 decisions per second",
        "2.09 mJ of it static power",
        "gap9-650mv takes 15.1 nJ all-in (derived, primary)",
        "sleep between decisions not priced",
    ):
        assert part in first


def test_inherited_energies_are_not_judged_and_not_in_the_table(found: Assessment) -> None:
    assert {v.answer for v in found.verdicts if v.profile == "loihi2"} == {UNJUDGED}
    text = render_assessment(found)
    table = text[text.index("Energy per decision") : text.index("energies inherited")]
    assert "loihi2" not in table and "loihi1-davies" in table
    assert all(item.profile != "loihi2" for item in found.break_evens)
    assert text.startswith("VERDICT: does not pay\n")


def test_equal_silicon_leaves_the_delta_network_out_where_it_is_the_artifact(
    found: Assessment,
) -> None:
    """A sigma-delta artifact is that network."""
    asic = {other.runs for other in found.baselines if other.profile == "asic45"}
    assert asic == {DENSE, SPARSE}
    rate = random_artifact(1, neuron="if@1", widths=(4, 30, 20, 2), timesteps=8)
    other = assess(
        counted(rate, (30, 800, 400), synops=(900, 16000, 800)), rate, WORK, control_period_s=0.02
    )
    assert {e.runs for e in other.baselines if e.profile == "asic45"} == {DENSE, SPARSE, DELTA}
    assert other.work.delta == WORK.delta and found.work.delta == pytest.approx(258.0)


def test_a_sigma_delta_network_costs_what_its_delta_network_costs(sdn: Artifact) -> None:
    """On equal silicon the two are one; only sums that no later layer reads differ."""
    from spikeport.toolchain.energy.textbook import ann_terms, spiking_terms

    census = counted(sdn, (30, 80, 40), synops=(900, 1600, 80))
    asic = load_profile("asic45")
    ours = spiking_terms(census, sdn.network, asic)
    theirs = ann_terms(with_census(WORK, census, sdn), asic, DELTA)
    assert theirs is not None
    assert {name: part.value for name, part in ours.items()} == pytest.approx(
        {name: part.value for name, part in theirs.items()}
    )


def test_no_control_period_compares_the_decision_alone(sdn: Artifact) -> None:
    found = assess(counted(sdn, (30, 80, 40), synops=(900, 1600, 80)), sdn, WORK)
    assert (
        found.verdicts[0].question == "decision alone"
        and "no control period being known" in found.verdicts[0].sentence
    )
    assert "no control period is known" in render_assessment(found)
    assert all(
        item.control_rate_hz is None and item.policies_per_chip is None
        for item in found.break_evens
    )


def test_without_a_source_only_dense_work_is_known(sdn: Artifact) -> None:
    work = dense_work(sdn)
    assert (work.dense, work.sparse, work.delta) == (760, None, None)
    assert {e.runs for e in ann_estimates(work)} == {DENSE}


@pytest.mark.parametrize(
    ("low", "high", "answer_"), [(1e-9, 2e-9, PAYS), (1.0, 2.0, NOT), (1e-9, 1.0, OPEN)]
)
def test_bands_apart_or_open(low: float, high: float, answer_: str) -> None:
    assert compare(low, high, baseline_estimates(1000)[0]) == answer_


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 10**6), st.integers(0, 10**6), st.sampled_from([0.001, 0.01, 0.05]))
def test_break_evens_are_where_both_sides_are_equal(macs: int, synops: int, period: float) -> None:
    artifact = random_artifact(1, neuron="sdn@1", widths=(4, 30, 20, 2))
    chip = estimate_energy(
        counted(artifact, (30, 80, 40), synops=(synops, 0, 0)), artifact, ("loihi1-davies",), period
    )[0]
    other = baseline_estimates(macs, period)[0]
    item = break_even(chip, other)
    per_synop = 23.6e-12
    if item.synops_per_mac is not None:
        rest = chip.dynamic_j - chip.terms_j["synops"]
        assert rest + item.synops_per_mac * artifact.macs * per_synop == pytest.approx(
            other.dynamic_j
        )
    assert (item.control_rate_hz is None) == (other.dynamic_j <= chip.dynamic_j)
    if item.control_rate_hz is not None and item.policies_per_chip is not None:
        assert chip.dynamic_j + 0.104375 / item.control_rate_hz == pytest.approx(other.dynamic_j)
        enough, fewer = (
            always_on(chip, max(n, 1)) for n in (item.policies_per_chip, item.policies_per_chip - 1)
        )
        assert enough is not None and enough[0] <= other.dynamic_j * (1 + 1e-9)
        assert item.policies_per_chip == 1 or (
            fewer is not None and fewer[0] > other.dynamic_j * (1 - 1e-9)
        )


def test_a_full_chip_shares_its_static_power(sdn: Artifact) -> None:
    chip = estimate_energy(
        counted(sdn, (30, 80, 40), synops=(900, 1600, 80)), sdn, ("loihi1-davies",), 0.02
    )[0]
    assert policies_that_fit(chip) == 128 // 3
    assert always_on(chip, 42) == pytest.approx(
        (
            chip.dynamic_j + 0.104375 * 0.02 / 42,
            chip.low_j + 0.029 * 0.02 / 42,
            chip.high_j + 0.45 * 0.02 / 42,
        )
    )


def test_skipping_is_between_free_and_useless() -> None:
    by_runs = {
        runs: {e.profile: e for e in ann_estimates(WORK, 0.02) if e.runs == runs}
        for runs in (DENSE, SPARSE, DELTA)
    }
    for runs, done in ((SPARSE, 420), (DELTA, 358)):
        for profile, estimate in by_runs[runs].items():
            dense = by_runs[DENSE][profile]
            assert estimate.dynamic_j == pytest.approx(dense.dynamic_j * done / 760)
            assert (estimate.high_j, estimate.latency_s) == (dense.high_j, dense.latency_s)
            assert estimate.latency_low_s == pytest.approx((dense.latency_s or 0) * done / 760)
            assert any("lower bounds" in line for line in estimate.unpriced)


def test_work_of_the_source_policy_against_a_count_by_hand() -> None:
    """int8 activations and weights, counted again with plain loops."""
    artifact = pendulum()
    policy = artifact.source
    observations = artifact.probe.observations[:40]
    assert policy is not None
    actor = CountingActor(artifact)
    for observation in observations:
        assert np.array_equal(actor.decide(observation[None]), policy.act(observation[None]))
    work = actor.work()
    weight = policy.layers[0].weight.astype(np.float64)
    present = np.floor(weight / np.abs(weight).max(1, keepdims=True) * 127 + 0.5) != 0
    inputs = policy.observation.apply(observations, np.zeros(40, np.int64))
    recorded = policy.observation.apply(
        artifact.probe.observations[:-32], np.zeros(len(artifact.probe.flags) - 32, np.int64)
    )
    scale = np.abs(recorded).max(0) / 127
    q = np.clip(np.floor(inputs / np.where(scale > 0, scale, 1.0) + 0.5), -127, 127)
    sparse = sum(int(present[:, q[n] != 0].sum()) for n in range(40)) / 40
    last = np.vstack([np.zeros((1, q.shape[1])), q[:-1]])
    delta = sum(int(present[:, q[n] != last[n]].sum()) for n in range(40)) / 40
    assert (work.layers[0].sparse, work.layers[0].delta) == (
        pytest.approx(sparse),
        pytest.approx(delta),
    )
    assert (
        work.delta is not None
        and work.sparse is not None
        and 0 < work.delta <= work.dense
        and 0 < work.sparse <= work.dense
    )


def test_an_artifact_without_its_source_cannot_be_counted() -> None:
    bare = pendulum().without_source()
    with pytest.raises(InputError, match="no source ANN inside"):
        CountingActor(bare)
    assert api.measure_ann_work(bare) == dense_work(bare)


def test_rows_that_do_not_act_are_not_counted() -> None:
    artifact = pendulum()
    one = CountingActor(artifact)
    two = CountingActor(artifact, 2)
    for observation in artifact.probe.observations[:20]:
        one.decide(observation[None])
        actions = two.decide(np.stack([observation, observation + 1]), np.array([True, False]))
        assert np.isnan(actions[1]).all()
    assert one.work() == two.work()
    assert probe_work(artifact).decisions == len(artifact.probe.flags) - 32


def test_profiles_that_price_nothing_are_refused_or_only_placed(sdn: Artifact) -> None:
    census = counted(sdn, (30, 80, 40), synops=(900, 1600, 80))
    for name in ("speck2f", "xylo-audio2", "odin", "truenorth"):
        with pytest.raises(InputError, match=f"--profile: prices no policy .got {name}"):
            estimate_energy(census, sdn, (name,))
    placed = assess(census, sdn, WORK, ("loihi1-davies", "speck2f"), 0.02)
    assert [placement.profile for placement in placed.placements] == ["loihi1-davies", "speck2f"]
    with pytest.raises(InputError, match="prices no policy"):
        assess(census, sdn, WORK, ("odin",), 0.02)


def test_a_baseline_that_was_asked_for_stands_once(sdn: Artifact) -> None:
    census = counted(sdn, (30, 80, 40), synops=(900, 1600, 80))
    found = assess(census, sdn, WORK, ("gap9-650mv",), 0.02)
    assert [v.answer for v in found.verdicts] == [UNJUDGED]
    assert (
        sum(
            line.startswith("gap9-650mv") and DENSE in line
            for line in render_assessment(found).splitlines()
        )
        == 1
    )
    both = assess(census, sdn, WORK, ("loihi1-davies", "gap9-650mv"), 0.02)
    assert "gap9-650mv" in both.verdicts[0].sentence and any(
        item.against == "gap9-650mv" for item in both.break_evens
    )


def test_a_chip_pays_once_enough_policies_share_it() -> None:
    """A wide policy that hardly changes, at 1 kHz.

    Alone static power decides, on a full chip the work.
    """
    artifact = random_artifact(1, neuron="sdn@1", widths=(4, 30, 20, 2))
    artifact = dataclasses.replace(artifact, source_macs=10**7)
    work = AnnWork((LayerWork(4, 10**6), LayerWork(30, 2 * 10**5), LayerWork(20, 2)), 10)
    found = assess(
        counted(artifact, (30, 80, 40), synops=(900, 1600, 80)),
        artifact,
        work,
        ("loihi1-davies",),
        1e-3,
    )
    alone, full, dynamic = found.verdicts
    assert [verdict.answer for verdict in (alone, full, dynamic)] == [OPEN, PAYS, PAYS]
    assert (
        "the bands overlap" in alone.sentence
        and "work and waiting together stay below it" in full.sentence
    )
    against = {item.against: item for item in found.break_evens}["stm32l4r5"]
    assert against.reachable and against.policies_per_chip == 1


def test_counts_profiles_price_without_time(sdn: Artifact) -> None:
    """KerasSpiking: every neuron in each of T timesteps."""
    census = counted(sdn, (30, 80, 40), synops=(900, 1600, 80))
    keras, spinnaker = estimate_energy(census, sdn, ("kerasspiking-loihi", "spinnaker2"), 0.02)
    assert keras.dynamic_j == pytest.approx((27.1 * 258 + 81 * 52) * 1e-12)
    assert spinnaker.dynamic_j == pytest.approx((450 * 258 + 2190 * 52) * 1e-12)
    assert (keras.latency_s, keras.static_period_j, keras.realtime, spinnaker.cores) == (
        None,
        None,
        None,
        3,
    )
    assert any("latency, real time and static energy" in line for line in keras.unpriced)
    verdicts = assess(census, sdn, WORK, ("spinnaker2",), 0.02).verdicts
    assert [verdict.answer for verdict in verdicts] == [
        UNJUDGED
    ] and "dynamic energy only" in verdicts[0].sentence


PERIODS = [
    (1e-6, (LATE, LATE), "does not pay: too late"),
    (1.2e-5, (LATE, LATE), "does not pay: too late"),
    (0.02, (NOT, NOT), "does not pay"),
]


@pytest.mark.parametrize(("period", "answers", "verdict"), PERIODS)
def test_what_comes_too_late_does_not_pay(
    sdn: Artifact, period: float, answers: tuple[str, str], verdict: str
) -> None:
    # by energy alone it would pay
    if answers[0] == LATE:
        artifact = dataclasses.replace(sdn, source_macs=10**9)
    else:
        artifact = sdn
    if answers[0] == LATE:
        work = AnnWork((LayerWork(4, 10**8), LayerWork(30, 2 * 10**7), LayerWork(20, 2)), 10)
    else:
        work = WORK
    found = assess(
        counted(sdn, (30, 80, 40), synops=(900, 1600, 80)),
        artifact,
        work,
        ("loihi1-davies",),
        period,
    )
    assert tuple(v.answer for v in found.verdicts[:2]) == answers
    assert all(
        (f"the control period is {seconds(period)}" in v.sentence) == (answers[0] == LATE)
        for v in found.verdicts[:2]
    )
    text = render_assessment(found)
    assert text.startswith(f"VERDICT: {verdict}\n") and ("too late for this rate" in text) == (
        "Too late to pay" in text
    ) == (answers[0] == LATE)
    assert all(
        item.late == (answers[0] == LATE) and not (item.late and item.reachable)
        for item in found.break_evens
    )


def test_a_full_chip_is_slower_than_one_policy(sdn: Artifact) -> None:
    """Between the two latencies only the single policy is in time.

    The sum is that of the barrier's published ends.
    """
    chip = estimate_energy(
        counted(sdn, (30, 80, 40), synops=(900, 1600, 80)), sdn, ("loihi1-davies",), 0.02
    )[0]
    alone = busy_latency(chip, 1)
    full = busy_latency(chip, 42)
    davies = load_profile("loihi1-davies")
    assert alone == chip.latency_s and full - alone == pytest.approx(
        4 * (barrier_seconds(davies, 32) - barrier_seconds(davies, 1))
    )
    assert chip.response_s is None or chip.response_s[0] >= 0
    least = max(alone, (chip.response_s or (0.0, 0.0))[0])
    between = dataclasses.replace(chip, control_period_s=least + (full - alone) / 2)
    assert not too_late(between) and too_late(between, 42)
