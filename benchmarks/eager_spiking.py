"""The plain formulation of proxy-target training.

Every timestep has its own products, and autograd goes through every operation. It is the oracle of
tests/training/test_training_network.py and the baseline of benchmarks/training.py, and uses nothing
of toolchain/training.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Spike(torch.autograd.Function):
    """The spike [v > 0.5], with the given derivative."""

    @staticmethod
    def forward(ctx, v: Tensor, derivative: Callable[[Tensor], Tensor]) -> Tensor:  # noqa: ANN001
        ctx.save_for_backward(v)
        ctx.derivative = derivative
        return (v > 0.5).to(v.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN001
        return gradient * ctx.derivative(ctx.saved_tensors[0] - 0.5), None


class StraightSpike(torch.autograd.Function):
    """The encoder's spike [v > 0.999], with derivative 1."""

    @staticmethod
    def forward(ctx, v: Tensor, activation: Tensor) -> Tensor:  # noqa: ANN001
        return (v > 0.999).to(v.dtype)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[None, Tensor]:  # noqa: ANN001
        return None, gradient


def rectangle(x: Tensor) -> Tensor:
    """The paper's surrogate derivative at x = v - 0.5."""
    return (x.abs() < 0.5).to(x.dtype)


def eager_actions(
    parameters: dict[str, Tensor],
    observations: Tensor,
    neuron: str = "lif",
    timesteps: int = 5,
    derivative: Callable[[Tensor], Tensor] = rectangle,
) -> Tensor:
    """Actions [n, act] of the network whose parameters carry the published names."""
    z = torch.tanh(observations)
    activation = torch.exp(
        -0.5 * (z[:, :, None] - parameters["encoder.mean"]) ** 2 / parameters["encoder.std"] ** 2
    ).flatten(1)
    hidden = sum(name.startswith("snn.hidden_layers") for name in parameters) // 2
    names = [f"snn.hidden_layers.{index}" for index in range(hidden)] + ["snn.out_pop_layer"]
    encoder = torch.zeros_like(activation)
    states: list[list[Tensor]] = []
    for name in names:
        zero = torch.zeros(
            len(observations), len(parameters[f"{name}.bias"]), dtype=observations.dtype
        )
        states.append([zero, zero, zero, zero])
    counts = torch.zeros_like(states[-1][0])
    for _ in range(timesteps):
        encoder = encoder.detach() + activation.detach()
        spikes = StraightSpike.apply(encoder, activation)
        encoder = encoder - 0.999 * spikes.detach()
        for index, name in enumerate(names):
            current, v, u, s = states[index]
            drive = torch.nn.functional.linear(
                spikes, parameters[f"{name}.weight"], parameters[f"{name}.bias"]
            )
            if neuron != "lif":
                drive = current = 0.5 * current + drive
            if neuron == "dn":
                v = v * (1 - s) + 0.021 * s
                u = u + 0.132 * s
                v, u = v + (v * v - v - u + drive), u + (-0.172 * v + 0.529 * u)
            else:
                v = v * 0.75 * (1 - s) + drive
            spikes = Spike.apply(v, derivative)
            states[index] = [current, v, u, spikes]
        counts = counts + spikes
    weight = parameters["decoder.decoder.weight"]
    rates = (counts / timesteps).view(len(observations), len(weight), -1)
    return torch.tanh(rates.mul(weight[:, 0]).sum(2) + parameters["decoder.decoder.bias"])


def mlp(widths: tuple[int, ...], squash: bool) -> nn.Sequential:
    """A ReLU network, with tanh at its end if it is to `squash`."""
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(before, after), nn.ReLU()]
    layers[-1] = nn.Tanh() if squash else nn.Identity()
    return nn.Sequential(*layers)


class EagerProxyTarget:
    """Takes one proxy-target training step after another, on minibatches that are given."""

    def __init__(
        self,
        features: int,
        actions: int,
        parameters: dict[str, Tensor],
        neuron: str,
        proxy: tuple[int, ...],
        proxy_rate: float,
    ) -> None:
        self.neuron = neuron
        self.updates = 0
        self.actor = {
            name: value.detach().clone().requires_grad_() for name, value in parameters.items()
        }
        self.proxy = mlp((features, *proxy, actions), True)
        self.critics = [mlp((features + actions, 256, 256, 1), False) for _ in range(2)]
        self.targets = [mlp((features + actions, 256, 256, 1), False) for _ in range(2)]
        for critic, target in zip(self.critics, self.targets, strict=True):
            target.load_state_dict(critic.state_dict())
        self.optimisers = [
            torch.optim.Adam(list(group), lr=rate)
            for group, rate in (
                (self.actor.values(), 3e-4),
                ([p for critic in self.critics for p in critic.parameters()], 3e-4),
                (self.proxy.parameters(), proxy_rate),
            )
        ]

    def step(self, batches: list[tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]) -> None:
        """Take a step on one minibatch per proxy iteration.

        A minibatch is observations, actions, next observations, rewards [n, 1] and dones [n, 1].
        """
        actor, critic, proxy = self.optimisers
        self.updates += 1
        for observations, *_ in batches:
            loss = nn.functional.mse_loss(
                self.proxy(observations),
                eager_actions(self.actor, observations, self.neuron).detach(),
            )
            proxy.zero_grad()
            loss.backward()
            proxy.step()
        observations, actions, after, rewards, dones = batches[-1]
        with torch.no_grad():
            noise = (torch.randn_like(actions) * 0.2).clamp(-0.5, 0.5)
            chosen = (self.proxy(after) + noise).clamp(-1, 1)
            values = (
                torch.cat([target(torch.cat([after, chosen], 1)) for target in self.targets], 1)
                .min(1, keepdim=True)
                .values
            )
            wanted = rewards + 0.99 * (1 - dones) * values
        loss = sum(
            nn.functional.mse_loss(q(torch.cat([observations, actions], 1)), wanted)
            for q in self.critics
        )
        critic.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        critic.step()
        if self.updates % 2 == 0:
            loss = -self.critics[0](
                torch.cat([observations, eager_actions(self.actor, observations, self.neuron)], 1)
            ).mean()
            actor.zero_grad()
            loss.backward()
            actor.step()
            with torch.no_grad():
                for q, target in zip(self.critics, self.targets, strict=True):
                    for ours, theirs in zip(q.parameters(), target.parameters(), strict=True):
                        theirs.mul_(0.995).add_(ours, alpha=0.005)
