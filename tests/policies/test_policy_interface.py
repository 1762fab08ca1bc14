"""What every policy offers: a kind that the house has never seen acts, compares and is checked."""

from __future__ import annotations

import ast
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.energy.ann_work import countable
from spikeport.toolchain.environments.gymnasium_bridge import make
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import is_feed_forward
from spikeport.toolchain.policies.describe import describe
from spikeport.toolchain.policies.layers import AnyLayer, DenseLayer
from spikeport.toolchain.policies.policy_interface import AnyPolicy, Provenance
from spikeport.toolchain.simulation.rollout import roll_out
from tests.support.front_door import TOY_ENV
from tests.support.planted_faults import ACTIONS, CHANNELS, steering, steering_policy

HIDDEN = 7


@dataclass(frozen=True, eq=False)
class ElmanLayer(AnyLayer):
    """h <- tanh(W x + U h + b)."""

    weight: np.ndarray
    bias: np.ndarray
    recurrent: np.ndarray
    activation: str = "elman"

    arrays = ("weight", "bias", "recurrent")

    @property
    def macs(self) -> int:
        return self.weight.size + self.recurrent.size

    @property
    def record(self) -> str:
        return self.activation


@dataclass(frozen=True, eq=False)
class ElmanPolicy(AnyPolicy):
    """A recurrent layer and a readout."""

    cell: ElmanLayer
    readout: DenseLayer
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance
    wrong: str = ""  # what a check must find

    timesteps = 1

    @property
    def layers(self) -> tuple[AnyLayer, ...]:
        return self.cell, self.readout

    def at_rest(self, rows: int) -> list[np.ndarray]:
        return [np.zeros((rows, HIDDEN), np.float32)]

    def respond(self, observations: Any, decisions: Any, memory: Any) -> Any:
        inputs = self.network_inputs(observations, decisions)
        state = memory[0]
        if self.wrong == "rows":
            state = np.broadcast_to(state.mean(0), state.shape)
        drive = inputs @ self.cell.weight.T + state @ self.cell.recurrent.T + self.cell.bias
        state = np.tanh(drive)
        outputs = state @ self.readout.weight.T + self.readout.bias
        if self.wrong == "nan":
            outputs = outputs * np.float32(np.nan)
        return self.action.apply(outputs.astype(np.float64)), [state]

    def facts(self) -> dict[str, object]:
        return {"memory": HIDDEN}


def elman(**changes: Any) -> ElmanPolicy:
    rng = np.random.default_rng(0)

    def array(*shape: int) -> np.ndarray:
        return rng.normal(scale=shape[-1] ** -0.5, size=shape).astype(np.float32)

    own: dict[str, Any] = {
        "cell": ElmanLayer(array(HIDDEN, CHANNELS), array(HIDDEN), array(HIDDEN, HIDDEN)),
        "readout": DenseLayer(array(ACTIONS, HIDDEN), array(ACTIONS)),
        "observation": ObservationContract(CHANNELS),
        "action": ActionContract(ACTIONS, "tanh", np.ones(ACTIONS), np.zeros(ACTIONS)),
        "provenance": Provenance("elman.pt", "0" * 64, "test", "test"),
    }
    return ElmanPolicy(**own | changes)


def observations(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, CHANNELS))


def by_hand(policy: ElmanPolicy, stream: np.ndarray) -> np.ndarray:
    """One episode of one environment, a decision at a time."""
    memory: Any = policy.at_rest(1)
    actions = []
    for number, row in enumerate(stream):
        action, memory = policy.respond(row[None], np.array([number]), memory)
        actions.append(action[0])
    return np.array(actions)


def test_it_remembers() -> None:
    policy = elman()
    stream = observations(6)
    again = policy.act(np.concatenate([stream, stream]), np.array([*range(6), *range(6)]))
    assert np.array_equal(again[:6], again[6:]) and np.array_equal(again[:6], policy.act(stream))
    assert not np.allclose(policy.act(stream[[0, 0]])[0], policy.act(stream[[0, 0]])[1])


