"""Verdicts on trained policies.

The ones that ship here, and the public ones behind SPIKEPORT_POLICIES.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import spikeport
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.schemes import perturbed_states
from tests.support import planted_faults as plant
from tests.support.front_door import CHEETAH, CHEETAH_ENV, PENDULUM, PENDULUM_ENV, pendulum

PUBLIC = [("TD3_Hopper-v4_actor", "Hopper-v4"), ("TD3_HalfCheetah-v4_actor", "HalfCheetah-v4")]


def named(artifact: Artifact, episodes: int = 3) -> tuple[str, int | None]:
    verdict = spikeport.diagnose(artifact, episodes=episodes).verdict
    return verdict.cause.value, verdict.layer


def every_fault(artifact: Artifact) -> dict[str, Any]:
    """(cause, layer) that each planted fault must get."""
    hidden = range(len(artifact.network.layers) - 1)
    faults: dict[str, Any] = {}
    for index in hidden:
        faults[f"thresholds of {index}"] = (
            plant.thresholds_times(artifact, index),
            ("threshold", index),
        )
        faults[f"thresholds and units of {index}"] = (
            plant.thresholds_times(artifact, index, units=True),
            ("threshold", index),
        )
    for index in (*hidden, len(hidden)):
        faults[f"3 bits in {index}"] = (
            plant.coarse_weights(artifact, index),
            ("weight-bits", index),
        )
        faults[f"no bias in {index}"] = (plant.without_bias(artifact, index), ("bias", index))
    faults["encoder"] = (plant.wrong_encoder(artifact), ("observation-scale", -1))
    faults["normaliser"] = (plant.wrong_normaliser(artifact), ("observation-scale", -1))
    return faults


def wrong(artifact: Artifact) -> dict[str, Any]:
    """Planted faults that got another name."""
    return {
        name: found
        for name, (faulty, wanted) in every_fault(artifact).items()
        if (found := named(faulty)) != wanted
    }


def test_the_shipped_pendulum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Balancing forgives little. Rows fitted to states far from the policy's own lose it, with
    steps eight times finer, too; rows fitted nearer to them do not.
    """
    assert named(pendulum()) == ("fit", 1)
    policy = spikeport.load_policy(PENDULUM, env=PENDULUM_ENV)
    with monkeypatch.context() as patch:
        patch.setattr(perturbed_states, "SPREAD_PER_ERROR", 24.0)
        assert named(
            spikeport.convert(policy, env=PENDULUM_ENV, action_error=0.0125, calibration_steps=2000)
        ) == ("fit", 1)
    artifact = spikeport.convert(
        policy, env=PENDULUM_ENV, action_error=0.0125, calibration_steps=2000
    )
    assert named(artifact) == ("healthy", None)
    assert named(plant.coarse_weights(artifact, 0)) == ("weight-bits", 0)
    assert named(plant.thresholds_times(artifact, 1)) == ("threshold", 1)


@pytest.mark.slow
@pytest.mark.parametrize("neuron", ["sdn", "if"])
def test_the_shipped_cheetah(neuron: str) -> None:
    policy = spikeport.load_policy(CHEETAH, env=CHEETAH_ENV)
    artifact = spikeport.convert(
        policy,
        env=CHEETAH_ENV,
        neuron=neuron,
        calibration_steps=4000,
        action_error=0.1 if neuron == "sdn" else None,
    )
    assert named(artifact)[0] == (
        "healthy" if neuron == "sdn" else "timesteps"
    )  # 16 timesteps keep two thirds of its return
    assert wrong(artifact) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "environment"), PUBLIC)
def test_public_policies(policies: Path, name: str, environment: str) -> None:
    policy = spikeport.load_policy(policies / "td3_style" / name, env=environment)
    artifact = spikeport.convert(policy, env=environment, action_error=0.1, calibration_steps=4000)
    assert named(artifact) == ("healthy", None)
    assert wrong(artifact) == {}
    assert (
        named(
            spikeport.convert(
                policy, env=environment, neuron="if", timesteps=2, calibration_steps=4000
            )
        )[0]
        == "timesteps"
    )
    learnt_nothing = spikeport.convert(
        plant.shuffled(policy), env=environment, action_error=0.1, calibration_steps=1500
    )
    assert named(learnt_nothing) == ("source-fails", None)
