"""`spikeport convert` on the shipped policies and on a user's own.

What it writes, says and records.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import spikeport
from spikeport.toolchain.conversion import closed_loop_conversion as conversion_loop
from spikeport.toolchain.conversion.closed_loop_conversion import (
    ERRORS,
    Attempt,
    acceptance,
    setting,
)
from tests.support.front_door import (
    CHEETAH,
    CHEETAH_ENV,
    ERROR,
    PENDULUM,
    PENDULUM_ENV,
    QUICK,
    STEPS,
    TOY_ENV,
    TOY_OPTIONS,
    answer,
    done,
    pendulum,
    recorded,
    toy_checkpoint,
)
from tests.support.policy_files import model, normalizer, state_dict, torch_bytes, write

CONVERT = ("convert", PENDULUM, "--env", PENDULUM_ENV, *QUICK)


def test_command_and_python_write_the_same_artifact(tmp_path: Path) -> None:
    """The checksum covers every array and every fact."""
    done(*CONVERT, "-o", tmp_path / "command.spk")
    spikeport.save(pendulum(), tmp_path / "python.spk")
    with (
        safe_open(tmp_path / "command.spk", "numpy") as one,
        safe_open(tmp_path / "python.spk", "numpy") as other,
    ):
        assert one.metadata() == other.metadata() and one.metadata()["sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["command.spk", "python.spk"]


def test_state_dict_of_a_documented_family(tmp_path: Path) -> None:
    facts = answer("convert", CHEETAH, "-o", tmp_path / "cheetah.spk", "--env", CHEETAH_ENV, *QUICK)
    assert [layer["outputs"] for layer in facts["layers"]] == [256, 256, 6] and facts[
        "family"
    ] == "l1,l2,l3"
    assert facts["macs"] == 71_424 and facts["chip_steps"] == 4
    assert (
        all(text.startswith("assumed by family: ") for text in facts["assumptions"])
        and len(facts["assumptions"]) == 3
    )
    assert facts["environment"]["id"] == CHEETAH_ENV and facts["environment"][
        "control_period_s"
    ] == pytest.approx(0.05)
    assert facts["calibration"]["measured_action_error"] < 2 * ERROR
    assert facts["output"] == "cheetah.spk" and str(tmp_path) not in json.dumps(facts)


def test_defaults_and_the_closed_loop(tmp_path: Path) -> None:
    """10,000 steps, seed 0, 8 bits, action error 0.1 unless the closed loop asks for a finer one.

    Progress on stderr.
    """
    checkpoint = write(tmp_path / "toy.pt", toy_checkpoint())
    result = done(
        "convert", checkpoint, "-o", tmp_path / "toy.spk", "--env", TOY_ENV, *TOY_OPTIONS, "--json"
    )
    facts = json.loads(result.stdout)
    recipe = facts["calibration"]
    assert (
        recipe["steps"],
        recipe["seed"],
        recipe["weight_bits"],
        recipe["alpha"],
        facts["timesteps"],
    ) == (10_000, 0, 8, 0.0, 1)
    assert (
        recipe["neuron"] == "sdn@1"
        and facts["resync_every"] == 0
        and facts["source_inside"]
        and not recipe["pruned"]
    )
    tried = recipe["closed_loop"]
    assert tried[0]["action_error"] == 0.1 and recipe["action_error"] in [
        attempt["action_error"] for attempt in tried
    ]
    assert result.stderr.count("closed loop: action error") == len(tried)
    seeds = spikeport.load(tmp_path / "toy.spk").calibration["seeds"]
    assert (
        seeds == list(range(10**6, 10**6 + len(seeds))) and len(seeds) == 334 + 64
    )  # 10,000 steps of 30, then the closed loop
    assert facts["environment"]["id"] == "Drift-v0"  # the part that imports code is not kept


def test_seed_and_steps_are_those_of_the_calibration(tmp_path: Path) -> None:
    facts = answer(*CONVERT, "-o", tmp_path / "a.spk", "--seed", 3, "--calibration-steps", 120)
    assert (facts["calibration"]["steps"], facts["calibration"]["seed"]) == (120, 3)
    assert spikeport.load(tmp_path / "a.spk").calibration["seeds"] == [10**6 + 3000]


@pytest.mark.parametrize(
    ("options", "timesteps", "alpha"),
    [
        ((), 16, 0.5),
        (("--timesteps", 4), 4, 0.5),
        (("--alpha", 0), 16, 0.0),
        (("--timesteps", 1, "--alpha", 1), 1, 1.0),
        (("--alpha", 0.3), 16, 19 / 64),
    ],
    ids=str,
)
def test_rate_neuron(
    tmp_path: Path, options: tuple[Any, ...], timesteps: int, alpha: float
) -> None:
    facts = answer(*CONVERT, "-o", tmp_path / "if.spk", "--neuron", "if", *options)
    assert (facts["timesteps"], facts["alpha"], facts["chip_steps"]) == (
        timesteps,
        alpha,
        timesteps + 3,
    )
    assert {layer["neuron"] for layer in facts["layers"]} == {"if@1", "readout@1"}
    assert facts["calibration"]["neuron"] == "if@1" and facts["calibration"]["alpha"] == alpha
    assert answer("verify", tmp_path / "if.spk", "--backends", "reference,fast", "--decisions", 40)[
        "exact"
    ]


@pytest.mark.parametrize("bits", [2, 5])
def test_weight_bits(tmp_path: Path, bits: int) -> None:
    done(*CONVERT, "-o", tmp_path / "narrow.spk", "--weight-bits", bits)
    artifact = spikeport.load(tmp_path / "narrow.spk")
    assert (
        max(int(np.abs(layer.weights.astype(int)).max()) for layer in artifact.network.layers)
        == 2 ** (bits - 1) - 1
    )
    assert artifact.calibration["weight_bits"] == bits


def test_resync_every(tmp_path: Path) -> None:
    assert answer(*CONVERT, "-o", tmp_path / "a.spk", "--resync-every", 50)["resync_every"] == 50
    assert answer("verify", tmp_path / "a.spk", "--backends", "reference,fast")["exact"]


def test_prune_dead_drops_the_neurons_that_never_fired(tmp_path: Path) -> None:
    """The source policy inside stays whole; what is left acts like it on the calibrated states."""
    facts = answer(*CONVERT, "-o", tmp_path / "pruned.spk", "--prune-dead")
    dead = facts["calibration"]["silent_neurons"]
    whole = pendulum()
    pruned = spikeport.load(tmp_path / "pruned.spk")
    assert facts["calibration"]["pruned"] and sum(dead) > 10
    assert [layer.outputs for layer in pruned.network.layers] == [64 - dead[0], 64 - dead[1], 1]
    assert pruned.source is not None and [layer.outputs for layer in pruned.source.layers] == [
        64,
        64,
        1,
    ]
    assert pruned.macs == whole.macs
    assert (
        facts["calibration"]["measured_action_error"] < 5 * ERROR
    )  # 0.13; the action's range is 2
    assert answer("verify", tmp_path / "pruned.spk", "--backends", "reference,fast")["exact"]


def test_no_source_leaves_the_float_policy_out(tmp_path: Path) -> None:
    done(*CONVERT, "-o", tmp_path / "bare.spk", "--no-source")
    bare = spikeport.load(tmp_path / "bare.spk")
    assert bare.source is None and bare.macs == pendulum().macs
    assert not answer("inspect", tmp_path / "bare.spk")["source_inside"]
    assert (tmp_path / "bare.spk").stat().st_size < 45_000  # four bytes a weight are missing


def recorded_policy(folder: Path) -> tuple[Any, ...]:
    """A random ELU policy of a quadruped's size as a plain state dict, its recordings, and the
    options it needs.
    """
    tensors = state_dict((48, 512, 256, 128, 12), ("actor.0", "actor.2", "actor.4", "actor.6"))
    write(folder / "elu.pt", torch_bytes({"model_state_dict": tensors, "iter": 1500}))
    np.save(folder / "observations.npy", recorded(48, 240).astype(np.float32))
    np.save(folder / "starts.npy", np.arange(240) % 60 == 0)
    bounds = ("--action-low", ",".join(["-1"] * 12), "--action-high", ",".join(["1"] * 12))
    return (
        "convert",
        folder / "elu.pt",
        "--observations",
        folder / "observations.npy",
        "--activation",
        "elu",
        "--squash",
        "clip",
        *bounds,
    )


def test_recorded_observations_of_an_elu_policy(tmp_path: Path) -> None:
    facts = answer(
        *recorded_policy(tmp_path),
        "--episode-starts",
        tmp_path / "starts.npy",
        "-o",
        tmp_path / "elu.spk",
    )
    assert [layer["activation"] for layer in facts["layers"]] == ["elu"] * 3 + ["identity"]
    assert (facts["observation"], facts["action"], facts["environment"], facts["family"]) == (
        48,
        12,
        None,
        "sequential",
    )
    assert (
        facts["calibration"]["source"] == "observations"
        and facts["calibration"]["steps"] == 240
        and facts["calibration"]["seeds"] == 0
    )
    assert facts["calibration"]["measured_action_error"] < 0.2
    artifact = spikeport.load(tmp_path / "elu.spk")
    assert artifact.source is not None and artifact.action.low is not None
    assert answer(
        "verify", tmp_path / "elu.spk", "--backends", "reference,fast", "--decisions", 20
    )["exact"]
    actions = artifact.source.act(recorded(48, 240))
    assert (np.abs(actions) == 1).any() and (np.abs(actions) < 1).any()  # the clip is exercised


def test_episode_starts_change_what_is_calibrated_on(tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "toy.pt", toy_checkpoint())
    np.save(tmp_path / "observations.npy", recorded(5))
    np.save(tmp_path / "starts.npy", (np.arange(300) % 3 == 0).astype(np.int8))
    start = (
        "convert",
        checkpoint,
        *TOY_OPTIONS,
        "--observations",
        tmp_path / "observations.npy",
        "--action-limit",
        1,
    )
    done(*start, "-o", tmp_path / "one.spk")
    done(*start, "-o", tmp_path / "many.spk", "--episode-starts", tmp_path / "starts.npy")
    one, many = (
        spikeport.load(tmp_path / name).calibration["measured_action_error"]
        for name in ("one.spk", "many.spk")
    )
    assert one != many and max(one, many) < 0.2


def test_normalizer_beside_a_zip_is_used_and_named(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    model(
        "TD3",
        size=5,
        low=-np.ones(2, np.float32),
        high=np.ones(2, np.float32),
        policy_kwargs={"net_arch": [8, 8]},
    ).save(tmp_path / "model.zip")
    start = ("inspect", tmp_path / "model.zip", "--env", TOY_ENV)
    assert "observations are not normalised" in " ".join(answer(*start)["assumptions"])
    normalizer(tmp_path / "vecnormalize.pkl", 5)
    assert answer(*start)["observation"]["normalizer"]["file"] == "vecnormalize.pkl"
    assert answer(*start, "--normalizer", "none")["observation"]["normalizer"] is None
    (tmp_path / "vecnormalize.pkl").rename(tmp_path / "other.pkl")
    assert (
        answer(*start, "--normalizer", tmp_path / "other.pkl")["observation"]["normalizer"]["file"]
        == "other.pkl"
    )
    quick = ("--env", TOY_ENV, "--calibration-steps", 200, "--action-error", 0.1)
    done(
        "convert",
        tmp_path / "model.zip",
        "-o",
        tmp_path / "a.spk",
        *quick,
        "--normalizer",
        tmp_path / "other.pkl",
    )
    assert spikeport.load(tmp_path / "a.spk").observation.mean is not None


def test_an_older_artifact_at_the_output_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "a.spk").write_bytes(b"old")
    done(*CONVERT, "-o", tmp_path / "a.spk")
    assert spikeport.load(tmp_path / "a.spk").observation.size == 9


def test_text_names_family_and_file(tmp_path: Path) -> None:
    result = done(*CONVERT, "-o", tmp_path / "a.spk")
    assert result.stdout.startswith(
        "TD3 policy td3-InvertedDoublePendulum-v5.zip -> sdn@1 (T=1, 4 chip steps a decision)"
    )
    assert (
        "assumed by family: activation relu" in result.stdout
        and f"calibrated on {STEPS} states" in result.stdout
    )
    assert "proven within" in result.stdout and result.stdout.endswith(
        f"wrote {tmp_path / 'a.spk'}\n"
    )


@pytest.mark.parametrize(
    ("accepted", "taken", "text"),
    [
        ((True,), 0.1, ""),
        (
            (False, True, True, False),
            0.025,
            (
                "action error 0.1 was not accepted, .* it gets the finest accepted error, 0.025,"
                " not the first"
            ),
        ),
        (
            (False,) * 4,
            0.05,
            (
                r"NOT ACCEPTED .* ratio 0.9000 \(at least 0.98 wanted\), 5 of 64 episodes weak \(at"
                r" most 2 allowed, the source policy has 1\)"
            ),
        ),
    ],
)
def test_why_an_action_error_was_taken(accepted: tuple[bool, ...], taken: float, text: str) -> None:
    attempts = [
        Attempt(error, error, 0.9, 5, 1, 64, ok)
        for error, ok in zip(ERRORS, accepted, strict=False)
    ]
    found, reason = acceptance(attempts, setting(taken, ()))
    assert found == any(accepted) and bool(text) == bool(reason) and re.fullmatch(text, reason)


def test_a_conversion_that_the_closed_loop_refuses_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = write(tmp_path / "toy.pt", toy_checkpoint())
    start = (
        "convert",
        checkpoint,
        "-o",
        tmp_path / "toy.spk",
        *TOY_OPTIONS,
        "--calibration-steps",
        300,
        "--json",
    )
    with monkeypatch.context() as strict:
        strict.setattr(conversion_loop, "LEAST_RATIO", 2.0)
        refused = done(*start, "--env", TOY_ENV)
    assert json.loads(refused.stdout)["accepted"] is False
    assert re.search(
        r"^warning: NOT ACCEPTED in closed loop: return ratio \d.* episodes weak .*`spikeport"
        r" diagnose toy.spk`",
        refused.stderr,
        re.M,
    )
    taken = done(*start, "--env", TOY_ENV)
    assert json.loads(taken.stdout)["accepted"] is True and "warning" not in taken.stderr
    np.save(tmp_path / "x.npy", recorded(5))
    assert (
        json.loads(done(*start, "--observations", tmp_path / "x.npy", "--action-limit", 1).stdout)[
            "accepted"
        ]
        is None
    )
