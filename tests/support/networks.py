"""Random integer networks for tests.

Small, within the proof, covering every rule of contract sections 1-3.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.network.integer_network import READOUT, Coding, Encoder, Layer
from spikeport.toolchain.network.parameters import ActivationTable, Leak
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import HIDDEN_NEURONS, network_of
from spikeport.toolchain.neurons.bounds import RowKind, bound_rows
from spikeport.toolchain.neurons.proof import STATE_LIMIT
from spikeport.toolchain.policies.ann_policy import Provenance

FLOAT = np.float64


def random_table(rng: np.random.Generator, neurons: int, reach: int) -> ActivationTable:
    """Any piecewise-linear map is legal.

    A jagged one shows an off-by-one that a smooth one hides.
    """
    segments = int(rng.integers(1, 33))
    start = np.sort(rng.integers(-reach, reach + 1, (neurons, segments)), axis=1)
    start[:, 0] = -(2**23)
    shift = rng.integers(1, 20, neurons)
    return ActivationTable(
        start.astype(np.int32),
        rng.integers(-(2**11), 2**11, (neurons, segments)).astype(np.int32),
        rng.integers(-50, 51, (neurons, segments)).astype(np.int32),
        shift.astype(np.int32),
        np.ones(neurons),
    )


def random_layer(
    rng: np.random.Generator,
    neuron: str,
    outputs: int,
    low: np.ndarray,
    high: np.ndarray,
    kind: RowKind,
    activation: str = "relu",
) -> Layer:
    """One layer whose rows pass the proof for input values within [low, high].

    Args:
        rng: Where its integers come from.
        neuron: The neuron, or READOUT.
        outputs: How many neurons it has.
        low: The smallest value of each input.
        high: The largest one.
        kind: Its place in the network.
        activation: Of a hidden layer.

    Returns:
        The layer.
    """
    weights = rng.integers(-127, 128, (outputs, len(low)))
    weights[rng.random(weights.shape) < 0.3] = 0
    bias = rng.integers(-2000, 2001, outputs)
    readout = neuron == READOUT
    differential = kind.coding == Coding.DIFFERENTIAL
    while not _passes(weights, bias, low, high, kind):
        weights = weights // 2
        bias = bias // 2
    scale = np.maximum(np.abs(weights).sum(1), 1)
    share = rng.uniform(0.01, 1.5, outputs) * (8 if kind.first else 1)
    levels = 1 if readout else HIDDEN_NEURONS[neuron].traits.levels
    threshold = np.maximum(1, (scale * share).astype(int)) // levels
    threshold = threshold.clip(1, kind.largest_lambda if differential else None)
    tabled = not readout and activation not in ("relu", "identity")
    table = random_table(rng, outputs, int(scale.max()) * 10) if tabled else None
    bottom, top = _payload_ends(rng, neuron, outputs, activation)
    return Layer(
        neuron=neuron,
        synapses=Dense(weights.astype(np.int8)),
        bias=bias.astype(np.int32),
        row_scale=rng.uniform(1e-4, 1e-2, outputs),
        threshold=(np.zeros(outputs) if readout else threshold).astype(np.int32),
        payload_low=bottom.astype(np.int32),
        payload_high=top.astype(np.int32),
        unit=np.ones(outputs),
        activation="identity" if readout else activation,
        table=table,
        trigger=int(rng.integers(1, 4)) if neuron == "sdn@1" else 1,
        hold_input=kind.first and kind.coding == Coding.RATE,
    )


def _passes(
    weights: np.ndarray, bias: np.ndarray, low: np.ndarray, high: np.ndarray, kind: RowKind
) -> bool:
    """Whether the sums of all rows stay within the range of a state."""
    proof = bound_rows(Dense(weights), bias, low, high, kind)
    return bool(max(proof.synaptic.max(), proof.accumulator.max()) <= STATE_LIMIT)


def _coding(neuron: str, timesteps: int, differential: bool) -> Coding:
    """How the network of such a layer speaks."""
    if differential:
        return Coding.DIFFERENTIAL
    if neuron == "sdn@1" or (neuron == READOUT and timesteps == 1):
        return Coding.ACROSS
    return Coding.RATE


def _payload_ends(
    rng: np.random.Generator, neuron: str, outputs: int, activation: str
) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest payload of each neuron."""
    if neuron == READOUT:
        return np.zeros(outputs), np.ones(outputs)
    if neuron != "sdn@1":
        traits = HIDDEN_NEURONS[neuron].traits
        return np.full(outputs, traits.low), np.full(outputs, traits.high)
    top = rng.integers(1, 40, outputs)
    if activation == "relu":
        return np.zeros(outputs), top
    return -rng.integers(0, 40, outputs), top


