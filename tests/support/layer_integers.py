"""The integers of one layer of a `Shape`: within the contract, and the range proof passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.network.integer_network import READOUT, Coding, Layer, denominator
from spikeport.toolchain.network.parameters import STATE_LIMIT, ActivationTable, Leak
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import HIDDEN_NEURONS
from spikeport.toolchain.neurons.bounds import RowKind, bound_rows
from tests.support.networks import random_table

if TYPE_CHECKING:
    from tests.support.strategies import Shape

Long = NDArray[np.int64]
LEAKY = "leaky@1"
WINDOWED = ("if@1", "snm@1", "mt@1", "dc@1")  # their membranes integrate over a decision


def layer(
    rng: np.random.Generator,
    shape: Shape,
    index: int,
    inputs: int,
    outputs: int,
    low: Long,
    high: Long,
) -> Layer:
    """The layer `index` of a network of this shape; its inputs lie within [low, high]."""
    kind = _row_kind(shape, index)
    last = kind.readout
    changes = shape.neuron == "sdn@1" and not last
    leaky = shape.neuron == LEAKY and not last
    weights = _weights(rng, shape, outputs, inputs, first=kind.first)
    shift = int(rng.integers(0, 7)) if leaky else 0

    no_bias = np.zeros(outputs, np.int64)

    def reach(bias: Long) -> Long:
        proof = bound_rows(Dense(weights), bias, low, high, kind)
        return np.maximum(proof.synaptic, proof.accumulator) << shift

    while (too_far := reach(no_bias) > STATE_LIMIT).any():
        weights[too_far] = np.trunc(weights[too_far] / 2).astype(np.int64)
    reached = reach(no_bias)
    bias = _bias(rng, shape.size, outputs, (STATE_LIMIT - reached) // _times(kind))
    if shape.late and kind.first:
        bias = np.abs(bias)
    elif shape.late and shape.size != "tiny":
        bias = bias // 50
    activation = _activation(shape, index)
    spread = np.maximum(reached + np.abs(bias), 1)
    bottom, top = _ends(rng, shape, kind, spread, activation)
    threshold = np.zeros(outputs, np.int32)
    if not last:
        threshold = _threshold(rng, shape.size, spread, _largest(shape, kind))
    if shape.late and not last:
        drive = spread if kind.first else np.maximum(weights, 0).sum(1) + np.abs(bias)
        threshold = _late_threshold(rng, shape, kind, drive)
    leak = None
    if leaky:
        threshold, leak = _leak(rng, threshold, shift)
    table = _table(rng, shape.size, spread, activation)
    return Layer(
        neuron=READOUT if last else shape.neuron,
        synapses=Dense(weights.astype(np.int8)),
        bias=bias.astype(np.int32),
        row_scale=rng.uniform(0.2, 2, outputs) / spread,
        threshold=threshold,
        payload_low=bottom.astype(np.int32),
        payload_high=top.astype(np.int32),
        unit=np.ones(outputs),
        activation=activation,
        table=table,
        trigger=shape.trigger if changes else 1,
        hold_input=kind.first and kind.coding == Coding.RATE,
        leak=leak,
    )


def _activation(shape: Shape, index: int) -> str:
    """The activation of the layer `index`."""
    if index == len(shape.widths) - 2 or shape.neuron == LEAKY:
        return "identity"
    if shape.neuron == "sdn@1":
        return shape.activations[index % len(shape.activations)]
    return "relu"


def _table(
    rng: np.random.Generator, size: str, spread: Long, activation: str
) -> ActivationTable | None:
    """A table in place of an activation that needs one."""
    if activation in ("relu", "identity"):
        return None
    if size == "tiny":
        return tie_table(rng, len(spread))
    return random_table(rng, len(spread), int(spread.max()))


def _row_kind(shape: Shape, index: int) -> RowKind:
    """What the proof must know of the layer `index`."""
    first = index == 0
    last = index == len(shape.widths) - 2
    coding = Coding.RATE
    if shape.neuron == "sdn@1" or (last and first and shape.timesteps == 1):
        coding = Coding.ACROSS
    elif shape.neuron == "dc@1" and len(shape.widths) > 2:
        coding = Coding.DIFFERENTIAL
    return RowKind(coding, shape.timesteps, last, first)


def _times(kind: RowKind) -> int:
    """How often a bias counts in what is accumulated."""
    if kind.coding == Coding.DIFFERENTIAL:
        return denominator(kind.timesteps)
    if kind.readout and kind.coding == Coding.RATE:
        return kind.timesteps
    return 1


def _weights(
    rng: np.random.Generator, shape: Shape, outputs: int, inputs: int, *, first: bool
) -> Long:
    """Weights, a quarter of them zero; of late networks the odd ones inhibit."""
    largest = 2 if shape.size == "tiny" else 127
    weights = rng.integers(-largest, largest + 1, (outputs, inputs))
    weights[rng.random(weights.shape) < 0.25] = 0
    if shape.late and not first:
        weights[:, ::2] = np.abs(weights[:, ::2])
        weights[:, 1::2] = np.maximum(-2 * np.abs(weights[:, 1::2]), -largest)
    return weights


def _ends(
    rng: np.random.Generator, shape: Shape, kind: RowKind, spread: Long, activation: str
) -> tuple[Long, Long]:
    """The smallest and the largest payload of each neuron."""
    outputs = len(spread)
    if shape.neuron != "sdn@1":
        spikes = HIDDEN_NEURONS[shape.neuron].traits
        return np.full(outputs, spikes.low, np.int64), np.full(outputs, spikes.high, np.int64)
    if kind.readout:
        return spread * 0, spread * 0
    return _payloads(rng, shape.size, outputs, activation)


def _largest(shape: Shape, kind: RowKind) -> int:
    """The largest threshold that the contract allows."""
    if kind.coding == Coding.DIFFERENTIAL:
        return kind.largest_lambda
    return STATE_LIMIT // HIDDEN_NEURONS[shape.neuron].traits.levels


def _late_threshold(
    rng: np.random.Generator, shape: Shape, kind: RowKind, drive: Long
) -> NDArray[np.int32]:
    """Thresholds that a drive of this size crosses late in the window or not at all."""
    levels = HIDDEN_NEURONS[shape.neuron].traits.levels
    wanted = np.maximum(drive * rng.uniform(0.1, 1.5, len(drive)) / levels, 1)
    if kind.first:
        wanted[1::2] *= shape.timesteps
    return wanted.clip(1, _largest(shape, kind)).astype(np.int32)


def _leak(
    rng: np.random.Generator, threshold: NDArray[np.int32], shift: int
) -> tuple[NDArray[np.int32], Leak]:
    """The same thresholds, about a third of them zero or negative, and what leaks."""
    outputs = len(threshold)
    low = rng.random(outputs) < 0.3
    threshold = np.where(low, -threshold * rng.integers(0, 2, outputs), threshold)
    ends = rng.random(outputs) < 0.4
    keep = np.where(ends, rng.choice((0, 4096), outputs), rng.integers(0, 4097, outputs))
    return threshold.astype(np.int32), Leak(keep.astype(np.int32), shift)


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
