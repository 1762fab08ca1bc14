"""The method spiking-td3: TD3 with a spiking actor, whose target is a Polyak copy of it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.policies import BasePolicy

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.methods.deployment import add_spiking_facts
from spikeport.toolchain.training.methods.hyperparameters import BATCH, PAPER
from spikeport.toolchain.training.methods.learner import GraphLearner
from spikeport.toolchain.training.methods.plain_learner import plain_learner
from spikeport.toolchain.training.methods.policy_classes import SpikingTD3Policy
from spikeport.toolchain.training.methods.td3_family import (
    TD3Family,
    exploration_noise,
    td3_arguments,
)
from spikeport.toolchain.training.methods.training_plan import TrainingPlan


class SpikingTD3(TD3):
    """TD3 whose actor and target actor are spiking networks.

    It takes TD3's arguments, with the paper's values as defaults. Without `action_noise`,
    exploration adds N(0, 0.1) of half the action range. `save` writes a zip that `spikeport
    convert` reads.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {
        "MlpPolicy": SpikingTD3Policy,
        "MultiInputPolicy": SpikingTD3Policy,
    }

    def __init__(
        self, policy: Any, env: Any, *, _init_setup_model: bool = True, **options: Any
    ) -> None:
        super().__init__(policy, env, _init_setup_model=False, **PAPER | options)
        needed = self.policy_aliases["MlpPolicy"]
        found = getattr(self, "policy_class", None)
        if not (isinstance(found, type) and issubclass(found, needed)):
            fix = f"policy {' or '.join(self.policy_aliases)}, or a subclass"
            raise InputError(
                type(self).__name__,
                "the policy has no spiking actor as this algorithm trains it",
                got=found,
                limit=needed.__name__,
                fix=fix,
            )
        self.bfloat16 = bool((self.policy_kwargs or {}).get("bfloat16", False))
        self.observations_normalised = False  # by a VecNormalize, during any step of training
        # `load` sets both later
        if self.action_noise is None and getattr(self, "action_space", None) is not None:
            self.action_noise = exploration_noise(self.action_space)
        if _init_setup_model:
            self._setup_model()

    @property
    def proxy(self) -> Any:
        """The network that stands in for the target actor, if one does."""
        return None

    def train(self, gradient_steps: int, batch_size: int = BATCH) -> None:
        """Take training steps, each with one minibatch.

        The critics learn in every step, the actor in every `policy_delay`-th.
        """
        self.policy.set_training_mode(True)
        self.observations_normalised |= (
            self._vec_normalize_env is not None and self._vec_normalize_env.norm_obs
        )
        self._update_learning_rate([self.actor.optimizer, self.critic.optimizer])
        learner = self._learner(batch_size)
        losses = dict[str, list[float]]()
        for _ in range(gradient_steps):
            self._train_once(learner, batch_size, losses)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, found in losses.items():
            self.logger.record(f"train/{name}", np.mean(found))

    def _train_once(
        self, learner: GraphLearner, batch_size: int, losses: dict[str, list[float]]
    ) -> None:
        self._n_updates += 1
        improve = self._n_updates % self.policy_delay == 0
        data, actions = self._minibatch(learner, batch_size, improve, losses)
        with torch.no_grad():
            noise = (
                torch.empty_like(data.actions)
                .normal_(0, self.target_policy_noise)
                .clamp_(-self.target_noise_clip, self.target_noise_clip)
            )
            target_actions = self._target_actions(learner, data.next_observations)
            next_actions = noise.add_(target_actions).clamp_(-1, 1)
            next_values = learner.target_values(data.next_observations, next_actions)
            discounts = self.gamma if data.discounts is None else data.discounts
            wanted_values = data.rewards + (1 - data.dones) * discounts * next_values
        losses.setdefault("critic_loss", []).append(
            learner.fit_critics(data.observations, data.actions, wanted_values)
        )
        if actions is not None:
            losses.setdefault("actor_loss", []).append(learner.improve(data.observations, actions))
            self._follow()

    def _learner(self, batch_size: int) -> GraphLearner:
        """The learner of the last call as long as it serves, else a new one."""
        plain = getattr(self, "_plain_learner", None)
        if plain is None or not plain.serves(batch_size):
            self._plain_learner = plain = plain_learner(self, batch_size)
        return plain or GraphLearner(self)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_plain_learner"]

    def _minibatch(
        self, learner: GraphLearner, batch_size: int, improve: bool, losses: dict[str, list[float]]
    ) -> tuple[Any, torch.Tensor | None]:
        """Sample replayed steps and, where the actor is to improve, its actions on them."""
        data = self._sample(batch_size)
        if not improve:
            return data, None
        return data, learner.actions(data.observations, improve=True)

    def _sample(self, rows: int) -> Any:
        assert self.replay_buffer is not None  # made by `_setup_model`
        return self.replay_buffer.sample(rows, env=self._vec_normalize_env)

    def _target_actions(self, learner: GraphLearner, observations: torch.Tensor) -> torch.Tensor:
        actions: torch.Tensor = self.actor_target(observations)
        return actions

    @torch.no_grad()
    def _follow(self) -> None:
        """Move target networks towards their sources.

        Running statistics of batch normalisation are copied.
        """
        for network, its_target in self._targets():
            for source, target in zip(network.parameters(), its_target.parameters(), strict=True):
                target.lerp_(source, self.tau)
            for source, target in zip(
                running_statistics(network), running_statistics(its_target), strict=True
            ):
                target.copy_(source)

    def _targets(self) -> list[tuple[Any, Any]]:
        return [(self.critic, self.critic_target), (self.actor, self.actor_target)]

    def save(
        self,
        path: str | Path | io.BufferedIOBase,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """Write the model and what a reader must know of its neurons, as JSON without pickle.

        A path is replaced in one step.

        Args:
            path: A file, `.zip` where it has no suffix, or a stream.
            exclude: Attributes to omit, as in Stable-Baselines3.
            include: Attributes to write though they would be omitted.
        """
        stream = io.BytesIO()
        super().save(stream, exclude, include)
        add_spiking_facts(stream, self)
        if not isinstance(path, (str, Path)):
            path.write(stream.getbuffer())
            return
        target = Path(path)
        if not target.suffix:
            target = target.with_suffix(".zip")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{os.getpid()}-{target.name}")
        temporary.write_bytes(stream.getbuffer())
        os.replace(temporary, target)


@dataclass(frozen=True)
class SpikingTD3Method(TD3Family):
    """A spiking actor; `proxy_iterations` is recorded and not used."""

    name: ClassVar[str] = "spiking-td3"

    def make(
        self, plan: TrainingPlan, env: Any, device: str, tensorboard: Path | None
    ) -> SpikingTD3:
        """Make a SpikingTD3 with the plan's neuron and widths."""
        arguments = td3_arguments(plan, device, tensorboard)
        return SpikingTD3(
            "MlpPolicy", env, policy_kwargs=spiking_shape(plan, self.bfloat16), **arguments
        )


def spiking_shape(plan: TrainingPlan, bfloat16: bool) -> dict[str, Any]:
    """The arguments of a policy with a spiking actor."""
    return {"net_arch": list(plan.hidden), "neuron": plan.neuron, "bfloat16": bfloat16}


def running_statistics(network: Any) -> list[torch.Tensor]:
    """The running means and variances of a network's batch normalisation."""
    return [value for name, value in network.named_buffers() if "running_" in name]
