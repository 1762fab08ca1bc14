"""What surrounds a policy's network: how an observation goes in and how an action comes out.

Both contracts are data. They belong to the policy and to the artifact made from it, and are the
only floating-point arithmetic left at run time (contract section 1.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.errors import InputError

Float = NDArray[np.float64]


@dataclass(frozen=True)
class TimeFeature:
    """The remaining-time channel of the RL Zoo: 1 - decision / max_steps, appended last.

    In `test_mode` the channel is constantly 1 (sb3_contrib.common.wrappers.TimeFeatureWrapper).
    """

    max_steps: int
    test_mode: bool = False

    def value(self, decision: NDArray[np.int64]) -> Float:
        """The channel for decision numbers counted from 0 at an episode's start."""
        if self.test_mode:
            return np.ones(decision.shape)
        return 1.0 - decision / self.max_steps


@dataclass(frozen=True, eq=False)
class ObservationContract:
    """What a network sees of an observation: x = clip((features - mean) / divisor, -clip, clip).

    The divisor is sqrt(variance + epsilon); all in float64. `size` counts the environment's
    channels, `features` those the network sees (one more with a time feature). Without a normaliser
    mean = 0, divisor = 1 and nothing is clipped.
    """

    size: int
    mean: Float | None = None
    variance: Float | None = None
    epsilon: float = 0.0
    clip: float | None = None
    time_feature: TimeFeature | None = None
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("mean", "variance"):
            value = getattr(self, name)
            if value is not None and value.shape != (self.features,):
                raise InputError(
                    "observation contract",
                    f"the normaliser's {name} does not fit the observation",
                    got=value.shape,
                    limit=(self.features,),
                    fix="give the normaliser that was saved with this policy",
                )
        if (self.mean is None) != (self.variance is None):
            raise InputError(
                "observation contract",
                "a normaliser needs mean and variance",
                fix="give both or neither",
            )

    @property
    def features(self) -> int:
        """Channels that the network sees."""
        return self.size + (self.time_feature is not None)

    @property
    def shift(self) -> Float:
        """What is subtracted from each feature, [features]."""
        if self.mean is None:
            return np.zeros(self.features)
        return self.mean

    @property
    def divisor(self) -> Float:
        """What each feature is divided by, [features]."""
        if self.variance is None:
            return np.ones(self.features)
        return np.sqrt(self.variance + self.epsilon)

    def apply(self, observations: Float, decisions: NDArray[np.int64]) -> Float:
        """Network inputs [n, features] of observations [n, size] at decision numbers [n]."""
        values = np.asarray(observations, np.float64)
        if self.time_feature is not None:
            values = np.concatenate([values, self.time_feature.value(decisions)[:, None]], axis=1)
        values = (values - self.shift) / self.divisor
        if self.clip is None:
            return values
        return np.clip(values, -self.clip, self.clip)


@dataclass(frozen=True, eq=False)
class ActionContract:
    """What an action is of a network's output: squash(y) * scale + offset.

    It is then clipped to [low, high] where the policy clips. y [size] is the output of the
    network's last linear layer; squash is `tanh`, `none` or `argmax`. With `argmax` the action is
    discrete: the number of the largest y, the lowest one of several that are equal; scale is 1,
    offset 0.
    """

    size: int
    squash: str
    scale: Float
    offset: Float
    low: Float | None = None
    high: Float | None = None
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.squash not in ("tanh", "none", "argmax"):
            fix = ("--squash tanh", "--squash none", "--squash argmax")
            raise InputError(
                "action contract",
                "unknown squash",
                got=self.squash,
                limit="tanh, none or argmax",
                fix=fix,
            )
        for name in ("scale", "offset", "low", "high"):
            value = getattr(self, name)
            if value is not None and value.shape != (self.size,):
                raise InputError(
                    "action contract",
                    f"{name} does not fit the action",
                    got=value.shape,
                    limit=(self.size,),
                    fix="give one number per action channel",
                )

        if self.discrete and (
            self.low is not None
            or self.high is not None
            or (self.scale != 1).any()
            or self.offset.any()
        ):
            raise InputError(
                "action contract",
                "a discrete action has scale 1, offset 0 and no bounds",
                why="the largest output must stay the largest",
                fix="omit the action's bounds and limit",
            )

    @property
    def discrete(self) -> bool:
        """Whether the action is the number of the largest output."""
        return self.squash == "argmax"

    @property
    def channels(self) -> int:
        """Numbers in one action: 1 for a discrete one, else `size`."""
        if self.discrete:
            return 1
        return self.size

    @property
    def range(self) -> Float:
        """Width of each action channel, [size].

        What relative errors of a continuous action are measured against.
        """
        if self.low is not None and self.high is not None:
            return self.high - self.low
        return 2.0 * np.abs(self.scale)

    def apply(self, outputs: Float) -> Float:
        """Actions [n, channels] of network outputs [n, size]."""
        if self.discrete:
            return outputs.argmax(-1)[:, None].astype(np.float64)
        if self.squash == "tanh":
            values = np.tanh(outputs)
        else:
            values = outputs
        values = values * self.scale + self.offset
        if self.low is None:
            return values
        return np.clip(values, self.low, self.high)
