"""`spikeport assess` on the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import spikeport
from spikeport.hardware_profiles import profile_names
from spikeport.toolchain.energy import ASSESS_PROFILES
from spikeport.toolchain.energy.energy_verdict import NOT, UNFIT
from spikeport.toolchain.energy.estimate_result import DELTA, DENSE, SPARSE
from spikeport.toolchain.errors import CheckFailed
from tests.support.front_door import answer, command, pendulum, refusal, toy
from tests.support.networks import random_artifact


@pytest.fixture(scope="module")
def spk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assess")
    spikeport.save(pendulum(), folder / "pendulum.spk")
    spikeport.save(toy(), folder / "toy.spk")
    return folder / "pendulum.spk"


def test_the_command(spk: Path) -> None:
    facts = answer("assess", spk, "--episodes", 1, "--plot", spk.with_name("a.svg"))
    assert spk.with_name("a.svg").read_text("utf-8").count("loihi1-davies") > 0
    assert (facts["verdict"], facts["fits"], facts["violations"]) == (NOT, True, [])
    assert [e["profile"] for e in facts["estimates"]] == list(ASSESS_PROFILES)
    assert {e["runs"] for e in facts["baselines"]} == {DENSE, SPARSE, DELTA}
    assert {p["profile"] for p in facts["placements"]} >= {
        "loihi1-davies",
        "loihi2",
        "spinnaker2",
        "speck2f",
        "xylo-audio2",
    }
    assert facts["work"]["dense"] == 9 * 64 + 64 * 64 + 64 and facts["work"]["decisions"] > 0
    assert len(facts["break_evens"]) == len(profile_names("mcu"))
    text = command("assess", spk.with_name("toy.spk")).stdout
    assert text.startswith("VERDICT: ") and "What decides" in text and "Not priced" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--plot", "a.txt"), "--plot: unknown kind of picture (got .txt, limit .svg, .png, .pdf)"),
        (("--plot", "/nowhere/a.svg"), "--plot: cannot be written: its folder does not exist"),
        (("--profile", "loihi3"), "unknown name"),
        (("--episodes", 0), "--episodes: nothing to count"),
    ],
)
def test_the_command_refuses(spk: Path, options: tuple[Any, ...], text: str) -> None:
    assert text in refusal("assess", spk, *options)


def test_a_2048_2048_policy_gets_every_limit_in_one_answer_and_exit_code_1(tmp_path: Path) -> None:
    artifact = random_artifact(1, neuron="sdn@1", widths=(17, 2048, 2048, 6))
    spikeport.save(
        dataclasses.replace(artifact, source_macs=17 * 2048 + 2048 * 2048 + 2048 * 6),
        tmp_path / "wide.spk",
    )
    facts = answer(
        "assess",
        tmp_path / "wide.spk",
        "--profile",
        "loihi1-davies",
        "--profile",
        "loihi2",
        "--profile",
        "speck2f",
        "--profile",
        "xylo-audio2",
        exit_code=1,
    )
    assert facts["verdict"] == UNFIT and not facts["fits"]
    found = {(v["profile"], v["limit"]) for v in facts["violations"]}
    assert found >= {
        ("loihi2", "cores"),
        ("loihi2", "words_per_core"),
        ("speck2f", "features"),
        ("speck2f", "kernel_memory"),
        ("xylo-audio2", "network_inputs"),
        ("xylo-audio2", "network_neurons"),
    }
    assert all(v["needed"] > v["allowed"] and v["ways_out"] for v in facts["violations"])
    done = command("energy", tmp_path / "wide.spk")
    assert done.exit_code == 1
    told = (
        "loihi2: the network needs 123 of cores, 122 there are"
        " (1 for layer 0, 121 for layer 1, 1 for layer 2)"
    )
    assert told in done.stderr
    with pytest.raises(CheckFailed, match="2 limits are exceeded"):
        spikeport.estimate_energy(artifact)


@pytest.mark.parametrize("period", ["1e-300", "0.0009", "1e10", "inf"])
@pytest.mark.parametrize("name", ["energy", "assess"])
def test_the_command_refuses_a_period_that_no_robot_has(spk: Path, name: str, period: str) -> None:
    assert "energy: the control period is out of range (got " in refusal(
        name, spk, "--control-period-ms", period
    )
