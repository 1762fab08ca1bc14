"""The method td3: an artificial actor, trained by Stable-Baselines3's TD3 as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from stable_baselines3 import TD3

from spikeport.toolchain.training.methods.td3_family import (
    TD3Family,
    exploration_noise,
    td3_arguments,
)
from spikeport.toolchain.training.methods.training_plan import TrainingPlan


@dataclass(frozen=True)
class TD3Method(TD3Family):
    """ReLU actor and critics; `neuron` and `proxy_iterations` are recorded and not used."""

    name: ClassVar[str] = "td3"

    def problems(self, plan: TrainingPlan) -> list[str]:
        """Refuse bfloat16, for which Stable-Baselines3 has no place."""
        found = super().problems(plan)
        if self.bfloat16:
            found.append(
                "bfloat16 is for the critics and the proxy of spiking methods, td3 is"
                " Stable-Baselines3's own"
            )
        return found

    def make(self, plan: TrainingPlan, env: Any, device: str, tensorboard: Path | None) -> TD3:
        """Make the paper's TD3, with a fused optimiser."""
        return TD3(
            "MlpPolicy",
            env,
            policy_kwargs={"net_arch": list(plan.hidden), "optimizer_kwargs": {"fused": True}},
            action_noise=exploration_noise(env.action_space),
            **td3_arguments(plan, device, tensorboard),
        )
