"""Checkpoints of RSL-RL, rl_games and CleanRL.

Actions of the library's own equations, and what is refused.
"""

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
    HIGH,
    INPUTS,
    LOW,
    cleanrl,
    mlp,
    named,
    observations,
    rl_games,
    rsl_rl,
    running,
)
from tests.support.policy_files import Payload, torch_bytes, write

torch = pytest.importorskip("torch")
BOX = EnvironmentFacts("E-v0", INPUTS, 100, LOW, HIGH)
SECONDS = 2.0
TOLERANCE = 2e-6  # of a channel's spread, float32
ARRAYS = {
    "mean": np.linspace(-1, 1, INPUTS),
    "var": np.linspace(0.1, 4, INPUTS),
    "epsilon": np.array(1e-8),
    "clip": np.array(1.5),
}


def saved(tmp_path: Path, stored: object) -> Path:
    return write(tmp_path / "checkpoint.pt", torch_bytes(stored))


EQUAL: dict[str, tuple[Callable[[], tuple[Any, Any]], str, dict[str, Any]]] = {
    "RSL-RL 2": (lambda: rsl_rl(2), "RSL-RL 1-3", {}),
    "RSL-RL 2, plain": (lambda: rsl_rl(2, normalised=False), "RSL-RL 1-3", {}),
    "RSL-RL 3": (lambda: rsl_rl(3), "RSL-RL 1-3", {"environment": BOX}),
    "RSL-RL 3, one layer": (lambda: rsl_rl(3, hidden=(9,)), "RSL-RL 1-3", {}),
    "RSL-RL 4": (lambda: rsl_rl(4), "RSL-RL 4-5", {}),
    "RSL-RL 5": (lambda: rsl_rl(5), "RSL-RL 4-5", {}),
    "RSL-RL 5, plain": (lambda: rsl_rl(5, normalised=False), "RSL-RL 4-5", {}),
    "rl_games": (lambda: rl_games(), "rl_games", {"environment": BOX}),
    "rl_games, plain": (lambda: rl_games(normalised=False), "rl_games", {"environment": BOX}),
    "rl_games, compiled": (lambda: rl_games(compiled=True), "rl_games", {"environment": BOX}),
    "rl_games, statistics beside": (
        lambda: rl_games(beside=True),
        "rl_games",
        {"environment": BOX},
    ),
    "rl_games, no hidden layer": (lambda: rl_games(hidden=()), "rl_games", {"environment": BOX}),
    "rl_games, discrete": (lambda: rl_games(discrete=True), "rl_games, discrete", {}),
    "CleanRL PPO": (
        lambda: cleanrl("ppo"),
        "CleanRL PPO",
        {"environment": BOX, "normalizer": "none"},
    ),
    "CleanRL TD3": (lambda: cleanrl("td3"), "fc1,fc2,fc_mu", {}),
    "CleanRL DDPG": (lambda: cleanrl("ddpg"), "fc1,fc2,fc_mu", {"environment": BOX}),
    "CleanRL SAC": (lambda: cleanrl("sac"), "fc1,fc2,fc_mean", {}),
}


@pytest.mark.parametrize("name", EQUAL)
@pytest.mark.proves(direction="in", format=["RSL-RL", "rl_games", "CleanRL"])
def test_actions_equal_the_library(tmp_path: Path, name: str) -> None:
    make, family, options = EQUAL[name]
    stored, act = make()
    policy = load_policy(saved(tmp_path, stored), **options)
    assert policy.provenance.family == family
    values = observations()
    expected = act(torch.tensor(values, dtype=torch.float32)).detach().numpy()
    spread = np.ptp(expected, axis=0)
    assert (np.abs(policy.act(values) - expected) / np.maximum(spread, 1.0)).max() < TOLERANCE
    assert spread.min() > 0.3  # the comparison is not of constants
    assert len(policy.provenance.assumptions) >= (1 if policy.action.discrete else 2)


