"""Kernels' parts on several threads, and what goes without autograd's graph.

The same numbers as by one thread and by the graph.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir
from numba import extending, types
from stable_baselines3.common.logger import Logger

from benchmarks.training import ROWS, Shapes, fill
from spikeport.toolchain.training.layers.threads import on_threads, portion, team_entry, threads
from spikeport.toolchain.training.methods.learner import GraphLearner
from spikeport.toolchain.training.methods.plain_learner import PlainLearner, plain_learner
from spikeport.toolchain.training.methods.proxy_target import ProxyTargetTD3
from spikeport.toolchain.training.methods.spiking_td3 import SpikingTD3

compiled: Any = numba.njit(nogil=True, boundscheck=False, error_model="numpy")


@given(st.integers(0, 1000), st.integers(1, 20))
@settings(deadline=None)  # the first example waits for the compiler
def test_portions_are_all_of_it_and_of_one_size(size: int, parts: int) -> None:
    found = [portion(size, part, parts) for part in range(parts)]
    sizes = np.diff(found, axis=1)
    assert found[0][0] == 0 and found[-1][1] == size and sizes.max() - sizes.min() <= 1
    assert all(before[1] == after[0] for before, after in zip(found, found[1:], strict=False))


@extending.intrinsic
def counter(typing: Any, array: Any) -> Any:
    """The address of what counts the references to an array, 0 where nothing does."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.ptrtoint(
            context.make_array(signature.args[0])(context, builder, value=given[0]).meminfo,
            ir.IntType(64),
        )

    return types.int64(array), generate


@compiled
def note_counters(part: Any, parts: Any, own: Any, pair: Any) -> None:
    own[part] = counter(own) + counter(pair[0]) + counter(pair[1])


noting_counters = on_threads(note_counters)


@compiled
def noted_counters(team: Any, own: Any, pair: Any) -> int:
    noting_counters(team, own.size, (own, pair))
    return counter(own)


@pytest.mark.parametrize("count", [1, 2])
def test_no_part_counts_references(count: int) -> None:
    """Threads that count in one place wait for each other."""
    own = np.full(3, -1)
    assert noted_counters((team_entry(), count), own, (np.zeros(2), np.zeros(4))) != 0
    assert own.tolist() == [0, 0, 0]


@compiled
def take_memory(part: Any, parts: Any, sizes: Any, found: Any) -> None:
    found[part] = np.empty(sizes[part], np.int8).size


taking_memory = on_threads(take_memory)


@compiled
def taken(team: Any, sizes: Any, found: Any) -> None:
    taking_memory(team, sizes.size, (sizes, found))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_part_without_memory_is_an_error(count: int) -> None:
    """And the others run; afterwards all is as before."""
    found = np.zeros(4, np.int64)
    with pytest.raises(MemoryError, match="a part of a kernel found no memory"):
        taken((team_entry(), count), np.array([1, 2**62, 3, 4]), found)
    assert found.tolist() == [1, 0, 3, 4]
    taken((team_entry(), count), np.array([1, 2, 3, 4]), found)
    assert found.tolist() == [1, 2, 3, 4]


@compiled
def note_parts(part: Any, parts: Any, times: Any, pair: Any, factor: Any) -> None:
    """How often each part ran, and what it got."""
    times[part] += 1
    pair[1][part] = pair[0][part] * factor + parts


noting = on_threads(note_parts)


@compiled
def noted(team: Any, parts: Any, times: Any, pair: Any, factor: Any) -> None:
    noting(team, parts, (times, pair, factor))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("there", [True, False], ids=["team", "no team"])
def test_every_part_runs_once_and_gets_what_was_given(there: bool, count: int) -> None:
    """Fewer parts than threads, as many, and more; arrays, tuples of them, and numbers."""
    team = (team_entry() if there else 0, count)
    for parts in (0, 1, 2, 3, 17, 1000):
        times = np.zeros(parts, np.int64)
        given = np.arange(parts, dtype=np.float32)
        found = np.zeros(parts, np.float32)
        references = [sys.getrefcount(part) for part in (times, given, found)]
        noted(team, parts, times, (given, found), np.float32(2))
        assert (times == 1).all() and (found == 2 * given + parts).all()
        assert references == [sys.getrefcount(part) for part in (times, given, found)]


