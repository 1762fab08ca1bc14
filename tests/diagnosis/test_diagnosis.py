"""`spikeport.diagnose` names the fault that was planted, in the layer where it was planted, for
every kind of neuron.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.diagnosis import REMEDIES, Cause, Diagnosis
from spikeport.toolchain.diagnosis.resolution import find_resolution
from spikeport.toolchain.errors import InputError
from tests.support import planted_faults as plant
from tests.support.front_door import TOY_ENV, answer, command, done, refusal

SDN = ("sdn", None, "relu")
IF = ("if", 32, "relu")
MT = ("mt", 4, "relu")
DC = ("dc", 4, "relu")
SNM = ("snm", 16, "relu")
TANH = ("sdn", None, "tanh")
KINDS = [SDN, IF, MT, DC, SNM, TANH]
EVERYWHERE = [
    *((kind, layer) for kind in (SDN, IF) for layer in (0, 1, 2)),
    (DC, 0),
    (DC, 1),
    (MT, 1),
    (SNM, 2),
    (TANH, 0),
    (TANH, 2),
]


def diagnosis(artifact: Artifact, episodes: int = 10, **options: Any) -> Diagnosis:
    return spikeport.diagnose(artifact, env=TOY_ENV, episodes=episodes, **options)


def named(artifact: Artifact, **options: Any) -> tuple[str, int | None]:
    verdict = diagnosis(artifact, episodes=3, **options).verdict
    return verdict.cause.value, verdict.layer


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_untouched_conversions_are_healthy(kind: tuple[str, int | None, str]) -> None:
    found = diagnosis(plant.steering(*kind))
    assert found.healthy and found.verdict.layer is None and len(found.findings) == 1


@pytest.mark.parametrize(
    ("kind", "layer"), [(SDN, 0), (SDN, 1), (IF, 0), (IF, 1), (MT, 1), (DC, 0), (SNM, 1)], ids=str
)
def test_thresholds_times_four(kind: tuple[str, int | None, str], layer: int) -> None:
    """All of a layer, with the units as they were and with them, and a single neuron's."""
    artifact = plant.steering(*kind)
    for faulty in (
        plant.thresholds_times(artifact, layer),
        plant.thresholds_times(artifact, layer, units=True),
        plant.one_threshold_times(artifact, layer),
    ):
        found = diagnosis(faulty, episodes=3)
        assert (found.verdict.cause, found.verdict.layer) == (Cause.THRESHOLD, layer)
        assert found.verdict.evidence["gain"] == pytest.approx(0.25, abs=0.06)


@pytest.mark.parametrize(("kind", "layer"), EVERYWHERE, ids=str)
def test_a_layer_at_three_bits(kind: tuple[str, int | None, str], layer: int) -> None:
    assert named(plant.coarse_weights(plant.steering(*kind), layer)) == ("weight-bits", layer)


@pytest.mark.parametrize(("kind", "layer"), EVERYWHERE, ids=str)
def test_a_dropped_bias(kind: tuple[str, int | None, str], layer: int) -> None:
    assert named(plant.without_bias(plant.steering(*kind), layer)) == ("bias", layer)


@pytest.mark.parametrize(
    "fault",
    [
        plant.wrong_encoder,
        plant.wrong_normaliser,
        lambda found: plant.wrong_normaliser(found, 1.0, 0.5),
    ],
)
@pytest.mark.parametrize("kind", [SDN, IF], ids=str)
def test_a_wrong_observation_scale(
    kind: tuple[str, int | None, str], fault: Callable[[Artifact], Artifact]
) -> None:
    assert named(fault(plant.steering(*kind))) == ("observation-scale", -1)


def test_an_environment_of_another_scale() -> None:
    """The first reset of calibration, repeated, shows it whatever the policies do."""
    found = spikeport.diagnose(
        plant.steering(), env="tests.support.toy_environments:Scaled-v0", episodes=4
    ).verdict
    assert (found.cause, found.layer) == (Cause.OBSERVATION_SCALE, -1)
    assert found.evidence["gain"] == pytest.approx(3.0)


def test_two_timesteps() -> None:
    assert named(plant.steering("if", 2))[0] == "timesteps"


