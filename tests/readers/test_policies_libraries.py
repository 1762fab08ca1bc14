"""Checkpoints of RSL-RL, rl_games and CleanRL act as the libraries' own equations say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.inspection import inspect_checkpoint
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.readers.reading_options import ReadOptions
from tests.support.library_files import (
    ACTIONS,
    BOX,
    HIGH,
    INPUTS,
    LOW,
    cleanrl,
    mlp,
    named,
    observations,
    rl_games,
    rsl_rl,
    saved,
)
from tests.support.policy_files import Payload, torch_bytes, write

torch = pytest.importorskip("torch")
TOLERANCE = 2e-6  # of a channel's spread, float32
ARRAYS = {
    "mean": np.linspace(-1, 1, INPUTS),
    "var": np.linspace(0.1, 4, INPUTS),
    "epsilon": np.array(1e-8),
    "clip": np.array(1.5),
}

EQUAL: dict[str, tuple[Callable[[], tuple[Any, Any]], str, dict[str, Any]]] = {
    "RSL-RL 2": (lambda: rsl_rl(2), "RSL-RL 1-3", {}),
    "RSL-RL 2, plain": (lambda: rsl_rl(2, normalised=False), "RSL-RL 1-3", {}),
    "RSL-RL 3": (lambda: rsl_rl(3), "RSL-RL 1-3", {"environment": BOX}),
    "RSL-RL 3, one layer": (lambda: rsl_rl(3, hidden=(9,)), "RSL-RL 1-3", {}),
    "RSL-RL 4": (lambda: rsl_rl(4), "RSL-RL 4-5", {}),
    "RSL-RL 5": (lambda: rsl_rl(5), "RSL-RL 4-5", {}),
    "RSL-RL 5, plain": (lambda: rsl_rl(5, normalised=False), "RSL-RL 4-5", {}),
    "rl_games": (lambda: rl_games(), "rl_games", {"environment": BOX}),
    "rl_games, plain": (lambda: rl_games(normalised=False), "rl_games", {"environment": BOX}),
    "rl_games, compiled": (lambda: rl_games(compiled=True), "rl_games", {"environment": BOX}),
    "rl_games, statistics beside": (
        lambda: rl_games(beside=True),
        "rl_games",
        {"environment": BOX},
    ),
    "rl_games, no hidden layer": (lambda: rl_games(hidden=()), "rl_games", {"environment": BOX}),
    "rl_games, discrete": (lambda: rl_games(discrete=True), "rl_games, discrete", {}),
    "CleanRL PPO": (
        lambda: cleanrl("ppo"),
        "CleanRL PPO",
        {"environment": BOX, "normalizer": "none"},
    ),
    "CleanRL TD3": (lambda: cleanrl("td3"), "fc1,fc2,fc_mu", {}),
    "CleanRL DDPG": (lambda: cleanrl("ddpg"), "fc1,fc2,fc_mu", {"environment": BOX}),
    "CleanRL SAC": (lambda: cleanrl("sac"), "fc1,fc2,fc_mean", {}),
}


@pytest.mark.parametrize("name", EQUAL)
@pytest.mark.proves(direction="in", format=["RSL-RL", "rl_games", "CleanRL"])
def test_actions_equal_the_library(tmp_path: Path, name: str) -> None:
    make, family, options = EQUAL[name]
    stored, act = make()
    policy = load_policy(saved(tmp_path, stored), **options)
    assert policy.provenance.family == family
    values = observations()
    expected = act(torch.tensor(values, dtype=torch.float32)).detach().numpy()
    spread = np.ptp(expected, axis=0)
    assert (np.abs(policy.act(values) - expected) / np.maximum(spread, 1.0)).max() < TOLERANCE
    assert spread.min() > 0.3  # the comparison is not of constants
    assert len(policy.provenance.assumptions) >= (1 if policy.action.discrete else 2)


def test_what_the_family_assumes_is_said(tmp_path: Path) -> None:
    text = " | ".join(load_policy(saved(tmp_path, rsl_rl(3)[0])).provenance.assumptions)
    for part in (
        "the normaliser divides by std + 0.01",
        "activation elu (RSL-RL default)",
        "the action is the mean without bounds; the environment clips",
    ):
        assert f"assumed by family: {part}" in text
    text = " | ".join(
        load_policy(saved(tmp_path, rl_games()[0]), environment=BOX).provenance.assumptions
    )
    for part in (
        "clipped to +-5, epsilon 1e-05",
        "activation elu (rl_games default)",
        "clipped to +-1 and rescaled to the action bounds, no mu_activation",
    ):
        assert part in text
    text = " | ".join(load_policy(saved(tmp_path, cleanrl("td3")[0])).provenance.assumptions)
    assert "the first of 3 state dicts is the actor (CleanRL td3_continuous_action.py)" in text
    assert (
        "assumed by family: activation relu (fc1,fc2,fc_mu actors, SAC reference code and CleanRL's"
        " TD3 and DDPG)" in text
    )


def test_inspect_explains_an_epsilon_of_zero(tmp_path: Path) -> None:
    facts: dict[str, Any] = inspect_checkpoint(saved(tmp_path, rsl_rl(3)[0]), ReadOptions())
    normalizer = facts["observation"]["normalizer"]
    assert (
        normalizer["epsilon"] == 0.0
        and normalizer["epsilon_note"]
        == "0, as the 0.01 that RSL-RL adds to the deviation is folded into the variance"
    )


def test_a_deviation_with_an_epsilon_is_exact(tmp_path: Path) -> None:
    """RSL-RL divides by std + 0.01.

    The contract holds its square, whose root is the very number.
    """
    stored, _ = rsl_rl(3)
    deviation = (
        stored["model_state_dict"]["actor_obs_normalizer._std"].numpy().astype(np.float64).ravel()
    )
    assert np.array_equal(
        load_policy(saved(tmp_path, stored)).observation.divisor, deviation + 0.01
    )


def test_options_over_the_family(tmp_path: Path) -> None:
    values = observations()
    path = saved(tmp_path, rsl_rl(3)[0])
    free = load_policy(path).act(values)
    clipped = load_policy(path, squash="clip", environment=BOX).act(values)
    assert np.array_equal(clipped, np.clip(free, LOW, HIGH)) and (clipped != free).any()
    assert {layer.activation for layer in load_policy(path, activation="relu").layers[:-1]} == {
        "relu"
    }
    plain = load_policy(path, normalizer="none")
    assert plain.observation.mean is None and "left out, as --normalizer none says" in " ".join(
        plain.provenance.assumptions
    )
    path = saved(tmp_path, rl_games(normalised=False)[0])
    assert np.abs(load_policy(path, squash="none").act(values)).max() > 1.5


def test_the_normaliser_that_cleanrl_does_not_save(tmp_path: Path) -> None:
    stored, act = cleanrl("ppo")
    path = saved(tmp_path, stored)
    with pytest.raises(
        InputError,
        match=(
            r"the observation's normaliser is not in the file \(got no --normalizer\)\. CleanRL's"
            r" NormalizeObservation.*\.npz"
        ),
    ):
        load_policy(path, environment=BOX)
    np.savez(tmp_path / "rms.npz", **ARRAYS)  # type: ignore[arg-type]  # a dict of arrays
    policy = load_policy(path, environment=BOX, normalizer=tmp_path / "rms.npz")
    assert (policy.provenance.normalizer_file, policy.observation.clip) == ("rms.npz", 1.5)
    values = observations()
    normal = np.clip((values - ARRAYS["mean"]) / np.sqrt(ARRAYS["var"] + 1e-8), -1.5, 1.5)
    assert (
        np.abs(
            policy.act(values) - act(torch.tensor(normal, dtype=torch.float32)).detach().numpy()
        ).max()
        < TOLERANCE
    )
    np.savez(tmp_path / "rms.npz", **{**ARRAYS, "clip": np.array(np.inf)})
    assert (
        load_policy(path, environment=BOX, normalizer=tmp_path / "rms.npz").observation.clip is None
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"mean": None, "var": None}, "2 problems: mean is missing; var is missing"),
        ({"more": np.zeros(2)}, r"unknown array 'more\.npy'"),
        ({"mean": np.array([{}], object)}, "mean is not a numeric array"),
        ({"mean": np.full(INPUTS, np.nan)}, "non-finite values"),
        ({"var": np.zeros(INPUTS), "epsilon": np.array(0.0)}, "divides by the root of 0"),
        ({"var": np.ones(2)}, "are not two flat arrays of one size"),
        ({"clip": np.array(-1.0)}, "clips at -1, both must be positive"),
        (
            {"mean": np.zeros(4), "var": np.ones(4)},
            r"the normaliser does not fit the policy \(got 4 channels, limit 6 inputs",
        ),
    ],
)
def test_arrays_that_are_no_normaliser(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    np.savez(
        tmp_path / "rms.npz",
        **{name: values for name, values in (ARRAYS | change).items() if values is not None},
    )
    with pytest.raises(InputError, match=rf"^rms\.npz: .*{text}.* Fix: "):
        load_policy(
            saved(tmp_path, cleanrl("ppo")[0]), environment=BOX, normalizer=tmp_path / "rms.npz"
        )


def test_nothing_in_a_checkpoint_runs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for stored in (
        {**rl_games()[0], "env_state": Payload(mark)},
        {**rsl_rl(5)[0], "infos": [Payload(mark)]},
        (cleanrl("td3")[0][0], Payload(mark)),
    ):
        with pytest.raises(
            InputError, match=r"names a Python object that is not loaded \(got posix\.system"
        ):
            load_policy(saved(tmp_path, stored), environment=BOX)
    assert not mark.exists()


DISCRETE = EnvironmentFacts("D-v0", INPUTS, 100, choices=ACTIONS)


def discrete_ppo(actor_hidden: int = 16, values: int = 1) -> tuple[dict[str, Any], Any]:
    """CleanRL's ppo.py: (saved file, its logits)."""
    torch.manual_seed(0)
    actor = mlp((INPUTS, actor_hidden, 16, ACTIONS), torch.nn.Tanh)
    critic = mlp((INPUTS, 16, 16, values), torch.nn.Tanh)
    return named("critic.", critic) | named("actor.", actor), actor


