"""Networks and observation streams for conformance, of any legal shape.

Integers are tiny, so that there are ties, up to huge, so that they saturate. A `Shape` holds what a
network is like, a seed fills in the integers, so hypothesis shrinks the shape. Everything made here
passes the artifact's own check, the range proof included.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.network.integer_network import (
    Encoder,
    Layer,
)
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons import network_of
from spikeport.toolchain.neurons.differential_coding import ALLOWED_TIMESTEPS
from spikeport.toolchain.policies.ann_policy import Provenance
from tests.support.layer_integers import LEAKY, layer

ACTIVATIONS = ("relu", "identity", "tanh")
NEURONS = ("sdn@1", "if@1", "snm@1", "mt@1", "dc@1", "leaky@1")
SIZES = ("tiny", "usual", "huge")


@dataclass(frozen=True)
class Shape:
    """What a network is like.

    `widths` run from the features to the actions; `activations` are those of sdn layers.
    """

    neuron: str = "sdn@1"
    widths: tuple[int, ...] = (4, 6, 2)
    activations: tuple[str, ...] = ("relu",)
    timesteps: int = 1
    alpha: int = 0
    resync_every: int = 0
    size: str = "usual"
    max_steps: int = 0  # of the time feature; 0: none, -1: in test mode
    normaliser: str = "none"  # or `plain`, `clipped`
    squash: str = "tanh"
    clip_action: bool = False
    trigger: int = 1
    # rate networks: what inhibits speaks later than what excites, so that spikes are taken back
    late: bool = False


@st.composite
def shapes(
    draw: st.DrawFn, most_layers: int = 4, most_neurons: int = 7, most_timesteps: int = 12
) -> Shape:
    """Any shape that the contract allows."""
    neuron = draw(st.sampled_from(NEURONS))
    widths = tuple(
        draw(
            st.lists(
                st.integers(1, most_neurons),
                min_size=3 if neuron == LEAKY else 2,
                max_size=most_layers + 1,
            )
        )
    )
    rate = neuron != "sdn@1"
    windowed = rate and neuron != LEAKY
    timesteps = st.integers(1, most_timesteps)
    if neuron == "dc@1":
        timesteps = st.sampled_from(ALLOWED_TIMESTEPS)
    max_steps = draw(st.sampled_from((0, 0, -1, 1, 7)))
    return Shape(
        neuron=neuron,
        widths=(max(widths[0], 2), *widths[1:]) if max_steps else widths,
        activations=("relu",)
        if rate
        else tuple(draw(st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=3))),
        timesteps=draw(timesteps) if windowed else 1,
        alpha=draw(st.one_of(st.sampled_from((0, 32, 64)), st.integers(0, 64))) if windowed else 0,
        resync_every=draw(st.sampled_from((0, 0, 1, 2, 5))),
        size=draw(st.sampled_from(SIZES)),
        max_steps=max_steps,
        normaliser=draw(st.sampled_from(("none", "plain", "clipped"))),
        squash=draw(st.sampled_from(("tanh", "none", "argmax"))),
        clip_action=draw(st.booleans()),
        trigger=1 if rate else draw(st.sampled_from((1, 1, 2, 5))),
        late=windowed and draw(st.booleans()),
    )


def build(shape: Shape, seed: int) -> Artifact:
    """An artifact of that shape; the seed decides the integers."""
    rng = np.random.default_rng(seed)
    encoder = _encoder(rng, shape)
    low = -encoder.limit.astype(np.int64)
    high = encoder.limit.astype(np.int64)
    layers: list[Layer] = []
    for index, (inputs, outputs) in enumerate(
        zip(shape.widths[:-1], shape.widths[1:], strict=True)
    ):
        layers.append(layer(rng, shape, index, inputs, outputs, low, high))
        low = layers[-1].payload_low.astype(np.int64)
        high = layers[-1].payload_high.astype(np.int64)
    network = network_of(encoder, tuple(layers), shape.timesteps, shape.alpha, shape.resync_every)
    features = shape.widths[0]
    actions = shape.widths[-1]
    if shape.max_steps:
        time = TimeFeature(max(shape.max_steps, 1), shape.max_steps < 0)
    else:
        time = None
    normaliser: dict[str, Any] = {}
    if shape.normaliser != "none":
        normaliser = {
            "mean": rng.normal(size=features),
            "variance": rng.uniform(0.1, 4, features),
            "epsilon": 0.01,
        }
    size = features - (time is not None)
    observation = ObservationContract(
        size, time_feature=time, clip=1.5 if shape.normaliser == "clipped" else None, **normaliser
    )
    if shape.clip_action:
        bounds = (np.full(actions, -0.25), np.full(actions, 0.3))
    else:
        bounds = (None, None)
    if shape.squash == "argmax":
        action = ActionContract(actions, "argmax", np.ones(actions), np.zeros(actions))
    else:
        action = ActionContract(
            actions,
            shape.squash,
            rng.uniform(0.5, 2, actions),
            rng.normal(scale=0.1, size=actions),
            *bounds,
        )
    probe = Probe(np.zeros((2, size)), np.ones(2, np.uint8))
    macs = sum(a * b for a, b in zip(shape.widths[:-1], shape.widths[1:], strict=True))
    artifact = Artifact(
        network,
        observation,
        action,
        Provenance("made", "0" * 64, "test", "made"),
        probe,
        {"seeds": []},
        source_macs=macs,
    )
    check(artifact, "a network made for a test")
    return artifact


def _encoder(rng: np.random.Generator, shape: Shape) -> Encoder:
    """Scales are powers of two, so that a stream can hit the halves exactly."""
    features = shape.widths[0]
    top = {"tiny": 4, "usual": 200, "huge": STATE_LIMIT // (4 * features)}[shape.size]
    limit = rng.integers(1, top + 1, features)
    limit[rng.integers(features)] = top
    return Encoder(2.0 ** rng.integers(-6, 2, features), limit.astype(np.int32))


def stream(
    artifact: Artifact, seed: int, decisions: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Observations [decisions, obs] and flags.

    Walks, pauses, exact halves, the range's ends and far beyond them.
    """
    rng = np.random.default_rng(seed)
    observation = artifact.observation
    encoder = artifact.network.encoder
    size = observation.size
    limit = encoder.limit[:size].astype(np.float64)
    scale = encoder.scale[:size]
    steps = np.zeros((decisions, size))
    walk = np.zeros(size)
    for decision in range(decisions):
        kind = rng.integers(10)
        if kind < 5:
            walk = walk + np.rint(rng.normal(size=size) * np.maximum(limit / 4, 1)) * (
                rng.random(size) < 0.6
            )
        elif kind == 5:
            walk = rng.choice((-1.0, 1.0), size) * limit
        elif kind == 6:
            walk = np.floor(rng.uniform(-1, 1, size) * limit) + 0.5
        elif kind == 7:
            walk = np.zeros(size)
        walk = np.clip(walk, -2 * limit, 2 * limit)
        if kind == 8:
            steps[decision] = walk * rng.choice((1e3, 1e25), size)
        else:
            steps[decision] = walk
    values = steps * scale * observation.divisor[:size] + observation.shift[:size]
    return values, rng.choice(3, decisions, p=(0.8, 0.1, 0.1))
