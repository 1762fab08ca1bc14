"""A training step of ours is the plain formulation's, and the study's tables say what its files
hold.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.td3.policies import TD3Policy

from benchmarks.eager_spiking import mlp
from benchmarks.training import BATCH, FEATURES, ITERATIONS, ROWS, Shapes, fill, measure, models
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.training.layers.dense_stack import dense
from spikeport.toolchain.training.layers.surrogates import Arctan
from spikeport.toolchain.training.methods import proxy_target as proxy_target_method
from spikeport.toolchain.training.methods.learner import step as step_by_graph
from spikeport.toolchain.training.methods.policy_classes import SpikingTD3Policy
from spikeport.toolchain.training.methods.proxy_target import ProxyTargetTD3
from spikeport.toolchain.training.methods.spiking_td3 import SpikingTD3


@pytest.mark.parametrize("neuron", ["lif", "dn"])
def test_two_steps_change_every_network_as_the_plain_ones_do(neuron: str) -> None:
    """Same minibatches, same noise: one step without and one with the actor's update."""
    ours, eager = models(neuron, False)
    with torch.no_grad():
        for (name, parameter), mine in zip(
            ours.actor.mu.named_parameters(), eager.actor.values(), strict=True
        ):
            if name.startswith("snn"):
                mine.copy_(parameter.mul_(2.0))  # every layer spikes
    eager.proxy.load_state_dict(ours.actor_target.mu.state_dict())
    for network, critics in ((ours.critic, eager.critics), (ours.critic_target, eager.targets)):
        for theirs, plain in zip(network.q_networks, critics, strict=True):
            plain.load_state_dict(theirs.state_dict())
    started = torch.cat([value.flatten() for value in eager.actor.values()]).detach().clone()
    for step in range(2):
        np.random.seed(step)
        torch.manual_seed(step)
        ours.train(1, BATCH)
        np.random.seed(step)
        torch.manual_seed(step)
        sample = ours.replay_buffer.sample(BATCH * ITERATIONS)  # type: ignore[union-attr]
        parts = [
            part.float().split(BATCH)
            for part in (
                sample.observations,
                sample.actions,
                sample.next_observations,
                sample.rewards,
                sample.dones,
            )
        ]
        eager.step(list(zip(*parts, strict=True)))
    pairs = {
        "actor": (ours.actor.mu.parameters(), eager.actor.values()),
        "proxy": (ours.actor_target.parameters(), eager.proxy.parameters()),
        "critics": (ours.critic.parameters(), [p for q in eager.critics for p in q.parameters()]),
        "targets": (
            ours.critic_target.parameters(),
            [p for q in eager.targets for p in q.parameters()],
        ),
    }
    for name, (mine, plain) in pairs.items():
        first, second = (
            torch.cat([value.detach().flatten() for value in values]) for values in (mine, plain)
        )
        # Adam divides a gradient by its own size, so one that rounds to zero here may be a small
        # step there.
        assert ((first - second).abs() < 1e-6).float().mean() > 0.99, name
    assert (
        torch.cat([value.detach().flatten() for value in eager.actor.values()]) != started
    ).float().mean() > 0.5


class Extractor(BaseFeaturesExtractor):
    """Learns, has running statistics, a gradient that is not contiguous and a parameter that
    nothing uses.
    """

    def __init__(self, space: gymnasium.spaces.Box) -> None:
        super().__init__(space, 9)
        self.weight, self.idle = (
            torch.nn.Parameter(0.1 * torch.randn(9, FEATURES)),
            torch.nn.Parameter(torch.ones(3)),
        )
        self.normal = torch.nn.BatchNorm1d(9)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return self.normal(torch.einsum("ni,oi->no", observations, self.weight))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"features_extractor_class": Extractor},
        {"features_extractor_class": Extractor, "share_features_extractor": True},
        {"activation_fn": torch.nn.Tanh, "n_critics": 3},
        {"optimizer_class": torch.optim.RMSprop},
    ],
    ids=["default", "extractor", "shared extractor", "tanh critics", "other optimiser"],
)
def test_a_plain_spiking_step_is_that_of_stable_baselines3(options: dict[str, object]) -> None:
    """Same minibatches, same noise, four steps:

    SpikingTD3's own loop and the one that it replaces.
    """
    found = []
    for train in (SpikingTD3.train, TD3.train):
        torch.manual_seed(0)
        model = SpikingTD3(
            "MlpPolicy",
            Shapes(),
            device="cpu",
            buffer_size=ROWS,
            policy_kwargs={"net_arch": [32, 32]} | options,
        )
        model.actor.mu.encoder.mean.requires_grad_(False)
        model.set_logger(Logger(None, []))
        fill(model)
        np.random.seed(1)
        train(model, 4, BATCH)
        found.append(
            {name: value.detach().clone() for name, value in model.policy.state_dict().items()}
        )
    assert found[0].keys() == found[1].keys() and any(
        name.startswith("actor_target.mu.snn") for name in found[0]
    )
    for name, value in found[0].items():
        assert ((value - found[1][name]).abs() < 1e-6).float().mean() > 0.99, name


