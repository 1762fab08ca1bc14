"""The controller in a user's own loop and in Stable-Baselines3's `evaluate_policy`.

The same episodes as `simulate`.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import spikeport
from spikeport.export.lava import lava_import
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.simulation.controller import Controller
from spikeport.toolchain.simulation.reference import ReferenceBackend
from tests.support.front_door import PENDULUM_ENV, pendulum, toy
from tests.support.networks import observation_stream, random_artifact

LAVA = pytest.mark.skipif(
    not lava_import.lava_available(),
    reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
)
BACKENDS = ["reference", "fast", "onnx", pytest.param("lava-direct", marks=LAVA)]
KINDS: dict[str, dict[str, Any]] = {
    "sdn": {"resync_every": 6},
    "table": {"activation": "tanh", "time_feature": True, "normalised": True},
    "if": {"neuron": "if@1", "timesteps": 4, "alpha": 32, "squash": "none"},
}
SEED = 2100


def observations(artifact: Any, count: int, seed: int = 0) -> np.ndarray:
    return observation_stream(np.random.default_rng(seed), count, artifact.observation.size)


def test_a_loop_of_ones_own(tmp_path: Path) -> None:
    """The contract's example: load, reset, decide."""
    spikeport.save(pendulum(), tmp_path / "policy.spk")
    controller = spikeport.load(tmp_path / "policy.spk").controller(backend="fast")
    env = gymnasium.make(PENDULUM_ENV)
    returns = []
    for episode in range(3):
        observation, _ = env.reset(seed=SEED + episode)
        controller.reset()
        total = 0.0
        over = False
        while not over:
            action = controller.decide(observation)
            assert (
                action.shape == (1,)
                and action.dtype == np.float64
                and env.action_space.contains(action.astype(np.float32))
            )
            observation, reward, terminated, truncated, _ = env.step(action.astype(np.float32))
            total = total + float(reward)
            over = terminated or truncated
        returns.append(total)
    env.close()
    result = spikeport.simulate(pendulum(), episodes=3, seed=SEED)
    assert returns == result.returns.tolist()
    assert controller.census() == result.census


class Seeded(gymnasium.Wrapper):
    """Each reset takes the next seed, whoever asks for it."""

    def __init__(self, first: int, step: int) -> None:
        super().__init__(gymnasium.make(PENDULUM_ENV))
        self.seeds = itertools.count(first, step)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        return super().reset(seed=next(self.seeds), options=options)


