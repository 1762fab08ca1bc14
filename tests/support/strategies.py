"""Networks and observation streams for conformance: any legal shape, tiny integers (ties) to huge
ones (saturation).

A `Shape` holds what a network is like, a seed fills in the integers, so hypothesis shrinks the
shape. Everything made here passes the artifact's own check, the range proof included.
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
    READOUT,
    Coding,
    Encoder,
    Layer,
    denominator,
)
from spikeport.toolchain.network.parameters import STATE_LIMIT, ActivationTable, Leak
from spikeport.toolchain.neurons import HIDDEN_NEURONS, network_of
from spikeport.toolchain.neurons.bounds import RowKind, bound_rows
from spikeport.toolchain.neurons.differential_coding import ALLOWED_TIMESTEPS
from spikeport.toolchain.policies.ann_policy import Provenance
from tests.support.networks import random_table

Long = NDArray[np.int64]
ACTIVATIONS = ("relu", "identity", "tanh")
NEURONS = ("sdn@1", "if@1", "snm@1", "mt@1", "dc@1", "leaky@1")
LEAKY = "leaky@1"
WINDOWED = ("if@1", "snm@1", "mt@1", "dc@1")  # their membranes integrate over a decision
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
    max_steps = draw(st.sampled_from((0, 0, -1, 1, 7)))
    return Shape(
        neuron=neuron,
        widths=(max(widths[0], 2), *widths[1:]) if max_steps else widths,
        activations=("relu",)
        if rate
        else tuple(draw(st.lists(st.sampled_from(ACTIVATIONS), min_size=1, max_size=3))),
        timesteps=1
        if not windowed
        else draw(
            st.sampled_from(ALLOWED_TIMESTEPS)
            if neuron == "dc@1"
            else st.integers(1, most_timesteps)
        ),
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
        layers.append(_layer(rng, shape, index, inputs, outputs, low, high))
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


def _layer(
    rng: np.random.Generator,
    shape: Shape,
    index: int,
    inputs: int,
    outputs: int,
    low: Long,
    high: Long,
) -> Layer:
    last = index == len(shape.widths) - 2
    rate = shape.neuron != "sdn@1"
    across = not rate or (last and index == 0 and shape.timesteps == 1)
    differential = shape.neuron == "dc@1" and len(shape.widths) > 2
    if across:
        coding = Coding.ACROSS
    elif differential:
        coding = Coding.DIFFERENTIAL
    else:
        coding = Coding.RATE
    kind = RowKind(coding, shape.timesteps, last, index == 0)
    if shape.size == "tiny":
        largest = 2
    else:
        largest = 127
    weights = rng.integers(-largest, largest + 1, (outputs, inputs))
    weights[rng.random(weights.shape) < 0.25] = 0
    if shape.late and index > 0:
        weights[:, ::2] = np.abs(weights[:, ::2])
        weights[:, 1::2] = np.maximum(-2 * np.abs(weights[:, 1::2]), -largest)

    leaky = shape.neuron == LEAKY and not last
    if leaky:
        shift = int(rng.integers(0, 7))
    else:
        shift = 0
    spikes = HIDDEN_NEURONS[shape.neuron].traits

    def reach(bias: Long) -> Long:
        proof = bound_rows(weights, bias, low, high, kind)
        return np.maximum(proof.synaptic, proof.accumulator) << shift

    while (too_far := reach(np.zeros(outputs, np.int64)) > STATE_LIMIT).any():
        weights[too_far] = np.trunc(weights[too_far] / 2).astype(np.int64)
    reached = reach(np.zeros(outputs, np.int64))
    room = (STATE_LIMIT - reached) // (
        denominator(shape.timesteps)
        if differential
        else shape.timesteps
        if last and not across
        else 1
    )
    bias = _bias(rng, shape.size, outputs, room)
    if shape.late:
        if index == 0:
            bias = np.abs(bias)
        else:
            bias = bias // (1 if shape.size == "tiny" else 50)
    if last:
        activation = "identity"
    elif not rate:
        activation = shape.activations[index % len(shape.activations)]
    elif leaky:
        activation = "identity"
    else:
        activation = "relu"
    spread = np.maximum(reached + np.abs(bias), 1)
    if not rate and not last:
        low, high = _payloads(rng, shape.size, outputs, activation)
    else:
        low, high = (
            (np.full(outputs, end, np.int64) for end in (spikes.low, spikes.high))
            if rate
            else (spread * 0, spread * 0)
        )
    if differential:
        largest = kind.largest_lambda
    else:
        largest = STATE_LIMIT // (spikes.levels if rate else 1)
    if last:
        threshold = np.zeros(outputs, np.int32)
    else:
        threshold = _threshold(rng, shape.size, spread, largest)
    if shape.late and not last:
        if index == 0:
            drive = spread
        else:
            drive = np.maximum(weights, 0).sum(1) + np.abs(bias)
        wanted = np.maximum(drive * rng.uniform(0.1, 1.5, outputs) / spikes.levels, 1)
        if index == 0:
            wanted[1::2] *= shape.timesteps
        threshold = wanted.clip(1, largest).astype(np.int32)
    leak = None
    if leaky:  # about a third of the thresholds zero or negative
        threshold = np.where(
            rng.random(outputs) < 0.3, -threshold * rng.integers(0, 2, outputs), threshold
        ).astype(np.int32)
        keep = np.where(
            rng.random(outputs) < 0.4,
            rng.choice((0, 4096), outputs),
            rng.integers(0, 4097, outputs),
        )
        leak = Leak(keep.astype(np.int32), shift)
    table = None
    if not last and activation not in ("relu", "identity"):
        if shape.size == "tiny":
            table = tie_table(rng, outputs)
        else:
            table = random_table(rng, outputs, int(spread.max()))
    return Layer(
        neuron=READOUT if last else shape.neuron,
        weights=weights.astype(np.int8),
        bias=bias.astype(np.int32),
        row_scale=rng.uniform(0.2, 2, outputs) / spread,
        threshold=threshold,
        payload_low=low.astype(np.int32),
        payload_high=high.astype(np.int32),
        unit=np.ones(outputs),
        activation=activation,
        table=table,
        trigger=shape.trigger if not rate and not last else 1,
        hold_input=index == 0 and coding == Coding.RATE,
        leak=leak,
    )


def _bias(rng: np.random.Generator, size: str, outputs: int, room: Long) -> Long:
    if size == "tiny":
        return np.clip(rng.integers(-2, 3, outputs), -room, room)
    if size == "usual":
        return np.clip(rng.integers(-2000, 2001, outputs), -room, room)
    return rng.choice((-1, 0, 1), outputs) * room  # the proof just passes


def _threshold(
    rng: np.random.Generator, size: str, spread: Long, largest: int
) -> NDArray[np.int32]:
    if size == "tiny":
        return rng.integers(1, 6, len(spread)).astype(np.int32).clip(1, largest)
    if size == "usual":
        return (
            np.maximum(1, spread * rng.uniform(0.005, 1.2, len(spread)))
            .astype(np.int32)
            .clip(1, largest)
        )
    threshold = np.exp(rng.uniform(0, np.log(largest), len(spread)))
    threshold[rng.random(len(spread)) < 0.3] = largest
    threshold[rng.random(len(spread)) < 0.2] = 1
    return np.clip(threshold, 1, largest).astype(np.int32)


def _payloads(
    rng: np.random.Generator, size: str, outputs: int, activation: str
) -> tuple[Long, Long]:
    top = {"tiny": 4, "usual": 40, "huge": STATE_LIMIT}[size]
    high = np.exp(rng.uniform(0, np.log(top), outputs)).astype(np.int64).clip(1, top)
    low = -np.exp(rng.uniform(0, np.log(top), outputs)).astype(np.int64).clip(0, top)
    return np.where(activation == "relu", 0, low), high


def tie_table(rng: np.random.Generator, neurons: int) -> ActivationTable:
    """Knots and halves that small accumulators hit."""
    start = np.sort(rng.integers(-8, 9, (neurons, 5)), axis=1)
    start[:, 0] = -(2**23)
    multiplier = rng.integers(-3, 4, (neurons, 5))
    offset = rng.integers(-3, 4, (neurons, 5))
    multiplier[:, 0] = 0
    shift = rng.integers(1, 3, neurons)
    return ActivationTable(
        *(part.astype(np.int32) for part in (start, multiplier, offset, shift)), np.ones(neurons)
    )


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