def test_what_the_family_assumes_is_said(tmp_path: Path) -> None:
    text = " | ".join(load_policy(saved(tmp_path, rsl_rl(3)[0])).provenance.assumptions)
    for part in (
        "the normaliser divides by std + 0.01",
        "activation elu (RSL-RL default)",
        "the action is the mean without bounds; the environment clips",
    ):
        assert f"assumed by family: {part}" in text
    text = " | ".join(
        load_policy(saved(tmp_path, rl_games()[0]), environment=BOX).provenance.assumptions
    )
    for part in (
        "clipped to +-5, epsilon 1e-05",
        "activation elu (rl_games default)",
        "clipped to +-1 and rescaled to the action bounds, no mu_activation",
    ):
        assert part in text
    text = " | ".join(load_policy(saved(tmp_path, cleanrl("td3")[0])).provenance.assumptions)
    assert "the first of 3 state dicts is the actor (CleanRL td3_continuous_action.py)" in text
    assert (
        "assumed by family: activation relu (fc1,fc2,fc_mu actors, SAC reference code and CleanRL's"
        " TD3 and DDPG)" in text
    )


def test_inspect_explains_an_epsilon_of_zero(tmp_path: Path) -> None:
    facts: dict[str, Any] = inspect_checkpoint(saved(tmp_path, rsl_rl(3)[0]), ReadOptions())
    normalizer = facts["observation"]["normalizer"]
    assert (
        normalizer["epsilon"] == 0.0
        and normalizer["epsilon_note"]
        == "0, as the 0.01 that RSL-RL adds to the deviation is folded into the variance"
    )


def test_a_deviation_with_an_epsilon_is_exact(tmp_path: Path) -> None:
    """RSL-RL divides by std + 0.01.

    The contract holds its square, whose root is the very number.
    """
    stored, _ = rsl_rl(3)
    deviation = (
        stored["model_state_dict"]["actor_obs_normalizer._std"].numpy().astype(np.float64).ravel()
    )
    assert np.array_equal(
        load_policy(saved(tmp_path, stored)).observation.divisor, deviation + 0.01
    )


def test_options_over_the_family(tmp_path: Path) -> None:
    values = observations()
    path = saved(tmp_path, rsl_rl(3)[0])
    free = load_policy(path).act(values)
    clipped = load_policy(path, squash="clip", environment=BOX).act(values)
    assert np.array_equal(clipped, np.clip(free, LOW, HIGH)) and (clipped != free).any()
    assert {layer.activation for layer in load_policy(path, activation="relu").layers[:-1]} == {
        "relu"
    }
    plain = load_policy(path, normalizer="none")
    assert plain.observation.mean is None and "left out, as --normalizer none says" in " ".join(
        plain.provenance.assumptions
    )
    path = saved(tmp_path, rl_games(normalised=False)[0])
    assert np.abs(load_policy(path, squash="none").act(values)).max() > 1.5


def test_the_normaliser_that_cleanrl_does_not_save(tmp_path: Path) -> None:
    stored, act = cleanrl("ppo")
    path = saved(tmp_path, stored)
    with pytest.raises(
        InputError,
        match=(
            r"the observation's normaliser is not in the file \(got no --normalizer\)\. CleanRL's"
            r" NormalizeObservation.*\.npz"
        ),
    ):
        load_policy(path, environment=BOX)
    np.savez(tmp_path / "rms.npz", **ARRAYS)  # type: ignore[arg-type]  # a dict of arrays
    policy = load_policy(path, environment=BOX, normalizer=tmp_path / "rms.npz")
    assert (policy.provenance.normalizer_file, policy.observation.clip) == ("rms.npz", 1.5)
    values = observations()
    normal = np.clip((values - ARRAYS["mean"]) / np.sqrt(ARRAYS["var"] + 1e-8), -1.5, 1.5)
    assert (
        np.abs(
            policy.act(values) - act(torch.tensor(normal, dtype=torch.float32)).detach().numpy()
        ).max()
        < TOLERANCE
    )
    np.savez(tmp_path / "rms.npz", **{**ARRAYS, "clip": np.array(np.inf)})
    assert (
        load_policy(path, environment=BOX, normalizer=tmp_path / "rms.npz").observation.clip is None
    )


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"mean": None, "var": None}, "2 problems: mean is missing; var is missing"),
        ({"more": np.zeros(2)}, r"unknown array 'more\.npy'"),
        ({"mean": np.array([{}], object)}, "mean is not a numeric array"),
        ({"mean": np.full(INPUTS, np.nan)}, "non-finite values"),
        ({"var": np.zeros(INPUTS), "epsilon": np.array(0.0)}, "divides by the root of 0"),
        ({"var": np.ones(2)}, "are not two flat arrays of one size"),
        ({"clip": np.array(-1.0)}, "clips at -1, both must be positive"),
        (
            {"mean": np.zeros(4), "var": np.ones(4)},
            r"the normaliser does not fit the policy \(got 4 channels, limit 6 inputs",
        ),
    ],
)
def test_arrays_that_are_no_normaliser(tmp_path: Path, change: dict[str, Any], text: str) -> None:
    np.savez(
        tmp_path / "rms.npz",
        **{name: values for name, values in (ARRAYS | change).items() if values is not None},
    )
    with pytest.raises(InputError, match=rf"^rms\.npz: .*{text}.* Fix: "):
        load_policy(
            saved(tmp_path, cleanrl("ppo")[0]), environment=BOX, normalizer=tmp_path / "rms.npz"
        )


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
    assert (
        caught.value.where.startswith("checkpoint.pt")
        and caught.value.fix
        and str(tmp_path) not in str(caught.value)
    )


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


