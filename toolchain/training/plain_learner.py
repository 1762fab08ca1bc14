"""The learner for what most train: ReLU critics and proxy on flat observations on the CPU, without autograd's graph and in memory that stays."""

from __future__ import annotations

import operator
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.td3.policies import Actor
from torch import Tensor, nn

from toolchain.training.adam import SteadyAdam
from toolchain.training.dense_stack import DensePasses, layers
from toolchain.training.learner import GraphLearner
from toolchain.training.policy_classes import SpikingActor
from toolchain.training.spiking_passes import SpikingPasses


class PlainLearner(GraphLearner):
    """GraphLearner with critics and proxy forward and back by DensePasses, for batches of `rows`. What it returns, its next call overwrites."""

    def __init__(self, model: Any, rows: int) -> None:
        super().__init__(model)
        self.rows, self.networks = rows, _networks(model)
        self.places = _places(_every(model, self.networks))
        products = torch.bfloat16 if model.bfloat16 else torch.float32
        passes = [DensePasses(layers(network), rows, products) for network in self.networks]
        critics = len(model.critic.q_networks)
        self.critics, self.targets, self.proxy = passes[:critics], passes[critics : 2 * critics], passes[2 * critics :]
        self.optimisers, self.actor = _optimisers(model), SpikingPasses(model.actor.mu)
        self.actor_adam = SteadyAdam(model.actor.optimizer, self.actor.parameters, self.actor.gradients)
        learning = [slice(0, critics), slice(2 * critics, None)]
        self.adams = [
            SteadyAdam(optimiser, *_pairs(self.networks[part], passes[part])) for optimiser, part in zip(self.optimisers[:-1], learning, strict=False)
        ]
        width = self.critics[0].weights[0].shape[1]
        self.both, self.here, self.wanted = torch.empty((rows, width)), torch.empty((rows, width)), torch.empty((rows, 1))

    def serves(self, rows: int) -> bool:
        """Whether batches, networks and parameters are still those that it was made for."""
        networks = _networks(self.model)
        same = networks == self.networks and all(map(operator.is_, _optimisers(self.model), self.optimisers))
        return rows == self.rows and same and _places(_every(self.model, networks)) == self.places

    def actions(self, observations: Tensor, improve: bool = False) -> Tensor:
        return self.actor.forward(observations.float(), improve)

    def proxy_actions(self, observations: Tensor) -> Tensor:
        return self.proxy[0].forward(observations.float()).tanh_()

    def fit_proxy(self, observations: Tensor, wanted: Tensor) -> float:
        """The gradient of the mean square of tanh(y) - wanted is 2 (tanh(y) - wanted) (1 - tanh(y)^2) / size."""
        actions = self.proxy_actions(observations)
        error = actions - wanted
        self.proxy[0].backward(torch.addcmul(error, error, actions.square_(), value=-1).mul_(2 / error.numel()))
        self.adams[1].step()
        return _mean_square(error)

    def target_values(self, observations: Tensor, actions: Tensor) -> Tensor:
        values = [passes.forward(_beside(observations, actions, self.both)) for passes in self.targets]
        for value in values[1:]:
            torch.minimum(values[0], value, out=values[0])
        return values[0]

    def fit_critics(self, observations: Tensor, actions: Tensor, wanted: Tensor) -> float:
        x, losses = _beside(observations, actions, self.here), 0.0
        for passes in self.critics:
            error = passes.forward(x) - wanted
            losses += _mean_square(error)
            passes.backward(error.mul_(2 / len(error)))
        self.adams[0].step()
        return losses

    def improve(self, observations: Tensor, actions: Tensor) -> float:
        first = self.critics[0]
        loss = -first.forward(_beside(observations, actions, self.here)).mean().item()
        d_x = first.backward(self.wanted.fill_(-1 / self.rows), learns=False, inputs=True)
        assert d_x is not None
        self.actor.backward(d_x[:, -actions.shape[1] :])
        self.actor_adam.step()
        return loss


def plain_learner(model: Any, rows: int) -> PlainLearner | None:
    """A learner for the model, or None where it has an architecture that autograd's graph must serve."""
    proxy = model.proxy
    if model.device.type != "cpu" or type(model.observation_space) is not spaces.Box or len(model.observation_space.shape) != 1:
        return None
    whole = [(model.actor, SpikingActor), (model.critic, ContinuousCritic), (model.critic_target, ContinuousCritic)]
    whole += [(proxy, Actor)] if proxy is not None else []
    if not all(type(part) is kind and type(part.features_extractor) is FlattenExtractor for part, kind in whole):
        return None
    if proxy is not None and type(proxy.mu[-1]) is not nn.Tanh:
        return None
    networks = _networks(model)
    critics = networks[:-1] if proxy is not None else networks
    if not all(layers(network) for network in networks) or not all(isinstance(network[-1], nn.Linear) for network in critics):
        return None
    every = [*model.actor.parameters(), *(parameter for network in networks for parameter in layers(network))]
    if not all(parameter.dtype == torch.float32 and parameter.is_contiguous() and not parameter._backward_hooks for parameter in every):
        return None
    learning = [*model.actor.parameters(), *model.critic.parameters(), *(proxy.parameters() if proxy is not None else [])]
    return PlainLearner(model, rows) if all(parameter.requires_grad for parameter in learning) else None


def _networks(model: Any) -> list[Any]:
    """The critics', their targets', and the proxy's."""
    return [*model.critic.q_networks, *model.critic_target.q_networks, *([model.proxy.mu] if model.proxy is not None else [])]


def _every(model: Any, networks: list[Any]) -> list[Any]:
    """With the actor's."""
    return [*networks, model.actor.mu]


def _places(networks: list[Any]) -> list[tuple[int, bool]]:
    return [(parameter.data_ptr(), parameter.requires_grad) for network in networks for parameter in network.parameters()]


def _optimisers(model: Any) -> list[Any]:
    """The critics', the proxy's if there is one, and the actor's."""
    return [model.critic.optimizer, *([model.proxy.optimizer] if model.proxy is not None else []), model.actor.optimizer]


def _pairs(networks: list[Any], passes: list[DensePasses]) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters and where their gradients will be."""
    return [part for network in networks for part in layers(network)], [part for its in passes for part in its.gradients]


def _beside(observations: Tensor, actions: Tensor, both: Tensor) -> Tensor:
    both[:, : observations.shape[1]] = observations
    both[:, observations.shape[1] :] = actions
    return both


def _mean_square(error: Tensor) -> float:
    return (torch.dot(error.flatten(), error.flatten()) / error.numel()).item()
