"""How a run goes on, evaluates and reports: what does not change the weights that it ends with."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spikeport.toolchain import plugins
from spikeport.toolchain.errors import InputError, did_you_mean, violations
from spikeport.toolchain.training.methods.hyperparameters import EVALUATE_EVERY, EVALUATION_EPISODES
from spikeport.toolchain.training.methods.method_choices import (
    COMMON,
    METHODS,
    make_plan,
    own_choices,
)
from spikeport.toolchain.training.methods.training_plan import TrainingPlan

CHECKPOINT_EVERY = 5_000  # steps, at the next episode's end


def _ignore(_: Any) -> None:
    pass


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out.

    Attributes:
        resume: Continue the run beside the output.
        evaluate_every: Steps between two evaluations.
        evaluation_episodes: Episodes of each evaluation.
        checkpoint_every: Steps between two checkpoints, at the least.
        device: auto, cpu, cuda or cuda:N.
        tensorboard: Folder of the log for TensorBoard, or None.
        progress: Called with the number of steps that were added.
        note: Called with lines for the user.
    """

    resume: bool = False
    evaluate_every: int = EVALUATE_EVERY
    evaluation_episodes: int = EVALUATION_EPISODES
    checkpoint_every: int = CHECKPOINT_EVERY
    device: str = "auto"
    tensorboard: Path | None = None
    progress: Callable[[int], None] = _ignore
    note: Callable[[str], None] = _ignore

    def problems(self) -> list[str]:
        """Say which intervals are not positive."""
        names = ("evaluate_every", "evaluation_episodes", "checkpoint_every")
        return [
            f"{name} is {getattr(self, name)}, at least 1 expected"
            for name in names
            if getattr(self, name) < 1
        ]


def read_choices(
    method: str, environment: str, choices: Mapping[str, Any]
) -> tuple[TrainingPlan, RunOptions]:
    """Sort choices by name into those of the plan and those of the run.

    Raises:
        InputError: For choices that nobody knows, or values that cannot be used.
    """
    of_run = [field.name for field in dataclasses.fields(RunOptions)]
    if method in plugins.names(METHODS):
        known = [*COMMON, *own_choices(method), *of_run]
        unknown = [name for name in choices if name not in known]
        if unknown:
            problems = [f"{name!r} {did_you_mean(name, known)}".rstrip() for name in unknown]
            raise violations(
                f"training with {method}",
                [f"there is no choice {problem}" for problem in problems],
                fix=f"choices are {', '.join(known)}",
            )
    plan = {name: value for name, value in choices.items() if name not in of_run}
    run = {name: value for name, value in choices.items() if name in of_run}
    return make_plan(method, environment, **plan), RunOptions(**run)


def check_device(device: str) -> None:
    """Raise InputError for a device that PyTorch does not have here."""
    kind = "cpu"
    index = None
    if device != "auto":
        try:
            found = torch.device(device)
        except RuntimeError:
            kind = "unknown"
        else:
            kind = found.type
            index = found.index
    if kind not in ("cpu", "cuda"):
        raise InputError(
            "--device",
            "unknown device",
            got=device,
            limit="auto, cpu, cuda, cuda:N",
            fix="--device auto",
        )
    if kind == "cuda" and (
        not torch.cuda.is_available() or (index or 0) >= torch.cuda.device_count()
    ):
        raise InputError(
            "--device",
            "there is no such GPU that PyTorch can use",
            got=device,
            limit="cpu",
            fix="--device cpu",
        )


def check_tensorboard(folder: Path | None) -> None:
    """Make the folder; InputError where that, or TensorBoard itself, is missing."""
    if folder is None:
        return
    if importlib.util.find_spec("tensorboard") is None:
        raise InputError(
            "--tensorboard",
            "needs tensorboard, which is not installed",
            fix=("pip install tensorboard", "omit it"),
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            "--tensorboard",
            "the folder cannot be made",
            got=folder,
            why=str(error.strerror),
            fix="--tensorboard with a folder",
        ) from None
