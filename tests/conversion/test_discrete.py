"""Discrete actions.

The largest readout is chosen by every backend, in every loop, and CartPole keeps its 500.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import spikeport
from spikeport import api
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from tests.support.policy_files import edit_json, edit_tensors, model, randomize

CARTPOLE = "CartPole-v1"
GAINS = np.array(
    [0.1, 0.4, 2.0, 1.0], np.float32
)  # of position, speed, angle and its speed; a hand-made controller
STEPS = 600
ERROR = 0.05
FLAT = gymnasium.spaces.Box(-np.inf, np.inf, (5,))


def cartpole(activation: str = "relu") -> Policy:
    """Pushes right where the gains' sum is positive: four hidden neurons, one logit per push."""
    first = np.stack([GAINS, -GAINS, 0.5 * GAINS, -0.5 * GAINS])
    last = np.array([[-1, 1, -1, 1], [1, -1, 1, -1]], np.float32)
    layers = (
        DenseLayer(first, np.zeros(4, np.float32), activation),
        DenseLayer(last, np.zeros(2, np.float32)),
    )
    return Policy(
        layers,
        ObservationContract(4),
        ActionContract(2, "argmax", np.ones(2), np.zeros(2)),
        Provenance("hand.pt", "0" * 64, "test", "made"),
    )


@pytest.fixture(scope="module")
def converted() -> Artifact:
    return spikeport.convert(cartpole(), env=CARTPOLE, calibration_steps=STEPS, action_error=ERROR)


