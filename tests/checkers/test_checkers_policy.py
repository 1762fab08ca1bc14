"""`check_policy` and `check_artifact`.

What is right passes, and every kind of fault is named, all at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact import artifact_file
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.errors import CheckFailed, InputError
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.policies.policy_interface import MemorylessPolicy
from tests.neurons.test_leaky import read as read_leaky
from tests.neurons.test_leaky import sequential
from tests.neurons.test_leaky import written as write_leaky
from tests.support.check_reports import failed
from tests.support.front_door import (
    CHEETAH,
    PENDULUM,
    PENDULUM_ENV,
    TOY_ENV,
    answer,
    pendulum,
    refusal,
)
from tests.support.policy_files import torch_bytes, write
from tests.support.spiking_files import actor


def policy(activation: str = "relu", **changes: Any) -> Policy:
    rng = np.random.default_rng(0)
    sizes = (3, 8, 2)
    layers = tuple(
        DenseLayer(
            rng.normal(size=(o, i)).astype(np.float32) / i**0.5,
            rng.normal(size=o).astype(np.float32),
            activation if o == 8 else "identity",
        )
        for i, o in zip(sizes[:-1], sizes[1:], strict=True)
    )
    own: dict[str, Any] = {
        "layers": layers,
        "observation": ObservationContract(3, np.zeros(3), np.ones(3), 1e-8, 10.0),
        "action": ActionContract(2, "tanh", np.ones(2), np.zeros(2)),
    }
    return Policy(provenance=Provenance("p.pt", "0" * 64, "test", "test"), **own | changes)


def test_shipped_policies_pass() -> None:
    for path, env, options in (
        (PENDULUM, PENDULUM_ENV, {}),
        (CHEETAH, None, {"action_limit": 1.0}),
    ):
        report = spikeport.check_policy(path, env, **options)
        assert report.passed, str(report)
        assert [check.name for check in report.checks] == [
            "contracts",
            *(["environment"] if env else []),
            "shape and type",
            "finite",
            "deterministic",
            "rows are independent",
            "bounds",
            "conversion",
        ]
        assert report.checks[-1].detail.startswith(
            "by sdn, if, snm, mt, dc; not by lif: lif runs networks that were trained as spiking"
        )


def test_what_converts_and_why_not() -> None:
    report = spikeport.check_policy(policy("tanh"))
    assert report.passed
    assert re.search(
        r"^by sdn; not by if: if neurons carry relu only: layer 0 is tanh\. a rate of spikes .*;"
        r" not by dc: ",
        report.checks[-1].detail,
    )


def test_a_choice_passes() -> None:
    choice = ActionContract(2, "argmax", np.ones(2), np.zeros(2))
    assert spikeport.check_policy(policy(action=choice)).passed


CONTRACTS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {
            "observation": ObservationContract(
                3, np.array([0, np.nan, 0]), np.array([1.0, 0.0, -1.0]), 0.0, np.inf, names=("a",)
            ),
            "action": ActionContract(
                2,
                "tanh",
                np.array([0.0, 1.0]),
                np.zeros(2),
                np.array([0.0, 1.0]),
                np.array([1.0, 1.0]),
                units=("m", "m", "m"),
            ),
        },
        [
            r"variance plus epsilon is not finite and positive in channels \[1, 2\]",
            "the normaliser's mean is not finite",
            "clips at inf, a finite number above 0 expected",
            "1 observation names for 3 channels",
            "3 action units for 2 channels",
            r"the action's scale is 0 in channels \[0\]: they never move",
            r"action bounds are not low < high in channels \[1\]",
        ],
    ),
    (
        {"action": ActionContract(2, "none", np.array([np.inf, 1.0]), np.zeros(2))},
        ["the action's scale and offset are not finite"],
    ),
    (
        {"action": ActionContract(2, "none", np.ones(2), np.zeros(2), low=np.zeros(2))},
        ["an action that is clipped needs low and high"],
    ),
]


@pytest.mark.parametrize(("changes", "texts"), CONTRACTS)
def test_contracts_that_contradict_themselves(changes: dict[str, Any], texts: list[str]) -> None:
    report = spikeport.check_policy(policy(**changes))
    assert list(failed(report)) == ["contracts"] and len(report.checks) == 1
    for text in texts:
        assert re.search(text, failed(report)["contracts"]), text
    assert failed(report)["contracts"].count(";") == len(texts) - 1
    with pytest.raises(CheckFailed, match=r"^p\.pt: 1 of 1 checks failed: contracts: "):
        report.raise_if_failed()


class Faulty(MemorylessPolicy):
    """A policy whose `act` is replaced."""

    feed_forward = True

    def __init__(self, inner: Policy, act: Callable[..., Any]) -> None:
        self.inner = inner
        self.replaced = act

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def act(self, observations: Any, decisions: Any = None) -> Any:
        return self.replaced(self.inner, observations, decisions)


NOISE = np.random.default_rng(0)
BEHAVIOUR: dict[str, tuple[Callable[..., Any], str, str]] = {
    "noise": (
        lambda p, o, d: p.act(o, d) + NOISE.normal(),
        "deterministic",
        r"400 states gave another action the second time, the first of them state 0",
    ),
    "batch norm": (
        lambda p, o, d: p.act((o - o.mean(0)) / (1 + o.std(0)), d),
        "rows are independent",
        "the action of row 0, decision 0 depends on",
    ),
    "float32": (
        lambda p, o, d: p.act(o, d).astype(np.float32),
        "shape and type",
        "actions are float32, float64 expected",
    ),
    "one row": (
        lambda p, o, d: p.act(o, d)[0],
        "shape and type",
        r"actions have shape \(2,\), \(400, 2\) expected",
    ),
    "no number": (
        lambda p, o, d: np.where(o[:, :1] > 1, np.nan, p.act(o, d)),
        "finite",
        r"\d+ actions are not finite, the first in state \d+, channel 0",
    ),
    "unbounded": (
        lambda p, o, d: 3 * p.act(o, d),
        "bounds",
        r"actions leave the bounds in channels \[0, 1\]",
    ),
    "raises": (lambda p, o, d: 1 / 0, "finite", "ZeroDivisionError: division by zero"),
}


@pytest.mark.parametrize("name", BEHAVIOUR)
def test_behaviour_that_is_wrong(name: str) -> None:
    act, check, text = BEHAVIOUR[name]
    action = ActionContract(2, "tanh", np.ones(2), np.zeros(2), -np.ones(2), np.ones(2))
    report = spikeport.check_policy(Faulty(policy(action=action), act))
    assert re.search(text, failed(report)[check]), str(report)


def test_a_policy_that_does_not_fit_its_environment() -> None:
    report = spikeport.check_policy(policy(), PENDULUM_ENV)
    assert [*failed(report)] == ["environment"]
    assert (
        "9 observation channels for a policy of 3; 1 action channels for a policy of 2"
        in failed(report)["environment"]
    )


def test_bounds_are_the_environments() -> None:
    wide = policy(
        observation=ObservationContract(5, time_feature=None),
        action=ActionContract(2, "none", np.full(2, 50.0), np.zeros(2)),
        layers=(DenseLayer(np.ones((2, 5), np.float32), np.ones(2, np.float32)),),
    )
    report = spikeport.check_policy(wide, TOY_ENV)
    assert (
        "actions leave the bounds in channels [0, 1]; the policy does not clip"
        in failed(report)["bounds"]
    )


def test_spiking_policies_keep_their_neurons(tmp_path: Path) -> None:
    popsan = write(tmp_path / "actor.pt", torch_bytes(actor()))
    leaky = read_leaky(write_leaky(tmp_path / "leaky.pt", sequential().state_dict()))
    reports = {
        "lif": spikeport.check_policy(popsan, action_low=-1.0, action_high=1.0, normalizer="none"),
        "leaky": spikeport.check_policy(leaky),
    }
    for neuron, report in reports.items():
        assert report.passed, str(report)
        assert report.checks[-1].detail.startswith(
            f"by {neuron}; not by sdn: the network was trained as spiking and keeps its own"
            f" neurons, {neuron}"
        )


def test_options_belong_to_files() -> None:
    with pytest.raises(
        InputError,
        match=r"^check_policy: options belong to a file that is still to be read \(got squash\)",
    ):
        spikeport.check_policy(policy(), squash="tanh")


def test_damaged_files_are_a_failed_check(tmp_path: Path) -> None:
    path = tmp_path / "p.spk"
    spikeport.save(pendulum(), path)
    blob = bytearray(path.read_bytes())
    blob[-5] ^= 1
    path.write_bytes(blob)
    assert re.search(
        r"^p\.spk: checksum does not match its content",
        failed(spikeport.check_artifact(path))["format"],
    )
    assert answer("check", path, exit_code=1)["checks"][0]["name"] == "format"
    assert artifact_file.is_artifact(path)


def test_what_cannot_be_checked(tmp_path: Path) -> None:
    (tmp_path / "words.pt").write_text("these are words")
    spikeport.save(pendulum(), tmp_path / "p.spk")
    assert "unknown content" in refusal("check", tmp_path / "words.pt")
    assert "no such checkpoint file" in refusal("check", tmp_path / "absent.pt")
    assert "an artifact says everything itself (got --squash, --env)" in refusal(
        "check", tmp_path / "p.spk", "--squash", "tanh", "--env", PENDULUM_ENV
    )
    with pytest.raises(InputError, match="cannot be read: No such file"):
        spikeport.check_artifact(tmp_path / "absent.spk")


def test_policies_on_the_command_line() -> None:
    facts = answer("check", PENDULUM, "--env", PENDULUM_ENV)
    assert (
        facts["passed"]
        and facts["kind"] == "policy"
        and f"400 states of {PENDULUM_ENV}" in str(facts)
    )
    assert "400 states of observations" in str(answer("check", PENDULUM))


def test_a_time_feature_is_not_of_the_environment() -> None:
    layers = (DenseLayer(np.ones((2, 4), np.float32), np.ones(2, np.float32)),)
    assert spikeport.check_policy(
        policy(observation=ObservationContract(3, time_feature=TimeFeature(50)), layers=layers)
    ).passed
