"""The numbers behind a verdict, by hand or against the reference's own state."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.diagnosis.journey import Episode, travel
from spikeport.toolchain.diagnosis.observation_check import contract_fit
from spikeport.toolchain.diagnosis.published_equations import lag_correlation, published
from spikeport.toolchain.diagnosis.shadow import Shadow
from spikeport.toolchain.diagnosis.signals import listen
from spikeport.toolchain.diagnosis.stages import action_rmse, all_worths, drive_errors, layer_stages
from spikeport.toolchain.diagnosis.worth import distinct_levels, folded_worth
from spikeport.toolchain.environments.gymnasium_bridge import make
from spikeport.toolchain.policies.actor import FloatActor
from spikeport.toolchain.simulation.backends import open_backend
from tests.support import planted_faults as plant

TOY = "tests.support.toy_environments:Drift-v0"


def observations(rows: int = 40) -> np.ndarray:
    return np.cumsum(
        np.random.default_rng(5).normal(scale=0.3, size=(rows, plant.CHANNELS)), axis=0
    )


@pytest.mark.parametrize(
    ("neuron", "timesteps"), [("sdn", None), ("if", 8), ("snm", 4), ("mt", 4), ("dc", 4)]
)
def test_values_give_the_readout_that_was_decoded(neuron: str, timesteps: int | None) -> None:
    """bias + weights @ values, in the readout's scale, is exactly what the host turned into
    actions; so it is after a resync.
    """
    artifact = plant.steering(neuron, timesteps)
    artifact = dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, resync_every=7)
    )
    signals = listen(
        open_backend("fast", artifact), [observations(), observations(25)[::-1].copy()], 60
    )
    assert len(signals.actions) == 55 and [len(value) for value in signals.values] == [55] * 3
    layer = artifact.network.layers[-1]
    output = (signals.values[-1] @ layer.weights.T.astype(float) + layer.bias) * layer.row_scale
    assert artifact.action.apply(output) == pytest.approx(signals.actions, abs=1e-12)


@pytest.mark.parametrize(("neuron", "timesteps"), [("sdn", None), ("if", 8), ("dc", 4)])
def test_stages_lead_from_the_float_layer_to_the_decoded_values(
    neuron: str, timesteps: int | None
) -> None:
    artifact = plant.steering(neuron, timesteps)
    policy = plant.steering_policy()
    signals = listen(open_backend("fast", artifact), [observations()], 40)
    worths = all_worths(artifact.network, policy)
    for stages in layer_stages(
        artifact.network, policy, signals, worths, drive_errors(artifact.network, policy, signals)
    ):
        arriving = signals.values[stages.index] * worths[stages.index]
        dense = policy.layers[stages.index]
        wanted = arriving @ dense.weight.T.astype(float) + dense.bias
        hidden = stages.index < 2
        assert stages.steps[0] == pytest.approx(np.maximum(wanted, 0) if hidden else wanted)
        if hidden:
            layer = artifact.network.layers[stages.index]
            assert stages.steps[-1] == pytest.approx(signals.values[stages.index + 1] * layer.unit)
            assert worths[stages.index + 1] == pytest.approx(
                layer.unit
            ) and stages.gain == pytest.approx(np.ones(layer.outputs))


def test_quantum_of_sdn_is_within_half_a_step() -> None:
    artifact = plant.steering()
    policy = plant.steering_policy()
    signals = listen(open_backend("fast", artifact), [observations()], 40)
    stages = layer_stages(
        artifact.network,
        policy,
        signals,
        all_worths(artifact.network, policy),
        drive_errors(artifact.network, policy, signals),
    )
    for found, layer in zip(stages[:-1], artifact.network.layers, strict=False):
        assert (np.abs(found.steps[4] - found.steps[3]) <= layer.unit * 0.5 + 1e-9).all()


def test_folded_worth_sees_another_unit_and_no_rounding() -> None:
    artifact = plant.steering()
    policy = plant.steering_policy()
    layer = artifact.network.layers[1]
    unit = artifact.network.layers[0].unit
    assert np.array_equal(folded_worth(layer, policy.layers[1], unit), unit)
    assert folded_worth(layer, policy.layers[1], 4 * unit) == pytest.approx(unit, rel=0.15)
    coarse = plant.coarse_weights(artifact, 1).network.layers[1]
    assert np.array_equal(folded_worth(coarse, policy.layers[1], unit), unit)
    assert distinct_levels(coarse) == 4 < distinct_levels(layer)


def test_published_measures_by_hand() -> None:
    """Two decisions of one channel.

    Error 0.5, then the ANN would correct by 0.25 while the spiking network goes on.
    """
    policy = plant.steering_policy()
    policy = dataclasses.replace(policy, action=dataclasses.replace(policy.action, size=2))
    here = observations(2)
    other = observations(2) + 1.0
    advice = policy.act(here, np.arange(2))
    there = policy.act(other[:1], np.array([1]))
    actions = advice + np.array([[0.5, 0.0], [0.1, 0.2]])
    episode = Episode(list(here), list(actions), list(advice), [1.0, 2.0], [3.0, 4.0], list(other))
    found = published([episode], [episode], policy)
    assert found.snn_given_ann == found.ann_given_snn == 7.0

    def cosine(change: np.ndarray) -> float:
        return float(change[0] / np.linalg.norm(change))

    assert found.ann_correction == pytest.approx(cosine((advice[1] - there)[0]))
    assert found.snn_consistency == pytest.approx(cosine(np.array([0.1, 0.2])))
    assert found.snn_drift == pytest.approx(cosine((actions[1] - there)[0]))


def test_lag_correlation() -> None:
    assert lag_correlation([np.ones((5, 2))]) == pytest.approx(1.0)
    assert lag_correlation([np.array([[1.0], [-1.0], [1.0]])]) == pytest.approx(-1.0)
    assert lag_correlation([np.zeros((5, 2))]) is None


def test_contract_fit() -> None:
    values = observations()
    gain, offset = contract_fit(values, values * 0.5 + 2 * values.std(0))
    assert gain == pytest.approx(0.5 * np.ones(5)) and offset == pytest.approx(2 * np.ones(5))


@pytest.mark.parametrize("identifier", [TOY, "InvertedDoublePendulum-v5"])
def test_a_shadow_steps_as_the_environment_would_and_leaves_it_alone(identifier: str) -> None:
    env = make(identifier, trusted=True)
    same = make(identifier, trusted=True)
    env.reset(seed=4)
    same.reset(seed=4)
    shadow = Shadow(env, lambda: make(identifier, trusted=True))
    rng = np.random.default_rng(0)
    for _ in range(5):
        asked, taken = (
            rng.uniform(-1, 1, env.action_space.shape).astype(np.float32) for _ in range(2)
        )
        answer = shadow.step(taken)
        shadow.step(asked)
        step = env.step(taken)
        plain = same.step(taken)
        assert (
            answer is not None
            and np.array_equal(answer[0], step[0])
            and answer[1] == float(step[1])
        )
        assert np.array_equal(step[0], plain[0]) and step[1] == plain[1]
    for thing in (shadow, env, same):
        thing.close()


def test_an_environment_that_cannot_be_copied_gives_no_counterfactual() -> None:
    def stubborn() -> Any:
        env = make(TOY, trusted=True)
        env.unwrapped.door = threading.Lock()
        return env

    actor = FloatActor(plant.steering_policy(), 2)
    episodes = travel(actor, FloatActor(plant.steering_policy(), 2), stubborn, [1, 2])
    assert all(len(episode.rewards) == 30 and not episode.whatif for episode in episodes)
    found = published(episodes, episodes, plant.steering_policy())
    assert found.snn_given_ann is None and found.snn_drift is None


def test_action_rmse_is_in_half_ranges_summed_over_channels() -> None:
    assert action_rmse(np.full((7, 2), 0.5), plant.steering_policy()) == pytest.approx(0.5**0.5)