@pytest.mark.skipif(
    not sys.platform.startswith("linux"),
    reason="elsewhere torch's OpenMP has no such entry, and parts run one by one",
)
def test_parts_run_in_the_threads_of_torch(two_threads: None) -> None:
    """By the number that OpenMP gives each of them."""
    number: Any = ctypes.CDLL(
        str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")
    ).omp_get_thread_num
    number.argtypes = []
    number.restype = ctypes.c_int

    @compiled
    def work(part: Any, parts: Any, who: Any, waste: Any) -> None:
        for k in range(200_000):
            waste[part] += np.sin(np.float64(k + part))
        who[part] = number()

    run = on_threads(work)

    @compiled
    def go(team: Any, who: Any, waste: Any) -> None:
        run(team, who.size, (who, waste))

    assert threads() == (team_entry(), 2) and team_entry()
    who = np.full(64, -1)
    waste = np.zeros(64)
    go(threads(), who, waste)
    assert set(who) == {0, 1}
    go((team_entry(), 1), who, waste)
    assert set(who) == {0}


def model(kind: type[SpikingTD3], **options: Any) -> SpikingTD3:
    torch.manual_seed(0)
    np.random.seed(0)
    made = kind("MlpPolicy", Shapes(), device="cpu", buffer_size=ROWS, policy_kwargs=options)
    with torch.no_grad():
        for parameter in made.actor.mu.snn.parameters():
            parameter.mul_(2.0)  # every layer spikes
    made.set_logger(Logger(None, []))
    fill(made)
    return made


def states(made: SpikingTD3) -> dict[str, torch.Tensor]:
    found = {name: value.detach().clone() for name, value in made.policy.state_dict().items()}
    for name, part in (("actor", made.actor), ("critic", made.critic), ("proxy", made.proxy)):
        if part is not None:
            found |= {
                f"{name} {key} {k}": value.clone()
                for k, state in part.optimizer.state_dict()["state"].items()
                for key, value in state.items()
            }
    return found


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("kind", [SpikingTD3, ProxyTargetTD3])
@pytest.mark.parametrize("neuron", ["lif", "clif", "dn"])
def test_without_the_graph_networks_learn_the_same(
    kind: type[SpikingTD3], neuron: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, targets and Adam's moments after two steps, of which one improves the actor."""
    options = {"neuron": neuron, "net_arch": [48, 32]} | (
        {"proxy_arch": [40, 24]} if kind is ProxyTargetTD3 else {}
    )
    made = model(kind, **options)
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        made.train(2, 128)
    finally:
        torch.set_num_threads(before)
    assert isinstance(made._plain_learner, PlainLearner)  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "spikeport.toolchain.training.methods.spiking_td3.plain_learner", lambda model, rows: None
    )
    other = model(kind, **options)
    assert type(other._learner(128)) is GraphLearner
    other.train(2, 128)
    mine = states(made)
    theirs = states(other)
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        scale = theirs[name].abs().max().clamp(min=1e-3)
        assert ((value - theirs[name]).abs() < 2e-5 * scale + 1e-7).float().mean() > 0.99, name
    assert made.logger.name_to_value.keys() == other.logger.name_to_value.keys()
    for name, found in made.logger.name_to_value.items():
        assert found == pytest.approx(other.logger.name_to_value[name], rel=1e-3, abs=1e-5), name


class OwnLinear(torch.nn.Linear):
    """Is a linear layer and not one."""