def test_nothing_in_a_checkpoint_runs(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for stored in (
        {**rl_games()[0], "env_state": Payload(mark)},
        {**rsl_rl(5)[0], "infos": [Payload(mark)]},
        (cleanrl("td3")[0][0], Payload(mark)),
    ):
        with pytest.raises(
            InputError, match=r"names a Python object that is not loaded \(got posix\.system"
        ):
            load_policy(saved(tmp_path, stored), environment=BOX)
    assert not mark.exists()


DISCRETE = EnvironmentFacts("D-v0", INPUTS, 100, choices=ACTIONS)


def discrete_ppo(actor_hidden: int = 16, values: int = 1) -> tuple[dict[str, Any], Any]:
    """CleanRL's ppo.py: (saved file, its logits)."""
    torch.manual_seed(0)
    actor = mlp((INPUTS, actor_hidden, 16, ACTIONS), torch.nn.Tanh)
    critic = mlp((INPUTS, 16, 16, values), torch.nn.Tanh)
    return named("critic.", critic) | named("actor.", actor), actor


@pytest.mark.parametrize(
    "options",
    [{}, {"environment": DISCRETE}, {"squash": "argmax"}],
    ids=["bare", "environment", "squash"],
)
def test_discrete_ppo_of_cleanrl(tmp_path: Path, options: dict[str, Any]) -> None:
    stored, actor = discrete_ppo()
    policy = load_policy(saved(tmp_path, stored), **options)
    values = observations()
    assert policy.provenance.family == "CleanRL PPO, discrete" and policy.action.discrete
    with torch.no_grad():
        wanted = actor(torch.tensor(values, dtype=torch.float32)).argmax(1).numpy()
    assert (policy.act(values)[:, 0] == wanted).all() and len(set(wanted.tolist())) > 1
    text = " | ".join(policy.provenance.assumptions)
    assert (
        "the action is the number of the largest output (CleanRL ppo.py)" in text
        and "activation tanh (CleanRL ppo.py)" in text
    )


def test_what_is_not_quite_cleanrls_discrete_ppo_is_asked_for(tmp_path: Path) -> None:
    """Continuous bounds, a chosen squash, another critic.

    As for any actor-critic, nothing is assumed.
    """
    stored, _ = discrete_ppo()
    for path, options in (
        (saved(tmp_path, stored), {"environment": BOX}),
        (write(tmp_path / "wide.pt", torch_bytes(discrete_ppo(actor_hidden=8)[0])), {}),
        (write(tmp_path / "quantiles.pt", torch_bytes(discrete_ppo(values=3)[0])), {}),
    ):
        with pytest.raises(InputError, match="--activation and --squash not given"):
            load_policy(path, **options)
    assert not load_policy(
        saved(tmp_path, stored), activation="tanh", squash="clip", environment=BOX
    ).action.discrete
