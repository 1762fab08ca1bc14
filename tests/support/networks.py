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
from spikeport.toolchain.neurons import HIDDEN_NEURONS, Readout, Traits, network_of
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


def neuron_traits(identifier: str) -> Traits:
    """Of a hidden neuron or the readout."""
    return HIDDEN_NEURONS.get(identifier, Readout(Coding.RATE)).traits


def random_layer(
    rng: np.random.Generator,
    neuron: str,
    inputs: int,
    outputs: int,
    low: np.ndarray,
    high: np.ndarray,
    timesteps: int,
    *,
    first: bool,
    limit: int = 127,
    activation: str = "relu",
    differential: bool = False,
) -> Layer:
    """One layer whose rows pass the proof for input values within [low, high]."""
    weights = rng.integers(-limit, limit + 1, (outputs, inputs))
    weights[rng.random(weights.shape) < 0.3] = 0
    bias = rng.integers(-2000, 2001, outputs)
    across = neuron == "sdn@1" or (neuron == READOUT and timesteps == 1)
    readout = neuron == READOUT
    if differential:
        coding = Coding.DIFFERENTIAL
    elif across:
        coding = Coding.ACROSS
    else:
        coding = Coding.RATE
    kind = RowKind(coding, timesteps, readout, first)
    while True:  # coarser until the proof passes
        proof = bound_rows(weights, bias, low, high, kind)
        if max(proof.synaptic.max(), proof.accumulator.max()) <= STATE_LIMIT:
            break
        weights = weights // 2
        bias = bias // 2
    scale = np.maximum(np.abs(weights).sum(1), 1)
    threshold = np.maximum(
        1, (scale * rng.uniform(0.01, 1.5, outputs) * (8 if first else 1)).astype(int)
    )
    spiking = not readout
    spikes = neuron_traits(neuron)
    threshold = (threshold // spikes.levels).clip(1, kind.largest_lambda if differential else None)
    if spiking and activation not in ("relu", "identity"):
        table = random_table(rng, outputs, int(scale.max()) * 10)
    else:
        table = None
    if neuron == "sdn@1":
        top = rng.integers(1, 40, outputs)
    else:
        top = np.full(outputs, spikes.high)
    if neuron != "sdn@1":
        bottom = np.full(outputs, spikes.low)
    elif activation == "relu":
        bottom = np.zeros(outputs)
    else:
        bottom = -rng.integers(0, 40, outputs)
    return Layer(
        neuron=neuron,
        weights=weights.astype(np.int8),
        bias=bias.astype(np.int32),
        row_scale=rng.uniform(1e-4, 1e-2, outputs),
        threshold=(threshold if spiking else np.zeros(outputs)).astype(np.int32),
        payload_low=bottom.astype(np.int32),
        payload_high=top.astype(np.int32),
        unit=np.ones(outputs),
        activation=activation if spiking else "identity",
        table=table,
        trigger=int(rng.integers(1, 4)) if neuron == "sdn@1" else 1,
        hold_input=first and coding == Coding.RATE,
    )


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
    """An artifact over a random network; `widths` runs from features to actions."""
    rng = np.random.default_rng(seed)
    if neuron == "sdn@1":
        timesteps = 1
    else:
        timesteps = timesteps
    limit = rng.integers(1, 200, widths[0])
    low = -limit.astype(np.int64)
    high = limit.astype(np.int64)
    layers: list[Layer] = []
    for index, (inputs, outputs) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
        if index == len(widths) - 2:
            kind = READOUT
        else:
            kind = neuron
        differential = neuron == "dc@1" and len(widths) > 2
        options: dict[str, Any] = {
            "first": index == 0,
            "activation": activation,
            "differential": differential,
        }
        layers.append(random_layer(rng, kind, inputs, outputs, low, high, timesteps, **options))
        low = layers[-1].payload_low.astype(np.int64)
        high = layers[-1].payload_high.astype(np.int64)
    network = network_of(
        Encoder(rng.uniform(0.01, 0.1, widths[0]), limit.astype(np.int32)),
        tuple(layers),
        timesteps,
        alpha,
        resync_every,
    )
    features = widths[0]
    size = widths[0] - time_feature
    normaliser: dict[str, Any] = (
        {
            "mean": rng.normal(size=features),
            "variance": rng.uniform(0.5, 2, features),
            "epsilon": 1e-8,
            "clip": 3.0,
        }
        if normalised
        else {}
    )
    observation = ObservationContract(
        size=size, time_feature=TimeFeature(37) if time_feature else None, **normaliser
    )
    action = ActionContract(
        widths[-1],
        squash,
        rng.uniform(0.5, 2, widths[-1]),
        rng.normal(size=widths[-1]),
        *(
            (np.full(widths[-1], -1.0), np.full(widths[-1], 1.0))
            if squash == "none"
            else (None, None)
        ),
    )
    probe = Probe(
        observation_stream(rng, 12, size), np.array([1, 0, 0, 0, 1, 0, 2, 0, 0, 0, 1, 0], np.uint8)
    )
    macs = sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    return Artifact(
        network,
        observation,
        action,
        Provenance("random", "0" * 64, "test", "random"),
        probe,
        {"seeds": []},
        source_macs=macs,
    )


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
