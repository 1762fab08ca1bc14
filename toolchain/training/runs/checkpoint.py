"""Checkpoints of a training run: all from which the next step follows, in one file without code.

One is written between two episodes, when the environment's state is the next episode's seed. It
holds tensors, numbers and text only, read with weights_only=True: networks, optimisers, counters,
the random states of torch, NumPy (batches, action noise) and the action space (random actions), the
number of rows in the memory, and the plan that the run was started with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikeport.toolchain.errors import InputError, violations
from spikeport.toolchain.files.atomic import write_atomically

FORMAT = 4  # of what it holds, and of the arithmetic that goes on from it
COUNTERS = ("num_timesteps", "_n_updates", "_episode_num")


def write_checkpoint(
    path: Path, model: Any, plan: dict[str, Any], next_episode: int, rows: int
) -> None:
    """Write the state of a model between two episodes.

    Args:
        path: The file, replaced in one step.
        model: An off-policy algorithm of Stable-Baselines3.
        plan: The run's plan as a JSON object.
        next_episode: Number of the episode that starts.
        rows: How many steps the memory holds.
    """
    kind, keys, position, gauss, cached = np.random.get_state(legacy=True)
    state = {
        "format": FORMAT,
        "plan": json.dumps(plan),
        "networks": model.get_parameters(),
        "counters": {name: int(getattr(model, name)) for name in COUNTERS},
        "next_episode": next_episode,
        "rows": rows,
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(model.device) if model.device.type == "cuda" else None,
        "numpy": {
            "kind": kind,
            "keys": torch.from_numpy(np.asarray(keys, np.int64)),
            "position": int(position),
            "gauss": int(gauss),
            "cached": float(cached),
        },
        "action_space": json.dumps(model.action_space.np_random.bit_generator.state),
    }
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; InputError where the file is damaged or of another format."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises pickle, runtime, key and type errors on damaged files
        raise InputError(
            str(path),
            "is not a readable checkpoint",
            why=str(error).splitlines()[0][:120],
            fix="start the run anew in another file",
        ) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise InputError(
            str(path),
            "is a checkpoint of another format",
            limit=f"format {FORMAT}",
            fix="continue it with the version of Spikeport that wrote it",
        )
    return state


def restore(state: dict[str, Any], model: Any) -> None:
    """Set the networks, counters and random states of a model of the same plan."""
    model.set_parameters(state["networks"], exact_match=True, device=model.device)
    for name, value in state["counters"].items():
        setattr(model, name, value)
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and model.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], model.device)
    drawn = state["numpy"]
    np.random.set_state(
        (
            drawn["kind"],
            drawn["keys"].numpy().astype(np.uint32),
            drawn["position"],
            drawn["gauss"],
            drawn["cached"],
        )
    )
    model.action_space.np_random.bit_generator.state = json.loads(state["action_space"])


def check_plan(path: Path, before: dict[str, Any], plan: dict[str, Any]) -> None:
    """Raise InputError with every choice in which a run differs from the one that it continues."""
    changed = [name for name in {**before, **plan} if before.get(name) != plan.get(name)]
    problems = [
        f"{name} is {plan.get(name)!r}, the run was started with {before.get(name)!r}"
        for name in changed
    ]
    if problems:
        raise violations(
            str(path),
            problems,
            why="a resumed run must equal an uninterrupted one",
            fix=("give the same choices", "train into another file"),
        )
