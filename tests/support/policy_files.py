"""Checkpoint files for the readers' tests.

Honest ones, edited ones, and ones that try to run code.
"""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.toolchain.environments.environment_record import EnvironmentFacts

ON_POLICY = ("PPO", "A2C", "TRPO")
OFF_POLICY = ("TD3", "DDPG", "SAC", "TQC")
LOW = np.array([-0.4, -2.0, -1.0], np.float32)
HIGH = np.array([1.7, 0.123456789, 1.0], np.float32)


class Payload:
    """A pickle of this object creates the file `path` when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        import os

        return os.system, (f"touch {self.path}",)


def model(
    algorithm: str,
    policy: str = "MlpPolicy",
    *,
    low: Any = LOW,
    high: Any = HIGH,
    size: int = 5,
    **arguments: Any,
) -> Any:
    """An untrained Stable-Baselines3 or sb3-contrib model.

    Its environment has `size` observation channels and the action bounds `low` and `high`, or the
    spaces that `observation_space` and `action_space` give.
    """
    import gymnasium
    import sb3_contrib
    import stable_baselines3

    observations = arguments.pop(
        "observation_space", gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float64)
    )
    actions = arguments.pop("action_space", None) or gymnasium.spaces.Box(low, high)
    kind = getattr(stable_baselines3, algorithm, None) or getattr(sb3_contrib, algorithm)
    if algorithm in (*OFF_POLICY, "DQN", "QRDQN", "CrossQ"):
        arguments["buffer_size"] = 10
    return kind(policy, still(observations, actions), device="cpu", seed=7, **arguments)


def still(observations: Any, actions: Any) -> Any:
    """An environment of these spaces in which nothing happens."""
    import gymnasium

    class Still(gymnasium.Env):
        observation_space = observations
        action_space = actions

        def reset(
            self, *, seed: int | None = None, options: dict[str, Any] | None = None
        ) -> tuple[Any, dict[str, Any]]:
            super().reset(seed=seed)
            return self.observation_space.sample(), {}

        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return self.observation_space.sample(), 0.0, False, False, {}

    return Still()


def randomize(untrained: Any) -> Any:
    """Give a model random weights.

    Actions spread over their range, clip and squash as a trained actor's do.
    """
    import torch

    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in untrained.policy.parameters():
            if parameter.ndim == 2:
                spread = 1.6 / parameter.shape[1] ** 0.5
            else:
                spread = 0.3
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
    return untrained


def normalizer(path: Path, size: int, *, seed: int = 0, **arguments: Any) -> Any:
    """A VecNormalize with statistics of its own, saved to `path`."""
    import gymnasium
    from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

    environment = still(
        gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float64),
        gymnasium.spaces.Box(-1, 1, (2,)),
    )
    generator = np.random.default_rng(seed)
    wrapped = VecNormalize(DummyVecEnv([lambda: environment]), **arguments)
    if wrapped.norm_obs:
        wrapped.obs_rms.mean, wrapped.obs_rms.var = (
            generator.normal(size=size),
            generator.uniform(0.01, 4.0, size),
        )
    wrapped.observation_space.seed(3)  # the pickle then holds a random generator as well
    wrapped.observation_space.sample()
    wrapped.save(str(path))
    return wrapped


def state_dict(
    sizes: tuple[int, ...] = (4, 8, 6, 2),
    names: tuple[str, ...] = ("l1", "l2", "l3"),
    seed: int = 0,
) -> dict[str, Any]:
    """Random linear layers of the given sizes under the given names."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, inputs, outputs in zip(names, sizes[:-1], sizes[1:], strict=True):
        tensors[f"{name}.weight"] = torch.randn(outputs, inputs, generator=generator) / inputs**0.5
        tensors[f"{name}.bias"] = torch.randn(outputs, generator=generator)
    return tensors


def torch_bytes(stored: object, *, legacy: bool = False) -> bytes:
    """What torch.save writes, in its zip format or the one before it."""
    import torch

    stream = io.BytesIO()
    torch.save(stored, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def write(path: Path, data: bytes) -> Path:
    """Write a file and return its path."""
    path.write_bytes(data)
    return path


def members(path: Path) -> dict[str, bytes]:
    """The members of a zip, by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_bytes(contents: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return stream.getvalue()


def edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Rewrite the `data` text of a Stable-Baselines3 zip."""
    contents = members(path)
    saved = json.loads(contents["data"])
    change(saved)
    return write(path, zip_bytes({**contents, "data": json.dumps(saved).encode()}))


def edit_tensors(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Rewrite policy.pth of a Stable-Baselines3 zip."""
    import torch

    contents = members(path)
    saved = torch.load(io.BytesIO(contents["policy.pth"]), weights_only=True)
    change(saved)
    return write(path, zip_bytes({**contents, "policy.pth": torch_bytes(saved)}))


def mutate(data: bytes, generator: np.random.Generator) -> bytes:
    """One random fault: flipped bytes, a cut, a hole, a repeated stretch, or noise."""
    changed = bytearray(data)
    kind = int(generator.integers(6))
    start = int(generator.integers(len(changed)))
    stop = min(len(changed), start + int(generator.integers(1, 40)))
    if kind <= 1:
        for position in generator.integers(len(changed), size=int(generator.integers(1, 6))):
            changed[position] ^= int(generator.integers(1, 256))
    elif kind == 2:
        del changed[start:]
    elif kind == 3:
        del changed[start:stop]
    elif kind == 4:
        changed[start:start] = changed[start:stop]
    else:
        changed[start:stop] = generator.bytes(stop - start)
    return bytes(changed)


def pickled(stored: object, protocol: int = 4) -> bytes:
    """A pickle of a value."""
    return pickle.dumps(stored, protocol=protocol)


TWO = EnvironmentFacts("Two-v1", 4, 100, -1.5 * np.ones(2), 1.5 * np.ones(2))
SEQUENTIAL = ("0", "2", "4")


def save(tmp_path: Path, stored: object, *, legacy: bool = False, name: str = "actor.pt") -> Path:
    """Write a checkpoint with torch.save and return its path."""
    return write(tmp_path / name, torch_bytes(stored, legacy=legacy))
