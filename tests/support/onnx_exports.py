"""ONNX exports of networks of every kind, opened in a plain onnxruntime session."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from spikeport.export.onnx.graph.timesteps import UNROLLED
from spikeport.export.onnx.model import export_onnx
from spikeport.toolchain.artifact.artifact import Artifact
from tests.support.networks import leaky_artifact, observation_stream, random_artifact
from tests.support.spiking_networks import SpikingShape, build_spiking
from tests.support.strategies import Shape, build

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "exports.md"
WIDE = (7, 24, 16, 3)

KINDS: dict[str, Callable[[int], Artifact]] = {
    "sdn relu": partial(
        random_artifact, widths=WIDE, resync_every=7, time_feature=True, normalised=True
    ),
    "sdn table": partial(random_artifact, widths=WIDE, activation="tanh", squash="none"),
    "sdn identity": partial(random_artifact, widths=WIDE, activation="identity"),
    "sdn, no hidden layer": partial(random_artifact, widths=(4, 2), time_feature=True),
    "sdn, a choice": lambda seed: build(Shape(widths=(3, 5, 4), squash="argmax"), seed),
    "if": partial(random_artifact, neuron="if@1", widths=WIDE, timesteps=5, alpha=32),
    "if, a long window": partial(
        random_artifact, neuron="if@1", widths=(4, 6, 2), timesteps=UNROLLED + 1, alpha=32
    ),
    "snm": partial(
        random_artifact, neuron="snm@1", widths=WIDE, timesteps=4, alpha=64, resync_every=9
    ),
    "mt": partial(
        random_artifact, neuron="mt@1", widths=WIDE, timesteps=4, alpha=19, normalised=True
    ),
    "dc": partial(random_artifact, neuron="dc@1", widths=WIDE, timesteps=4, alpha=32),
    "if, no hidden layer": partial(random_artifact, neuron="if@1", widths=(4, 2), timesteps=3),
    "leaky": partial(leaky_artifact, widths=WIDE, shift=2),
    "leaky, resync every 6": lambda seed: build(
        Shape("leaky@1", WIDE, resync_every=6, max_steps=5), seed
    ),
    "lif": lambda seed: build_spiking(
        SpikingShape(normaliser="clipped", max_steps=5, hidden=(12, 9)), seed
    ),
    "lif, bias in the voltage": lambda seed: build_spiking(
        SpikingShape(
            in_current=False, squash="none", clip_action=True, transform="tanh", readers=3
        ),
        seed,
    ),
    "lif, encoded by rate": lambda seed: build_spiking(
        SpikingShape(features=5, population=0, hidden=(), readers=4), seed
    ),
    "lif, a long window": lambda seed: build_spiking(
        SpikingShape(timesteps=UNROLLED + 1, hidden=(6,), size="tiny"), seed
    ),
}


def streams(artifact: Artifact, decisions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    flags = rng.choice(3, decisions, p=(0.97, 0.02, 0.01))
    flags[0] = 1
    return observation_stream(rng, decisions, artifact.observation.size), flags


def exported(
    artifact: Artifact, folder: Path
) -> tuple[onnxruntime.InferenceSession, dict[str, Any]]:
    """A session with onnxruntime's defaults, and the description."""
    export_onnx(artifact, folder / "policy.onnx")
    session = onnxruntime.InferenceSession(
        str(folder / "policy.onnx"), providers=["CPUExecutionProvider"]
    )
    return session, json.loads(session.get_modelmeta().custom_metadata_map["description"])