def test_a_parameter_that_is_frozen_later_stays_where_it_is() -> None:
    model, _ = models("lif", False)
    network: Any = model.actor.mu
    model.train(2, 32)
    frozen = network.encoder.mean.requires_grad_(False)
    learning = network.encoder.std
    before = frozen.clone()
    other = learning.clone()
    model.train(2, 32)
    assert torch.equal(frozen, before) and not torch.equal(learning, other)


@pytest.mark.parametrize("optimiser", [{"fused": True}, {"foreach": True}, {}], ids=str)
def test_a_parameter_may_lie_transposed(optimiser: dict[str, bool]) -> None:
    """Fused optimisers take memory as it lies, so a gradient must lie as its parameter does."""
    found = []
    for transposed in (False, True):
        weight = torch.arange(6.0).view(2, 3)
        parameter = torch.nn.Parameter(
            weight.t().contiguous().t() if transposed else weight.clone()
        )
        adam = torch.optim.Adam([parameter], lr=0.1, **optimiser)  # type: ignore[arg-type]
        for _ in range(3):
            step_by_graph(
                adam,
                (parameter * torch.tensor([[1.0, 2.0, 3.0], [-1.0, -2.0, -30.0]])).pow(2).sum(),
            )
        found.append(parameter.detach())
    torch.testing.assert_close(found[0], found[1])


def test_a_sparse_gradient_stays_sparse() -> None:
    table = torch.nn.Embedding(5, 2, sparse=True)
    before = table.weight.detach().clone()
    step_by_graph(torch.optim.SGD(table.parameters(), lr=1.0), table(torch.tensor([1])).sum())
    torch.testing.assert_close(
        before - table.weight.detach(), torch.tensor([[0.0, 0.0], [1.0, 1.0], *[[0.0, 0.0]] * 3])
    )


@pytest.mark.parametrize(
    ("iterations", "extractor"),
    [(1, None), (6, None), (6, Extractor)],
    ids=["one", "six", "six with batch normalisation"],
)
def test_teachers_that_run_together_are_those_that_run_alone(
    iterations: int, extractor: type | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for together in (1, proxy_target_method.TEACHERS):
        monkeypatch.setattr(proxy_target_method, "TEACHERS", together)
        torch.manual_seed(0)
        np.random.seed(0)
        shape = {"net_arch": [16], "proxy_arch": [16]} | (
            {} if extractor is None else {"features_extractor_class": extractor}
        )
        model = ProxyTargetTD3(
            "MlpPolicy",
            Shapes(),
            device="cpu",
            buffer_size=ROWS,
            policy_kwargs=shape,
            proxy_iterations=iterations,
        )
        model.set_logger(Logger(None, []))
        fill(model)
        model.train(2, 16)
        found.append(
            {name: value.detach().clone() for name, value in model.policy.state_dict().items()}
        )
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], msg=name)


class NamedShapes(Shapes):
    """The same numbers in two fields."""

    observation_space: Any = gymnasium.spaces.Dict(
        {
            name: gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float64)
            for name, size in (("a", 10), ("b", 7))
        }
    )


