"""The method proxy-target of Xu et al. 2025 (arXiv 2505.24161).

A target network must move smoothly; a spiking actor's copy does not, as small steps of its weights
flip spikes. The proxy is a smooth network that is regressed onto the actor's actions instead, K
minibatches per training step, and takes the place of the target actor in the critics' target. After
training it is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from stable_baselines3.common.policies import BasePolicy

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.methods.hyperparameters import (
    ProxyHyperparameters,
    proxy_hyperparameters,
)
from spikeport.toolchain.training.methods.learner import GraphLearner
from spikeport.toolchain.training.methods.policy_classes import ProxyTargetPolicy
from spikeport.toolchain.training.methods.spiking_td3 import (
    SpikingTD3,
    running_statistics,
    spiking_shape,
)
from spikeport.toolchain.training.methods.td3_family import TD3Family, td3_arguments
from spikeport.toolchain.training.methods.training_plan import TrainingPlan

TEACHERS = 4  # minibatches of the proxy that the actor answers at once


class ProxyTargetTD3(SpikingTD3):
    """SpikingTD3 with a proxy for the target actor.

    Besides TD3's arguments it takes `proxy_iterations`, the minibatches K per training step.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": ProxyTargetPolicy,
        "MultiInputPolicy": ProxyTargetPolicy,
    }

    def __init__(
        self,
        policy: Any,
        env: Any,
        *,
        proxy_iterations: int = ProxyHyperparameters.iterations,
        **options: Any,
    ) -> None:
        if not isinstance(proxy_iterations, int) or proxy_iterations < 1:
            raise InputError(
                "ProxyTargetTD3",
                "proxy_iterations is not a number of minibatches",
                got=proxy_iterations,
                limit="a whole number, at least 1",
                fix="omit it: 3",
            )
        self.proxy_iterations = proxy_iterations
        super().__init__(policy, env, **options)

    @property
    def proxy(self) -> Any:
        """The network that stands in for the target actor."""
        return self.actor_target

    def _minibatch(
        self, learner: GraphLearner, batch_size: int, improve: bool, losses: dict[str, list[float]]
    ) -> tuple[Any, torch.Tensor | None]:
        """Fit the proxy on K minibatches and return the last of them.

        The actor does not change before its own update, so its actions on that minibatch serve the
        proxy and the actor's loss alike.
        """
        data = self._sample(batch_size * self.proxy_iterations)
        rows = len(data.rewards)
        early = rows - batch_size * improve
        # batch normalisation sees one minibatch at a time
        minibatches = 1 if running_statistics(self.actor) else TEACHERS
        together = minibatches * batch_size
        taught = list[torch.Tensor]()
        for start in range(0, early, together):
            observations = _rows(data.observations, start, min(start + together, early))
            taught += learner.actions(observations).split(batch_size)
        actions = None
        if improve:
            actions = learner.actions(_rows(data.observations, early, rows), improve=True)
            taught.append(actions.detach())
        loss = 0.0
        for k, wanted in enumerate(taught):
            observations = _rows(data.observations, k * batch_size, (k + 1) * batch_size)
            loss = learner.fit_proxy(observations, wanted)
        losses.setdefault("proxy_loss", []).append(loss)
        last: Any = (_rows(part, rows - batch_size, rows) for part in data)
        return type(data)(*last), actions

    def _target_actions(self, learner: GraphLearner, observations: torch.Tensor) -> torch.Tensor:
        return learner.proxy_actions(observations)

    def _targets(self) -> list[tuple[Any, Any]]:
        return [(self.critic, self.critic_target)]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        states, variables = super()._get_torch_save_params()
        return [*states, "actor_target.optimizer"], variables


@dataclass(frozen=True)
class ProxyTarget(TD3Family):
    """A spiking actor with a proxy for its target, of the paper's shape for the neuron."""

    name: ClassVar[str] = "proxy-target"

    def make(
        self, plan: TrainingPlan, env: Any, device: str, tensorboard: Path | None
    ) -> ProxyTargetTD3:
        """Make a ProxyTargetTD3 with the plan's neuron and widths."""
        paper = proxy_hyperparameters(plan.neuron, plan.environment)
        shape = spiking_shape(plan, self.bfloat16) | {
            "proxy_arch": list(paper.hidden),
            "proxy_learning_rate": paper.learning_rate,
        }
        return ProxyTargetTD3(
            "MlpPolicy",
            env,
            proxy_iterations=self.proxy_iterations,
            policy_kwargs=shape,
            **td3_arguments(plan, device, tensorboard),
        )


def _rows(part: Any, start: int, stop: int) -> Any:
    """Rows of one field of a sample: a tensor's, those of each tensor by name, or of none."""
    if isinstance(part, dict):
        return {name: value[start:stop] for name, value in part.items()}
    if part is None:
        return None
    return part[start:stop]
