"""Small artifacts, and edits of one part of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from tests.support.networks import random_artifact

SMALL = (3, 2, 1)

WHOLE = (
    "an artifact is loaded whole or not at all. Fix: reconvert it from the source policy with"
    " `spikeport convert`"
)


def small(seed: int = 0, **options: Any) -> Artifact:
    """A small artifact; the keywords are those of `random_artifact`."""
    return random_artifact(seed, widths=SMALL, **options)


def in_layer(index: int, **arrays: Any) -> Callable[[Artifact], Artifact]:
    """An edit of one layer."""

    def change(artifact: Artifact) -> Artifact:
        layers = list(artifact.network.layers)
        layers[index] = dataclasses.replace(layers[index], **arrays)
        return dataclasses.replace(
            artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers))
        )

    return change


def encoder(**arrays: Any) -> Callable[[Artifact], Artifact]:
    """An edit of the encoder's fields."""
    return lambda artifact: dataclasses.replace(
        artifact,
        network=dataclasses.replace(
            artifact.network, encoder=dataclasses.replace(artifact.network.encoder, **arrays)
        ),
    )


def part(name: str, **arrays: Any) -> Callable[[Artifact], Artifact]:
    """Another observation or action contract, or probe."""

    def change(artifact: Artifact) -> Artifact:
        contents: dict[str, Any] = {name: dataclasses.replace(getattr(artifact, name), **arrays)}
        return dataclasses.replace(artifact, **contents)

    return change


def ints(*values: int) -> np.ndarray:
    """An array as an artifact stores it."""
    return np.array(values, np.int32)


def time(timesteps: int) -> Callable[[Artifact], Artifact]:
    """An edit of the timesteps."""
    return lambda artifact: dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, timesteps=timesteps)
    )


def ranges(declared: int) -> list[dict[str, np.ndarray]]:
    """Payload ranges other than the declared one, wider and narrower, at one end."""
    low = ints(-declared, -declared)
    high = ints(declared, declared)
    return [
        {"payload_low": low - ints(1, 0)},
        {"payload_low": low + ints(0, 1)},
        {"payload_high": high + ints(1, 0)},
        {"payload_high": 2 * high},
    ]