def test_a_source_policy_that_learnt_nothing() -> None:
    artifact = spikeport.convert(
        plant.shuffled(plant.steering_policy()),
        env=TOY_ENV,
        action_error=0.05,
        calibration_steps=600,
    )
    assert named(artifact) == ("source-fails", None)


def test_triggers_and_steps_that_are_too_coarse() -> None:
    held_back = spikeport.convert(
        plant.steering_policy(),
        env=TOY_ENV,
        action_error=0.05,
        triggers=(200, 200),
        calibration_steps=600,
    )
    assert named(held_back)[0] == "trigger"
    coarse = spikeport.convert(
        plant.steering_policy(), env=TOY_ENV, action_error=2.0, calibration_steps=600
    )
    assert named(coarse)[0] == "action-error"


def test_an_error_that_stays_calls_for_the_residual() -> None:
    """Only where a residual could be carried over and is not, and the timesteps are as usual."""
    artifact = plant.steering("if", 16)
    evidence = diagnosis(artifact, episodes=2).on_ann_states
    plain, carried, short = (
        dataclasses.replace(artifact.network, alpha=alpha, timesteps=steps)
        for alpha, steps in ((0, 16), (32, 16), (0, 4))
    )
    for network, lag, lost, causes in (
        (plain, 0.6, True, [Cause.RESIDUAL]),
        (plain, 0.1, True, [Cause.TIMESTEPS]),
        (carried, 0.6, True, [Cause.TIMESTEPS]),
        (short, 0.6, True, [Cause.TIMESTEPS]),
        (plain, 0.6, False, []),
    ):
        assert [
            finding.cause for finding in find_resolution(network, evidence, lag, lost)
        ] == causes


def test_reference_says_the_same_as_fast() -> None:
    for artifact in (plant.steering(), plant.steering("dc", 4)):
        reference, fast = (
            diagnosis(artifact, episodes=2, backend=name).to_json()
            for name in ("reference", "fast")
        )
        assert reference.pop("backend") == "reference" and fast.pop("backend") == "fast"
        assert reference == fast


def test_command(tmp_path: Any) -> None:
    artifact = plant.steering()
    spikeport.save(artifact, tmp_path / "good.spk")
    spikeport.save(plant.without_bias(artifact, 1), tmp_path / "bad.spk")
    spikeport.save(artifact.without_source(), tmp_path / "bare.spk")
    options = ("--env", TOY_ENV, "--episodes", 10)
    text = done("diagnose", tmp_path / "good.spk", *options).stdout
    assert (
        text.startswith("HEALTHY (the whole): no layer says anything else")
        and "R_SNN|ANN" in text
        and "layer 2" in text
    )
    facts = answer("diagnose", tmp_path / "bad.spk", *options, exit_code=1)
    assert (facts["verdict"]["id"], facts["verdict"]["layer"], facts["verdict"]["remedy"]) == (
        "bias",
        1,
        REMEDIES[Cause.BIAS],
    )
    assert (
        facts["verdict"]["evidence"]["bias_kept"] == 0
        and facts["episodes"] == len(facts["returns"]) == 10
    )
    assert command("diagnose", tmp_path / "bad.spk", *options).exit_code == 1
    assert "--no-source" in refusal("diagnose", tmp_path / "bare.spk", *options)
    assert "used for calibration" in refusal(
        "diagnose", tmp_path / "good.spk", *options, "--seed", artifact.calibration["seeds"][0]
    )
    assert "--episodes" in refusal(
        "diagnose", tmp_path / "good.spk", "--env", TOY_ENV, "--episodes", 0
    )


def test_a_source_that_is_not_the_artifacts() -> None:
    with pytest.raises(
        InputError, match="layers are not the artifact's .got 5 - 16 - 2, limit 5 - 32 - 24 - 2"
    ):
        diagnosis(plant.steering(), source=plant.steering_policy((16,)))


def test_every_cause_has_a_remedy_and_numbers_are_json() -> None:
    assert set(REMEDIES) == set(Cause)
    found = dataclasses.replace(
        diagnosis(plant.steering(), episodes=1), lag_correlation=float("nan")
    )
    facts = found.to_json()
    assert facts["lag_correlation"] is None and facts["on_ann_states"]["layers"][2]["index"] == 2
    assert np.isfinite(facts["published"]["snn_given_ann"])
