"""One training run: built from a plan, evaluated at fixed intervals, resumable from its last
checkpoint.

Beside the output FILE lies the folder FILE.run: plan.json, checkpoint.pt, memory/*.bin,
evaluations.jsonl, and best.zip, the policy of the best evaluation. On a CPU, with the same number
of threads, a run that was killed and resumed ends with the weights of one that was not.
"""

from __future__ import annotations

import dataclasses
import fcntl
import importlib.util
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import TD3
from stable_baselines3.common.callbacks import BaseCallback

from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError, did_you_mean, violations
from spikeport.toolchain.files.atomic import check_writable, write_atomically
from spikeport.toolchain.training.layers.dense_stack import bfloat16_speed
from spikeport.toolchain.training.layers.scans import NEURONS
from spikeport.toolchain.training.methods.algorithms import (
    PAPER,
    ProxyTargetTD3,
    SpikingTD3,
    exploration_noise,
)
from spikeport.toolchain.training.methods.hyperparameters import (
    EVALUATE_EVERY,
    EVALUATION_EPISODES,
    HIDDEN,
    LEARNING_STARTS,
    proxy_hyperparameters,
)
from spikeport.toolchain.training.runs.checkpoint import (
    check_plan,
    read_checkpoint,
    restore,
    write_checkpoint,
)
from spikeport.toolchain.training.runs.evaluation import (
    evaluate,
    keep_evaluations,
    read_evaluations,
)
from spikeport.toolchain.training.runs.mapped_memory import MappedMemory
from spikeport.toolchain.training.runs.seeded_episodes import SeededEpisodes

METHODS = ("proxy-target", "spiking-td3", "td3")
MOST_THREADS = 1024
MOST_STEPS = 5_000_000  # the memory keeps every step
CHECKPOINT_EVERY = 5_000  # steps, at the next episode's end


@dataclass(frozen=True)
class TrainingPlan:
    """What determines the weights of a run; td3 does not use `neuron` and `proxy_iterations`.

    `hidden`: widths of actor and critics.
    """

    method: str
    environment: str
    neuron: str = "lif"
    seed: int = 0
    learning_starts: int = LEARNING_STARTS
    threads: int = 1
    proxy_iterations: int = 3
    bfloat16: bool = False
    hidden: tuple[int, ...] = HIDDEN

    def __post_init__(self) -> None:
        if self.method in METHODS:
            problems = []
        else:
            problems = [
                f"unknown method {self.method!r} {did_you_mean(self.method, METHODS)}".rstrip()
            ]
        problems += (
            []
            if self.neuron in NEURONS
            else [f"neuron is {self.neuron!r}, known are {', '.join(NEURONS)}"]
        )
        problems += (
            []
            if isinstance(self.environment, str)
            else [f"environment is a {type(self.environment).__name__}, a Gymnasium id expected"]
        )
        whole = all(isinstance(width, int) and width >= 1 for width in self.hidden)
        problems += (
            []
            if self.hidden and whole
            else [f"hidden is {tuple(self.hidden)!r}, at least one whole number expected"]
        )
        limits = {
            "seed": (0, 2**32 - 1),
            "learning_starts": (0, MOST_STEPS),
            "threads": (1, MOST_THREADS),
            "proxy_iterations": (1, 1000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            problems += (
                []
                if isinstance(value, int) and low <= value <= high
                else [f"{name} is {value!r}, {low}..{high} expected"]
            )
        if self.bfloat16 and self.method == "td3":
            problems.append(
                "bfloat16 is for the critics and the proxy of spiking methods, td3 is"
                " Stable-Baselines3's own"
            )
        if problems:
            raise violations(
                "training",
                problems,
                fix=f"spikeport train --help lists them; methods are {', '.join(METHODS)}",
            )

        object.__setattr__(self, "hidden", tuple(self.hidden))

    def json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"hidden": list(self.hidden)}


@dataclass(frozen=True)
class TrainingResult:
    """Where the policy lies, the steps it trained, and its evaluations, oldest first."""

    file: Path
    steps: int
    evaluations: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "output": self.file.name,
            "steps": self.steps,
            "evaluations": list(self.evaluations),
        }


