"""A training step of ours is the plain formulation's, and the study's tables say what its files
hold.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from stable_baselines3 import TD3
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.td3.policies import TD3Policy

from benchmarks import proxy_target
from benchmarks.eager_spiking import mlp
from benchmarks.proxy_target import (
    BEGIN,
    DOCUMENT,
    END,
    Run,
    areas,
    curve,
    plot,
    record,
    recorded,
    rows,
)
from benchmarks.training import BATCH, FEATURES, ITERATIONS, ROWS, Shapes, fill, measure, models
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.return_statistics import confidence_interval
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


@pytest.fixture(autouse=True)
def no_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests have evaluations of their own."""
    monkeypatch.setattr(proxy_target, "CURVES", tmp_path / "curves.json")


def test_what_was_recorded_stays(tmp_path: Path) -> None:
    runs = study(tmp_path)
    record(runs[:2])
    assert list(recorded()) == ["HalfCheetah-v5/proxy-target/0", "HalfCheetah-v5/proxy-target/1"]
    elsewhere = [
        Run("HalfCheetah-v5", "proxy-target", seed, tmp_path / "elsewhere") for seed in range(3)
    ]
    assert curve(elsewhere)[1].tolist() == curve(runs[:2])[1].tolist()
    record([runs[2]])
    assert len(recorded()) == 3 and curve(elsewhere)[1].tolist() == curve(runs[:3])[1].tolist()
    shorter = elsewhere[0].output.with_name(f"{elsewhere[0].output.name}.run")
    shorter.mkdir(parents=True)
    (shorter / "evaluations.jsonl").write_text(json.dumps({"steps": 5_000, "mean": -1.0}) + "\n")
    record(elsewhere)
    assert (
        curve(elsewhere)[1].tolist() == curve(runs[:3])[1].tolist()
    )  # a run that came less far changes nothing
    half = Run("HalfCheetah-v5", "proxy-target", 0, tmp_path / "nowhere", bfloat16=True)
    assert (
        not curve([half])[0].size
        and "--bfloat16" in half.command(5)
        and "--bfloat16" not in Run("A-v5", "td3", 0, tmp_path, True).command(5)
    )


def study(folder: Path) -> list[Run]:
    """Three seeds of one method, of which one has come less far, and one run that has not begun."""
    runs = [Run("HalfCheetah-v5", "proxy-target", seed, folder) for seed in range(3)] + [
        Run("HalfCheetah-v5", "td3", 0, folder)
    ]
    for seed, run in enumerate(runs[:3]):
        place = run.output.with_name(f"{run.output.name}.run")
        place.mkdir()
        records = [
            {"steps": 5_000 * (point + 1), "mean": 100.0 * seed + 10.0 * point}
            for point in range(4 - (seed == 1))
        ]
        (place / "evaluations.jsonl").write_text(
            "".join(json.dumps(record) + "\n" for record in records) + '{"steps": 99'
        )
    return runs


def test_tables_end_where_every_seed_has_been(tmp_path: Path) -> None:
    runs = study(tmp_path)
    steps, returns = curve(runs[:3])
    assert steps.tolist() == [5_000, 10_000, 15_000] and returns[:, -1].tolist() == [
        20.0,
        120.0,
        220.0,
    ]
    low, high = confidence_interval(returns[:, -1]) or (0.0, 0.0)
    assert rows(runs) == [
        (
            "HalfCheetah-v5",
            "proxy-target lif",
            "3",
            "15,000",
            "120",
            f"{low:.0f} to {high:.0f}",
            "20",
            "120",
        )
    ]
    assert (
        not runs[0].done(20_000)
        and "--resume" in runs[0].command(20_000)
        and "--resume" not in runs[3].command(20_000)
    )
    plot(runs, tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert (
        "proxy-target lif, 3 seeds" in text and "HalfCheetah-v5" in text and "ANN TD3" not in text
    )


def test_areas_compare_seed_by_seed(tmp_path: Path) -> None:
    """Two methods, the curves of each seed straight lines.

    Areas are their middles, over the steps that both have reached.
    """
    runs = []
    for method, slope in (("proxy-target", 2.0), ("spiking-td3", 1.0)):
        for seed in range(3):
            run = Run("HalfCheetah-v5", method, seed, tmp_path)
            place = run.output.with_name(f"{run.output.name}.run")
            place.mkdir()
            points = range(1, 5 if method == "proxy-target" else 4)
            lines = (
                json.dumps({"steps": 5_000 * point, "mean": slope * (100.0 * point + seed)})
                for point in points
            )
            (place / "evaluations.jsonl").write_text("\n".join(lines) + "\n")
            runs.append(run)
    low, high = confidence_interval(np.array([200.0, 201.0, 202.0])) or (0.0, 0.0)
    text = areas(runs, "HalfCheetah-v5")
    assert (
        "steps 5,000 to 15,000" in text and "proxy target 402, plain 201, difference +201" in text
    )
    assert f"({low:+.0f} to {high:+.0f})".strip("()") in text and "over 3 seeds, at 1.5% of" in text
    fewer = areas(
        [run for run in runs if run.key != "HalfCheetah-v5/proxy-target/0"], "HalfCheetah-v5"
    )
    assert (
        "proxy target 403, plain 202, difference +202" in fewer and "over 2 seeds" in fewer
    )  # of the seeds that both have
    assert areas(runs[:3], "HalfCheetah-v5") == "" == areas(runs, "InvertedDoublePendulum-v5")


def test_the_page_has_its_place_for_the_table() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)


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
