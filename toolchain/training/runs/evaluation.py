"""Evaluations during training.

Deterministic actions on seeds that training never uses, one JSON line each.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.files.atomic import write_atomically
from spikeport.toolchain.simulation.rollout import roll_out

EVALUATION_SEED = 30_000  # episode i of every evaluation is reset with this + i


class _Deterministic:
    """A model's deterministic actions for many episodes at once."""

    def __init__(self, model: Any, rows: int) -> None:
        self.model = model
        self.rows = rows

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        """Decisions do not depend on one another."""

    def decide(
        self, observations: NDArray[np.float64], active: NDArray[np.bool_] | None = None
    ) -> NDArray[np.float64]:
        space = self.model.observation_space
        actions, _ = self.model.predict(
            observations.reshape(-1, *space.shape).astype(space.dtype), deterministic=True
        )
        return actions.reshape(len(actions), -1).astype(np.float64)


def evaluate(model: Any, environment: str, episodes: int) -> dict[str, Any]:
    """`steps` that the model has trained, the `returns` of its episodes, their `mean`, and the
    `seconds` it took.
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


def read_evaluations(path: Path) -> list[dict[str, Any]]:
    """The records in a file of JSON lines; none where there is no file.

    A line that a killed run left unfinished is dropped.
    """
    records = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def keep_evaluations(path: Path, steps: int) -> None:
    """Drop what a killed run evaluated after `steps`: the run that goes on does it again."""
    kept = [
        json.dumps(record) + "\n" for record in read_evaluations(path) if record["steps"] <= steps
    ]
    write_atomically(path, lambda temporary: temporary.write_text("".join(kept)))
