"""The Python API: complete, every name importable, the same refusals as the command's."""

from __future__ import annotations

import configparser
import dataclasses
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport import api
from spikeport.export.lava import lava_import
from spikeport.toolchain.conversion.closed_loop_conversion import Attempt
from spikeport.toolchain.simulation.backends import BACKENDS
from tests.support.front_door import (
    CHEETAH,
    CHEETAH_ENV,
    PENDULUM,
    PENDULUM_ENV,
    ROOT,
    TOY_ENV,
    pendulum,
    recorded,
    toy,
    toy_checkpoint,
)
from tests.support.policy_files import state_dict, torch_bytes, write


def toy_policy(folder: Path) -> spikeport.Policy:
    path = write(folder / "toy.pt", toy_checkpoint())
    return spikeport.load_policy(path, activation="tanh", squash="tanh", action_limit=1.0)


def test_every_public_name_is_there() -> None:
    assert set(dir(spikeport)) == set(spikeport.__all__)
    for name in (
        "load_policy",
        "convert",
        "save",
        "load",
        "verify",
        "simulate",
        "estimate_energy",
        "export",
        "Controller",
        "InputError",
    ):
        assert name in spikeport.__all__
    assert all(getattr(spikeport, name) is not None for name in spikeport.__all__)
    with pytest.raises(AttributeError, match="module 'spikeport' has no attribute 'simulte'"):
        spikeport.simulte  # noqa: B018
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert spikeport.__version__ == setup["metadata"]["version"]


def test_from_checkpoint_to_joules(tmp_path: Path) -> None:
    """Every step of the command line, from Python."""
    policy = spikeport.load_policy(PENDULUM, env=PENDULUM_ENV)
    stages: dict[str, int] = {}
    artifact = spikeport.convert(
        policy,
        env=PENDULUM_ENV,
        action_error=0.05,
        calibration_steps=300,
        progress=lambda stage, done, total: stages.update({stage: stages.get(stage, 0) + done}),
    )
    assert stages == {"calibrate": 300}
    spikeport.save(artifact, tmp_path / "p.spk")
    loaded = spikeport.load(str(tmp_path / "p.spk"))
    assert isinstance(loaded, spikeport.Artifact) and loaded.environment == artifact.environment
    verification = spikeport.verify(loaded, backends=["reference", "fast"])
    assert isinstance(verification, spikeport.Verification) and verification.exact
    finished: list[int] = []
    simulation = spikeport.simulate(
        loaded, episodes=2, compare=True, progress=lambda stage, done, total: finished.append(done)
    )
    assert (
        isinstance(simulation, spikeport.Simulation) and sum(finished) == 4
    )  # both policies' episodes
    assert (simulation.returns == spikeport.simulate(artifact, episodes=2).returns).all()
    counted = spikeport.estimate_energy(loaded, census=simulation.census)
    assert counted == spikeport.estimate_energy(loaded, episodes=2) and counted[
        0
    ].control_period_s == pytest.approx(0.05)
    if lava_import.lava_available():
        spikeport.export(loaded, "lava", tmp_path / "lava")
        assert (tmp_path / "lava" / "run.py").is_file()
    spikeport.export(loaded, "onnx", tmp_path / "policy.onnx")
    assert (tmp_path / "policy.onnx").is_file()


def test_defaults_are_the_contracts() -> None:
    """Of the neurons that there are: T, alpha, bits, action error, seed, steps, episodes."""
    sdn = spikeport.ConversionOptions()
    rate = spikeport.ConversionOptions(neuron="if")
    assert (
        sdn.neuron,
        sdn.steps,
        sdn.alpha_64ths,
        sdn.weight_bits,
        sdn.wanted_error,
        sdn.resync_every,
    ) == ("sdn", 1, 0, 8, 0.1, 0)
    assert (rate.steps, rate.alpha_64ths) == (16, 32)
    assert spikeport.convert.__kwdefaults__ | {"progress": None} == {
        "env": None,
        "observations": None,
        "episode_starts": None,
        "options": None,
        "calibration_steps": 10_000,
        "seed": 0,
        "progress": None,
        "attempts": None,
    }
    shown = {
        "simulate": {"episodes": 10, "seed": 1000, "backend": "fast", "compare": False},
        "estimate_energy": {"profiles": ("loihi1-davies", "loihi2")},
        "verify": {"backends": BACKENDS, "decisions": 256},
    }
    for name, defaults in shown.items():
        parameters = inspect.signature(getattr(spikeport, name)).parameters
        for option, value in defaults.items():
            assert parameters[option].default == value, (name, option)


