"""Checkpoints of RSL-RL, rl_games and CleanRL that are refused or lack facts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.inspection import inspect_checkpoint
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.readers.reading_options import ReadOptions
from tests.support.library_files import (
    ACTIONS,
    BOX,
    INPUTS,
    cleanrl,
    rl_games,
    rsl_rl,
    running,
    saved,
)
from tests.support.policy_files import write
from tests.support.refusals import SECONDS

torch = pytest.importorskip("torch")


def edited(
    make: Callable[[], tuple[Any, Any]], entry: str, change: Callable[[dict[str, Any]], object]
) -> Any:
    stored = make()[0]
    change(stored[entry] if entry else stored)
    return stored


LSTM = {f"{part}_l0": torch.zeros(4) for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
MODEL = "model_state_dict"
ONE = torch.zeros(1)
STD = "actor_obs_normalizer._std"

REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "rsl recurrent": (
        edited(
            lambda: rsl_rl(3),
            MODEL,
            lambda m: m.update(
                {f"memory_a.rnn.{k}": v for k, v in LSTM.items()} | {"odd.weight": torch.zeros(1)}
            ),
        ),
        {},
        (
            r"2 problems: a recurrent policy is not supported \(key memory_a\.rnn\.weight_ih_l0\);"
            r" unknown key odd\.weight\..*RSL-RL.*put the history"
        ),
    ),
    "rsl 5 recurrent and seeing": (
        edited(
            lambda: rsl_rl(5),
            "actor_state_dict",
            lambda m: m.update({"rnn.rnn.weight_ih_l0": ONE, "cnns.camera.0.weight": ONE}),
        ),
        {},
        (
            r"\(actor_state_dict\): 2 problems: a recurrent policy is not supported .*; a CNN is"
            r" not supported \(key cnns\.camera\.0\.weight\)"
        ),
    ),
    "rsl no std": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m.pop("std")),
        {},
        "there is no std: with a state-dependent one or a Beta distribution",
    ),
    "rsl std": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m.update(std=torch.ones(4))),
        {},
        "std has 4 values for 3 outputs",
    ),
    "rsl missing": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m.pop("actor.2.bias")),
        {},
        r"actor\.2\.bias is missing",
    ),
    "rsl gap": (
        edited(
            lambda: rsl_rl(3), MODEL, lambda m: [m.pop(f"actor.2.{p}") for p in ("weight", "bias")]
        ),
        {},
        r"actor\.N has the numbers \[0, 4, 6\]",
    ),
    "rsl shape": (
        edited(
            lambda: rsl_rl(3), MODEL, lambda m: m.update({"actor.2.weight": torch.zeros(12, 15)})
        ),
        {},
        "layer 1 takes 15 inputs but 16 arrive",
    ),
    "rsl entry": (
        edited(lambda: rsl_rl(3), "", lambda m: m.update(estimator={})),
        {},
        "unknown entry estimator, it may belong to the policy",
    ),
    "rsl text": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m.update({"actor.0.bias": "x"})),
        {},
        r"actor\.0\.bias is a str, not a tensor",
    ),
    "rsl nan": (
        edited(
            lambda: rsl_rl(3), MODEL, lambda m: m["actor_obs_normalizer._mean"].fill_(float("nan"))
        ),
        {},
        "_mean, _var and _std must be finite and no deviation negative",
    ),
    "rsl negative": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m[STD].neg_()),
        {},
        "must be finite and no deviation negative",
    ),
    "rsl root": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m[STD].mul_(2)),
        {},
        "_std is not the root of _var",
    ),
    "rsl half": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m.pop(STD)),
        {},
        r"actor_obs_normalizer\._std is missing",
    ),
    "rsl sizes": (
        edited(lambda: rsl_rl(3), MODEL, lambda m: m.update({STD: torch.ones(1, 4)})),
        {},
        "have 6, 6 and 4 values",
    ),
    "rsl beside": (
        edited(lambda: rsl_rl(2), "", lambda m: m.update(obs_norm_state_dict=[1])),
        {},
        "obs_norm_state_dict is a list, not a state_dict",
    ),
    "rsl file": (
        rsl_rl(3)[0],
        {"normalizer": "a/rms.npz"},
        r"the checkpoint holds its own normaliser \(got --normalizer rms\.npz\)",
    ),
    "rsl argmax": (
        rsl_rl(3)[0],
        {"squash": "argmax"},
        r"--squash differs from what the policy does \(got argmax, limit none\)",
    ),
    "games recurrent": (
        edited(
            lambda: rl_games(),
            "model",
            lambda m: m.update(
                {"a2c_network.rnn.rnn.weight_ih_l0": ONE, "a2c_network.layer_norm.weight": ONE}
            ),
        ),
        {},
        (
            r"2 problems: a recurrent policy .*; layer normalisation is not supported"
            r" .*rl_games.*no rnn, cnn, d2rl"
        ),
    ),
    "games cnn": (
        edited(
            lambda: rl_games(),
            "model",
            lambda m: m.update({"a2c_network.actor_cnn.0.weight": torch.zeros(1)}),
        ),
        {},
        "a CNN is not supported",
    ),
    "games d2rl": (
        edited(
            lambda: rl_games(),
            "model",
            lambda m: m.update({"a2c_network.actor_mlp.linears.0.weight": torch.zeros(1)}),
        ),
        {},
        "a D2RL network",
    ),
    "games dict": (
        edited(
            lambda: rl_games(),
            "model",
            lambda m: m.update(
                {"running_mean_std.running_mean_std.camera.running_mean": torch.zeros(3)}
            ),
        ),
        {},
        "a dict of observations is not supported",
    ),
    "games several": (
        edited(
            lambda: rl_games(discrete=True),
            "model",
            lambda m: m.update({"a2c_network.logits.0.weight": m.pop("a2c_network.logits.weight")}),
        ),
        {},
        "a multi-discrete action is not supported",
    ),
    "games SAC": (
        {
            "actor": {"trunk.0.weight": torch.zeros(4, 6), "trunk.0.bias": torch.zeros(4)},
            "critic": {},
        },
        {},
        "a SAC actor .* is not supported",
    ),
    "games no head": (
        edited(lambda: rl_games(), "model", lambda m: m.pop("a2c_network.mu.weight")),
        {},
        r"a2c_network\.mu\.weight is missing",
    ),
    "games headless": (
        edited(
            lambda: rl_games(),
            "model",
            lambda m: [m.pop(f"a2c_network.mu.{p}") for p in ("weight", "bias")],
        ),
        {},
        "expected one of a2c_network.mu and a2c_network.logits, found neither",
    ),
    "games half": (
        edited(lambda: rl_games(), "model", lambda m: m.pop("running_mean_std.running_var")),
        {},
        "only one of running_mean and running_var",
    ),
    "games nan": (
        edited(
            lambda: rl_games(),
            "model",
            lambda m: m["running_mean_std.running_var"].fill_(float("inf")),
        ),
        {},
        "has non-finite values",
    ),
    "games zero": (
        edited(
            lambda: rl_games(), "model", lambda m: m["running_mean_std.running_var"].fill_(-1.0)
        ),
        {},
        "divides by the root of",
    ),
    "games number": (
        edited(
            lambda: rl_games(), "model", lambda m: m.update({"a2c_network.mu.bias": np.float32(1)})
        ),
        {},
        r"a2c_network\.mu\.bias is a NumpyValue, not a tensor",
    ),
    "games size": (
        edited(
            lambda: rl_games(),
            "model",
            lambda m: m.update(
                {
                    f"running_mean_std.{name}": value[:4]
                    for name, value in running().items()
                    if value.ndim
                }
            ),
        ),
        {"environment": BOX},
        r"the normaliser does not fit the policy \(got 4 channels, limit 6 inputs",
    ),
    "games limit": (
        rl_games()[0],
        {"environment": BOX, "action_limit": 1.0},
        "the action limit follows from the bounds",
    ),
    "games bounds": (
        rl_games()[0],
        {},
        "the action bounds are not readable in the checkpoint.*--action-low and --action-high",
    ),
    "games choices": (
        rl_games()[0],
        {"environment": EnvironmentFacts("D-v0", INPUTS, choices=3)},
        r"got 3 continuous outputs, limit one of 3 choices of D-v0",
    ),
    "games box": (
        rl_games(discrete=True)[0],
        {"environment": BOX},
        r"choices do not fit the environment \(got 3 choices, limit 3 continuous action channels",
    ),
    "clean tuple": (
        ({"a": ONE}, {"b": ONE}),
        {},
        r"several state dicts in one file.*\(got 2 of them, limit \(actor, qf1, qf2\) of CleanRL",
    ),
    "clean cnn": (
        {**cleanrl("ppo")[0], "network.0.weight": torch.zeros(2)},
        {"environment": BOX},
        "a CNN is not supported",
    ),
    "clean keys": (
        {**cleanrl("ppo")[0], "norm.mean": torch.zeros(2)},
        {"environment": BOX},
        r"unknown key norm\.mean",
    ),
    "clean std": (
        {**cleanrl("ppo")[0], "actor_logstd": torch.zeros(1, 5)},
        {"environment": BOX},
        "actor_logstd has 5 values for 3 outputs",
    ),
    "clean bounds": (
        cleanrl("ppo")[0],
        {"normalizer": "none"},
        "a clipped action needs its bounds",
    ),
    "frames": (
        rsl_rl(3)[0],
        {"environment": EnvironmentFacts("E-v0", 2, 100)},
        r"3 frames of 2 channels, as a frame stack gives them, would fit",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(tmp_path: Path, name: str) -> None:
    stored, options, text = REFUSED[name]
    path = saved(tmp_path, stored)
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        load_policy(path, **options)
    assert time.perf_counter() - start < SECONDS
    assert re.search(text, str(caught.value)), str(caught.value)
    assert caught.value.where.startswith("checkpoint.pt") and caught.value.fix
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"\x82\xa10\x81\xa6params\x80\xa11\x80", b"\x83\xa10\x80\xa11\x80\xa12\x80"],
    ids=["ppo", "td3"],
)
def test_flax_files_are_named(tmp_path: Path, data: bytes) -> None:
    text = (
        r"^td3\.cleanrl_model: a Flax \(JAX\) checkpoint is not read \(got MessagePack.*Fix:"
        r" .*kernel transposed.*without _jax"
    )
    with pytest.raises(InputError, match=text):
        load_policy(write(tmp_path / "td3.cleanrl_model", data))


def test_an_actor_critic_says_too_little(tmp_path: Path) -> None:
    """Other actor-critics than CleanRL's ppo.py: nothing says that the outputs are logits."""
    stored = {name: value for name, value in rsl_rl(2)[0][MODEL].items() if name != "std"}
    path = saved(tmp_path, stored)
    with pytest.raises(
        InputError,
        match=r"got --activation and --squash not given.*--squash tanh\|clip\|none\|argmax",
    ):
        load_policy(path)
    policy = load_policy(path, activation="tanh", squash="argmax")
    assert policy.action.discrete and [layer.activation for layer in policy.layers] == [
        "tanh"
    ] * 3 + ["identity"]


