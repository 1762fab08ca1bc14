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
from torch.nn import functional

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


class SpikingTD3(TD3):
    """TD3 whose actor and target actor are spiking networks. Takes TD3's arguments; the paper's values are defaults.

    Without `action_noise`, exploration adds N(0, 0.1) of half the action range. `save` writes a zip that
    `spikeport convert` reads.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": SpikingTD3Policy}

    def __init__(self, policy: Any, env: Any, *, _init_setup_model: bool = True, **options: Any) -> None:
        super().__init__(policy, env, _init_setup_model=False, **PAPER | options)
        self.bfloat16 = bool((self.policy_kwargs or {}).get("bfloat16", False))
        if self.action_noise is None and self.action_space is not None:
            self.action_noise = exploration_noise(self.action_space)
        if _init_setup_model:
            self._setup_model()

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

    def train(self, gradient_steps: int, batch_size: int = BATCH) -> None:
        """The critics' batch is the last of the K proxy batches; the actor does not change before its own update, so its
        actions on that batch serve the proxy and the actor's loss alike."""
        self.policy.set_training_mode(True)
        self._update_learning_rate([self.actor.optimizer, self.critic.optimizer])  # type: ignore[list-item]
        proxy: Any = self.actor_target
        proxy_losses, critic_losses, actor_losses = [], [], []
        for _ in range(gradient_steps):
            self._n_updates += 1
            data = self.replay_buffer.sample(batch_size * self.proxy_iterations, env=self._vec_normalize_env)  # type: ignore[union-attr]
            observations = data.observations.split(batch_size)
            with torch.no_grad():
                taught = [self.actor(part) for part in observations[:-1]]
            with torch.set_grad_enabled(self._n_updates % self.policy_delay == 0):
                actions = self.actor(observations[-1])
            for part, wanted in zip(observations, [*taught, actions.detach()], strict=True):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
                    taken = proxy(part)
                proxy_loss = functional.mse_loss(taken.float(), wanted)
                _step(proxy.optimizer, proxy_loss)
            proxy_losses.append(proxy_loss.item())

            last = slice(-batch_size, None)
            next_observations = data.next_observations[last]
            with torch.no_grad():
                noise = torch.empty_like(data.actions[last]).normal_(0, self.target_policy_noise).clamp_(-self.target_noise_clip, self.target_noise_clip)
                next_actions = (proxy(next_observations) + noise).clamp_(-1, 1)
                next_values = torch.cat(self.critic_target(next_observations, next_actions), 1).min(1, keepdim=True).values
                discounts = self.gamma if data.discounts is None else data.discounts[last]
                wanted_values = data.rewards[last] + (1 - data.dones[last]) * discounts * next_values
            values = self.critic(observations[-1], data.actions[last])
            critic_loss = torch.stack([functional.mse_loss(value, wanted_values) for value in values]).sum()
            _step(self.critic.optimizer, critic_loss)
            critic_losses.append(critic_loss.item())

            if actions.requires_grad:
                actor_loss = -self.critic.q1_forward(observations[-1], actions).mean()
                gradients = torch.autograd.grad(actor_loss, list(self.actor.parameters()))
                for parameter, gradient in zip(self.actor.parameters(), gradients, strict=True):
                    parameter.grad = gradient
                self.actor.optimizer.step()  # type: ignore[union-attr]
                actor_losses.append(actor_loss.item())
                with torch.no_grad():
                    for target, source in zip(self.critic_target.parameters(), self.critic.parameters(), strict=True):
                        target.lerp_(source, self.tau)
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/proxy_loss", np.mean(proxy_losses))
        self.logger.record("train/critic_loss", np.mean(critic_losses))
        if actor_losses:
            self.logger.record("train/actor_loss", np.mean(actor_losses))

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        states, variables = super()._get_torch_save_params()
        return [*states, "actor_target.optimizer"], variables


def exploration_noise(space: Any) -> NormalActionNoise:
    """N(0, 0.1) of half the action range, on every channel."""
    width = int(np.prod(space.shape or (1,)))
    return NormalActionNoise(np.zeros(width), np.full(width, EXPLORATION_NOISE))


def _step(optimiser: Any, loss: torch.Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