def test_the_closed_loop_tells_what_it_tried(tmp_path: Path) -> None:
    attempts: list[Attempt] = []
    artifact = spikeport.convert(
        toy_policy(tmp_path), env=TOY_ENV, calibration_steps=300, attempts=attempts
    )
    assert attempts and attempts[0].action_error == 0.1 and attempts[0].episodes == 64
    assert artifact.calibration["closed_loop"] == [
        dataclasses.asdict(attempt) for attempt in attempts
    ]
    with pytest.raises(spikeport.InputError, match="these seeds were used for calibration"):
        spikeport.simulate(
            artifact, seed=10**6 + 10 + 63, episodes=1
        )  # the last of the closed loop's: 300 steps are 10 episodes
    assert spikeport.simulate(artifact, seed=10**6 + 10 + 64, episodes=1).seed == 10**6 + 74


def test_recorded_observations_in_any_shape_of_numbers(tmp_path: Path) -> None:
    policy = toy_policy(tmp_path)
    values = recorded(5)
    expected = spikeport.convert(policy, observations=values.round(2)).network
    for other in (
        values.round(2).tolist(),
        np.asfortranarray(values.round(2)),
        np.repeat(values.round(2), 2, axis=1)[:, ::2],
    ):
        network = spikeport.convert(policy, observations=other).network  # type: ignore[arg-type]
        for one, another in zip(expected.layers, network.layers, strict=True):
            np.testing.assert_array_equal(one.weights, another.weights)
            np.testing.assert_array_equal(one.threshold, another.threshold)
    flags = np.arange(300) % 100 == 0
    one, other = (
        spikeport.convert(policy, observations=values, episode_starts=starts)
        for starts in (flags, flags.astype(float))
    )
    assert one.calibration == other.calibration


def test_action_bounds_in_place_of_an_environment() -> None:
    for bounds in ((-1.0, 1.0), ([-1.0] * 6, [1.0] * 6), (-1.0, [1.0] * 6), (np.full(6, -1.0), 1)):
        policy = spikeport.load_policy(CHEETAH, action_low=bounds[0], action_high=bounds[1])
        assert policy.action.scale.tolist() == [1.0] * 6
    with pytest.raises(
        spikeport.InputError, match="the bounds have different lengths .got 6 and 5"
    ):
        spikeport.load_policy(CHEETAH, action_low=[-1.0] * 6, action_high=[1.0] * 5)
    with pytest.raises(spikeport.InputError, match="got 6 outputs, limit 5 action channels"):
        spikeport.load_policy(CHEETAH, action_low=[-1.0] * 5, action_high=[1.0] * 5)
    with pytest.raises(spikeport.InputError, match="the environment gives the bounds already"):
        spikeport.load_policy(CHEETAH, env=CHEETAH_ENV, action_low=-1.0, action_high=1.0)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "calibration needs the policy's own states .got neither"),
    (
        {"env": TOY_ENV, "observations": recorded(5)},
        "calibration needs the policy's own states .got both",
    ),
    (
        {"env": TOY_ENV, "episode_starts": np.ones(300)},
        "--episode-starts: marks the rows of recorded observations",
    ),
    ({"env": TOY_ENV, "seed": -1}, "--seed: a seed is never negative"),
    ({"env": TOY_ENV, "calibration_steps": 10}, "--calibration-steps: too few states"),
    (
        {"env": PENDULUM_ENV},
        (
            "InvertedDoublePendulum-v5: does not fit the policy: 9 observation channels for a"
            " policy of 5; 1 action channels for a policy of 2"
        ),
    ),
    (
        {"observations": recorded(5), "options": spikeport.ConversionOptions(), "weight_bits": 4},
        "give options or single choices, not both .got weight_bits",
    ),
    (
        {"observations": recorded(5), "neuron": "if"},
        "if neurons carry relu only: layer 0 is tanh, layer 1 is tanh",
    ),
    (
        {"observations": recorded(5)[:50]},
        "--observations: too few states to calibrate on .got 50, limit 100 or more",
    ),
    (
        {"observations": recorded(5).astype(object)},
        "--observations: array does not fit the policy .got object",
    ),
]


