"""The spiking closed loop against the bare environment on the very same actions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.material import SEED, Material, make
from benchmarks.method import Spread, undisturbed
from benchmarks.rows import MANY, ONE
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.simulation.backend import Backend
from spikeport.toolchain.simulation.backends import open_backend
from spikeport.toolchain.simulation.rollout import Rollout, roll_out

Float = NDArray[np.float64]
EPISODES = {ONE: 1, MANY: 10}  # a roll-out; `simulate` runs ten unless told otherwise, side by side


@dataclass(frozen=True)
class LoopResult:
    """Seconds per decision of one way to roll out.

    The loop, `decide` in it, the environment alone.
    """

    environment: str
    way: str
    limit: float
    loop: Spread
    decide: Spread
    alone: Spread
    ratio: Spread


class Recorder:
    """An environment that remembers the actions it was given."""

    def __init__(self, env: Any) -> None:
        self.env, self.actions = env, list[NDArray[Any]]()
        self.action_space = env.action_space
        self.observation_space = env.observation_space

    def reset(self, **options: Any) -> Any:
        return self.env.reset(**options)

    def step(self, action: NDArray[Any]) -> Any:
        self.actions.append(action.copy())
        return self.env.step(action)

    def close(self) -> None:
        self.env.close()


@dataclass(frozen=True, eq=False)
class Loop:
    """One way to roll one policy out:

    `fast` sdn by `roll_out`, as `simulate` does, and its recorded actions.
    """

    material: Material
    way: str
    backend: Backend
    longest: int
    actions: Sequence[Sequence[NDArray[Any]]]  # [episode][decision]

    @classmethod
    def record(cls, material: Material, way: str, longest: int) -> Loop:
        """Run it once, untimed, and keep the actions: the roll-out is deterministic."""
        recorders: list[Recorder] = []

        def recorder(index: int) -> Recorder:
            recorders.append(Recorder(make(material.subject.environment)))
            return recorders[-1]

        backend = open_backend("fast", material.sdn, EPISODES[way])
        roll_out(backend, recorder, range(SEED, SEED + EPISODES[way]), longest=longest)
        return cls(material, way, backend, longest, [recorder.actions for recorder in recorders])

    def run(self) -> Rollout:
        environment = self.material.subject.environment
        return roll_out(
            self.backend,
            lambda index: make(environment),
            range(SEED, SEED + EPISODES[self.way]),
            longest=self.longest,
        )

    def alone(self) -> float:
        """Seconds per step of the environments alone.

        Same seeds, same actions, same order of stepping.
        """
        envs = [make(self.material.subject.environment) for _ in self.actions]
        clock = time.perf_counter
        with gymnasium_bridge.quiet():
            for index, env in enumerate(envs):
                env.reset(seed=SEED + index)
            longest = max(len(actions) for actions in self.actions)
            steps = [
                (env.step, actions[k])
                for k in range(longest)
                for env, actions in zip(envs, self.actions, strict=True)
                if k < len(actions)
            ]
            for step, action in steps[
                : len(envs)
            ]:  # a roll-out does not time its first decision either
                step(action)
            start = clock()
            for step, action in steps[len(envs) :]:
                step(action)
            seconds = clock() - start
        for env in envs:
            env.close()
        return seconds / (len(steps) - len(envs))


def measure_loops(
    materials: Sequence[Material],
    rounds: int,
    lengths: dict[str, int],
    progress: Callable[[int, int], None],
) -> list[LoopResult]:
    """Loop and bare environment in turn, for every policy and way, round after round."""
    loops = [Loop.record(material, way, lengths[way]) for material in materials for way in EPISODES]
    times = np.zeros((len(loops), 3, rounds))
    for number in range(rounds):
        with undisturbed():
            for index, loop in enumerate(loops):
                if number % 2:
                    times[index, 2, number] = loop.alone()
                rollout = loop.run()
                times[index, :2, number] = (
                    1 / rollout.decisions_per_second,
                    rollout.policy_seconds / (rollout.decisions - len(rollout.lengths)),
                )
                if number % 2 == 0:
                    times[index, 2, number] = loop.alone()
        progress(number + 1, rounds)
    return [summary(loop, *taken) for loop, taken in zip(loops, times, strict=True)]


def summary(loop: Loop, whole: Float, decide: Float, alone: Float) -> LoopResult:
    subject = loop.material.subject
    return LoopResult(
        subject.environment,
        loop.way,
        subject.limit,
        Spread.of(whole),
        Spread.of(decide),
        Spread.of(alone),
        Spread.of(whole / alone),
    )
