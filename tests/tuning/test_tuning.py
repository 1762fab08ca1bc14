"""`tune` on a toy.

The search, its seeds, its study, its gates, and what it says where nothing holds.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact.artifact_file import load, save
from spikeport.toolchain.conversion.calibration.reset_seeds import (
    LARGEST_SEED,
    judging_seeds,
    search_seeds,
)
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.closed_loop import simulate
from spikeport.toolchain.tuning import Tuned, TuningOptions, tune
from spikeport.toolchain.tuning.point import Point, first_points, neighbours, suggest
from spikeport.toolchain.tuning.tuning_evidence import Evidence
from tests.support.front_door import (
    PENDULUM,
    PENDULUM_ENV,
    TOY_ENV,
    answer,
    command,
    refusal,
    toy_checkpoint,
)
from tests.support.policy_files import write

TOY = ("--activation", "relu", "--squash", "tanh", "--env", TOY_ENV)
QUICK = TuningOptions(target=0.9, chatter=2.0, trials=10, minutes=1.5, calibration_steps=300)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("toy") / "toy.pt", toy_checkpoint())


@pytest.fixture(scope="module")
def policy(checkpoint: Path) -> Policy:
    return spikeport.load_policy(checkpoint, env=TOY_ENV, activation="relu", squash="tanh")


@pytest.fixture(scope="module")
def tuned(policy: Policy) -> Tuned:
    return tune(policy, TOY_ENV, dataclasses.replace(QUICK, trials=9, neurons=("sdn", "dc")))


def test_the_cheapest_safe_candidate_is_chosen(tuned: Tuned) -> None:
    assert tuned.holds and tuned.trials == 9 and tuned.judged >= 1
    assert (
        tuned.rungs == (4, 12, 36, 108)
        and tuned.judging_episodes == 216 == tuned.chosen[1].episodes
    )
    assert tuned.plain is not None and tuned.chosen[1].cost < tuned.plain[1].cost
    costs, ratios = (
        [getattr(evidence, name) for _, evidence in tuned.pareto] for name in ("cost", "ratio")
    )
    assert costs == sorted(costs) and ratios == sorted(ratios)


def test_the_artifact_is_the_chosen_conversion_and_keeps_the_record(
    tuned: Tuned, tmp_path: Path
) -> None:
    save(tuned.artifact, tmp_path / "tuned.spk")
    calibration = load(tmp_path / "tuned.spk").calibration
    assert calibration["tuning"]["trials"] == 9 and calibration["tuning"]["holds"] is True
    assert calibration["tuning"]["chosen"]["point"] == tuned.chosen[0].facts()
    assert len(calibration["tuning"]["pareto"]) == len(tuned.pareto)
    triggers = tuple(layer.trigger for layer in tuned.artifact.network.layers[:-1])
    assert tuned.chosen[0].neuron != "sdn" or triggers == tuned.chosen[0].triggers


def test_all_seeds_are_recorded_and_refused(tuned: Tuned) -> None:
    used = set(tuned.artifact.calibration["seeds"])
    assert used >= {*search_seeds(0, 108), *judging_seeds(0, 216)}
    for seed in (search_seeds(0, 1)[0], judging_seeds(0, 1)[0] + 215):
        with pytest.raises(InputError, match="these seeds were used"):
            simulate(tuned.artifact, environment=TOY_ENV, seed=seed, episodes=1)
    assert simulate(tuned.artifact, environment=TOY_ENV, episodes=2, compare=True).ann is not None


def test_seed_ranges_never_meet() -> None:
    assert not set(search_seeds(3, 500)) & set(judging_seeds(3, 500)) and not set(
        judging_seeds(3, 500)
    ) & set(search_seeds(4, 500))
    assert (
        min(search_seeds(0, 1)) > 10**6 + 1000 * LARGEST_SEED + 10**6
        and max(judging_seeds(LARGEST_SEED, 500)) < 2**31
    )
    with pytest.raises(InputError, match="--seed"):
        TuningOptions(seed=LARGEST_SEED + 1)


def test_a_search_goes_on_from_its_study(policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    tried = []
    hurried = dataclasses.replace(QUICK, minutes=0.25)

    def run(trials: int) -> Tuned:
        return tune(
            policy,
            TOY_ENV,
            dataclasses.replace(hurried, trials=trials),
            study=path,
            report=lambda *candidate: tried.append(candidate),
        )

    first = run(2)
    again = run(4)
    assert (first.trials, again.trials) == (2, 4)
    assert [number for number, _, _ in tried] == [1, 2, 3, 4]
    assert len({point for _, point, _ in tried}) == 4  # nothing is tried twice
    assert run(4).chosen[0] == again.chosen[0] and len(tried) == 4


def test_a_foreign_study_is_refused(policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    tune(policy, TOY_ENV, dataclasses.replace(QUICK, trials=1), study=path)
    before = path.read_text().splitlines()
    with pytest.raises(InputError, match=r"belongs to another search \(target 0.9, now 0.8\)"):
        tune(policy, TOY_ENV, dataclasses.replace(QUICK, target=0.8), study=path)
    other = dataclasses.replace(
        policy, provenance=dataclasses.replace(policy.provenance, sha256="0" * 64)
    )
    with pytest.raises(InputError, match="belongs to another search"):
        tune(other, TOY_ENV, QUICK, study=path)
    trials = [
        line for line in path.read_text().splitlines() if line not in before and '"trial' in line
    ]
    assert not trials  # nothing was added but Optuna's note that it looked
    for content in ("not a study\n", '{"a": 1}\n'):
        strange = write(tmp_path / "strange", content.encode())
        with pytest.raises(InputError, match="not a study file"):
            tune(policy, TOY_ENV, QUICK, study=strange)
        assert strange.read_bytes() == content.encode()


@pytest.mark.parametrize(
    ("change", "reason"), [({"chatter": 0.01}, "chatter"), ({"target": 2.0}, "ratio")]
)
def test_nothing_holds(policy: Policy, change: dict[str, float], reason: str) -> None:
    """Then the artifact is the plain conversion, and it says so."""
    candidates = []
    tuned = tune(
        policy,
        TOY_ENV,
        dataclasses.replace(QUICK, trials=9, **change),
        report=lambda number, point, evidence: candidates.append(evidence),
    )
    assert not tuned.holds and tuned.safe == 0 and "plain conversion" in tuned.verdict
    assert all(not evidence.safe for evidence in candidates) and any(
        reason in evidence.reason for evidence in candidates
    )
    assert tuned.artifact.network.neuron == "sdn@1" and tuned.artifact.calibration["thrift"] == 0
    assert tuned.artifact.calibration["tuning"]["holds"] is False


def test_what_is_dearer_than_the_plain_conversion_is_taken_only_where_that_does_not_hold(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("spikeport.toolchain.tuning.tuner")
    dear = Point("if", 8, timesteps=16, alpha=0.0), Evidence(216, 1.0, 1.0, 1e9, 9.0, True, "held")
    monkeypatch.setattr(module, "judge", lambda *_: (dear, 1))
    found = tune(policy, TOY_ENV, dataclasses.replace(QUICK, trials=2))
    assert (
        module.is_plain(found.chosen[0])
        and found.holds
        and found.verdict.startswith(
            "nothing cheaper was safe; this is the plain conversion, which holds"
        )
    )
    monkeypatch.setattr(
        module, "fall_back", lambda workers, plain, *_: (plain, module.nothing_known())
    )
    found = tune(policy, TOY_ENV, dataclasses.replace(QUICK, trials=2))
    assert (found.chosen, found.holds, found.verdict) == (dear, True, "held")


def test_the_time_is_kept(policy: Policy) -> None:
    tuned = tune(policy, TOY_ENV, dataclasses.replace(QUICK, minutes=0.05, trials=1000))
    assert tuned.seconds < 8 and tuned.trials < 1000


def test_a_source_without_a_return_cannot_be_tuned(policy: Policy) -> None:
    for environment in ("NoReward-v0", "Diverging-v0"):
        with pytest.raises(InputError, match="the source policy's return is no measure"):
            tune(policy, f"tests.support.toy_environments:{environment}", QUICK)


def test_the_optimiser_sees_every_point_as_it_is() -> None:
    import optuna

    study = optuna.create_study()
    neurons = ("sdn", "dc", "mt", "snm", "if")
    points = first_points(neurons, (8, 6), 2)
    points += [
        near
        for point in points
        for near in neighbours(
            dataclasses.replace(point, error_shares=(1.0, 2.0, 4.0) * (point.neuron == "sdn")),
            0.5,
            (8, 6),
        )
    ]
    for point in points:
        study.enqueue_trial(point.parameters())
        trial = study.ask()
        assert suggest(trial, point.neuron, (8, 6), 2) == point
        assert isinstance(point.options(), ConversionOptions)
        study.tell(trial, 1.0)
    assert (
        str(Point(action_error=0.1, triggers=(1, 2)))
        == "--neuron sdn --weight-bits 8 --action-error 0.1 --triggers 1,2"
    )


def test_command(tmp_path: Path) -> None:
    """One JSON object, candidates on stderr, joules of a chip as the cost.

    What it wrote loads and runs.
    """
    arguments = (
        "tune",
        PENDULUM,
        "-o",
        tmp_path / "p.spk",
        "--env",
        PENDULUM_ENV,
        "--minutes",
        0.5,
        "--trials",
        2,
        "--calibration-steps",
        300,
    )
    joules = (
        "--cost",
        "joules",
        "--profile",
        "loihi2",
        "--neurons",
        "sdn,dc",
        "--target",
        "0.9",
        "--chatter",
        50,
    )
    result = command(*arguments, *joules, "--json")
    facts = json.loads(result.stdout)
    assert (
        result.exit_code == (0 if facts["tuning"]["holds"] else 1)
        and result.stdout.count("\n") == 1
    )
    assert (
        facts["tuning"]["trials"] >= 1
        and facts["tuning"]["profile"] == "loihi2"
        and facts["output"] == "p.spk"
    )
    assert 0 < facts["tuning"]["chosen"]["cost"] < 1e-3  # joules
    assert (
        "synops per MAC" in result.stderr
        and load(tmp_path / "p.spk").calibration["tuning"]["cost"] == "joules"
    )


def test_command_where_nothing_holds(checkpoint: Path, tmp_path: Path) -> None:
    result = command(
        "tune",
        checkpoint,
        "-o",
        tmp_path / "t.spk",
        *TOY,
        "--target",
        1.9,
        "--trials",
        2,
        "--minutes",
        1,
        "--calibration-steps",
        300,
    )
    assert (
        result.exit_code == 1
        and "DOES NOT HOLD 1.9" in result.stdout
        and "plain conversion" in result.stdout
    )
    assert load(tmp_path / "t.spk").network.neuron == "sdn@1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--cost", "watts"), "--cost"),
        (("--cost", "joules"), "--profile"),
        (("--cost", "joules", "--profile", "stm32u575"), "--profile"),
        (("--profile", "loihi2"), "--profile"),
        (("--neurons", "sdn,lstm"), "--neurons"),
        (("--weight-bits", "8,9"), "--weight-bits"),
        (("--minutes", "0"), "--minutes"),
        (("--trials", "0"), "--trials"),
        (("--target", "0"), "--target"),
        (("--chatter", "-1"), "--chatter"),
        (("--study", "missing/study.log"), "--study"),
    ],
)
def test_refused_options(
    checkpoint: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    assert said in refusal("tune", checkpoint, "-o", tmp_path / "t.spk", *TOY, *arguments)
    assert not (tmp_path / "t.spk").exists()


def test_the_environment_is_needed(checkpoint: Path, tmp_path: Path) -> None:
    assert "--env ID" in refusal(
        "tune",
        checkpoint,
        "-o",
        tmp_path / "t.spk",
        "--action-low",
        "-1",
        "--action-high",
        "1",
        *TOY[:4],
    )


def test_automatic_neuron(checkpoint: Path, tmp_path: Path) -> None:
    """All five are tried on a ReLU policy, the cheapest that holds is taken, its seeds are
    recorded.
    """
    facts = answer(
        "convert",
        checkpoint,
        "-o",
        tmp_path / "a.spk",
        *TOY,
        "--neuron",
        "auto",
        "--calibration-steps",
        300,
        "--weight-bits",
        7,
    )
    tried = facts["calibration"]["automatic"]
    assert [entry["neuron"] for entry in tried] == ["sdn", "dc", "mt", "snm", "if"]
    taken = next(entry for entry in tried if entry["taken"])
    holding = [entry for entry in tried if entry["holds"]] or tried[:1]
    assert taken["synops_per_mac"] == min(entry["synops_per_mac"] for entry in holding)
    artifact = load(tmp_path / "a.spk")
    assert (
        artifact.network.neuron == f"{taken['neuron']}@1"
        and artifact.calibration["weight_bits"] == 7
    )
    assert set(search_seeds(0, 20)) <= set(artifact.calibration["seeds"])


def test_automatic_neuron_of_a_tanh_policy(checkpoint: Path) -> None:
    attempts: list[object] = []
    policy = spikeport.load_policy(checkpoint, env=TOY_ENV, activation="tanh", squash="tanh")
    artifact = spikeport.convert(
        policy,
        env=TOY_ENV,
        neuron="auto",
        calibration_steps=300,
        action_error=0.1,
        attempts=attempts,
    )
    assert (
        artifact.network.neuron == "sdn@1"
        and len(attempts) == 1
        and "neuron sdn" in str(attempts[0])
    )


def test_automatic_neuron_refuses_what_only_a_named_one_can_have(
    checkpoint: Path, tmp_path: Path
) -> None:
    target = ("convert", checkpoint, "-o", tmp_path / "a.spk", "--neuron", "auto")
    assert "--neuron auto" in refusal(*target, *TOY, "--timesteps", 8)
    assert "--neuron auto" in refusal(*target, *TOY, "--alpha", 0.5)
    assert (
        "takes each neuron's own timesteps, alpha and thresholds (got --threshold-shares)"
        in refusal(*target, *TOY, "--threshold-shares", "1")
    )
    np.save(tmp_path / "o.npy", np.zeros((300, 5)))
    recorded = ("--observations", tmp_path / "o.npy", "--action-low", "-1", "--action-high", "1")
    assert "--neuron auto" in refusal(*target, *TOY[:4], *recorded)