@pytest.mark.parametrize(("arguments", "text"), REFUSED, ids=[text[:30] for _, text in REFUSED])
def test_conversions_refused(tmp_path: Path, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(spikeport.InputError, match=text) as caught:
        spikeport.convert(toy_policy(tmp_path), **arguments)
    assert caught.value.exit_code == 2 and caught.value.fix and caught.value.where


def test_misspelt_choices_are_python_errors(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="nueron"):
        spikeport.convert(toy_policy(tmp_path), observations=recorded(5), nueron="sdn")


def test_errors_carry_their_parts() -> None:
    with pytest.raises(spikeport.SpikeportError) as caught:
        spikeport.ConversionOptions(weight_bits=1)
    error = caught.value
    assert (error.where, error.got, error.limit, error.fix) == (
        "--weight-bits",
        1,
        "2..8",
        "--weight-bits 8",
    )
    assert (
        str(error)
        == "--weight-bits: weights need a width that holds something (got 1, limit 2..8). symmetric"
        " weights of 1 bit are all zero. Fix: --weight-bits 8."
    )
    assert (
        issubclass(spikeport.CheckFailed, spikeport.SpikeportError)
        and spikeport.CheckFailed.exit_code == 1
    )
    assert (
        issubclass(spikeport.BackendError, spikeport.SpikeportError)
        and spikeport.BackendError.exit_code == 2
    )


def test_a_source_from_elsewhere(tmp_path: Path) -> None:
    """Its layers, the artifact's contracts; another network's layers do not fit."""
    bare = pendulum().without_source()
    source = api.load_source(bare, PENDULUM)
    values = recorded(9)
    assert pendulum().source is not None
    np.testing.assert_array_equal(source.act(values), pendulum().source.act(values))
    for inputs, outputs, text in (
        (8, 1, "got 8 inputs, limit 9 observation channels"),
        (9, 2, "got 2 outputs, limit 1 action channels"),
    ):
        path = write(
            tmp_path / "other.pt", torch_bytes(state_dict((inputs, 4, outputs), ("l1", "l2")))
        )
        with pytest.raises(spikeport.InputError, match=text):
            api.load_source(bare, path)
    # without an environment the contracts alone say what fits
    path = write(tmp_path / "toy.pt", toy_checkpoint())
    np.testing.assert_array_equal(
        api.load_source(toy(), path).act(recorded(5)), toy().source.act(recorded(5))
    )  # type: ignore[union-attr]
    path = write(tmp_path / "other.pt", torch_bytes(state_dict((6, 4, 2), ("0", "2"))))
    with pytest.raises(spikeport.InputError, match="layer 0 takes 6 inputs but 5 arrive"):
        api.load_source(toy(), path)


def test_without_a_source_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(
        spikeport.InputError, match="--compare: the artifact was converted with --no-source"
    ):
        spikeport.simulate(pendulum().without_source(), compare=True)
    result = spikeport.simulate(
        pendulum().without_source(), compare=True, source=pendulum().source, episodes=1
    )
    assert result.ann is not None
    with pytest.raises(
        spikeport.InputError,
        match=(
            "--source: the source policy does not fit the artifact .got 5 observation and 2 action"
            " channels, limit 9"
        ),
    ):
        spikeport.simulate(pendulum(), compare=True, source=toy().source)


def test_energy_of_another_networks_census() -> None:
    census = spikeport.simulate(toy(), env=TOY_ENV, episodes=1).census
    with pytest.raises(spikeport.InputError, match="Fix: "):
        spikeport.estimate_energy(pendulum(), census=census)
    with pytest.raises(spikeport.InputError, match="--episodes: nothing to count"):
        spikeport.estimate_energy(toy(), episodes=0)


def test_unknown_exports_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(
        spikeport.InputError, match="unknown export format .got lavaa, limit .* did you mean 'lava'"
    ):
        spikeport.export(pendulum(), "lavaa", tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