def test_rows_of_an_actor_start_and_pause_each_for_itself() -> None:
    policy = elman()
    actor = policy.actor(3)
    streams = np.stack([observations(8, row) for row in range(3)], axis=1)
    episodes: list[list[np.ndarray]] = [[], [], []]
    seen: list[list[np.ndarray]] = [[], [], []]
    rng = np.random.default_rng(4)
    for step, values in enumerate(streams):
        active = rng.random(3) < 0.7
        if step == 4:
            actor.reset(np.array([False, True, False]))
            assert np.allclose(by_hand(policy, np.array(episodes[1])), np.array(seen[1]))
            episodes[1] = []
            seen[1] = []
        actions = actor.decide(values, active)
        assert np.isnan(actions[~active]).all() and np.isfinite(actions[active]).all()
        for row in np.flatnonzero(active):
            episodes[row].append(values[row])
            seen[row].append(actions[row])
    for row in range(3):
        assert np.allclose(by_hand(policy, np.array(episodes[row])), np.array(seen[row]))
    actor.reset()
    assert np.allclose(actor.decide(streams[0])[2], by_hand(policy, streams[:1, 2])[0])


def test_an_actor_counts_decisions_for_a_time_feature() -> None:
    cell = elman().cell
    wide = np.concatenate([cell.weight, np.ones((HIDDEN, 1), np.float32)], axis=1)
    policy = elman(
        cell=dataclasses.replace(cell, weight=wide),
        observation=ObservationContract(CHANNELS, time_feature=TimeFeature(10)),
    )
    stream = observations(5)
    actor = policy.actor()
    found = np.concatenate([actor.decide(row[None]) for row in stream])
    assert np.allclose(found, by_hand(policy, stream))


def test_it_rolls_out_and_compares() -> None:
    policy = elman()
    alone = roll_out(policy.actor(3), lambda index: make(TOY_ENV, trusted=True), range(1000, 1005))
    compared = spikeport.simulate(steering(), env=TOY_ENV, episodes=5, compare=True, source=policy)
    assert compared.ann is not None
    assert compared.ann.returns == pytest.approx(alone.returns)
    assert compared.to_json()["ann_mean_return"] == pytest.approx(alone.returns.mean())


def test_it_is_described() -> None:
    facts = describe(elman())
    assert facts["memory"] == HIDDEN
    assert facts["macs"] == HIDDEN * (CHANNELS + HIDDEN + ACTIONS)
    assert facts["layers"] == [
        {"inputs": CHANNELS, "outputs": HIDDEN, "activation": "elman"},
        {"inputs": HIDDEN, "outputs": ACTIONS, "activation": "identity"},
    ]


@pytest.mark.parametrize("env", [None, TOY_ENV])
def test_it_is_checked(env: str | None) -> None:
    report = spikeport.check_policy(elman(), env)
    assert [check.name for check in report.failures] == ["conversion"], str(report)
    assert "no conversion is known for this kind of policy" in report.failures[0].detail


@pytest.mark.parametrize(("wrong", "name"), [("rows", "rows are independent"), ("nan", "finite")])
def test_its_faults_are_found(wrong: str, name: str) -> None:
    failed = [check.name for check in spikeport.check_policy(elman(wrong=wrong)).failures]
    assert failed[0] == name


def test_what_takes_an_ann_apart_refuses_it() -> None:
    policy: AnyPolicy = elman()
    assert not is_feed_forward(policy) and is_feed_forward(steering_policy())
    assert not countable(dataclasses.replace(steering(), source=policy))
    with pytest.raises(InputError, match="diagnose: the source is not a feed-forward ANN"):
        spikeport.diagnose(steering(), env=TOY_ENV, episodes=1, source=policy)
    with pytest.raises(InputError, match="elman.pt: .* nothing to tune"):
        spikeport.tune(policy, TOY_ENV, spikeport.TuningOptions())
    with pytest.raises(InputError, match="elman.pt: no conversion is known"):
        spikeport.convert(policy, observations=observations(200))


def test_it_keeps_what_surrounds_it() -> None:
    action = ActionContract(ACTIONS, "none", np.ones(ACTIONS), np.zeros(ACTIONS))
    policy = elman().with_contracts(ObservationContract(CHANNELS, clip=3.0), action)
    assert policy.action is action and policy.observation.clip == 3.0
    assert policy.own_neuron is None and policy.environment == "" and policy.neuron == ""


def test_policies_know_nothing_of_readers_and_environments() -> None:
    folder = Path(spikeport.__file__).parent / "toolchain" / "policies"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "module", None) or ""
            assert "readers" not in name and "environments" not in name, path