def random_artifact(
    seed: int,
    *,
    neuron: str = "sdn@1",
    widths: tuple[int, ...] = (5, 9, 7, 3),
    timesteps: int = 1,
    alpha: int = 0,
    activation: str = "relu",
    resync_every: int = 0,
    time_feature: bool = False,
    normalised: bool = False,
    squash: str = "tanh",
) -> Artifact:
    """An artifact over a random network.

    Args:
        seed: The same one gives the same artifact.
        neuron: Of the hidden layers.
        widths: From the features to the actions.
        timesteps: Of a decision; 1 for sdn.
        alpha: How much of the residual is carried over, in 64ths.
        activation: Of the hidden layers of sdn.
        resync_every: Decisions; 0 for never.
        time_feature: Whether the last feature is the time.
        normalised: Whether observations are normalised.
        squash: Of the action.

    Returns:
        The artifact, with a probe and without a source policy.
    """
    rng = np.random.default_rng(seed)
    if neuron == "sdn@1":
        timesteps = 1
    limit = rng.integers(1, 200, widths[0])
    layers = _random_layers(rng, neuron, widths, timesteps, activation, limit.astype(np.int64))
    encoder = Encoder(rng.uniform(0.01, 0.1, widths[0]), limit.astype(np.int32))
    network = network_of(encoder, layers, timesteps, alpha, resync_every)
    features = widths[0]
    size = features - time_feature
    normaliser: dict[str, Any] = {}
    if normalised:
        normaliser = {
            "mean": rng.normal(size=features),
            "variance": rng.uniform(0.5, 2, features),
            "epsilon": 1e-8,
            "clip": 3.0,
        }
    time = TimeFeature(37) if time_feature else None
    observation = ObservationContract(size=size, time_feature=time, **normaliser)
    probe_flags = np.array([1, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0], np.uint8)
    action = _random_action(rng, widths[-1], squash)
    return Artifact(
        network,
        observation,
        action,
        Provenance("random", "0" * 64, "test", "random"),
        Probe(observation_stream(rng, 12, size), probe_flags),
        {"seeds": []},
        source_macs=sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True)),
    )


def _random_layers(
    rng: np.random.Generator,
    neuron: str,
    widths: tuple[int, ...],
    timesteps: int,
    activation: str,
    limit: np.ndarray,
) -> tuple[Layer, ...]:
    """Hidden layers and the readout; the first one's inputs lie within -limit..limit."""
    low = -limit
    high = limit
    differential = neuron == "dc@1" and len(widths) > 2
    layers: list[Layer] = []
    for index, outputs in enumerate(widths[1:]):
        last = index == len(widths) - 2
        own = READOUT if last else neuron
        kind = RowKind(_coding(own, timesteps, differential), timesteps, last, index == 0)
        layers.append(random_layer(rng, own, outputs, low, high, kind, activation))
        low = layers[-1].payload_low.astype(np.int64)
        high = layers[-1].payload_high.astype(np.int64)
    return tuple(layers)


def _random_action(rng: np.random.Generator, size: int, squash: str) -> ActionContract:
    """An action contract that clips to -1..1 where nothing squashes."""
    scale = rng.uniform(0.5, 2, size)
    offset = rng.normal(size=size)
    if squash == "none":
        return ActionContract(size, squash, scale, offset, np.full(size, -1.0), np.full(size, 1.0))
    return ActionContract(size, squash, scale, offset, None, None)


def leaky_artifact(
    seed: int, widths: tuple[int, ...] = (5, 9, 7, 3), shift: int = 0, *, integrating: bool = False
) -> Artifact:
    """An artifact of `leaky@1`, thresholds of either sign.

    `integrating`: membranes keep all and run into both ends of 24 bits.
    """
    rng = np.random.default_rng(seed)
    artifact = random_artifact(seed, neuron="if@1", widths=widths, timesteps=1)
    layers = list(artifact.network.layers)
    for index, layer in enumerate(layers[:-1]):
        if not integrating:
            keep = rng.integers(0, 4097, layer.outputs)
        else:
            keep = np.full(layer.outputs, 4096)
        threshold = layer.threshold * rng.choice((-1, 0, 1, 1, 1), layer.outputs) << shift
        if not integrating:
            bias = layer.bias
        else:
            bias = np.resize((STATE_LIMIT // 2, -STATE_LIMIT // 2, 100), layer.outputs)
        layers[index] = dataclasses.replace(
            layer,
            neuron="leaky@1",
            activation="identity",
            bias=bias.astype(np.int32),
            threshold=threshold.astype(np.int32),
            leak=Leak(keep.astype(np.int32), shift),
        )
    return dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers))
    )


def observation_stream(rng: np.random.Generator, decisions: int, size: int) -> np.ndarray:
    """A random walk with jumps, long silences and saturating values."""
    steps = rng.normal(scale=0.3, size=(decisions, size)) * (rng.random((decisions, 1)) < 0.8)
    values = np.cumsum(steps, axis=0)
    values[rng.random(decisions) < 0.05] *= 100
    return values