@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "TRPO", "DQN", "QRDQN"])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"net_arch": [16], "activation_fn": "ELU"}, {"net_arch": []}],
    ids=["default", "one layer", "none"],
)
def test_choices_equal_predict(tmp_path: Path, algorithm: str, arguments: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("sb3_contrib")
    given = arguments | (
        {"activation_fn": getattr(torch.nn, arguments["activation_fn"])}
        if "activation_fn" in arguments
        else {}
    )
    trained = randomize(
        model(
            algorithm,
            observation_space=FLAT,
            action_space=gymnasium.spaces.Discrete(4),
            policy_kwargs=given,
        )
    )
    trained.save(tmp_path / "model.zip")
    policy = load_policy(
        tmp_path / "model.zip", environment=EnvironmentFacts("E-v0", 5, 100, choices=4)
    )
    assert (
        policy.provenance.family,
        policy.action.squash,
        policy.action.size,
        policy.action.channels,
    ) == (algorithm, "argmax", 4, 1)
    observations = np.random.default_rng(1).normal(size=(200, 5))
    expected = trained.predict(observations.astype(np.float32), deterministic=True)[0]
    assert (
        np.array_equal(policy.act(observations.astype(np.float32))[:, 0], expected)
        and len(set(expected)) >= 3
    )


def test_quantiles_become_their_mean(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("sb3_contrib")
    trained = randomize(
        model(
            "QRDQN",
            observation_space=FLAT,
            action_space=gymnasium.spaces.Discrete(3),
            policy_kwargs={"n_quantiles": 7},
        )
    )
    trained.save(tmp_path / "model.zip")
    observations = np.random.default_rng(1).normal(size=(50, 5)).astype(np.float32)
    quantiles = trained.policy.quantile_net(torch.tensor(observations)).detach().numpy()
    outputs = load_policy(tmp_path / "model.zip").outputs(observations)
    assert np.abs(outputs - quantiles.mean(1)).max() < 1e-5
    last = [f"quantile_net.quantile_net.4.{part}" for part in ("weight", "bias")]
    edit_tensors(
        tmp_path / "model.zip",
        lambda saved: saved.update({name: saved[name][:20] for name in last}),
    )
    with pytest.raises(
        InputError,
        match=(
            r"the outputs are not those of the recorded action space \(got 20 outputs, limit a"
            r" multiple of 3 choices\)"
        ),
    ):
        load_policy(tmp_path / "model.zip")


def test_a_discrete_space_as_one_line_of_text(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    model("DQN", observation_space=FLAT, action_space=gymnasium.spaces.Discrete(3)).save(
        tmp_path / "model.zip"
    )
    policy = load_policy(
        edit_json(tmp_path / "model.zip", lambda data: data.update(action_space="Discrete(3)"))
    )
    assert policy.action.discrete
    with pytest.raises(
        InputError,
        match=(
            r"2 problems: action_space is a Box, a network of values chooses from a discrete space;"
            r" a features extractor"
        ),
    ):
        path = edit_tensors(
            tmp_path / "model.zip",
            lambda saved: saved.update(
                {"q_net.features_extractor.cnn.0.weight": saved["q_net.q_net.0.weight"]}
            ),
        )
        load_policy(
            edit_json(path, lambda data: data.update(action_space="Box(-1.0, 1.0, (3,), float32)"))
        )


OPTIONS = [
    ({"squash": "tanh"}, r"--squash differs from what the policy does \(got tanh, limit argmax\)"),
    ({"action_limit": 1.0}, r"a discrete action has no limit \(got --action-limit 1\.0\)"),
    (
        {"environment": EnvironmentFacts("E-v0", 5, 100, choices=3)},
        r"choices do not fit the environment \(got 4 choices, limit 3 choices of E-v0\)",
    ),
    (
        {"environment": EnvironmentFacts("E-v0", 5, 100, -np.ones(4), np.ones(4))},
        r"\(got 4 choices, limit 4 continuous action channels of E-v0\)",
    ),
    (
        {"environment": EnvironmentFacts(action_low=-np.ones(1), action_high=np.ones(1))},
        "leave --action-low and --action-high out",
    ),
]


@pytest.mark.parametrize(("options", "text"), OPTIONS)
def test_options_that_do_not_fit_a_choice(
    tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    pytest.importorskip("stable_baselines3")
    model("PPO", observation_space=FLAT, action_space=gymnasium.spaces.Discrete(4)).save(
        tmp_path / "model.zip"
    )
    with pytest.raises(InputError, match=text):
        load_policy(tmp_path / "model.zip", **options)


def test_cartpole_keeps_its_return(tmp_path: Path, converted: Artifact) -> None:
    assert converted.calibration["measured_action_error"] < 0.5
    spikeport.save(converted, tmp_path / "cartpole.spk")
    loaded = spikeport.load(tmp_path / "cartpole.spk")
    assert loaded.action.discrete and loaded.source is not None and loaded.source.action.discrete
    found = spikeport.simulate(loaded, episodes=3, compare=True)
    assert (
        found.returns.tolist() == [500.0] * 3
        and found.ann is not None
        and found.ann.returns.tolist() == [500.0] * 3
    )
    assert 0 < found.spiking.chatter <= 1  # of a choice: how often it changes
    verified = spikeport.verify(
        loaded, backends=["reference", "fast", "lava-direct", "onnx"], decisions=300
    )
    assert verified.exact, verified.first_mismatch


@pytest.mark.parametrize("neuron", ["if", "mt"])
def test_rate_neurons_choose_too(neuron: str) -> None:
    artifact = spikeport.convert(cartpole(), env=CARTPOLE, calibration_steps=200, neuron=neuron)
    assert spikeport.verify(artifact, backends=["reference", "fast"]).exact
    assert (spikeport.simulate(artifact, episodes=2).returns > 100).all()


def test_the_closed_loop_accepts_a_choice() -> None:
    attempts: list[Any] = []
    spikeport.convert(
        cartpole("tanh"),
        env="tests.support.toy_environments:Sides-v0",
        calibration_steps=200,
        attempts=attempts,
    )
    assert attempts and attempts[-1].accepted


def test_actions_have_the_types_that_environments_take(converted: Artifact) -> None:
    env = gymnasium.make(CARTPOLE)
    observation = env.reset(seed=0)[0]
    with converted.controller() as controller:
        action = controller.decide(observation)
        assert isinstance(action, np.int64) and env.action_space.contains(action)
        single, _ = controller.predict(observation)
        several, _ = controller.predict(np.stack([observation, -observation]))
        assert (
            single.shape == ()
            and several.dtype == np.int64
            and several.shape == (2,)
            and several[0] != several[1]
        )
        evaluate = pytest.importorskip("stable_baselines3.common.evaluation").evaluate_policy
        assert evaluate(controller, env, n_eval_episodes=2, warn=False) == (500.0, 0.0)


def test_a_source_beside_the_artifact(tmp_path: Path) -> None:
    """What the file leaves open was said at conversion, for a discrete policy and for one with its
    normaliser inside.
    """
    pytest.importorskip("torch")
    from tests.support.library_files import observations, rl_games
    from tests.support.policy_files import torch_bytes, write

    path = write(tmp_path / "games.pth", torch_bytes(rl_games(discrete=True)[0]))
    for options in ({}, {"action_low": -1.0, "action_high": 1.0}):
        if options:
            write(path, torch_bytes(rl_games()[0]))
        policy = spikeport.load_policy(path, **options)
        artifact = spikeport.convert(
            policy, observations=observations(200), action_error=ERROR, keep_source=False
        )
        source = api.load_source(artifact, path)
        assert np.array_equal(source.act(observations()), policy.act(observations()))


@pytest.mark.slow
def test_a_trained_policy_keeps_its_return() -> None:
    algorithm = pytest.importorskip("stable_baselines3").PPO
    trained = algorithm(
        "MlpPolicy",
        CARTPOLE,
        seed=0,
        device="cpu",
        n_steps=1024,
        learning_rate=1e-3,
        policy_kwargs={"net_arch": [32, 32]},
    )
    trained.learn(20_000)
    with tempfile.TemporaryDirectory() as folder:
        trained.save(Path(folder) / "ppo.zip")
        artifact = spikeport.convert(
            spikeport.load_policy(Path(folder) / "ppo.zip", env=CARTPOLE), env=CARTPOLE
        )
    found = spikeport.simulate(artifact, episodes=20, compare=True).to_json()
    assert found["ann_mean_return"] > 400 and found["return_ratio"] >= 0.99


def test_rows_that_do_not_act(converted: Artifact) -> None:
    actions = FastBackend(converted, 2).decide(np.ones((2, 4)), np.array([True, False]))
    assert actions.shape == (2, 1) and actions[0, 0] in (0.0, 1.0) and np.isnan(actions[1, 0])


def test_what_needs_a_continuous_action_refuses(converted: Artifact) -> None:
    with pytest.raises(
        InputError,
        match=(
            r"^diagnose: a discrete action is not taken apart \(got squash argmax.*Fix: spikeport"
            r" simulate --compare"
        ),
    ):
        spikeport.diagnose(converted)
    with pytest.raises(
        InputError,
        match=(
            r"^hand\.pt: a discrete action is not distilled \(got --finetune\).*Fix: omit"
            r" --finetune or"
        ),
    ):
        spikeport.convert(
            cartpole(), env=CARTPOLE, calibration_steps=200, action_error=0.1, finetune=True
        )


SPACES = [
    (
        gymnasium.spaces.MultiDiscrete([2, 2]),
        (
            r"its action space is not supported \(got MultiDiscrete, limit Box or Discrete counted"
            r" from 0\)"
        ),
    ),
    (gymnasium.spaces.MultiBinary(2), r"got MultiBinary, limit Box or Discrete counted from 0"),
    (
        gymnasium.spaces.Discrete(3, start=1),
        r"got Discrete\(3, start=1\), limit Box or Discrete counted from 0",
    ),
]


@pytest.mark.parametrize(("space", "text"), SPACES, ids=lambda value: type(value).__name__)
def test_action_spaces_that_are_not_supported(
    monkeypatch: pytest.MonkeyPatch, space: Any, text: str
) -> None:
    made = gymnasium.make(CARTPOLE)
    made.action_space = space
    monkeypatch.setattr(gymnasium, "make", lambda *_, **__: made)
    with pytest.raises(InputError, match=text):
        gymnasium_bridge.make(CARTPOLE, trusted=True)


def test_environments_of_another_kind() -> None:
    choice = cartpole().action
    box = ActionContract(2, "none", np.ones(2), np.zeros(2))
    cases = [
        (EnvironmentFacts("A", 4, 9, choices=3), choice, "3 choices for a policy of 2"),
        (
            EnvironmentFacts("A", 4, 9, choices=2),
            box,
            "2 choices for a policy of 2 action channels",
        ),
        (
            EnvironmentFacts("A", 4, 9, -np.ones(2), np.ones(2)),
            choice,
            "2 action channels for a policy of 2 choices",
        ),
    ]
    for facts, action, text in cases:
        with pytest.raises(InputError, match=f"does not fit the policy: {text}"):
            gymnasium_bridge.check_fit(facts, 4, action)
    gymnasium_bridge.check_fit(EnvironmentFacts("A", 4, 9, choices=2), 4, choice)
    gymnasium_bridge.check_fit(EnvironmentFacts("A", 4, 9), 4, choice)
