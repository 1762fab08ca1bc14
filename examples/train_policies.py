"""Train the policies that ship with Spikeport, with Stable-Baselines3.

    python examples/train_policies.py half-cheetah --steps 600000
    python examples/train_policies.py double-pendulum --steps 60000
    python examples/train_policies.py half-cheetah --export-only

Training runs in chunks. After each chunk the deterministic policy is evaluated on fixed seeds
(20000, 20001, ... which nothing else in this repository uses) and a checkpoint is written
atomically; a killed run continues from its newest checkpoint when the same command is given again.
The exported policy is the checkpoint with the best evaluation; the returns that the project reports
come from other seeds. `examples/policies/*.json` records how each shipped file came to be.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVALUATION_SEED = 20_000
OUTPUT = Path(__file__).parent / "policies"


@dataclass(frozen=True)
class Recipe:
    """One environment and the TD3 hyperparameters that solve it."""

    environment: str
    hidden: list[int]
    learning_rate: float
    chunk: int
    learning_starts: int
    evaluation_episodes: int
    file: str  # a .zip is exported as an SB3 zip, anything else as a torch state dict


RECIPES = {
    "half-cheetah": Recipe(
        "HalfCheetah-v5", [256, 256], 1e-3, 25_000, 10_000, 5, "td3-HalfCheetah-v5.pt"
    ),
    "double-pendulum": Recipe(
        "InvertedDoublePendulum-v5",
        [64, 64],
        1e-3,
        5_000,
        1_000,
        100,
        "td3-InvertedDoublePendulum-v5.zip",
    ),
}


def replace_atomically(path: Path, write: Any) -> None:
    """Call `write(temporary)` and rename the result to `path`."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    write(temporary)
    os.replace(temporary, path)


def evaluate(model: Any, environment: str, episodes: int) -> list[float]:
    """Undiscounted returns of the deterministic policy on the evaluation seeds."""
    import gymnasium

    env = gymnasium.make(environment)
    returns = []
    for episode in range(episodes):
        observation, _ = env.reset(seed=EVALUATION_SEED + episode)
        total = 0.0
        over = False
        while not over:
            action, _ = model.predict(observation, deterministic=True)
            observation, reward, terminated, truncated, _ = env.step(action)
            total = total + float(reward)
            over = terminated or truncated
        returns.append(total)
    env.close()
    return returns


def train(name: str, recipe: Recipe, steps: int, seed: int, folder: Path, threads: int) -> None:
    import gymnasium
    import numpy as np
    import torch
    from stable_baselines3 import TD3
    from stable_baselines3.common.noise import NormalActionNoise

    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    newest = folder / "newest.zip"
    buffer = folder / "buffer.pkl"
    log_file = folder / "log.json"
    env = gymnasium.make(recipe.environment)
    log: list[dict[str, Any]] = json.loads(log_file.read_text()) if log_file.exists() else []
    if newest.exists():
        model = TD3.load(newest, env=env, device="cpu")
        model.load_replay_buffer(buffer)
        print(f"resumed at {model.num_timesteps} steps", flush=True)
    else:
        width = int(np.prod(env.action_space.shape or (1,)))
        model = TD3(
            "MlpPolicy",
            env,
            seed=seed,
            device="cpu",
            buffer_size=steps,
            batch_size=256,
            learning_rate=recipe.learning_rate,
            learning_starts=recipe.learning_starts,
            train_freq=1,
            gradient_steps=1,
            policy_kwargs={"net_arch": recipe.hidden},
            action_noise=NormalActionNoise(np.zeros(width), 0.1 * np.ones(width)),
        )
    best = max((entry["mean"] for entry in log), default=-np.inf)
    while model.num_timesteps < steps:
        start = time.perf_counter()
        model.learn(recipe.chunk, reset_num_timesteps=False)
        returns = evaluate(model, recipe.environment, recipe.evaluation_episodes)
        entry = {
            "steps": model.num_timesteps,
            "mean": float(np.mean(returns)),
            "minimum": min(returns),
        }
        entry["seconds"] = round(time.perf_counter() - start, 1)
        log.append(entry)
        print(json.dumps(entry), flush=True)
        if entry["mean"] > best:
            best = entry["mean"]
            replace_atomically(folder / "best.zip", lambda path: save_zip(model, path))
        replace_atomically(buffer, lambda path: save_buffer(model, path))
        replace_atomically(newest, lambda path: save_zip(model, path))
        replace_atomically(log_file, lambda path: path.write_text(json.dumps(log)))


def save_zip(model: Any, path: Path) -> None:
    with path.open("wb") as stream:
        model.save(stream)


def save_buffer(model: Any, path: Path) -> None:
    with path.open("wb") as stream:
        model.save_replay_buffer(stream)


def export(name: str, recipe: Recipe, seed: int, folder: Path, command: str) -> None:
    """Write the best checkpoint as the shipped file, with a record of its origin beside it."""
    import gymnasium
    import mujoco
    import stable_baselines3
    import torch

    OUTPUT.mkdir(exist_ok=True)
    model = stable_baselines3.TD3.load(folder / "best.zip", device="cpu")
    log = json.loads((folder / "log.json").read_text())
    target = OUTPUT / recipe.file
    if recipe.file.endswith(".zip"):

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                model.save(stream, exclude=["replay_buffer", "actor.optimizer", "critic.optimizer"])

        replace_atomically(target, write)
    else:
        linear = [module for module in model.actor.mu if isinstance(module, torch.nn.Linear)]
        state = {
            f"l{i + 1}.{kind}": getattr(layer, kind).detach().clone()
            for i, layer in enumerate(linear)
            for kind in ("weight", "bias")
        }
        replace_atomically(target, lambda path: torch.save(state, path))
    record = {
        "file": recipe.file,
        "environment": recipe.environment,
        "algorithm": "TD3 (Stable-Baselines3)",
        "seed": seed,
        "command": command,
        "hidden": recipe.hidden,
        "activation": "relu",
        "squash": "tanh",
        "action_limit": 1.0,
        "exported_steps": max(log, key=lambda entry: entry["mean"])["steps"],
        "evaluations": log,
        "versions": {
            "torch": torch.__version__,
            "stable_baselines3": stable_baselines3.__version__,
            "gymnasium": gymnasium.__version__,
            "mujoco": mujoco.__version__,
        },
    }
    replace_atomically(
        target.with_suffix(".json"),
        lambda path: path.write_text(json.dumps(record, indent=1) + "\n"),
    )
    print(
        f"wrote {target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("policy", choices=sorted(RECIPES))
    parser.add_argument("--steps", type=int, default=600_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoints", type=Path, default=Path("build/training"))
    parser.add_argument(
        "--export-only", action="store_true", help="write the best checkpoint so far and stop"
    )
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.policy]
    folder = arguments.checkpoints / arguments.policy
    if not arguments.export_only:
        train(arguments.policy, recipe, arguments.steps, arguments.seed, folder, arguments.threads)
    command = (
        f"python examples/train_policies.py {arguments.policy} --steps {arguments.steps} --seed"
        f" {arguments.seed} --threads {arguments.threads}"
    )
    export(arguments.policy, recipe, arguments.seed, folder, command)


if __name__ == "__main__":
    main()
