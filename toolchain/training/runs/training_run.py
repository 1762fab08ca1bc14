"""One training run, evaluated at fixed intervals and resumable from its last checkpoint.

On a CPU, with the same number of threads, a run that was killed and resumed ends with the weights
of one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.atomic import check_writable, write_atomically
from spikeport.toolchain.training.methods.method_choices import trainer_of
from spikeport.toolchain.training.methods.training_plan import MOST_STEPS, TrainingPlan
from spikeport.toolchain.training.runs.checkpoint import restore
from spikeport.toolchain.training.runs.evaluation import read_evaluations
from spikeport.toolchain.training.runs.mapped_memory import MappedMemory
from spikeport.toolchain.training.runs.run_callback import EvaluateAndCheckpoint
from spikeport.toolchain.training.runs.run_folder import RunFolder, steps_of
from spikeport.toolchain.training.runs.run_options import (
    RunOptions,
    check_device,
    check_tensorboard,
    read_choices,
)
from spikeport.toolchain.training.runs.seeded_episodes import SeededEpisodes

DEFAULTS = RunOptions()


@dataclass(frozen=True)
class TrainingResult:
    """Where the policy lies, the steps it trained, and its evaluations, oldest first."""

    file: Path
    steps: int
    evaluations: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "output": self.file.name,
            "steps": self.steps,
            "evaluations": list(self.evaluations),
        }


def train_by_name(
    method: str, environment: str, steps: int, output: Path, choices: Mapping[str, Any]
) -> TrainingResult:
    """Train with choices by name, as `spikeport.train` takes them.

    Args:
        method: A name in the table of training methods.
        environment: A Gymnasium id.
        steps: Environment steps in all.
        output: The zip to write.
        choices: Fields of TrainingPlan, of the method, and of RunOptions.

    Returns:
        What `train` returns.

    Raises:
        InputError: For choices that cannot be used.
    """
    plan, options = read_choices(method, environment, choices)
    return train(plan, steps, output, options)


def train(
    plan: TrainingPlan, steps: int, output: Path, options: RunOptions = DEFAULTS
) -> TrainingResult:
    """Train until `steps` environment steps, then write the policy to `output`.

    Args:
        plan: What determines the weights.
        steps: Environment steps in all, random ones and those of a resumed run included.
        output: The zip of Stable-Baselines3 to write.
        options: How the run is carried out.

    Returns:
        Where the policy lies, and the run's evaluations.

    Raises:
        InputError: For choices that cannot be used, or files that do not fit `options.resume`.
    """
    folder = RunFolder.beside(output)
    method = trainer_of(plan)
    _check(steps, output, folder, options)
    with ExitStack() as cleanup:
        state = None
        if options.resume:
            cleanup.enter_context(folder.locked())
            state = _resumed(plan, steps, output, folder, options)
        if state is None:
            _check_trains(plan, steps)
        env = _environment(plan, cleanup)
        cleanup.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(plan.threads)
        cleanup.enter_context(gymnasium_bridge.silent())
        model = build(plan, env, options.device, options.tensorboard)
        folder.path.mkdir(exist_ok=True)
        if not options.resume:
            cleanup.enter_context(folder.locked())
        folder.write_plan(plan)
        model.replay_buffer = _memory(folder, steps, model, state)
        if state is not None:
            restore(state, model)
            env.next_episode = state["next_episode"]
        folder.drop_after(model.num_timesteps)
        for line in method.notes(model):
            options.note(line)
        options.progress(model.num_timesteps)
        callback = EvaluateAndCheckpoint(plan, options, folder, env)
        method.learn(model, steps - model.num_timesteps, callback)
        write_atomically(output, lambda temporary: method.deploy(model, temporary))
    return TrainingResult(output, model.num_timesteps, tuple(read_evaluations(folder.evaluations)))


def build(
    plan: TrainingPlan, env: Any, device: str = "auto", tensorboard: Path | None = None
) -> Any:
    """The Stable-Baselines3 model of a plan, untrained."""
    model = trainer_of(plan).make(plan, env, device, tensorboard)
    model.environment_id = plan.environment.rpartition(":")[2]
    return model


def _environment(plan: TrainingPlan, cleanup: ExitStack) -> SeededEpisodes:
    env = SeededEpisodes(gymnasium_bridge.make(plan.environment, trusted=True), plan.seed)
    cleanup.callback(env.close)
    _check_spaces(env, plan.environment)
    return env


def _memory(
    folder: RunFolder, steps: int, model: Any, state: dict[str, Any] | None
) -> MappedMemory:
    return MappedMemory(
        folder.memory,
        steps,
        model.observation_space,
        model.action_space,
        model.device,
        rows=0 if state is None else state["rows"],
    )


def _resumed(
    plan: TrainingPlan, steps: int, output: Path, folder: RunFolder, options: RunOptions
) -> dict[str, Any] | None:
    """The checkpoint at which a run goes on, None where it must begin again."""
    state = folder.read_state(plan)
    checkpoint = 0 if state is None else state["counters"]["num_timesteps"]
    finished = steps_of(output) if output.exists() else 0
    reached = max(finished, checkpoint)
    if reached > steps:
        raise InputError(
            "--steps",
            "the run is further already",
            got=steps,
            limit=reached,
            fix="give more steps",
        )
    if state is None:
        options.note("there is no checkpoint yet: begins at step 0 again")
    else:
        options.note(f"goes on at step {checkpoint}")
    return state


def _check_spaces(env: Any, environment: str) -> None:
    action = env.action_space
    problems = []
    if not isinstance(action, spaces.Box) or not np.isfinite([action.low, action.high]).all():
        problems.append(f"its action space is {action}, a Box with finite bounds expected")
    for name, space in (("observation", env.observation_space), ("action", action)):
        if len(space.shape or ()) > 1:
            problems.append(f"its {name} space has the shape {space.shape}, one dimension expected")
    if problems:
        raise violations(
            f"environment {environment}",
            problems,
            why="these actors give one number per action channel",
            fix="--env with continuous control",
        )


def _check(steps: int, output: Path, folder: RunFolder, options: RunOptions) -> None:
    """Check what can be checked before anything is read or made."""
    check_writable(output)
    problems = options.problems()
    if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        problems.insert(0, f"{steps!r} steps, 1..{MOST_STEPS} expected")
    if problems:
        raise violations("training", problems, fix="see spikeport train --help")
    found = next((path for path in (folder.path, output) if path.exists()), None)
    if not options.resume and found is not None:
        raise InputError(
            "-o",
            "would overwrite a run",
            got=found,
            fix=("--resume to continue it", f"remove {found.name}", "another file"),
        )
    if options.resume and not folder.path.exists():
        raise InputError(
            "--resume",
            "there is no run beside the output",
            got=folder.path,
            fix=("omit --resume to start one", "the -o of the run"),
        )
    check_device(options.device)
    check_tensorboard(options.tensorboard)


def _check_trains(plan: TrainingPlan, steps: int) -> None:
    """Check that a run that begins goes beyond its random steps."""
    if steps > plan.learning_starts:
        return
    fixes = [f"--learning-starts {steps // 4}"]
    if 4 * plan.learning_starts <= MOST_STEPS:
        fixes.insert(0, f"--steps {4 * plan.learning_starts}")
    raise InputError(
        "--steps",
        "nothing would be trained",
        got=f"{steps} steps",
        limit=f"more than the {plan.learning_starts} random ones of --learning-starts",
        fix=tuple(fixes),
    )