@pytest.mark.parametrize(
    "options",
    [{}, {"environment": DISCRETE}, {"squash": "argmax"}],
    ids=["bare", "environment", "squash"],
)
def test_discrete_ppo_of_cleanrl(tmp_path: Path, options: dict[str, Any]) -> None:
    stored, actor = discrete_ppo()
    policy = load_policy(saved(tmp_path, stored), **options)
    values = observations()
    assert policy.provenance.family == "CleanRL PPO, discrete" and policy.action.discrete
    with torch.no_grad():
        wanted = actor(torch.tensor(values, dtype=torch.float32)).argmax(1).numpy()
    assert (policy.act(values)[:, 0] == wanted).all() and len(set(wanted.tolist())) > 1
    text = " | ".join(policy.provenance.assumptions)
    assert (
        "the action is the number of the largest output (CleanRL ppo.py)" in text
        and "activation tanh (CleanRL ppo.py)" in text
    )


def test_what_is_not_quite_cleanrls_discrete_ppo_is_asked_for(tmp_path: Path) -> None:
    """Continuous bounds, a chosen squash, another critic.

    As for any actor-critic, nothing is assumed.
    """
    stored, _ = discrete_ppo()
    for path, options in (
        (saved(tmp_path, stored), {"environment": BOX}),
        (write(tmp_path / "wide.pt", torch_bytes(discrete_ppo(actor_hidden=8)[0])), {}),
        (write(tmp_path / "quantiles.pt", torch_bytes(discrete_ppo(values=3)[0])), {}),
    ):
        with pytest.raises(InputError, match="--activation and --squash not given"):
            load_policy(path, **options)
    assert not load_policy(
        saved(tmp_path, stored), activation="tanh", squash="clip", environment=BOX
    ).action.discrete