def run_folder(output: Path) -> Path:
    """Where a run keeps its checkpoint, memory and evaluations."""
    return output.with_name(f"{output.name}.run")


def train(
    plan: TrainingPlan,
    steps: int,
    output: Path,
    *,
    resume: bool = False,
    evaluate_every: int = EVALUATE_EVERY,
    evaluation_episodes: int = EVALUATION_EPISODES,
    checkpoint_every: int = CHECKPOINT_EVERY,
    device: str = "auto",
    tensorboard: Path | None = None,
    progress: Callable[[int], None] = lambda steps: None,
    note: Callable[[str], None] = lambda line: None,
) -> TrainingResult:
    """Train until `steps` environment steps, then write the policy to `output` (a Stable-Baselines3
    zip).

    `resume` continues the run beside `output`; `progress` is called with the steps that were added,
    `note` with where a resumed run begins. Raises InputError for choices that cannot be used, and
    where `resume` and the files do not fit together.
    """
    folder = run_folder(output)
    _check(
        plan, steps, output, folder, resume, evaluate_every, evaluation_episodes, checkpoint_every
    )
    _check_device(device)
    _check_tensorboard(tensorboard)
    with ExitStack() as cleanup:
        if resume:
            cleanup.enter_context(_alone(folder))
        checkpoint = folder / "checkpoint.pt"
        if resume and checkpoint.exists():
            state = read_checkpoint(checkpoint)
        else:
            state = None
        if resume:
            _check_same_plan(folder, state, plan)
            reached = max(
                steps_of(output) if output.exists() else 0,
                0 if state is None else state["counters"]["num_timesteps"],
            )
            if reached > steps:
                raise InputError(
                    "--steps",
                    "the run is further already",
                    got=steps,
                    limit=reached,
                    fix="give more steps",
                )
            note(
                f"goes on at step {state['counters']['num_timesteps']}"
                if state is not None
                else "there is no checkpoint yet: begins at step 0 again"
            )
        if state is None:
            _check_trains(plan, steps)
        env = SeededEpisodes(gymnasium_bridge.make(plan.environment, trusted=True), plan.seed)
        cleanup.callback(env.close)
        _check_spaces(env, plan.environment)
        cleanup.callback(torch.set_num_threads, torch.get_num_threads())
        torch.set_num_threads(plan.threads)
        cleanup.enter_context(gymnasium_bridge.silent())
        model = build(plan, env, device, tensorboard)
        folder.mkdir(exist_ok=True)
        if not resume:
            cleanup.enter_context(_alone(folder))
        write_atomically(
            folder / "plan.json",
            lambda temporary: temporary.write_text(json.dumps(plan.json(), indent=1) + "\n"),
        )
        if state is None:
            rows = 0
        else:
            rows = state["rows"]
        memory = MappedMemory(
            folder / "memory",
            steps,
            model.observation_space,
            model.action_space,
            model.device,
            rows,
        )
        model.replay_buffer = memory
        if state is not None:
            restore(state, model)
            env.next_episode = state["next_episode"]
        keep_evaluations(folder / "evaluations.jsonl", model.num_timesteps)
        _drop_unless_best(folder)
        keeper = _Keeper(
            plan,
            folder,
            env,
            memory,
            evaluate_every,
            evaluation_episodes,
            checkpoint_every,
            progress,
        )
        if plan.bfloat16 and model.device.type == "cpu" and (speed := bfloat16_speed()) < 1:
            note(
                f"products in bfloat16 are {speed:.2f} times as fast as in float32 on this CPU:"
                " without --bfloat16 it trains faster"
            )
        progress(model.num_timesteps)
        model.learn(
            steps - model.num_timesteps,
            callback=keeper,
            reset_num_timesteps=False,
            tb_log_name=plan.method,
        )
        write_atomically(output, lambda temporary: _save(model, temporary))
    return TrainingResult(
        output, model.num_timesteps, tuple(read_evaluations(folder / "evaluations.jsonl"))
    )


