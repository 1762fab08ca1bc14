"""TD3 with a spiking actor, in Stable-Baselines3: plain, and with a proxy target (Xu et al. 2025, arXiv 2505.24161).

A target network must move smoothly; a spiking actor's copy does not, as small steps of its weights flip spikes. The
proxy is a smooth network that is regressed onto the actor's actions instead, K minibatches per training step, and
takes the place of the target actor in the critics' target. After training it is not needed.
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
from stable_baselines3.common.utils import get_parameters_by_name
from torch.nn import functional

from toolchain.training.dense_stack import dense
from toolchain.training.deployment import add_spiking_facts
from toolchain.training.hyperparameters import (
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
from toolchain.training.policy_classes import ProxyTargetPolicy, SpikingTD3Policy

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
    """TD3 whose actor and target actor are spiking networks. Takes TD3's arguments; the paper's values are defaults.

    Without `action_noise`, exploration adds N(0, 0.1) of half the action range. `save` writes a zip that
    `spikeport convert` reads.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": SpikingTD3Policy}

    def __init__(self, policy: Any, env: Any, *, _init_setup_model: bool = True, **options: Any) -> None:
        super().__init__(policy, env, _init_setup_model=False, **PAPER | options)
        self.bfloat16 = bool((self.policy_kwargs or {}).get("bfloat16", False))
        if self.action_noise is None and getattr(self, "action_space", None) is not None:  # `load` brings both
            self.action_noise = exploration_noise(self.action_space)
        if _init_setup_model:
            self._setup_model()

    def train(self, gradient_steps: int, batch_size: int = BATCH) -> None:
        """TD3's training steps. The critics and, every `policy_delay` steps, the actor learn from one minibatch."""
        self.policy.set_training_mode(True)
        self._update_learning_rate([self.actor.optimizer, self.critic.optimizer])  # type: ignore[list-item]
        losses: dict[str, list[float]] = {}
        for _ in range(gradient_steps):
            self._n_updates += 1
            improve = self._n_updates % self.policy_delay == 0
            data, actions = self._minibatch(batch_size, improve, losses)
            with torch.no_grad():
                noise = torch.empty_like(data.actions).normal_(0, self.target_policy_noise).clamp_(-self.target_noise_clip, self.target_noise_clip)
                next_actions = (self._target_actions(data.next_observations) + noise).clamp_(-1, 1)
                next_values = torch.cat(self._values(self.critic_target, data.next_observations, next_actions), 1).min(1, keepdim=True).values
                discounts = self.gamma if data.discounts is None else data.discounts
                wanted_values = data.rewards + (1 - data.dones) * discounts * next_values
            values = self._values(self.critic, data.observations, data.actions)
            critic_loss = torch.stack([functional.mse_loss(value, wanted_values) for value in values]).sum()
            _step(self.critic.optimizer, critic_loss)
            losses.setdefault("critic_loss", []).append(critic_loss.item())
            if actions is not None:
                actor_loss = -self._values(self.critic, data.observations, actions, 1)[0].mean()
                _step(self.actor.optimizer, actor_loss)
                losses.setdefault("actor_loss", []).append(actor_loss.item())
                self._follow()
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        for name, found in losses.items():
            self.logger.record(f"train/{name}", np.mean(found))

    def _minibatch(self, batch_size: int, improve: bool, losses: dict[str, list[float]]) -> tuple[Any, torch.Tensor | None]:
        """Replayed steps and, where the actor is to improve, its actions on them with their graph."""
        data = self.replay_buffer.sample(batch_size, env=self._vec_normalize_env)  # type: ignore[union-attr]
        return data, self.actor(data.observations) if improve else None

    def _target_actions(self, observations: torch.Tensor) -> torch.Tensor:
        actions: torch.Tensor = self.actor_target(observations)
        return actions

    def _values(self, critic: Any, observations: torch.Tensor, actions: torch.Tensor, critics: int | None = None) -> list[torch.Tensor]:
        """Values [n, 1] by the first `critics` of the critic's networks. As in Stable-Baselines3, a features extractor learns from
        the loss of all critics alone, and not even from that where it is shared with the actor.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and critics is None and not critic.share_features_extractor):
            features = critic.extract_features(observations, critic.features_extractor)
        x = torch.cat([features, actions], 1)
        return [dense(network, x, self.bfloat16, learns=critics is None) for network in critic.q_networks[:critics]]

    @torch.no_grad()
    def _follow(self) -> None:
        """Targets follow what they are targets of; running statistics of batch normalisation are copied."""
        for network, its_target in self._targets():
            for source, target in zip(network.parameters(), its_target.parameters(), strict=True):
                target.lerp_(source, self.tau)
            for source, target in zip(_statistics(network), _statistics(its_target), strict=True):
                target.copy_(source)

    def _targets(self) -> list[tuple[Any, Any]]:
        return [(self.critic, self.critic_target), (self.actor, self.actor_target)]

    def save(self, path: str | Path | io.BufferedIOBase, exclude: Iterable[str] | None = None, include: Iterable[str] | None = None) -> None:
        """The model and, as JSON that needs no pickle, what a reader must know of its neurons. A path is replaced in one step."""
        stream = io.BytesIO()
        super().save(stream, exclude, include)
        add_spiking_facts(stream, self)
        if not isinstance(path, (str, Path)):
            path.write(stream.getbuffer())
            return
        target = Path(path) if Path(path).suffix else Path(path).with_suffix(".zip")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{os.getpid()}-{target.name}")
        temporary.write_bytes(stream.getbuffer())
        os.replace(temporary, target)


class ProxyTargetTD3(SpikingTD3):
    """SpikingTD3 with a proxy for the target actor. `proxy_iterations`: minibatches K per training step."""

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": ProxyTargetPolicy}

    def __init__(self, policy: Any, env: Any, *, proxy_iterations: int = ProxyHyperparameters.iterations, **options: Any) -> None:
        self.proxy_iterations = proxy_iterations
        super().__init__(policy, env, **options)

    def _minibatch(self, batch_size: int, improve: bool, losses: dict[str, list[float]]) -> tuple[Any, torch.Tensor | None]:
        """The last of K minibatches, on all of which the proxy has been fitted. The actor does not change before its own update,
        so its actions on that batch serve the proxy and the actor's loss alike.
        """
        data = self.replay_buffer.sample(batch_size * self.proxy_iterations, env=self._vec_normalize_env)  # type: ignore[union-attr]
        observations = data.observations.split(batch_size)
        with torch.no_grad():
            together = batch_size if _statistics(self.actor) else TEACHERS * batch_size  # batch normalisation sees one minibatch at a time
            early = data.observations[:-batch_size] if improve else data.observations
            taught = [actions for part in early.split(together) if len(part) for actions in self.actor(part).split(batch_size)]
        actions = self.actor(observations[-1]) if improve else None
        taught += [] if actions is None else [actions.detach()]
        for part, wanted in zip(observations, taught, strict=True):
            proxy_loss = functional.mse_loss(self._target_actions(part), wanted)
            _step(self.actor_target.optimizer, proxy_loss)
        losses.setdefault("proxy_loss", []).append(proxy_loss.item())
        last: Any = (None if part is None else part[-batch_size:] for part in data)
        return type(data)(*last), actions

    def _target_actions(self, observations: torch.Tensor) -> torch.Tensor:
        proxy: Any = self.actor_target
        return dense(proxy.mu, proxy.extract_features(observations, proxy.features_extractor), self.bfloat16)

    def _targets(self) -> list[tuple[Any, Any]]:
        return [(self.critic, self.critic_target)]

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        states, variables = super()._get_torch_save_params()
        return [*states, "actor_target.optimizer"], variables


def exploration_noise(space: Any) -> NormalActionNoise:
    """N(0, 0.1) of half the action range, on every channel."""
    width = int(np.prod(space.shape or (1,)))
    return NormalActionNoise(np.zeros(width), np.full(width, EXPLORATION_NOISE))


def _statistics(network: Any) -> list[torch.Tensor]:
    return get_parameters_by_name(network, ["running_"])


def _step(optimiser: Any, loss: torch.Tensor) -> None:
    """One step of an optimiser's own parameters; those of other networks that the loss passes through get no gradient."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"] if parameter.requires_grad]
    optimiser.zero_grad()  # of parameters that were frozen since the last step, too
    for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True):
        if gradient is not None and gradient.layout == torch.strided and gradient.stride() != parameter.stride():
            gradient = torch.empty_like(parameter).copy_(gradient)  # fused optimisers take memory as it lies
        parameter.grad = gradient
    optimiser.step()
