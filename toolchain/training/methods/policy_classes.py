"""Policies of Stable-Baselines3 with a spiking actor: its target is a copy, or a proxy."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.preprocessing import get_action_dim
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, CombinedExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from stable_baselines3.td3.policies import Actor, TD3Policy
from torch import Tensor, nn

from spikeport.toolchain.training.layers.surrogates import PAPER
from spikeport.toolchain.training.layers.trainable_network import (
    POPULATION,
    TIMESTEPS,
    SpikingNetwork,
)
from spikeport.toolchain.training.methods.hyperparameters import HIDDEN, proxy_hyperparameters

NETWORK: dict[str, Any] = {  # what a policy's options say of the actor, and the defaults
    "neuron": "lif",
    "timesteps": TIMESTEPS,
    "population": POPULATION,
    "surrogate": PAPER,
}
FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.Adagrad)


class SpikingActor(BasePolicy):
    """A spiking network as a TD3 actor: observations [n, obs] -> actions [n, act] in (-1, 1)."""

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        net_arch: list[int],
        features_extractor: nn.Module,
        features_dim: int,
        network: dict[str, Any],
        normalize_images: bool = True,
    ) -> None:
        super().__init__(
            observation_space,
            action_space,
            features_extractor=features_extractor,
            normalize_images=normalize_images,
            squash_output=True,
        )
        self.net_arch = net_arch
        self.features_dim = features_dim
        self.network = network
        self.mu = SpikingNetwork(features_dim, get_action_dim(action_space), net_arch, **network)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {
            name: getattr(self, name)
            for name in ("net_arch", "features_extractor", "features_dim", "network")
        }
        return super()._get_constructor_parameters() | own

    def forward(self, obs: PyTorchObs) -> Tensor:
        """Actions [n, act] in (-1, 1)."""
        features = self.extract_features(obs, self.features_extractor)  # type: ignore[arg-type]
        return self.mu(features)

    def _predict(self, observation: PyTorchObs, deterministic: bool = False) -> Tensor:
        return self(observation)


class SpikingTD3Policy(TD3Policy):
    """TD3's policy with spiking actor and target, for observations with fields, too."""

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        bfloat16: bool = False,
        **options: Any,
    ) -> None:
        """Build actor and critics.

        Args:
            observation_space: As in Stable-Baselines3.
            action_space: Its bounds are finite.
            lr_schedule: Learning rate of actor and critics.
            net_arch: Widths of hidden layers; the paper's if None.
            bfloat16: Whether products between hidden layers of critics and proxy are in bfloat16.
            options: `neuron`, `timesteps`, `population` and `surrogate` of the actor, and what
                TD3Policy takes.
        """
        self.network = {name: options.pop(name, default) for name, default in NETWORK.items()}
        self.narrow = bfloat16
        if isinstance(observation_space, spaces.Dict):
            options.setdefault("features_extractor_class", CombinedExtractor)
        if options.get("optimizer_class", torch.optim.Adam) in FUSED:
            options.setdefault("optimizer_kwargs", {"fused": True})
        super().__init__(
            observation_space,
            action_space,
            lr_schedule,
            list(HIDDEN) if net_arch is None else net_arch,
            **options,
        )

    def make_actor(self, features_extractor: BaseFeaturesExtractor | None = None) -> Any:
        """Make the spiking actor and, where the base class asks once more, its target."""
        options = self._update_features_extractor(self.actor_kwargs, features_extractor)
        options.pop("activation_fn")
        return SpikingActor(**options, network=self.network).to(self.device)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | self.network | {"bfloat16": self.narrow}


class ProxyTargetPolicy(SpikingTD3Policy):
    """SpikingTD3Policy whose `actor_target` is a ReLU network on raw observations.

    The network starts at random and has an optimiser.
    """

    def __init__(
        self,
        observation_space: spaces.Space,
        action_space: spaces.Box,
        lr_schedule: Schedule,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        proxy_arch: list[int] | None = None,
        proxy_learning_rate: float | None = None,
        **options: Any,
    ) -> None:
        """Build actor, critics and proxy.

        Args:
            observation_space: As in Stable-Baselines3.
            action_space: Its bounds are finite.
            lr_schedule: Learning rate of actor and critics.
            net_arch: Widths of hidden layers of actor and critics; the paper's if None.
            proxy_arch: Widths of the proxy's hidden layers; the paper's for the neuron if None.
            proxy_learning_rate: Likewise.
            options: What SpikingTD3Policy takes.
        """
        paper = proxy_hyperparameters(options.get("neuron", NETWORK["neuron"]))
        self.proxy_arch = list(paper.hidden) if proxy_arch is None else proxy_arch
        if proxy_learning_rate is None:
            proxy_learning_rate = paper.learning_rate
        self.proxy_learning_rate = proxy_learning_rate
        super().__init__(observation_space, action_space, lr_schedule, net_arch, **options)

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        options: dict[str, Any] = self._update_features_extractor(self.actor_kwargs, None)
        self.actor_target: Any = Actor(**{**options, "net_arch": self.proxy_arch}).to(self.device)
        self.actor_target.optimizer = torch.optim.Adam(
            self.actor_target.parameters(), lr=self.proxy_learning_rate, fused=True
        )
        self.actor_target.set_training_mode(False)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return super()._get_constructor_parameters() | {
            "proxy_arch": self.proxy_arch,
            "proxy_learning_rate": self.proxy_learning_rate,
        }