def build(
    plan: TrainingPlan, env: Any, device: str = "auto", tensorboard: Path | None = None
) -> Any:
    """The Stable-Baselines3 model of a plan, untrained."""
    options: dict[str, Any] = PAPER | {
        "learning_starts": plan.learning_starts,
        "seed": plan.seed,
        "device": device,
        "buffer_size": 1,
    }
    if tensorboard is None:
        options["tensorboard_log"] = None
    else:
        options["tensorboard_log"] = str(tensorboard)
    shape: dict[str, Any] = {"net_arch": list(plan.hidden)}
    if plan.method == "td3":
        shape["optimizer_kwargs"] = {"fused": True}
        model: Any = TD3(
            "MlpPolicy",
            env,
            policy_kwargs=shape,
            action_noise=exploration_noise(env.action_space),
            **options,
        )
    else:
        shape |= {"neuron": plan.neuron, "bfloat16": plan.bfloat16}
        if plan.method == "spiking-td3":
            model = SpikingTD3("MlpPolicy", env, policy_kwargs=shape, **options)
        else:
            paper = proxy_hyperparameters(plan.neuron, plan.environment)
            shape |= {"proxy_arch": list(paper.hidden), "proxy_learning_rate": paper.learning_rate}
            model = ProxyTargetTD3(
                "MlpPolicy",
                env,
                proxy_iterations=plan.proxy_iterations,
                policy_kwargs=shape,
                **options,
            )
    model.environment_id = plan.environment.rpartition(":")[2]
    return model


class _Keeper(BaseCallback):
    """Between two steps.

    Evaluates when it is due, and writes a checkpoint when it is due and an episode is over.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        folder: Path,
        env: SeededEpisodes,
        memory: MappedMemory,
        evaluate_every: int,
        evaluation_episodes: int,
        checkpoint_every: int,
        progress: Callable[[int], None],
    ) -> None:
        super().__init__()
        self.plan = plan
        self.folder = folder
        self.env = env
        self.memory = memory
        self.evaluate_every = evaluate_every
        self.evaluation_episodes = evaluation_episodes
        self.checkpoint_every = checkpoint_every
        self.progress = progress
        self.episode_over = False

    def _on_training_start(self) -> None:
        self.written = self.seen = self.model.num_timesteps

    def _on_step(self) -> bool:
        self.episode_over = bool(self.locals["dones"][0])
        self.progress(1)
        return True

    def _on_rollout_start(self) -> None:
        self._between_steps()

    def _on_training_end(self) -> None:
        self._between_steps()

    def _between_steps(self) -> None:
        steps = self.model.num_timesteps
        if steps == self.seen:
            return
        self.seen = steps
        if steps % self.evaluate_every == 0:
            record = evaluate(self.model, self.plan.environment, self.evaluation_episodes)
            best = self.folder / "best.zip"
            earlier = [
                known["mean"]
                for known in read_evaluations(self.folder / "evaluations.jsonl")
                if np.isfinite(known["mean"])
            ]
            if np.isfinite(record["mean"]) and (
                not best.exists() or record["mean"] > max(earlier, default=-np.inf)
            ):
                write_atomically(best, lambda temporary: _save(self.model, temporary))
            with (self.folder / "evaluations.jsonl").open("a") as stream:
                stream.write(json.dumps(record) + "\n")
            self.logger.record("evaluation/mean_return", record["mean"])
            self.logger.dump(steps)
        if self.episode_over and steps - self.written >= self.checkpoint_every:
            self.memory.flush()
            # Stable-Baselines3 has reset the environment already: the episode that runs is the one
            # before the next.
            write_checkpoint(
                self.folder / "checkpoint.pt",
                self.model,
                self.plan.json(),
                self.env.next_episode - 1,
                self.memory.rows,
            )
            self.written = steps


def steps_of(model: Path) -> int:
    """The steps that the model in a zip had trained; -1 where the file is damaged."""
    try:
        with zipfile.ZipFile(model) as archive:
            return int(json.loads(archive.read("data"))["num_timesteps"])
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError):
        return -1


def _drop_unless_best(folder: Path) -> None:
    """A run that goes on has lost what it evaluated after its checkpoint, and the best policy with
    it if that came later.
    """
    best = folder / "best.zip"
    kept = [
        record
        for record in read_evaluations(folder / "evaluations.jsonl")
        if np.isfinite(record["mean"])
    ]
    if best.exists() and (
        not kept or steps_of(best) != max(kept, key=lambda record: record["mean"])["steps"]
    ):
        best.unlink()


def _save(model: Any, path: Path) -> None:
    with path.open("wb") as stream:
        model.save(stream)


def _check_spaces(env: Any, environment: str) -> None:
    observation = env.observation_space
    action = env.action_space
    continuous = isinstance(action, spaces.Box) and np.isfinite([action.low, action.high]).all()
    if continuous:
        problems = []
    else:
        problems = [f"its action space is {action}, a Box with finite bounds expected"]
    for name, space in (("observation", observation), ("action", action)):
        problems += (
            [f"its {name} space has the shape {space.shape}, one dimension expected"]
            if len(space.shape or ()) > 1
            else []
        )
    if problems:
        raise violations(
            f"environment {environment}",
            problems,
            why="these actors give one number per action channel",
            fix="--env with continuous control",
        )


def _check_device(device: str) -> None:
    try:
        kind, index = (
            ("cpu", None)
            if device == "auto"
            else (torch.device(device).type, torch.device(device).index)
        )
    except RuntimeError:
        kind = "unknown"
        index = None
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


def _check_tensorboard(folder: Path | None) -> None:
    if folder is None:
        return
    if importlib.util.find_spec("tensorboard") is None:
        raise InputError(
            "--tensorboard",
            "needs tensorboard, which is not installed",
            fix=("pip install tensorboard", "leave it out"),
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


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process trains the run meanwhile.

    The system forgets the lock of a process that was killed.
    """
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(
                "-o",
                "another process trains this run",
                got=folder,
                limit="one at a time",
                fix=("wait for its end", "another file"),
            ) from None
        yield


