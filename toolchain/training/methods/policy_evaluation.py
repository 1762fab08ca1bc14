"""Evaluation of a model by its deterministic actions, on seeds that training never uses."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.simulation.rollout import roll_out

EVALUATION_SEED = 30_000  # episode i of every evaluation is reset with this + i


class _Deterministic:
    """A model's deterministic actions for many episodes at once."""

    def __init__(self, model: Any, rows: int) -> None:
        self.model = model
        self.rows = rows

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Do nothing: decisions do not depend on one another."""

    def decide(
        self, observations: NDArray[np.float64], active: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        """Actions [rows, act] for observations [rows, obs]."""
        space = self.model.observation_space
        actions, _ = self.model.predict(
            observations.reshape(-1, *space.shape).astype(space.dtype), deterministic=True
        )
        return actions.reshape(len(actions), -1).astype(np.float64)


def evaluate(model: Any, environment: str, episodes: int) -> dict[str, Any]:
    """Run episodes and record their returns.

    Args:
        model: A model of Stable-Baselines3.
        environment: The Gymnasium id.
        episodes: How many, all at once.

    Returns:
        `steps` that the model has trained, the `returns` of its episodes, their `mean`, and the
        `seconds` that it took.
    """
    start = time.perf_counter()
    result = roll_out(
        _Deterministic(model, episodes),
        lambda index: gymnasium_bridge.make(environment, trusted=True),
        [EVALUATION_SEED + index for index in range(episodes)],
    )
    returns = [float(value) for value in result.returns]
    return {
        "steps": model.num_timesteps,
        "mean": float(np.mean(returns)),
        "returns": returns,
        "seconds": round(time.perf_counter() - start, 3),
    }