@pytest.mark.parametrize(("environments", "backend"), [(1, "fast"), (3, "fast"), (3, "reference")])
def test_evaluate_policy(environments: int, backend: str) -> None:
    """Stable-Baselines3's own, on one environment and on a vector of three.

    It resets an environment the moment an episode ends.
    """
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    if backend == "fast":
        episodes = 6
    else:
        episodes = 3
    made = [
        lambda index=index: Monitor(Seeded(SEED + index, environments))
        for index in range(environments)
    ]
    with spikeport.Controller(pendulum(), backend) as controller:
        if environments == 1:
            env = made[0]()
        else:
            env = DummyVecEnv(made)
        returns, lengths = evaluate_policy(
            controller, env, n_eval_episodes=episodes, return_episode_rewards=True
        )  # type: ignore[arg-type]
        env.close()
    result = spikeport.simulate(pendulum(), episodes=episodes, seed=SEED)
    order = np.argsort(result.returns)
    assert isinstance(returns, list) and isinstance(lengths, list)
    np.testing.assert_allclose(
        np.sort(returns), result.returns[order], atol=1e-5
    )  # Monitor rounds to six decimals
    assert sorted(lengths) == sorted(result.spiking.lengths.tolist())
    assert np.mean(returns) == pytest.approx(result.to_json()["mean_return"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_reset_and_resync_are_the_flags_of_a_trace(kind: str, backend: str) -> None:
    artifact = random_artifact(1, **KINDS[kind])
    values = observations(artifact, 40)
    flags = np.random.default_rng(1).choice(3, 40, p=(0.7, 0.15, 0.15))
    with artifact.controller(backend) as controller:
        got = []
        for value, flag in zip(values, flags, strict=True):
            if flag:
                (controller.reset if flag == 1 else controller.resync)()
            got.append(controller.decide(value))
    np.testing.assert_array_equal(got, ReferenceBackend(artifact).trace(values, flags).actions)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sensor_fault_changes_nothing(backend: str) -> None:
    artifact = random_artifact(2, activation="tanh", time_feature=True)
    values = observations(artifact, 12)
    with artifact.controller(backend) as controller, artifact.controller(backend) as undisturbed:
        for index, value in enumerate(values):
            for bad in (np.nan, np.inf, -np.inf):
                faulty = value.copy()
                faulty[index % 4] = bad
                with pytest.raises(
                    InputError,
                    match=(
                        rf"observation of decision {index}: channel {index % 4} is not finite .got"
                        rf" {bad}"
                    ),
                ) as caught:
                    controller.decide(faulty)
                assert caught.value.fix
            np.testing.assert_array_equal(controller.decide(value), undisturbed.decide(value))
        assert controller.census() == undisturbed.census()


@pytest.mark.parametrize("backend", ["reference", "fast", "onnx"])
def test_a_sensor_fault_of_one_row_changes_no_row(backend: str) -> None:
    artifact = random_artifact(2, time_feature=True)
    values = np.stack([observations(artifact, 10, seed) for seed in range(3)], axis=1)
    with artifact.controller(backend) as controller, artifact.controller(backend) as undisturbed:
        for value in values:
            faulty = value.copy()
            faulty[2, 1] = np.nan
            with pytest.raises(InputError, match="row 2: channel 1 is not finite"):
                controller.predict(faulty)
            np.testing.assert_array_equal(
                controller.predict(value)[0], undisturbed.predict(value)[0]
            )
        assert controller.census() == undisturbed.census()


def test_predict_of_rows_equals_a_controller_each() -> None:
    artifact = random_artifact(3, neuron="if@1", timesteps=3, alpha=20, time_feature=True)
    values = np.stack([observations(artifact, 30, seed) for seed in range(3)], axis=1)
    starts = np.random.default_rng(0).random((30, 3)) < 0.2
    with artifact.controller() as together:
        rows = np.array(
            [
                together.predict(value, state=None, episode_start=start, deterministic=True)[0]
                for value, start in zip(values, starts, strict=True)
            ]
        )
    assert rows.dtype == np.float32 and rows.shape == (30, 3, 3)
    for row in range(3):
        with artifact.controller() as alone:
            for value, start, action in zip(
                values[:, row], starts[:, row], rows[:, row], strict=True
            ):
                if start:
                    alone.reset()
                np.testing.assert_array_equal(alone.decide(value).astype(np.float32), action)


def test_predict_takes_one_observation_as_it_is() -> None:
    artifact = toy()
    values = observations(artifact, 5)
    with artifact.controller() as controller, artifact.controller() as other:
        for value in values:
            action, state = controller.predict(value)
            assert action.shape == (2,) and action.dtype == np.float32 and state is None
            np.testing.assert_array_equal(
                action, other.decide(value.astype(np.float64)).astype(np.float32)
            )


@LAVA
def test_lava_direct_takes_one_environment_and_says_so() -> None:
    artifact = toy()
    with artifact.controller("lava-direct") as controller:
        values = observations(artifact, 4)
        first = controller.decide(values[0])
        with pytest.raises(
            InputError,
            match=(
                r"backend lava-direct: cannot run this many environments at once \(got 2, limit 1"
                r" to 1\)"
            ),
        ):
            controller.predict(values[:2])
        second = controller.decide(values[1])  # the refusal changed nothing
    np.testing.assert_array_equal(
        [first, second], ReferenceBackend(artifact).trace(values[:2], np.zeros(2, np.int64)).actions
    )


def test_wrong_arguments_are_refused_and_change_nothing() -> None:
    artifact = toy()
    values = observations(artifact, 3)
    with artifact.controller() as controller, artifact.controller() as undisturbed:
        for value in values:
            for wrong in (
                value[:4],
                np.append(value, 0.0),
                value[None],
                values[None],
                1.0,
                [],
                "left",
                {"a": 1},
                None,
                [[1.0], [2.0, 3.0]],
                value.astype(str),
                value.astype(bytes),
                value.astype(object),
                value.astype(complex),
            ):
                with pytest.raises(InputError, match=r"^decide: .* Fix: "):
                    controller.decide(wrong)  # type: ignore[arg-type]
            for wrong in (
                value[:4],
                values[:, :4],
                values[None],
                np.zeros((0, 5)),
                "left",
                {"a": 1},
                3.0,
                values[:1].astype(str),
            ):
                with pytest.raises(InputError, match=r"^predict: .* Fix: "):
                    controller.predict(wrong)
            with pytest.raises(
                InputError,
                match=r"^predict: episode_start does not fit the observations \(got 2, limit 1\)",
            ):
                controller.predict(value, episode_start=np.ones(2, bool))
            with pytest.raises(
                InputError,
                match=(
                    r"^predict: a spiking artifact is deterministic \(got deterministic=False,"
                    r" limit deterministic=True\)"
                ),
            ):
                controller.predict(value, deterministic=False)
            np.testing.assert_array_equal(controller.decide(value), undisturbed.decide(value))
    for name, text in (("fsat", "did you mean 'fast'"), ("loihi", "--backend fast|did you mean")):
        with pytest.raises(
            InputError, match=f"^backend: unknown backend .got {name}, limit .*{text}"
        ):
            artifact.controller(name)


@LAVA
def test_lava_is_closed_with_the_controller() -> None:
    with toy().controller("lava") as controller:
        assert isinstance(controller, Controller)
        action = controller.decide(np.zeros(5))
        np.testing.assert_array_equal(action, toy().controller("fast").decide(np.zeros(5)))
    with pytest.raises(BackendError, match="it was closed"):
        controller.decide(np.zeros(5))


def test_lists_and_other_kinds_of_numbers_are_observations() -> None:
    artifact = toy()
    expected = artifact.controller().decide(np.array([1.0, 0.0, 2.0, -1.0, 0.0]))
    for value in (
        [1, 0, 2, -1, 0],
        np.array([1, 0, 2, -1, 0], np.int8),
        np.array([1, 0, 2, -1, 0], np.float32),
        np.array([[1, 9, 0, 9, 2, 9, -1, 9, 0, 9]])[0, ::2],
    ):
        np.testing.assert_array_equal(artifact.controller().decide(value), expected)


def test_numbers_spelt_as_text_are_refused() -> None:
    with pytest.raises(
        InputError,
        match=(
            r"^decide: the observation is not an array of numbers but of <U32 \(got ndarray\)\."
            r" Fix: pass one flat array"
        ),
    ):
        toy().controller().decide(np.zeros(5).astype(str))