def _check_same_plan(folder: Path, state: dict[str, Any] | None, plan: TrainingPlan) -> None:
    """The plan that the run was started with, of its checkpoint or, before the first, of plan.json,
    must be this one.
    """
    kept = folder / "plan.json"
    if state is not None:
        check_plan(folder / "checkpoint.pt", json.loads(state["plan"]), plan.json())
        return
    try:
        before = json.loads(kept.read_text())
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise InputError(
            "--resume",
            "the run has neither a checkpoint nor a readable plan",
            got=folder,
            fix=f"remove {folder.name} and start anew",
        )
    check_plan(kept, before, plan.json())


def _check(
    plan: TrainingPlan, steps: int, output: Path, folder: Path, resume: bool, *intervals: int
) -> None:
    check_writable(output)
    if isinstance(steps, int) and 1 <= steps <= MOST_STEPS:
        problems = []
    else:
        problems = [f"{steps!r} steps, 1..{MOST_STEPS} expected"]
    named = zip(
        ("evaluate_every", "evaluation_episodes", "checkpoint_every"), intervals, strict=True
    )
    problems += [f"{name} is {value}, at least 1 expected" for name, value in named if value < 1]
    if problems:
        raise violations("training", problems, fix="see spikeport train --help")
    if not resume and (folder.exists() or output.exists()):
        if folder.exists():
            found = folder
        else:
            found = output
        raise InputError(
            "-o",
            "would overwrite a run",
            got=found,
            fix=("--resume to continue it", f"remove {found.name}", "another file"),
        )
    if resume and not folder.exists():
        raise InputError(
            "--resume",
            "there is no run beside the output",
            got=folder,
            fix=("leave --resume out to start one", "the -o of the run"),
        )


def _check_trains(plan: TrainingPlan, steps: int) -> None:
    """Of a run that begins: that it comes further than its random steps."""
    if steps <= plan.learning_starts:
        got = f"{steps} steps"
        limit = f"more than the {plan.learning_starts} random ones of --learning-starts"
        if 4 * plan.learning_starts <= MOST_STEPS:
            more = [f"--steps {4 * plan.learning_starts}"]
        else:
            more = []
        raise InputError(
            "--steps",
            "nothing would be trained",
            got=got,
            limit=limit,
            fix=(*more, f"--learning-starts {steps // 4}"),
        )
