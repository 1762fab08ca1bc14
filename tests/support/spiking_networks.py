"""Networks of `lif@1` and observation streams for conformance.

Everything made here passes the artifact's own check.
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
from spikeport.toolchain.network.codes import ENCODER_UNITS, SpikeCoding
from spikeport.toolchain.network.integer_network import Encoder, Layer
from spikeport.toolchain.network.parameters import STATE_LIMIT, Dynamics
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import LeakyIntegrateAndFire, network_of
from spikeport.toolchain.neurons.leaky_integrate_and_fire import bound_membrane
from spikeport.toolchain.policies.ann_policy import Provenance


@dataclass(frozen=True)
class SpikingShape:
    """What a spiking network is like.

    `features`, `hidden` widths and `actions`; populations of 0 encode by rate, decoders read
    `readers` neurons per action. size: `tiny` integers hit ties, `huge` ones come close to what the
    proof allows.
    """

    features: int = 3
    hidden: tuple[int, ...] = (6, 5)
    actions: int = 2
    population: int = 3
    readers: int = 2
    timesteps: int = 5
    in_current: bool = True
    size: str = "usual"
    transform: str = "none"
    normaliser: str = "none"
    squash: str = "tanh"
    clip_action: bool = False
    max_steps: int = 0


@st.composite
def spiking_shapes(draw: st.DrawFn, most_timesteps: int = 9) -> SpikingShape:
    """Any shape that `check` allows, small."""
    return SpikingShape(
        features=draw(st.integers(1, 4)),
        hidden=tuple(draw(st.lists(st.integers(1, 7), max_size=3))),
        actions=draw(st.integers(1, 3)),
        population=draw(st.integers(0, 4)),
        readers=draw(st.integers(1, 3)),
        timesteps=draw(st.integers(1, most_timesteps)),
        in_current=draw(st.booleans()),
        size=draw(st.sampled_from(("tiny", "usual", "huge"))),
        transform=draw(st.sampled_from(("none", "tanh"))),
        normaliser=draw(st.sampled_from(("none", "clipped"))),
        squash=draw(st.sampled_from(("tanh", "none"))),
        clip_action=draw(st.booleans()),
        max_steps=draw(st.sampled_from((0, 0, -1, 5))),
    )


def build_spiking(shape: SpikingShape, seed: int) -> Artifact:
    """An artifact of that shape; the seed decides the numbers."""
    rng = np.random.default_rng(seed)
    features = shape.features + (shape.max_steps != 0)
    inputs = features * max(shape.population, 1)
    units = 8 if shape.size == "tiny" else ENCODER_UNITS
    encoder = Encoder(np.full(inputs, 1.0 / units), np.full(inputs, units, np.int32))
    coding = _coding(rng, shape, features, units)
    widths = (inputs, *shape.hidden, shape.actions * shape.readers)
    steps = shape.timesteps + len(widths) - 1
    layers = tuple(
        _layer(rng, shape, *pair, steps) for pair in zip(widths[:-1], widths[1:], strict=True)
    )
    network = network_of(encoder, layers, shape.timesteps, spike_coding=coding)
    normaliser: dict[str, Any] = {}
    if shape.normaliser != "none":
        normaliser = {
            "mean": rng.normal(size=features),
            "variance": rng.uniform(0.1, 4, features),
            "epsilon": 0.01,
            "clip": 1.5,
        }
    if shape.max_steps:
        time = TimeFeature(max(shape.max_steps, 1), shape.max_steps < 0)
    else:
        time = None
    observation = ObservationContract(shape.features, time_feature=time, **normaliser)
    if shape.clip_action:
        bounds = (np.full(shape.actions, -0.25), np.full(shape.actions, 0.3))
    else:
        bounds = (None, None)
    action = ActionContract(
        shape.actions,
        shape.squash,
        rng.uniform(0.5, 2, shape.actions),
        rng.normal(scale=0.1, size=shape.actions),
        *bounds,
    )
    probe = Probe(np.zeros((2, shape.features)), np.ones(2, np.uint8))
    macs = sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    artifact = Artifact(
        network,
        observation,
        action,
        Provenance("made", "0" * 64, "test", "made"),
        probe,
        {"seeds": []},
        source_macs=macs,
    )
    check(artifact, "a spiking network made for a test")
    return artifact


def _coding(
    rng: np.random.Generator, shape: SpikingShape, features: int, units: int
) -> SpikeCoding:
    """Encoder and decoder; an activation of 1 is worth `units`."""
    weight = rng.normal(size=(shape.actions, shape.readers))
    bias = rng.normal(scale=0.2, size=shape.actions)
    ends: dict[str, Any] = {}
    if shape.population:
        ends = {
            "mean": np.sort(rng.uniform(-2, 2, (features, shape.population)), axis=1),
            "std": rng.uniform(0.2, 1.5, (features, shape.population)),
        }
        ends["mean"][0, 0] = 0.0
        ends["std"][0, -1] = -0.5
    threshold = 7 if shape.size == "tiny" else round(0.999 * units)
    return SpikeCoding(threshold, weight, bias, transform=shape.transform, **ends)


def _layer(
    rng: np.random.Generator, shape: SpikingShape, inputs: int, outputs: int, steps: int
) -> Layer:
    if shape.size == "tiny":
        largest = 2
    else:
        largest = 127
    weights = rng.integers(-largest, largest + 1, (outputs, inputs))
    weights += rng.integers(0, 2, weights.shape) * (
        largest // 4
    )  # more excitation than inhibition, or nothing would spike
    weights = weights.clip(-largest, largest)
    weights[rng.random(weights.shape) < 0.2] = 0
    if shape.size == "huge":
        weights[0] = -largest
    if shape.size == "tiny" and not shape.in_current:
        decays = (4095, 0)
    else:
        decays = (int(rng.choice((2047, 4095, 0, 700))), int(rng.choice((1024, 0, 4096, 333))))
    for exponent in range({"tiny": 0, "usual": 3, "huge": 7}[shape.size], -1, -1):
        dynamics = Dynamics(*decays, exponent, shape.in_current)
        if shape.in_current:
            bias = rng.integers(-largest, largest + 1, outputs)
        else:
            if shape.size != "tiny":
                bias = rng.integers(-200, 201, outputs) << int(rng.integers(0, 8))
            else:
                bias = rng.integers(-1, 2, outputs) * 64
        u, v = bound_membrane(Dense(weights), bias, dynamics, steps)
        if max(u.max(), v.max()) <= STATE_LIMIT:
            break
    drive = np.abs(weights).sum(1).mean() * 2**exponent
    if shape.in_current:
        top = 4094
    else:
        top = 2**17 - 1
    if shape.size == "tiny":
        threshold = int(rng.integers(1, 4))
    else:
        threshold = int(np.clip(drive * rng.uniform(0.05, 0.5), 1, top))
    return Layer(
        neuron=LeakyIntegrateAndFire.id,
        synapses=Dense(weights.astype(np.int8)),
        bias=bias.astype(np.int32),
        row_scale=np.full(outputs, 0.01),
        threshold=np.full(outputs, threshold, np.int32),
        payload_low=np.zeros(outputs, np.int32),
        payload_high=np.ones(outputs, np.int32),
        unit=np.ones(outputs),
        activation="identity",
        dynamics=dynamics,
    )


def spiking_stream(
    artifact: Artifact, seed: int, decisions: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Observations [decisions, obs] and flags.

    Near the encoder's means, exact halves of its steps, its ends and far beyond.
    """
    rng = np.random.default_rng(seed)
    observation = artifact.observation
    scale = float(artifact.network.encoder.scale[0])
    size = observation.size
    rate = artifact.network.spike_coding is not None and artifact.network.spike_coding.mean is None
    if not rate:
        values = rng.normal(size=(decisions, size)) * 1.5
    else:
        values = rng.uniform(-0.3, 1.4, (decisions, size))
    kinds = rng.integers(8, size=decisions)
    values[kinds == 0] = rng.choice((-1e25, 0.0, 1e25, 3.0), (int((kinds == 0).sum()), size))
    values[kinds == 1] = (
        np.floor(rng.uniform(-2, 10, (int((kinds == 1).sum()), size))) + 0.5
    ) * scale
    values[kinds == 3] = rng.choice((-1.5, 1.0), (int((kinds == 3).sum()), 1))
    values[kinds == 2] = rng.choice((0.0, 1.0, 0.875, 0.5), (int((kinds == 2).sum()), size))
    return values * observation.divisor[:size] + observation.shift[:size], rng.choice(
        3, decisions, p=(0.8, 0.1, 0.1)
    )
