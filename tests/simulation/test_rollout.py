"""Rollouts: one environment per episode, seeds in order, no autoreset, finished rows rest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from spikeport import api
from spikeport.toolchain.conversion.build import convert
from spikeport.toolchain.conversion.calibration.states import from_environment
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.actor import FloatActor
from spikeport.toolchain.simulation.closed_loop import refuse_calibration_seeds, simulate
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.rollout import Chatter, roll_out
from tests.support.networks import random_artifact

FILE = Path(__file__).parents[2] / "examples" / "policies" / "td3-InvertedDoublePendulum-v5.zip"


class Countdown(gymnasium.Env):
    """Ends after 2 + seed % 5 steps.

    The reward is the action's sum, the observation (seed, steps).
    """

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.resets = getattr(self, "resets", 0) + 1
        assert seed is not None and self.resets == 1, "one reset per environment"
        self.seed = seed
        self.steps = 0
        return np.array([seed, 0.0]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action.dtype == np.float32 and action.shape == (3,)
        self.steps += 1
        over = self.steps == 2 + self.seed % 5
        assert self.steps <= 2 + self.seed % 5, "stepped after its end"
        return (
            np.array([self.seed, self.steps], float),
            float(action.sum()),
            over and self.seed % 2 == 0,
            over and self.seed % 2 == 1,
            {},
        )


class Recorder:
    """An actor that writes down what it sees and answers with the decision's number in every
    channel.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.resets = 0
        self.seen = []
        self.number = 0

    def reset(self, mask: Any = None) -> None:
        self.resets = self.resets + 1
        self.number = 0

    def decide(self, observations: Any, active: Any = None) -> Any:
        if active is None:
            active = np.ones(self.rows, bool)
        else:
            active = active
        self.seen.append((observations.copy(), active.copy()))
        actions = np.where(active[:, None], np.full((self.rows, 3), float(self.number)), np.nan)
        self.number += 1
        return actions


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 10])
def test_episodes(rows: int) -> None:
    actor = Recorder(rows)
    finished = []
    result = roll_out(actor, lambda index: Countdown(), range(100, 107), finished.append)
    lengths = [2 + seed % 5 for seed in range(100, 107)]
    assert result.lengths.tolist() == lengths
    assert result.returns.tolist() == [3.0 * sum(range(length)) for length in lengths]
    assert sum(finished) == 7
    assert result.decisions == sum(lengths)
    assert actor.resets == -(-7 // rows)
    assert result.chatter == pytest.approx(1.0)  # each channel moves by 1 at each decision
    for observations, active in actor.seen:
        assert np.isfinite(observations[active]).all()


@pytest.mark.parametrize(
    ("seed", "episodes", "used"),
    [
        (1_003_000, 1, "1003000..1003000"),
        (1_002_995, 10, "1003000..1003002"),
        (1_003_002, 5, "1003002..1003002"),
        (1_003_003, 5, ""),
        (1000, 20, ""),
    ],
)
def test_seeds_of_the_calibration_are_refused(seed: int, episodes: int, used: str) -> None:
    artifact = dataclasses.replace(
        random_artifact(0), calibration={"seeds": [1_003_000, 1_003_001, 1_003_002]}
    )
    if not used:
        refuse_calibration_seeds(artifact, seed, episodes)
        return
    with pytest.raises(
        InputError,
        match=(
            f"--seed: these seeds were used for calibration .got {used}, limit.*would flatter the"
            " conversion. Fix: --seed 1000"
        ),
    ):
        refuse_calibration_seeds(artifact, seed, episodes)


def test_a_real_policy_rolls_out_alike_in_any_batch() -> None:
    """Batches of 1, 2 and 5.

    The same returns, lengths and counts, for the spiking and for the float policy.
    """
    identifier = "InvertedDoublePendulum-v5"
    policy = api.load_policy(FILE, env=identifier)
    env = gymnasium_bridge.make(identifier, trusted=True)
    calibration = from_environment(policy, env, 1000, 0)
    record = gymnasium_bridge.record(env, identifier)
    env.close()
    artifact = convert(
        policy, calibration, ConversionOptions(action_error=0.3), record
    )  # coarse, so that episodes end at different times
    spiking = []
    floats = []
    for rows in (1, 2, 5):
        backend = FastBackend(artifact, rows)
        for actor, results in ((backend, spiking), (FloatActor(policy, rows), floats)):
            run = roll_out(
                actor,
                lambda index: gymnasium_bridge.make(identifier, trusted=True),
                range(50, 55),
                longest=60,
            )
            results.append(
                (
                    run.returns.tolist(),
                    run.lengths.tolist(),
                    run.decisions,
                    pytest.approx(run.chatter),
                )
            )
        spiking[-1] += (backend.census(),)
        assert backend.census().decisions == spiking[-1][2]
    assert spiking[0] == spiking[1] == spiking[2]
    assert floats[0][1:] == floats[1][1:] == floats[2][1:]
    np.testing.assert_allclose(
        floats[1][0], floats[0][0], rtol=1e-6
    )  # BLAS sums a batch in another order
    np.testing.assert_allclose(floats[2][0], floats[0][0], rtol=1e-6)
    fallen = min(range(5), key=lambda index: spiking[0][1][index])
    assert spiking[0][1][fallen] < 60  # it ended by itself, so `simulate` gives the same episode
    assert (
        simulate(artifact, episodes=1, seed=50 + fallen, backend="reference").returns[0]
        == spiking[0][0][fallen]
    )


def test_longest() -> None:
    assert roll_out(
        Recorder(3), lambda index: Countdown(), range(100, 103), longest=2
    ).lengths.tolist() == [2, 2, 2]


def test_frames_come_from_the_first_episode() -> None:
    filmed: list[int] = []
    roll_out(
        Recorder(2),
        lambda index: Countdown(),
        range(100, 104),
        on_step=lambda env: filmed.append(env.seed),
    )
    assert set(filmed) == {100}


def test_chatter_is_independent_of_its_blocks() -> None:
    rng = np.random.default_rng(0)
    actions = rng.normal(size=(1500, 4, 2))
    actions[700:, 1] = np.nan
    chatter = Chatter()
    for decision in actions:
        chatter.add(decision)
    assert chatter.mean() == pytest.approx(np.nanmean(np.abs(np.diff(actions, axis=0))))
    assert Chatter().mean() == 0.0