def test_observations_may_have_fields() -> None:
    """The proxy learns from each of them; no field's rows are mixed with another's."""
    found = []
    for environment in (Shapes(), NamedShapes()):
        torch.manual_seed(0)
        if isinstance(environment.observation_space, gymnasium.spaces.Box):
            policy = "MlpPolicy"
        else:
            policy = "MultiInputPolicy"
        model = ProxyTargetTD3(
            policy,
            environment,
            device="cpu",
            buffer_size=ROWS,
            policy_kwargs={"net_arch": [16], "proxy_arch": [16]},
        )
        model.set_logger(Logger(None, []))
        buffer: Any = model.replay_buffer
        generator = np.random.default_rng(0)
        for which in ("observations", "next_observations"):
            numbers = generator.normal(size=(ROWS, 1, FEATURES))
            held = getattr(buffer, which)
            for target, given in (
                zip(held.values(), (numbers[:, :, :10], numbers[:, :, 10:]), strict=True)
                if isinstance(held, dict)
                else [(held, numbers)]
            ):
                target[:] = given
        buffer.actions[:] = generator.uniform(-1, 1, buffer.actions.shape)
        buffer.rewards[:] = 1.0
        buffer.full = True
        np.random.seed(0)
        torch.manual_seed(1)
        model.train(4, 32)
        found.append(
            {name: value.detach().clone() for name, value in model.policy.state_dict().items()}
        )
    for name, value in found[0].items():
        assert ((value - found[1][name]).abs() < 1e-6).float().mean() > 0.99, name


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_dense_stack_is_its_modules(bfloat16: bool) -> None:
    """Outputs and gradients of weights and inputs; in bfloat16 to its rounding.

    What is no stack of linear layers and ReLU runs as it is.
    """
    torch.manual_seed(2)
    network = mlp((9, 300, 200, 3), squash=True)
    found = []
    for run in (lambda x: dense(network, x, bfloat16), network):
        x = torch.randn(64, 9, generator=torch.Generator().manual_seed(1)).requires_grad_()
        y = run(x)
        found.append([y, *torch.autograd.grad((y**2).sum(), [x, *network.parameters()])])
    for mine, plain in zip(*found, strict=True):
        assert mine.dtype == torch.float32 and (
            (mine - plain).norm() < (0.05 if bfloat16 else 1e-5) * plain.norm()
        )
    assert bool((found[0][0] - found[1][0]).norm() > 1e-4 * found[1][0].norm()) is bfloat16
    other = torch.nn.Sequential(torch.nn.Linear(9, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))
    assert torch.equal(dense(other, x), other(x))


def test_the_benchmark_measures_both() -> None:
    found = measure(8)
    assert (
        found["eager_ms"] > 0
        and found["fused_ms"] > 0
        and found["ratio_low"] <= found["ratio"] <= found["ratio_high"]
    )


@pytest.mark.parametrize(
    ("policy", "options", "said"),
    [
        (
            TD3Policy,
            {},
            (
                r"ProxyTargetTD3: the policy has no spiking actor .*limit ProxyTargetPolicy\). Fix:"
                r" policy MlpPolicy or MultiInputPolicy"
            ),
        ),
        (
            SpikingTD3Policy,
            {},
            "ProxyTargetTD3: the policy has no spiking actor as this algorithm trains it",
        ),
        (
            "MlpPolicy",
            {"proxy_iterations": 0},
            (
                "ProxyTargetTD3: proxy_iterations is not a number of minibatches .got 0, limit a"
                " whole number, at least 1"
            ),
        ),
        (
            "MlpPolicy",
            {"policy_kwargs": {"neuron": "izh"}},
            "spiking network: unknown neuron .got izh, limit lif, clif, dn",
        ),
        (
            "MlpPolicy",
            {"policy_kwargs": {"surrogate": "arctan"}},
            "surrogate is 'arctan', an instance such as Arctan",
        ),
        (
            "MlpPolicy",
            {"policy_kwargs": {"surrogate": Arctan}},
            "surrogate is <class .*Arctan'>, an instance such as Arctan",
        ),
        (
            "MlpPolicy",
            {"policy_kwargs": {"timesteps": 5.0}},
            "timesteps is 5.0, a whole number 1..1024 expected",
        ),
    ],
)
def test_choices_that_cannot_work_are_refused_at_once(
    policy: Any, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        ProxyTargetTD3(policy, Shapes(), device="cpu", buffer_size=10, **options)
