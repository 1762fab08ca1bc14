"""A callback of Stable-Baselines3 that sets the surrogate's slope by a schedule.

An epoch of the schedule is a finished training episode.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from spikeport.toolchain.training.methods.slopes import SlopeSchedule


class SlopeCallback(BaseCallback):
    """Sets the slope of an algorithm whose `actor.mu` is a SpikingNetwork.

    `unit` is the return that counts as 1 in the schedule.
    """

    def __init__(self, schedule: SlopeSchedule, unit: float = 1.0) -> None:
        super().__init__()
        self.schedule = schedule
        self.unit = unit
        self.returns = list[float]()

    def _on_training_start(self) -> None:
        self._set()

    def _on_step(self) -> bool:
        ended = [
            info["episode"]["r"] / self.unit for info in self.locals["infos"] if "episode" in info
        ]
        if ended:
            self.returns += [float(value) for value in ended]
            self._set()
        return True

    def _set(self) -> None:
        model: Any = self.model  # a TD3; BaseAlgorithm has no actor
        actor = model.actor.mu
        slope = self.schedule.slope(self.returns)
        actor.kind = dataclasses.replace(
            actor.kind, surrogate=actor.kind.surrogate.steepened(slope)
        )
        self.logger.record("train/slope", slope)
