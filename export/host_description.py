"""The host's part of a policy, encoder and contracts, as data for other programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact


def describe_host(artifact: Artifact) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Encoder and contracts as host.py reads them."""
    observation = artifact.observation
    action = artifact.action
    encoder = artifact.network.encoder
    time = observation.time_feature
    facts = {
        "size": observation.size,
        "clip": observation.clip,
        "time_feature": (
            None if time is None else {"max_steps": time.max_steps, "test_mode": time.test_mode}
        ),
        "squash": action.squash,
        "resync_every": artifact.network.resync_every,
    }
    arrays = {
        "encoder.scale": encoder.scale,
        "encoder.limit": encoder.limit,
        "observation.shift": observation.shift,
        "observation.divisor": observation.divisor,
    }
    arrays |= {
        "action.row_scale": artifact.network.layers[-1].row_scale,
        "action.scale": action.scale,
        "action.offset": action.offset,
    }
    coding = artifact.network.spike_coding
    if coding is not None:
        facts["transform"] = coding.transform
        arrays |= {"decoder.weights": coding.decoder_weights, "decoder.bias": coding.decoder_bias}
        if coding.mean is not None and coding.std is not None:
            arrays |= {"encoder.mean": coding.mean, "encoder.std": coding.std}
    if action.low is not None and action.high is not None:
        arrays |= {"action.low": action.low, "action.high": action.high}
    return facts, arrays


LARGEST = float(np.finfo(np.float64).max)


def encode(artifact: Artifact) -> dict[str, Any]:
    """The observation contract and the encoder.

    Of a spiking network scale and limit belong to its input neurons, [features * P].
    """
    observation = artifact.observation
    encoder = artifact.network.encoder
    coding = artifact.network.spike_coding
    time = observation.time_feature
    activations = {}
    if coding is not None:
        if coding.mean is None or coding.std is None:
            ends = (None, None)
        else:
            ends = (coding.mean.tolist(), coding.std.tolist())
        activations = {"transform": coding.transform, "mean": ends[0], "std": ends[1]}
    return activations | {
        "size": observation.size,
        "shift": numbers(observation.shift),
        "divisor": numbers(observation.divisor),
        "clip": LARGEST if observation.clip is None else observation.clip,
        "scale": numbers(encoder.scale),
        "limit": encoder.limit.tolist(),
        "time_feature": (
            None if time is None else {"max_steps": time.max_steps, "test_mode": time.test_mode}
        ),
        "names": list(observation.names),
        "units": list(observation.units),
    }


def decode(artifact: Artifact) -> dict[str, Any]:
    """The action contract, and the readout's scale or the spike counts' weights.

    `output` is the graph's output that is decoded.
    """
    action = artifact.action
    network = artifact.network
    coding = artifact.network.spike_coding
    unbounded = np.full(action.size, LARGEST)
    facts = {"output": "accumulator", "row_scale": numbers(network.layers[-1].row_scale)}
    if coding is not None:
        facts = {
            "output": "spike_counts",
            "weights": coding.decoder_weights.tolist(),
            "bias": coding.decoder_bias.tolist(),
        }
    return facts | {
        "divisor": network.divisor,
        "squash": action.squash,
        "scale": numbers(action.scale),
        "offset": numbers(action.offset),
        "low": numbers(-unbounded if action.low is None else action.low),
        "high": numbers(unbounded if action.high is None else action.high),
        "names": list(action.names),
        "units": list(action.units),
    }


def numbers(values: NDArray[Any]) -> list[float]:
    """As JSON has them, which knows no infinity."""
    return np.clip(values.astype(np.float64), -LARGEST, LARGEST).tolist()
