"""A training method of another package: Stable-Baselines3's DDPG, with a choice of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from stable_baselines3 import DDPG

from spikeport.toolchain.training.methods.method import TrainingMethod
from spikeport.toolchain.training.methods.training_plan import TrainingPlan


@dataclass(frozen=True)
class ToyMethod(TrainingMethod):
    """DDPG with `batch` replayed steps per training step."""

    name: ClassVar[str] = "toy"

    batch: int = 16

    def problems(self, plan: TrainingPlan) -> list[str]:
        """Check the batch."""
        return [] if self.batch >= 1 else [f"batch is {self.batch}, at least 1 expected"]

    def notes(self, model: Any) -> list[str]:
        """Say how many steps are replayed at once."""
        return [f"replays {model.batch_size} steps at once"]

    def make(self, plan: TrainingPlan, env: Any, device: str, tensorboard: Path | None) -> Any:
        """Make the algorithm."""
        return DDPG(
            "MlpPolicy",
            env,
            batch_size=self.batch,
            learning_starts=plan.learning_starts,
            buffer_size=1,
            seed=plan.seed,
            device=device,
            policy_kwargs={"net_arch": list(plan.hidden)},
        )

    def evaluate(self, model: Any, environment: str, episodes: int) -> dict[str, Any]:
        """Evaluate as ever, and say by which method."""
        return super().evaluate(model, environment, episodes) | {"method": self.name}
