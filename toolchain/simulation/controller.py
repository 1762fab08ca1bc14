"""An artifact in the user's own loop: one observation in, one action out, or SB3's `predict`."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.backends import open_backend
from spikeport.toolchain.simulation.census import Census


class Controller:
    """Runs an artifact on a backend. Call `reset` at every episode's start.

    `predict` follows Stable-Baselines3, so `evaluate_policy(controller, env)` works; it takes as
    many environments as the observations have rows. The environment must be the raw one: normaliser
    and time feature are the artifact's own.
    """

    def __init__(self, artifact: Artifact, backend: str = "fast") -> None:
        self.artifact = artifact
        self.backend_name = backend
        self._backend = open_backend(backend, artifact, 1)

    def reset(self) -> None:
        """The next decision starts an episode."""
        self._backend.reset()

    def resync(self) -> None:
        """Restart all state with the next decision, inside the episode: lost events are healed."""
        self._backend.resync()

    def decide(self, observation: NDArray[Any]) -> Any:
        """Decide for one observation.

        Args:
            observation: [obs], as the raw environment gives it.

        Returns:
            The action [act], float64, or a NumPy integer where it is discrete.

        Raises:
            InputError: For a wrong shape or a channel that is not finite; nothing has changed then.
        """
        values = as_numbers("decide", observation)
        if values.shape != (self.artifact.observation.size,):
            raise InputError(
                "decide",
                "observation does not fit the policy",
                got=values.shape,
                limit=(self.artifact.observation.size,),
                fix="pass one flat observation of the raw environment",
            )
        if self._backend.rows != 1:
            self._resize(1)
        action = self._backend.decide(values[None])[0]
        if self.artifact.action.discrete:
            return np.int64(action[0])
        return action

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], None]:
        """Decide as Stable-Baselines3's policies do.

        Args:
            observation: [n, obs] or [obs]. Another n than before starts an episode in every row.
            state: Ignored: the controller keeps it.
            episode_start: [n], marks rows that start an episode.
            deterministic: The artifact holds the deterministic policy, so False is refused.

        Returns:
            Actions [n, act] (or [act]), discrete ones int64 [n]; and None for the state.

        Raises:
            InputError: For shapes that do not fit and channels that are not finite.
        """
        if not deterministic:
            raise InputError(
                "predict",
                "a spiking artifact is deterministic",
                got="deterministic=False",
                limit="deterministic=True",
                fix="evaluate_policy(controller, env, deterministic=True)",
            )
        values = as_numbers("predict", observation)
        single = values.ndim == 1
        values = np.atleast_2d(values)
        size = self.artifact.observation.size
        if values.ndim != 2 or values.shape[1] != size or not len(values):
            raise InputError(
                "predict",
                "observations do not fit the policy",
                got=np.shape(observation),
                limit=f"({size},) or (n, {size})",
                fix="pass flat observations of the raw environments, one row each",
            )
        starts = None if episode_start is None else _starts(episode_start, len(values))
        if len(values) != self._backend.rows:
            self._resize(len(values))
        if starts is not None:
            self._backend.reset(starts)
        actions = self._backend.decide(values)
        if self.artifact.action.discrete:
            actions = actions[:, 0].astype(np.int64)
        else:
            actions = actions.astype(np.float32)
        return (actions[0] if single else actions), None

    def _resize(self, rows: int) -> None:
        replacement = open_backend(self.backend_name, self.artifact, rows)
        self._backend.close()
        self._backend = replacement

    def census(self) -> Census:
        """Counts of all decisions since the number of environments last changed."""
        return self._backend.census()

    def close(self) -> None:
        """Release the backend."""
        self._backend.close()

    def __enter__(self) -> Controller:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _starts(episode_start: NDArray[Any], rows: int) -> NDArray[np.bool_]:
    starts = np.asarray(episode_start, bool).reshape(-1)
    if len(starts) != rows:
        raise InputError(
            "predict",
            "episode_start does not fit the observations",
            got=len(starts),
            limit=rows,
            fix="give one flag per environment",
        )
    return starts


def as_numbers(where: str, observation: Any) -> NDArray[np.float64]:
    """What a user passed as float64, or an InputError; text is not a number, whatever it spells."""
    try:
        values = np.asarray(observation)
    except (TypeError, ValueError) as error:
        raise _not_numbers(where, observation, f": {error}") from None
    if values.dtype.kind not in "biuf":
        raise _not_numbers(where, observation, f" but of {values.dtype}")
    return values.astype(np.float64, copy=False)


def _not_numbers(where: str, observation: Any, how: str) -> InputError:
    fix = "pass one flat array of the raw environment's channels"
    return InputError(
        where,
        f"the observation is not an array of numbers{how}",
        got=type(observation).__name__,
        fix=fix,
    )
