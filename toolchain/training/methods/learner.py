"""One training step's parts: what the networks of a model answer, and how each of them learns.

Here by autograd's graph, for any architecture.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from spikeport.toolchain.training.layers.dense_stack import dense


class GraphLearner:
    """The parts for a model's critics, actor and, where its target is a proxy, that one.

    The model is a TD3 of Stable-Baselines3.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def actions(self, observations: Tensor, improve: bool = False) -> Tensor:
        """Actions [n, act] of the actor, kept for `improve` where that will follow."""
        with torch.set_grad_enabled(improve):
            found: Tensor = self.model.actor(observations)
        return found

    def proxy_actions(self, observations: Tensor) -> Tensor:
        """Actions [n, act] of the proxy."""
        proxy = self.model.actor_target
        return dense(
            proxy.mu,
            proxy.extract_features(observations, proxy.features_extractor),
            self.model.bfloat16,
        )

    def fit_proxy(self, observations: Tensor, wanted: Tensor) -> float:
        """Take a step of the proxy towards the actions [n, act] wanted; returns the loss before."""
        loss = functional.mse_loss(self.proxy_actions(observations), wanted)
        step(self.model.actor_target.optimizer, loss)
        return loss.item()

    @torch.no_grad()
    def target_values(self, observations: Tensor, actions: Tensor) -> Tensor:
        """The least value [n, 1] that the target critics give."""
        return (
            torch.cat(self.values(self.model.critic_target, observations, actions), 1)
            .min(1, keepdim=True)
            .values
        )

    def fit_critics(self, observations: Tensor, actions: Tensor, wanted: Tensor) -> float:
        """Take a step of the critics towards the values [n, 1] wanted.

        Returns the sum of their losses before it.
        """
        values = self.values(self.model.critic, observations, actions)
        loss = torch.stack([functional.mse_loss(value, wanted) for value in values]).sum()
        step(self.model.critic.optimizer, loss)
        return loss.item()

    def improve(self, observations: Tensor, actions: Tensor) -> float:
        """Take a step of the actor, which gave these actions last, up the first critic.

        Returns the loss before it.
        """
        loss = -self.values(self.model.critic, observations, actions, 1)[0].mean()
        step(self.model.actor.optimizer, loss)
        return loss.item()

    def values(
        self, critic: Any, observations: Tensor, actions: Tensor, critics: int | None = None
    ) -> list[Tensor]:
        """Values [n, 1] by the first `critics` of the critic's networks.

        As in Stable-Baselines3, a features extractor learns from the loss of all critics alone, and
        not even from that where it is shared with the actor.
        """
        with torch.set_grad_enabled(
            torch.is_grad_enabled() and critics is None and not critic.share_features_extractor
        ):
            features = critic.extract_features(observations, critic.features_extractor)
        x = torch.cat([features, actions], 1)
        return [
            dense(network, x, self.model.bfloat16, learns=critics is None)
            for network in critic.q_networks[:critics]
        ]


def step(optimiser: Any, loss: Tensor) -> None:
    """Take a step of an optimiser's own parameters down a loss.

    Those of other networks that the loss passes through get no gradient.
    """
    parameters = [
        parameter
        for group in optimiser.param_groups
        for parameter in group["params"]
        if parameter.requires_grad
    ]
    optimiser.zero_grad()  # of parameters that were frozen since the last step, too
    if not parameters:
        return
    for parameter, found in zip(
        parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True
    ):
        if (
            found is not None
            and found.layout == torch.strided
            and found.stride() != parameter.stride()
        ):
            # fused optimisers take memory as it lies
            found = torch.empty_like(parameter).copy_(found)
        parameter.grad = found
    optimiser.step()
