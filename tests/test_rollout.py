"""Rollouts: one environment per episode, seeds in order, no autoreset, finished rows rest."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

from toolchain.simulation.rollout import Chatter, roll_out


class Countdown(gymnasium.Env):
    """Ends after 2 + seed % 5 steps; the reward is the action's sum, the observation (seed, steps)."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.resets = getattr(self, "resets", 0) + 1
        assert seed is not None and self.resets == 1, "one reset per environment"
        self.seed, self.steps = seed, 0
        return np.array([seed, 0.0]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action.dtype == np.float32 and action.shape == (3,)
        self.steps += 1
        over = self.steps == 2 + self.seed % 5
        assert self.steps <= 2 + self.seed % 5, "stepped after its end"
        return np.array([self.seed, self.steps], float), float(action.sum()), over and self.seed % 2 == 0, over and self.seed % 2 == 1, {}


class Recorder:
    """An actor that writes down what it sees and answers with the decision's number in every channel."""

    def __init__(self, rows: int) -> None:
        self.rows, self.resets, self.seen, self.number = rows, 0, [], 0

    def reset(self, mask: Any = None) -> None:
        self.resets, self.number = self.resets + 1, 0

    def decide(self, observations: Any, active: Any = None) -> Any:
        active = np.ones(self.rows, bool) if active is None else active
        self.seen.append((observations.copy(), active.copy()))
        actions = np.where(active[:, None], np.full((self.rows, 3), float(self.number)), np.nan)
        self.number += 1
        return actions


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 10])
def test_episodes(rows: int) -> None:
    actor, finished = Recorder(rows), []
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


def test_longest() -> None:
    assert roll_out(Recorder(3), lambda index: Countdown(), range(100, 103), longest=2).lengths.tolist() == [2, 2, 2]


def test_frames_come_from_the_first_episode() -> None:
    filmed: list[int] = []
    roll_out(Recorder(2), lambda index: Countdown(), range(100, 104), on_step=lambda env: filmed.append(env.seed))
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
