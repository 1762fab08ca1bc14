"""Conversions of checkpoints that ship with Spikeport or are written here, byte by byte alike."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import spikeport
from spikeport import Artifact
from spikeport.toolchain.contracts import TimeFeature
from tests.support import spk_files
from tests.support.policy_files import pickled

SHIPPED = Path(__file__).resolve().parents[2] / "examples" / "policies"
CHANNELS = 5
ACTIONS = 2

WIDTHS = {
    "flat": (CHANNELS, ACTIONS),
    "tiny": (CHANNELS, 8, 6, ACTIONS),
    "deep": (CHANNELS, 16, 14, 12, ACTIONS),
    "sides": (4, 16, 12, ACTIONS),
}

DRIFT = "tests.support.toy_environments:Drift-v0"
SIDES = "tests.support.toy_environments:Sides-v0"


def safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file whose bytes depend on nothing but the arrays."""
    header: dict[str, Any] = {}
    data = b""
    for name, values in sorted(arrays.items()):
        kind = {"<f4": "F32", "<i8": "I64"}[values.dtype.str]
        offsets = [len(data), len(data) + values.nbytes]
        header[name] = {"dtype": kind, "shape": list(values.shape), "data_offsets": offsets}
        data += values.tobytes()
    text = spk_files.canonical(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def dense(widths: tuple[int, ...], seed: int, dead: int) -> dict[str, np.ndarray]:
    """Linear layers of a Sequential; the first `dead` neurons of every hidden layer never fire."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for index, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        weight = rng.normal(size=(outputs, inputs)) * 1.5 / inputs**0.5
        bias = rng.normal(size=outputs) * 0.3
        if index < len(widths) - 2:
            bias[:dead] = -50
        arrays[f"{2 * index}.weight"] = weight.astype(np.float32)
        arrays[f"{2 * index}.bias"] = bias.astype(np.float32)
    return arrays


def walk(channels: int, rows: int = 400, seed: int = 0) -> np.ndarray:
    """Recorded observations like those of a motion, three episodes."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, channels))
    for row in range(1, rows):
        values[row] = 0.9 * values[row - 1] + 0.4 * values[row]
    return values


def starts(rows: int = 400) -> np.ndarray:
    return np.isin(np.arange(rows), (0, rows // 4, rows // 2))


@functools.cache
def ann_policy(kind: str) -> Any:
    """A small policy by name: its hidden layers' activation, then what else it has, by dashes."""
    activation, *more = kind.split("-")
    widths = next((WIDTHS[word] for word in more if word in WIDTHS), (CHANNELS, 24, 16, ACTIONS))
    inputs = widths[0] + ("time" in more)
    dead = 3 if activation == "relu" and "tiny" not in more else 0
    squash = next((word for word in more if word in ("clip", "argmax")), "tanh")
    options: dict[str, Any] = {"squash": squash}
    if "sides" in more:
        options = {"squash": "argmax", "env": SIDES}
    elif "drift" in more:
        options["env"] = DRIFT
    elif squash == "clip":
        options |= {"action_low": [-1.0, -0.5], "action_high": [1.0, 2.0]}
    elif squash == "tanh":
        options |= {"action_low": -1.5, "action_high": 1.5}
    with tempfile.TemporaryDirectory() as folder:
        if "normalised" in more:
            options["normalizer"] = Path(folder) / "normalizer.npz"
            rng = np.random.default_rng(11)
            np.savez(
                options["normalizer"],
                mean=rng.normal(size=inputs),
                var=rng.uniform(0.1, 3, inputs),
                epsilon=1e-8,
                clip=10.0,
            )
        path = Path(folder) / f"{kind}.safetensors"
        path.write_bytes(safetensors(dense((inputs, *widths[1:]), len(kind), dead)))
        policy = spikeport.load_policy(path, activation=activation, **options)
    if "time" not in more:
        return policy
    time_feature = TimeFeature(150)
    observation = dataclasses.replace(policy.observation, size=widths[0], time_feature=time_feature)
    return dataclasses.replace(policy, observation=observation)


def ann(kind: str, **choices: Any) -> Artifact:
    """A small policy, converted with recorded observations."""
    policy = ann_policy(kind)
    return on_walk(policy, policy.observation.size, **choices)


def on_walk(policy: Any, channels: int, **choices: Any) -> Artifact:
    return spikeport.convert(
        policy, observations=walk(channels), episode_starts=starts(), **choices
    )


def population(neuron: str, **choices: Any) -> Artifact:
    """A PopSAN-like (clif) or Proxy-Target-like (lif, plif) actor."""
    rng = np.random.default_rng(2)
    observed = 3
    people = 4
    readers = 3
    widths = (observed * people, 8, 6, ACTIONS * readers)
    names = ("snn.hidden_layers.0", "snn.hidden_layers.1", "snn.out_pop_layer")
    span = 3.0 if neuron == "clif" else 1.0
    arrays: dict[str, np.ndarray] = {}
    arrays["encoder.mean"] = np.tile(np.linspace(-span, span, people), (1, observed, 1))
    arrays["encoder.std"] = np.full((1, observed, people), 0.6)
    for name, inputs, outputs in zip(names, widths[:-1], widths[1:], strict=True):
        arrays[f"{name}.weight"] = 0.5 * rng.normal(size=(outputs, inputs))
        arrays[f"{name}.bias"] = 0.2 * rng.normal(size=outputs)
    arrays["decoder.decoder.weight"] = rng.normal(size=(ACTIONS, 1, readers))
    arrays["decoder.decoder.bias"] = 0.3 * rng.normal(size=ACTIONS)
    if neuron == "plif":
        arrays |= {f"snn.plifnodes.{index}.w": np.array(0.5 + index) for index in range(3)}
    tensors = {name: np.asarray(values, np.float32) for name, values in arrays.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "actor.safetensors"
        path.write_bytes(safetensors(tensors))
        if neuron == "clif":
            statistics = [np.array([0.5, -1.0, 0.0]), np.array([1.0, 0.25, 2.0])]
            path.with_name("actor_mean_var.p").write_bytes(pickled(statistics))
        else:
            facts = {"neuron": neuron, "timesteps": 7, "observation": "tanh"}
            path.with_name("actor.spikeport.json").write_text(json.dumps(facts))
        policy = spikeport.load_policy(path, action_limit=1.0)
    return on_walk(policy, observed, **choices)


def sddpg(*, recorded: bool, **choices: Any) -> Artifact:
    """An actor in SDDPG's two files; without recorded observations on synthetic rates."""
    rng = np.random.default_rng(3)
    widths = (4, 6, 5, ACTIONS)
    weights = []
    biases = []
    for inputs, outputs in zip(widths[:-1], widths[1:], strict=True):
        weights.append(rng.normal(size=(outputs, inputs)).astype(np.float32))
        biases.append(rng.normal(scale=0.2, size=outputs).astype(np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nav_weights.p"
        path.write_bytes(pickled(weights, 3))
        path.with_name("nav_bias.p").write_bytes(pickled(biases, 3))
        policy = spikeport.load_policy(path)
    if recorded:
        choices |= {"observations": rng.random((400, 4)), "episode_starts": starts()}
    return spikeport.convert(policy, **choices)


def leaky(env: str | None = None, **choices: Any) -> Artifact:
    """A Sequential of Linear and snnTorch's Leaky: any beta, thresholds of either sign."""
    rng = np.random.default_rng(4)
    widths = (CHANNELS, 12, 8, ACTIONS)
    arrays: dict[str, np.ndarray] = {}
    for index, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        arrays[f"{2 * index}.weight"] = rng.uniform(-1, 1, (outputs, inputs)) / inputs**0.5
        arrays[f"{2 * index}.bias"] = rng.uniform(-0.3, 0.3, outputs)
        if index < len(widths) - 2:
            neuron = f"{2 * index + 1}"
            arrays[f"{neuron}.beta"] = rng.uniform(-0.2, 1.2, outputs)
            arrays[f"{neuron}.threshold"] = rng.uniform(-0.05, 0.95, outputs)
            arrays[f"{neuron}.graded_spikes_factor"] = np.array(1.5)
    tensors = {name: np.asarray(values, np.float32) for name, values in arrays.items()}
    tensors |= {f"{index}.reset_mechanism_val": np.array(0, np.int64) for index in (1, 3)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "leaky.safetensors"
        path.write_bytes(safetensors(tensors))
        policy = spikeport.load_policy(path, squash="tanh", action_limit=1.0)
    if env is not None:
        return spikeport.convert(policy, env=env, calibration_steps=300, **choices)
    return on_walk(policy, CHANNELS, **choices)


def in_environment(kind: str, env: str, **choices: Any) -> Artifact:
    """A small policy in a toy environment, thresholds chosen in the closed loop."""
    return spikeport.convert(ann_policy(kind), env=env, calibration_steps=300, **choices)


@functools.cache
def checkpoint(path: Path, actions: int) -> Any:
    """A stored policy; `actions` channels of -1..1 where its file names no bounds, else 0."""
    if not actions:
        return spikeport.load_policy(path)
    return spikeport.load_policy(path, action_low=[-1.0] * actions, action_high=[1.0] * actions)


def stored(path: Path, actions: int, **choices: Any) -> Artifact:
    """A stored policy, converted with random observations."""
    policy = checkpoint(path, actions)
    observations = np.random.default_rng(0).normal(size=(500, policy.observation.size))
    return spikeport.convert(policy, observations=observations, **choices)


def public(name: str, actions: int, **choices: Any) -> Artifact:
    """One of the public policies."""
    return stored(Path(os.environ["SPIKEPORT_POLICIES"]) / name, actions, **choices)


def shipped(name: str, env: str, **choices: Any) -> Artifact:
    """A shipped policy in its own environment."""
    policy = spikeport.load_policy(SHIPPED / name, env=env)
    return spikeport.convert(policy, env=env, calibration_steps=600, **choices)