MISSING = [
    (rsl_rl(3)[0], {}, "RSL-RL 1-3", []),
    (rl_games()[0], {}, "rl_games", ["action bounds"]),
    (rl_games()[0], {"environment": BOX}, "rl_games", []),
    (rl_games(discrete=True)[0], {}, "rl_games, discrete", []),
    (cleanrl("ppo")[0], {}, "CleanRL PPO", ["normaliser", "action bounds"]),
    (cleanrl("sac")[0], {}, "fc1,fc2,fc_mean", []),
    (
        {name: value for name, value in rsl_rl(2)[0][MODEL].items() if name != "std"},
        {},
        "sequential",
        ["activation", "squash"],
    ),
]


@pytest.mark.parametrize(
    ("stored", "options", "family", "missing"),
    MISSING,
    ids=[f"{case[2]} {len(case[3])}" for case in MISSING],
)
def test_inspect_says_what_is_missing(
    tmp_path: Path, stored: Any, options: dict[str, Any], family: str, missing: list[str]
) -> None:
    facts: dict[str, Any] = inspect_checkpoint(saved(tmp_path, stored), ReadOptions(**options))
    assert facts["family"] == family and facts["layers"][-1]["outputs"] == ACTIONS
    assert [entry["fact"] for entry in facts["missing"]] == missing and all(
        "--" in entry["give"] for entry in facts["missing"]
    )
    assert (facts["action"]["scale"] is None) == bool({"action bounds", "squash"} & set(missing))
    assert (facts["layers"][0]["activation"] is None) == ("activation" in missing)
