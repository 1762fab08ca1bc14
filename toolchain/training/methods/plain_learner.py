"""The learner for the usual architectures, without autograd's graph and in memory that stays.

These have ReLU critics and proxy on flat observations, on the CPU.
"""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.policies import ContinuousCritic
from stable_baselines3.common.torch_layers import FlattenExtractor
from stable_baselines3.td3.policies import Actor
from torch import Tensor, nn

from spikeport.toolchain.training.layers.adam import SteadyAdam
from spikeport.toolchain.training.layers.dense_stack import DensePasses, hooked, layers
from spikeport.toolchain.training.layers.population_encoder import PopulationEncoder
from spikeport.toolchain.training.layers.spiking_passes import SpikingPasses
from spikeport.toolchain.training.layers.threads import threads
from spikeport.toolchain.training.layers.trainable_network import (
    RateDecoder,
    SpikingLayers,
    SpikingNetwork,
)
from spikeport.toolchain.training.methods.learner import GraphLearner
from spikeport.toolchain.training.methods.policy_classes import SpikingActor

# the modules of an actor besides its linear layers
ACTOR: list[type] = [SpikingNetwork, PopulationEncoder, SpikingLayers, RateDecoder, nn.Conv1d]


class PlainLearner(GraphLearner):
    """A GraphLearner with passes of its own, for minibatches of `rows`.

    Its kernels and torch's products share torch's threads.
    """

    def __init__(self, model: Any, rows: int) -> None:
        super().__init__(model)
        self.rows = rows
        self.threads = threads()
        self.seen = _seen(model)
        products = torch.bfloat16 if model.bfloat16 else torch.float32

        def passes(networks: Any) -> list[DensePasses]:
            return [DensePasses(layers(network), rows, products) for network in networks]

        self.critics = passes(model.critic.q_networks)
        self.targets = passes(model.critic_target.q_networks)
        self.proxy = passes([] if model.proxy is None else [model.proxy.mu])
        self.actor = SpikingPasses(model.actor.mu)
        # observations and actions, side by side
        self.both = torch.empty((rows, self.critics[0].weights[0].shape[1]))
        self.critics_adam = SteadyAdam(
            model.critic.optimizer, _parameters(model.critic.q_networks), _gradients(self.critics)
        )
        self.actor_adam = SteadyAdam(
            model.actor.optimizer, self.actor.parameters, self.actor.gradients
        )
        if model.proxy is not None:
            self.proxy_adam = SteadyAdam(
                model.proxy.optimizer, _parameters([model.proxy.mu]), _gradients(self.proxy)
            )

    def serves(self, rows: int) -> bool:
        """Whether all is as it was when the learner was made.

        That is minibatches, threads, networks, optimisers and parameters.
        """
        return (rows, threads()) == (self.rows, self.threads) and _seen(self.model) == self.seen

    def actions(self, observations: Tensor, improve: bool = False) -> Tensor:
        """Actions [n, act] of the actor, kept for `improve` where that will follow."""
        return self.actor.forward(observations, improve)

    def proxy_actions(self, observations: Tensor) -> Tensor:
        """Actions [n, act] of the proxy."""
        return self.proxy[0].forward(observations).tanh_()

    def fit_proxy(self, observations: Tensor, wanted: Tensor) -> float:
        """Take a step of the proxy towards the actions [n, act] wanted; returns the loss before.

        The gradient of the mean square of tanh(y) - wanted is
        2 (tanh(y) - wanted) (1 - tanh(y)^2) / size.
        """
        actions = self.proxy_actions(observations)
        error = actions - wanted
        self.proxy[0].backward(
            torch.addcmul(error, error, actions.square_(), value=-1).mul_(2 / error.numel())
        )
        self.proxy_adam.step()
        return _square(error) / error.numel()

    def target_values(self, observations: Tensor, actions: Tensor) -> Tensor:
        """The least value [n, 1] that the target critics give."""
        values = [passes.forward(self._beside(observations, actions)) for passes in self.targets]
        for value in values[1:]:
            torch.minimum(values[0], value, out=values[0])
        return values[0]

    def fit_critics(self, observations: Tensor, actions: Tensor, wanted: Tensor) -> float:
        """Take a step of the critics towards wanted [n, 1]; returns their losses before, summed."""
        x = self._beside(observations, actions)
        losses = 0.0
        for passes in self.critics:
            error = passes.forward(x) - wanted
            losses += _square(error) / self.rows
            passes.backward(error.mul_(2 / self.rows))
        self.critics_adam.step()
        return losses

    def improve(self, observations: Tensor, actions: Tensor) -> float:
        """Take a step of the actor up the first critic; returns the loss before."""
        values = self.critics[0].forward(self._beside(observations, actions))
        loss = -float(values.sum()) / self.rows
        d_x = self.critics[0].backward(values.fill_(-1 / self.rows), learns=False, inputs=True)
        assert d_x is not None
        self.actor.backward(d_x[:, -actions.shape[1] :])
        self.actor_adam.step()
        return loss

    def _beside(self, observations: Tensor, actions: Tensor) -> Tensor:
        self.both[:, : observations.shape[1]] = observations
        self.both[:, observations.shape[1] :] = actions
        return self.both


