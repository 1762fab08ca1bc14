"""Late actions.

How a latency becomes control steps and substeps, and what reaches the environment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport import api
from spikeport.toolchain.energy import estimate_energy
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.latency import Delayed, delay_of, substeps_of
from tests.support.front_door import answer, command, pendulum, refusal, toy

CASES = [
    (0.0, 5, 0, 0, 0.0),
    (0.001, 5, 0, 1, 0.01),
    (0.01, 5, 0, 1, 0.01),
    (0.0100001, 5, 0, 2, 0.02),
    (0.05, 5, 1, 0, 0.05),
    (0.062, 5, 1, 2, 0.07),
    (0.001, 1, 1, 0, 0.05),
    (0.11, 1, 3, 0, 0.15),
]


@pytest.mark.parametrize(("latency", "substeps", "late", "part", "applied"), CASES)
def test_a_latency_is_rounded_up(
    latency: float, substeps: int, late: int, part: int, applied: float
) -> None:
    delay = delay_of(latency, 0.05, substeps)
    assert (delay.late, delay.part, delay.applied_s) == (late, part, pytest.approx(applied))


@pytest.mark.parametrize("latency", [-1.0, float("nan"), float("inf")])
def test_a_latency_is_a_time(latency: float) -> None:
    with pytest.raises(InputError, match="latency: is not a time"):
        delay_of(latency, 0.05, 5)


class Recorder:
    """An environment that keeps the actions that reach it; with `frame_skip`, per substep."""

    def __init__(self, frame_skip: int = 0) -> None:
        import gymnasium

        self.action_space = gymnasium.spaces.Box(
            np.array([0.5], np.float32), np.array([9.0], np.float32)
        )
        self.reached: list[list[float]] = []
        if frame_skip:
            self.frame_skip = frame_skip
            self.do_simulation = self._simulate

    @property
    def unwrapped(self) -> Recorder:
        return self

    def reset(self, **options: Any) -> tuple[float, dict[str, Any]]:
        self.reached = []
        return 0.0, options

    def step(self, action: np.ndarray) -> tuple[float, float, bool, bool, dict[str, Any]]:
        self.reached.append([])
        if hasattr(self, "frame_skip"):
            self.do_simulation(action, self.frame_skip)
        else:
            self.reached[-1].append(float(action[0]))
        return 0.0, float(action[0]), False, False, {}

    def _simulate(self, control: np.ndarray, frames: int) -> None:
        self.reached[-1] += [float(control[0])] * frames


REACHED = [
    (0.0, [[2, 2, 2, 2], [3, 3, 3, 3], [4, 4, 4, 4]]),
    (0.25, [[0.5, 2, 2, 2], [2, 3, 3, 3], [3, 4, 4, 4]]),
    (1.0, [[0.5, 0.5, 0.5, 0.5], [2, 2, 2, 2], [3, 3, 3, 3]]),
    (1.75, [[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 2], [2, 2, 2, 3]]),
]


@pytest.mark.parametrize(("latency", "reached"), REACHED)
def test_the_last_action_whose_latency_has_passed_is_in_force(
    latency: float, reached: list[list[float]]
) -> None:
    """Four substeps a second of control; before the first action, zeros clipped to the bounds.

    A reset forgets all.
    """
    inner = Recorder(4)
    env = Delayed(inner, delay_of(latency, 1.0, substeps_of(inner)))
    for _ in range(2):
        env.reset(seed=1)
        for action in (2, 3, 4):
            env.step(np.array([action], np.float32))
        assert inner.reached == reached


def test_without_substeps_whole_control_steps() -> None:
    inner = Recorder()
    assert substeps_of(inner) == 1
    env = Delayed(inner, delay_of(0.25, 1.0, 1))
    env.reset()
    assert [env.step(np.array([action], np.float32))[1] for action in (2, 3, 4)] == [0.5, 2, 3]
    assert env.action_space is inner.action_space  # all else is the environment's


def test_two_parts_of_one_action_are_the_whole() -> None:
    """MuJoCo: splitting a control step changes nothing where both parts have the same action."""
    plain, split = (
        gymnasium_bridge.make("InvertedDoublePendulum-v5", trusted=True) for _ in range(2)
    )
    late = Delayed(split, delay_of(0.01, 0.05, substeps_of(split)))
    assert late.delay.part == 1
    start = plain.reset(seed=3)[0]
    late_start = late.reset(seed=3)[0]
    assert np.array_equal(start, late_start)
    none = np.zeros(1, np.float32)
    for _ in range(10):
        assert np.array_equal(plain.step(none)[0], late.step(none)[0])
    plain.close()
    late.close()


@pytest.fixture(scope="module")
def spk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("latency")
    spikeport.save(pendulum(), folder / "pendulum.spk")
    spikeport.save(toy(), folder / "toy.spk")
    return folder / "pendulum.spk"


def test_no_latency_changes_nothing() -> None:
    plain, late = (
        spikeport.simulate(pendulum(), episodes=2, latency_s=latency) for latency in (None, 0.0)
    )
    assert np.array_equal(plain.returns, late.returns)
    assert plain.to_json()["latency_s"] is None and late.to_json()["latency_applied_s"] == 0.0


def test_return_against_latency() -> None:
    """The pendulum that its policy balances falls when actions come a control step late.

    The source's are on time.
    """
    runs = [
        spikeport.simulate(pendulum(), episodes=2, latency_s=latency, compare=True)
        for latency in (0.0, 0.05)
    ]
    assert runs[1].returns.mean() < 0.5 * runs[0].returns.mean()
    assert (
        runs[0].ann is not None
        and runs[1].ann is not None
        and np.array_equal(runs[0].ann.returns, runs[1].ann.returns)
    )


def test_the_latency_of_a_profile() -> None:
    """Chip and host, or the dense policy on a microcontroller."""
    artifact = pendulum()
    chip = estimate_energy(api.probe_census(artifact), artifact, ("loihi1-davies",), None)[0]
    assert chip.latency_s is not None and chip.io_s == pytest.approx((16.5e-6, 4.26e-3))
    assert api.modelled_latency(artifact, "loihi1-davies") == pytest.approx(
        chip.latency_s + 16.5e-6
    )
    assert api.modelled_latency(artifact, "loihi1-davies", "system") == pytest.approx(
        chip.latency_s + 4.26e-3
    )
    assert api.modelled_latency(artifact, "stm32l4r5") == pytest.approx(
        artifact.macs / (132.077 * 264_192)
    )


def test_the_command(spk: Path) -> None:
    facts = answer(
        "simulate",
        spk,
        "--episodes",
        1,
        "--latency-from",
        "loihi1-davies",
        "--latency-io",
        "system",
    )
    assert facts["latency_s"] == pytest.approx(
        api.modelled_latency(pendulum(), "loihi1-davies", "system")
    )
    assert facts["latency_applied_s"] == pytest.approx(0.01)
    text = command("simulate", spk, "--episodes", 1, "--latency-from", "stm32l4r5").stdout
    assert "applied as 10 ms of a control period of 50 ms" in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--latency-from", "asic45"), "--latency-from: the profile has no times (got asic45"),
        (("--latency-from", "speck2f"), "prices no policy"),
        (("--latency-from", "loihi"), "unknown name"),
        (("--latency-io", "floor"), "--latency-io: says how --latency-from counts the host"),
    ],
)
def test_the_command_refuses(spk: Path, options: tuple[str, ...], text: str) -> None:
    assert text in refusal("simulate", spk, "--episodes", 1, *options)
