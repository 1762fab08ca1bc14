"""A Stable-Baselines3 callback that sets the surrogate's slope by a schedule, one epoch per
finished training episode.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback

from spikeport.toolchain.training.methods.slopes import SlopeSchedule


class SlopeCallback(BaseCallback):
    """Needs an algorithm whose `actor.mu` is a SpikingNetwork.

    `unit`: the return that counts as 1 in the schedule.
    """

    def __init__(self, schedule: SlopeSchedule, unit: float = 1.0) -> None:
        super().__init__()
        self.schedule, self.unit, self.returns = schedule, unit, list[float]()

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
        actor: Any = self.model.actor.mu  # type: ignore[attr-defined]  # of TD3, unknown to BaseAlgorithm
        slope = self.schedule.slope(self.returns)
        actor.kind = dataclasses.replace(
            actor.kind, surrogate=actor.kind.surrogate.steepened(slope)
        )
        self.logger.record("train/slope", slope)