CHANGES = {  # and whether a plain learner serves afterwards
    "frozen": (lambda made: made.actor.mu.encoder.mean.requires_grad_(False), False),
    "optimiser": (
        lambda made: setattr(
            made.critic, "optimizer", torch.optim.SGD(made.critic.parameters(), 0.1)
        ),
        True,
    ),
    "parameter": (
        lambda made: setattr(
            made.critic.q_networks[0][0], "weight", torch.nn.Parameter(torch.zeros(16, 23))
        ),
        True,
    ),
    "activation": (lambda made: made.critic.q_networks[0].__setitem__(1, torch.nn.Tanh()), False),
    "more modules": (lambda made: made.critic.q_networks[0].append(torch.nn.Tanh()), False),
    "hook": (
        lambda made: made.critic.q_networks[0][0].register_forward_hook(lambda *_: None),
        False,
    ),
    "gradient hook": (
        lambda made: made.critic.q_networks[0][0].weight.register_hook(lambda gradient: gradient),
        False,
    ),
    "weight norm": (
        lambda made: [
            torch.nn.utils.parametrizations.weight_norm(part.q_networks[0][0])
            for part in (made.critic, made.critic_target)
        ],
        False,
    ),
    "subclass": (lambda made: made.critic.q_networks[0].__setitem__(0, OwnLinear(23, 16)), False),
    "bfloat16": (lambda made: setattr(made, "bfloat16", True), True),
    "actor": (
        lambda made: setattr(
            made.actor, "mu", torch.nn.Sequential(torch.nn.Linear(17, 6), torch.nn.Tanh())
        ),
        False,
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_learner_serves_as_long_as_nothing_it_holds_is_replaced(change: str) -> None:
    made = model(ProxyTargetTD3, net_arch=[16], proxy_arch=[16])
    before = made._learner(64)
    make, plain = CHANGES[change]
    assert isinstance(before, PlainLearner) and made._learner(64) is before
    make(made)
    after = made._learner(64)
    assert after is not before and isinstance(after, PlainLearner) is plain
    made.train(2, 64)


def test_a_learner_is_for_a_number_of_threads(two_threads: None) -> None:
    """Sums over a minibatch depend on it."""
    made = model(ProxyTargetTD3, net_arch=[16], proxy_arch=[16])
    before = made._learner(64)
    torch.set_num_threads(1)
    after = made._learner(64)
    assert after is not before and made._learner(64) is after
    assert isinstance(before, PlainLearner) and before.threads == (team_entry(), 2)
    assert isinstance(after, PlainLearner) and after.threads == (team_entry(), 1)


def test_what_has_another_architecture_goes_by_the_graph() -> None:
    for options in ({"activation_fn": torch.nn.Tanh}, {"net_arch": {"pi": [8], "qf": []}}):
        made = model(SpikingTD3, **{"net_arch": [8]} | options)
        assert plain_learner(made, 64) is None
        made.train(2, 32)


def test_a_frozen_actor_stays_while_its_critics_learn() -> None:
    made = model(ProxyTargetTD3, net_arch=[16], proxy_arch=[16])
    made.actor.requires_grad_(False)
    before = states(made)
    made.train(2, 64)
    moved = {
        name
        for name, value in made.policy.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert moved and not any(name.startswith("actor.") for name in moved)


def test_what_improves_the_actor_leaves_the_critics_gradients_alone() -> None:
    made = model(ProxyTargetTD3, net_arch=[16], proxy_arch=[16])
    made.train(1, 64)
    learner = made._learner(64)
    found = [parameter.grad.clone() for parameter in made.critic.parameters()]
    data = made.replay_buffer.sample(64)
    learner.improve(data.observations, learner.actions(data.observations, improve=True))
    assert all(
        torch.equal(parameter.grad, before)
        for parameter, before in zip(made.critic.parameters(), found, strict=True)
    )


def test_learners_in_several_threads_learn_as_they_do_alone(two_threads: None) -> None:
    """Each with minibatches of its own, as NumPy's and torch's random numbers are the process's."""
    generator = torch.Generator().manual_seed(3)
    batch = [torch.randn((128, width), generator=generator) for width in (17, 6)]
    made = [model(ProxyTargetTD3, net_arch=[16], proxy_arch=[16]) for _ in range(4)]
    gate = threading.Barrier(3, timeout=60)

    def train(each: SpikingTD3, wait: bool = True) -> None:
        torch.set_num_threads(2)  # of OpenMP, each thread has a number of its own
        learner = each._learner(128)
        if wait:
            gate.wait()
        for _ in range(4):
            learner.fit_proxy(batch[0], batch[1].tanh())
            learner.improve(batch[0], learner.actions(batch[0], improve=True))

    running = [threading.Thread(target=train, args=(each,)) for each in made[:3]]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    train(made[3], wait=False)
    alone = states(made[3])
    for each in made[:3]:
        for name, value in states(each).items():
            assert torch.equal(value, alone[name]), name


def test_a_saved_model_holds_no_learner(tmp_path: Any) -> None:
    made = model(ProxyTargetTD3, net_arch=[16], proxy_arch=[16])
    made.train(2, 64)
    made.save(tmp_path / "model.zip")
    again = ProxyTargetTD3.load(tmp_path / "model.zip", device="cpu")
    assert not hasattr(again, "_plain_learner")
    again.set_logger(Logger(None, []))
    again.replay_buffer = made.replay_buffer
    for each in (made, again):
        np.random.seed(1)
        torch.manual_seed(1)
        each.train(3, 64)
    for name, value in states(made).items():
        torch.testing.assert_close(states(again)[name], value, msg=name)