def plain_learner(model: Any, rows: int) -> PlainLearner | None:
    """Make a learner for the model; None where its architecture needs autograd's graph."""
    proxy = model.proxy
    networks = _networks(model)
    if (
        model.device.type != "cpu"
        or type(model.observation_space) is not spaces.Box
        or len(model.observation_space.shape) != 1
    ):
        return None
    whole = [
        (model.actor, SpikingActor),
        (model.critic, ContinuousCritic),
        (model.critic_target, ContinuousCritic),
    ]
    whole += [(proxy, Actor)] if proxy is not None else []
    if not all(
        type(part) is kind and type(part.features_extractor) is FlattenExtractor
        for part, kind in whole
    ):
        return None
    critics = [*model.critic.q_networks, *model.critic_target.q_networks]
    ends = [
        *((network, nn.Linear) for network in critics),
        *([(proxy.mu, nn.Tanh)] if proxy is not None else []),
    ]
    if not all(
        layers(network) and type(network[-1]) is end and not hooked(network[-1])
        for network, end in ends
    ):
        return None
    its = model.actor.mu
    if [
        type(part) for part in its.modules() if not isinstance(part, (nn.Linear, nn.ModuleList))
    ] != ACTOR or any(map(hooked, its.modules())):
        return None
    if any(
        type(part) is not nn.Linear or part.bias is None
        for part in its.modules()
        if isinstance(part, nn.Linear)
    ):
        return None
    fixed = set(model.critic_target.parameters())
    for parameter in (parameter for network in networks for parameter in network.parameters()):
        steady = (
            parameter.dtype == torch.float32
            and parameter.is_contiguous()
            and not parameter._backward_hooks
        )
        if not steady or not (parameter.requires_grad or parameter in fixed):
            return None
    return PlainLearner(model, rows)


def _networks(model: Any) -> list[Any]:
    """The networks of critics, their targets, actor and, if there is one, proxy."""
    proxy = [] if model.proxy is None else [model.proxy.mu]
    return [*model.critic.q_networks, *model.critic_target.q_networks, model.actor.mu, *proxy]


def _optimisers(model: Any) -> list[Any]:
    return [part.optimizer for part in (model.critic, model.actor, model.proxy) if part is not None]


def _seen(model: Any) -> list[Any]:
    """What a learner is made for.

    These are modules, parameters, optimisers, and whether any of them does more than its class.
    """
    networks = _networks(model)
    modules = [
        (id(module), type(module), hooked(module))
        for network in networks
        for module in network.modules()
    ]
    parameters = [
        (part.data_ptr(), part.requires_grad, bool(part._backward_hooks))
        for network in networks
        for part in network.parameters()
    ]
    return [
        modules,
        parameters,
        [id(optimiser) for optimiser in _optimisers(model)],
        model.bfloat16,
    ]


def _parameters(networks: Any) -> list[Tensor]:
    return [parameter for network in networks for parameter in layers(network)]


def _gradients(passes: list[DensePasses]) -> list[Tensor]:
    return [gradient for its in passes for gradient in its.gradients]


def _square(error: Tensor) -> float:
    flat = error.flatten()
    return float(torch.dot(flat, flat))
