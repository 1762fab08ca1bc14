"""TD3 with a spiking actor, in Stable-Baselines3: plain, and with a proxy target (Xu et al. 2025,
arXiv 2505.24161).

A target network must move smoothly; a spiking actor's copy does not, as small steps of its weights
flip spikes. The proxy is a smooth network that is regressed onto the actor's actions instead, K
minibatches per training step, and takes the place of the target actor in the critics' target. After
training it is not needed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.policies import BasePolicy

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.methods.hyperparameters import (
    BATCH,
    EXPLORATION_NOISE,
    GAMMA,
    LEARNING_RATE,
    LEARNING_STARTS,
    NOISE_CLIP,
    POLICY_DELAY,
    TARGET_NOISE,
    TAU,
    ProxyHyperparameters,
)
from spikeport.toolchain.training.methods.learner import GraphLearner
from spikeport.toolchain.training.methods.plain_learner import plain_learner
from spikeport.toolchain.training.methods.policy_classes import ProxyTargetPolicy, SpikingTD3Policy
from spikeport.toolchain.training.runs.deployment import add_spiking_facts

PAPER: dict[str, Any] = {
    "learning_rate": LEARNING_RATE,
    "learning_starts": LEARNING_STARTS,
    "batch_size": BATCH,
    "gamma": GAMMA,
    "tau": TAU,
    "policy_delay": POLICY_DELAY,
    "target_policy_noise": TARGET_NOISE,
    "target_noise_clip": NOISE_CLIP,
}


TEACHERS = 4  # minibatches of the proxy that the actor answers at once


class SpikingTD3(TD3):
    """TD3 whose actor and target actor are spiking networks. Takes TD3's arguments; the paper's
    values are defaults.

    Without `action_noise`, exploration adds N(0, 0.1) of half the action range. `save` writes a zip
    that `spikeport convert` reads.
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
        if (
            self.action_noise is None and getattr(self, "action_space", None) is not None
        ):  # `load` brings both
            self.action_noise = exploration_noise(self.action_space)
        if _init_setup_model:
            self._setup_model()

    @property
    def proxy(self) -> Any:
        """The network that stands in for the target actor, if one does."""
        return None

    def train(self, gradient_steps: int, batch_size: int = BATCH) -> None:
        """TD3's training steps.

        The critics and, every `policy_delay` steps, the actor learn from one minibatch.
        """
        self.policy.set_training_mode(True)
        self.observations_normalised |= (
            self._vec_normalize_env is not None and self._vec_normalize_env.norm_obs
        )
        self._update_learning_rate([self.actor.optimizer, self.critic.optimizer])  # type: ignore[list-item]
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
            next_actions = noise.add_(self._target_actions(learner, data.next_observations)).clamp_(
                -1, 1
            )
            if data.discounts is None:
                discounts = self.gamma
            else:
                discounts = data.discounts
            wanted_values = data.rewards + (1 - data.dones) * discounts * learner.target_values(
                data.next_observations, next_actions
            )
        losses.setdefault("critic_loss", []).append(
            learner.fit_critics(data.observations, data.actions, wanted_values)
        )
        if actions is not None:
            losses.setdefault("actor_loss", []).append(learner.improve(data.observations, actions))
            self._follow()

    def _learner(self, batch_size: int) -> GraphLearner:
        """Kept from one call to the next as long as it serves."""
        plain = getattr(self, "_plain_learner", None)
        if plain is None or not plain.serves(batch_size):
            self._plain_learner = plain = plain_learner(self, batch_size)
        return plain or GraphLearner(self)

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "_plain_learner"]

    def _minibatch(
        self, learner: GraphLearner, batch_size: int, improve: bool, losses: dict[str, list[float]]
    ) -> tuple[Any, torch.Tensor | None]:
        """Replayed steps and, where the actor is to improve, its actions on them."""
        data = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)  # type: ignore[union-attr]
        return data, learner.actions(data.observations, improve=True) if improve else None

    def _target_actions(self, learner: GraphLearner, observations: torch.Tensor) -> torch.Tensor:
        actions: torch.Tensor = self.actor_target(observations)
        return actions

    @torch.no_grad()
    def _follow(self) -> None:
        """Targets follow what they are targets of.

        Running statistics of batch normalisation are copied.
        """
        for network, its_target in self._targets():
            for source, target in zip(network.parameters(), its_target.parameters(), strict=True):
                target.lerp_(source, self.tau)
            for source, target in zip(_statistics(network), _statistics(its_target), strict=True):
                target.copy_(source)

    def _targets(self) -> list[tuple[Any, Any]]:
        return [(self.critic, self.critic_target), (self.actor, self.actor_target)]

    def save(
        self,
        path: str | Path | io.BufferedIOBase,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """The model and, as JSON that needs no pickle, what a reader must know of its neurons.

        A path is replaced in one step.
        """
        stream = io.BytesIO()
        super().save(stream, exclude, include)
        add_spiking_facts(stream, self)
        if not isinstance(path, (str, Path)):
            path.write(stream.getbuffer())
            return
        if Path(path).suffix:
            target = Path(path)
        else:
            target = Path(path).with_suffix(".zip")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{os.getpid()}-{target.name}")
        temporary.write_bytes(stream.getbuffer())
        os.replace(temporary, target)


class ProxyTargetTD3(SpikingTD3):
    """SpikingTD3 with a proxy for the target actor.

    `proxy_iterations`: minibatches K per training step.
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
            limit = "a whole number, at least 1"
            raise InputError(
                "ProxyTargetTD3",
                "proxy_iterations is no number of minibatches",
                got=proxy_iterations,
                limit=limit,
                fix="leave it out: 3",
            )
        self.proxy_iterations = proxy_iterations
        super().__init__(policy, env, **options)

    @property
    def proxy(self) -> Any:
        return self.actor_target

    def _minibatch(
        self, learner: GraphLearner, batch_size: int, improve: bool, losses: dict[str, list[float]]
    ) -> tuple[Any, torch.Tensor | None]:
        """The last of K minibatches, on all of which the proxy has been fitted. The actor does not
        change before its own update, so its actions on that batch serve the proxy and the actor's
        loss alike.
        """
        data = self.replay_buffer.sample(
            batch_size * self.proxy_iterations, env=self._vec_normalize_env
        )  # type: ignore[union-attr]
        rows = len(data.rewards)
        early = len(data.rewards) - batch_size * improve
        # batch normalisation sees one minibatch at a time
        if _statistics(self.actor):
            together = batch_size
        else:
            together = TEACHERS * batch_size
        taught = list[torch.Tensor]()
        for start in range(0, early, together):
            taught += learner.actions(
                _rows(data.observations, start, min(start + together, early))
            ).split(batch_size)
        if improve:
            actions = learner.actions(_rows(data.observations, early, rows), improve=True)
        else:
            actions = None
        taught += [] if actions is None else [actions.detach()]
        fitted = [
            learner.fit_proxy(
                _rows(data.observations, k * batch_size, (k + 1) * batch_size), wanted
            )
            for k, wanted in enumerate(taught)
        ]
        losses.setdefault("proxy_loss", []).append(fitted[-1])
        last: Any = (_rows(part, rows - batch_size, rows) for part in data)
        return type(data)(*last), actions

    def _target_actions(self, learner: GraphLearner, observations: torch.Tensor) -> torch.Tensor:
        return learner.proxy_actions(observations)

    def _targets(self) -> list[tuple[Any, Any]]:
        return [(self.critic, self.critic_target)]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        states, variables = super()._get_torch_save_params()
        return [*states, "actor_target.optimizer"], variables


def exploration_noise(space: Any) -> NormalActionNoise:
    """N(0, 0.1) of half the action range, on every channel."""
    return NormalActionNoise(np.zeros(space.shape), np.full(space.shape, EXPLORATION_NOISE))


def _rows(part: Any, start: int, stop: int) -> Any:
    """Rows of one field of a sample: a tensor's, those of each tensor by name, or of none."""
    if isinstance(part, dict):
        return {name: value[start:stop] for name, value in part.items()}
    if part is None:
        return None
    return part[start:stop]


def _statistics(network: Any) -> list[torch.Tensor]:
    return [value for name, value in network.named_buffers() if "running_" in name]
