"""An artifact in the user's own loop: one observation in, one action out, or Stable-Baselines3's `predict`."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolchain.artifact import Artifact
from toolchain.errors import InputError
from toolchain.simulation.backends import open_backend
from toolchain.simulation.census import Census


class Controller:
    """Runs an artifact on a backend. Call `reset` at every episode's start.

    `predict` follows Stable-Baselines3, so `evaluate_policy(controller, env)` works; it takes as many environments
    as the observations have rows. The environment must be the raw one: normaliser and time feature are the
    artifact's own.
    """

    def __init__(self, artifact: Artifact, backend: str = "fast") -> None:
        self.artifact, self.backend_name = artifact, backend
        self._backend = open_backend(backend, artifact, 1)

    def reset(self) -> None:
        """The next decision starts an episode."""
        self._backend.reset()

    def resync(self) -> None:
        """The next decision restarts all state inside the episode: lost events are healed, one dense decision."""
        self._backend.resync()

    def decide(self, observation: NDArray[Any]) -> NDArray[np.float64]:
        """Action [act] for one observation [obs], float64.

        Raises InputError for a wrong shape or a non-finite channel; nothing has changed then.
        """
        values = np.asarray(observation, np.float64)
        if values.shape != (self.artifact.observation.size,):
            raise InputError("decide", "observation does not fit the policy", got=values.shape, limit=(self.artifact.observation.size,), fix="pass one flat observation of the raw environment")
        if self._backend.rows != 1:
            self._resize(1)
        return self._backend.decide(values[None])[0]

    def predict(self, observation: Any, state: Any = None, episode_start: NDArray[Any] | None = None, deterministic: bool = True) -> tuple[NDArray[np.float32], None]:
        """Actions [n, act] (or [act]) and the state, which the controller keeps itself (None).

        observation [n, obs] or [obs]; `episode_start` [n] marks rows that start an episode. `deterministic=False` is
        refused: the artifact holds the deterministic policy.
        """
        if not deterministic:
            raise InputError("predict", "a spiking artifact is deterministic", got="deterministic=False", limit="deterministic=True", fix="evaluate_policy(controller, env, deterministic=True)")
        values = np.asarray(observation, np.float64)
        single = values.ndim == 1
        values = np.atleast_2d(values)
        if len(values) != self._backend.rows:
            self._resize(len(values))
        if episode_start is not None:
            self._backend.reset(np.asarray(episode_start, bool).reshape(-1))
        actions = self._backend.decide(values).astype(np.float32)
        return (actions[0] if single else actions), None

    def _resize(self, rows: int) -> None:
        replacement = open_backend(self.backend_name, self.artifact, rows)
        self._backend.close()
        self._backend = replacement

    def census(self) -> Census:
        """Counts of all decisions so far."""
        return self._backend.census()

    def close(self) -> None:
        """Release the backend."""
        self._backend.close()

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
