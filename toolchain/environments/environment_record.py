"""What the caller knows about a policy's environment, which the readers never import."""

from __future__ import annotations

import math
import numbers
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError, violations

Float = NDArray[np.float64]
WHERE = "environment facts"
MUJOCO = (
    "Ant HalfCheetah Hopper Humanoid HumanoidStandup InvertedDoublePendulum InvertedPendulum Pusher"
    " Reacher Swimmer Walker2d".split()
)
_VERSIONED = re.compile(r"([A-Za-z][A-Za-z0-9]*)-v(\d{1,3})(?![0-9])")


@dataclass(frozen=True, eq=False)
class EnvironmentFacts:
    """Sizes and bounds of an environment, each None where unknown.

    `observation_size` counts the channels of its flat observation, `max_episode_steps` the
    decisions until it truncates an episode; `action_low` and `action_high` [act] come together;
    `choices` counts discrete actions.
    """

    id: str = ""
    observation_size: int | None = None
    max_episode_steps: int | None = None
    action_low: Float | None = None
    action_high: Float | None = None
    choices: int | None = None

    def __post_init__(self) -> None:
        problems = []
        for name in ("observation_size", "max_episode_steps", "choices"):
            value = getattr(self, name)
            if value is not None and (
                not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < 1
            ):
                problems.append(f"{name} must be a positive integer (got {value!r})")
        if (self.action_low is None) != (self.action_high is None):
            raise InputError(
                WHERE, "action bounds need both ends", fix="give --action-low and --action-high"
            )
        if self.action_low is not None and self.action_high is not None:
            try:
                low, high = (
                    np.atleast_1d(np.asarray(bound, np.float64))
                    for bound in (self.action_low, self.action_high)
                )
            except (TypeError, ValueError):
                raise InputError(
                    WHERE,
                    "action bounds must be numbers",
                    fix="give --action-low and --action-high",
                ) from None
            if low.ndim != 1 or low.shape != high.shape:
                problems.append(
                    f"action bounds must be flat and of one size (got {low.shape} and {high.shape})"
                )
            elif not (low < high).all():
                problems.append(
                    f"action bounds must satisfy low < high in every channel (got {low.tolist()}"
                    f" and {high.tolist()})"
                )
            object.__setattr__(self, "action_low", low)
            object.__setattr__(self, "action_high", high)
        if problems:
            raise violations(
                WHERE,
                problems,
                fix="give the facts of the environment that the policy was trained in",
            )

    @property
    def label(self) -> str:
        """How messages call the environment."""
        return self.id or "the environment"

    @property
    def bounds(self) -> tuple[Float, Float] | None:
        """(low, high), each [act], or None."""
        if self.action_low is None or self.action_high is None:
            return None
        return self.action_low, self.action_high


def environment_fix(hints: tuple[str, ...], environment: EnvironmentFacts) -> str:
    """Return what to try when shapes do not fit: the environment ids that texts mention.

    Gymnasium removed the MuJoCo ids before v4; v4 keeps their observations, v5 in some families
    only.
    """
    for text in hints:
        found = _VERSIONED.search(text)
        if found is None:
            continue
        named = found.group(0)
        name = found.group(1)
        version = int(found.group(2))
        if name in MUJOCO and version <= 5:
            if version == 5:
                versions = (5, 4)
            else:
                versions = (4, 5)
        else:
            versions = (version,)
        ids = [f"{name}-v{number}" for number in versions]
        others = [item for item in ids if item != environment.id]
        if others:
            return (
                f"--env {' or --env '.join(others)}, the one whose shapes fit (the checkpoint names"
                f" {named})"
            )
    return "--env with the environment that the policy was trained in"


def flat_bounds(value: object, size: int, where: str, option: str) -> Float:
    """Return a number or [size] numbers as [size] positive finite float64; InputError otherwise.

    Args:
        value: What was given.
        size: Channels.
        where: The file, for errors.
        option: That gave it, for errors.
    """
    try:
        limit = np.atleast_1d(np.asarray(value, np.float64))
    except (TypeError, ValueError):
        raise InputError(
            where, f"{option} is not a number", got=repr(value)[:60], fix=f"{option} 1.0"
        ) from None
    if limit.shape not in ((1,), (size,)) or not all(
        math.isfinite(item) and item > 0 for item in limit
    ):
        raise InputError(
            where,
            f"{option} does not fit the action",
            got=limit.tolist()[:8],
            limit=f"one positive number, or {size} of them",
            fix=f"{option} 1.0",
        )
    return np.broadcast_to(limit, (size,)).copy()


PERIODS = (1e-6, 1e6)  # s, the control periods that are one


@dataclass(frozen=True)
class EnvironmentRecord:
    """The environment that a policy was calibrated in, as recorded; ids never carry a colon."""

    id: str
    kwargs: dict[str, Any] = field(default_factory=dict)
    wrappers: tuple[str, ...] = ()
    control_period_s: float | None = None
    versions: dict[str, str] = field(default_factory=dict)
