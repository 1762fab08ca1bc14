"""What the methods around TD3 share: their choices, the paper's hyperparameters, exploration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.noise import NormalActionNoise

from spikeport.toolchain.training.layers.dense_stack import bfloat16_speed
from spikeport.toolchain.training.methods.hyperparameters import (
    EXPLORATION_NOISE,
    PAPER,
    ProxyHyperparameters,
)
from spikeport.toolchain.training.methods.method import TrainingMethod
from spikeport.toolchain.training.methods.training_plan import TrainingPlan

MOST_ITERATIONS = 1000  # far beyond any use; a guard against a misplaced digit


@dataclass(frozen=True)
class TD3Family(TrainingMethod):
    """TD3 and its spiking relatives, which take the same choices so that runs compare.

    Attributes:
        proxy_iterations: Minibatches of the proxy per training step; only proxy-target has one.
        bfloat16: Whether products between hidden layers of critics and proxy are in bfloat16.
    """

    proxy_iterations: int = ProxyHyperparameters.iterations
    bfloat16: bool = False

    def problems(self, plan: TrainingPlan) -> list[str]:
        """Check the number of minibatches."""
        count = self.proxy_iterations
        if isinstance(count, int) and 1 <= count <= MOST_ITERATIONS:
            return []
        return [f"proxy_iterations is {count!r}, 1..{MOST_ITERATIONS} expected"]

    def notes(self, model: Any) -> list[str]:
        """Say where bfloat16 does not pay."""
        if not self.bfloat16 or model.device.type != "cpu":
            return []
        speed = bfloat16_speed()
        if speed >= 1:
            return []
        return [
            f"products in bfloat16 are {speed:.2f} times as fast as in float32 on this CPU:"
            " without --bfloat16 it trains faster"
        ]


def td3_arguments(plan: TrainingPlan, device: str, tensorboard: Path | None) -> dict[str, Any]:
    """The arguments of TD3 that do not depend on the kind of actor."""
    return PAPER | {
        "learning_starts": plan.learning_starts,
        "seed": plan.seed,
        "device": device,
        "buffer_size": 1,  # the run brings a memory of its own
        "tensorboard_log": None if tensorboard is None else str(tensorboard),
    }


def exploration_noise(space: Any) -> NormalActionNoise:
    """N(0, 0.1) of half the action range, on every channel."""
    return NormalActionNoise(np.zeros(space.shape), np.full(space.shape, EXPLORATION_NOISE))
