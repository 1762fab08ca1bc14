"""A policy that was trained as a spiking network, in floating point.

It has an encoder, spiking layers and a count decoder. Each decision starts with all state at zero
and takes T timesteps without layer delay, strict `>` everywhere:

    z = x or tanh(x);  a = exp(-(z - mean)^2 / (2 std^2)) (population) or z (rate)
    v <- v + a;  s = [v > 0.999];  v <- v - 0.999 s                       the encoder's neurons
    lif    V <- kv V (1 - S) + W s + b;  S = [V > threshold]
    clif   C <- kc C + W s + b;  V <- kv V (1 - S) + C;  S = [V > threshold]
    plif   as lif, one kv = sigmoid(w) per layer
    cuba   C <- kc C + W s;  V <- kv V (1 - S) + C + b;  S = [V > threshold]
    dn     C <- kc C + W s + b;  V <- V (1 - S) + 0.021 S;  U <- U + 0.132 S
           V, U <- V + V^2 - V - U + C, U - 0.172 V + 0.529 U (V before);  S = [V > threshold]
    y = decoder_weight . counts / T + decoder_bias

Sources: PopSAN (clif; Tang et al. 2020, arXiv 2010.09635) and Proxy Target (lif, clif, dn; Xu et
al. 2025, arXiv 2505.24161), both with their published code; plif from a fork of the latter; cuba
from lava-dl's SLAYER, whose numbers are multiples of 1/64 and of 1/4096 (decays).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.codes import ENCODER_THRESHOLD, TRANSFORMS
from spikeport.toolchain.policies.layers import AnyLayer
from spikeport.toolchain.policies.policy_interface import MemorylessPolicy, Provenance

Float = NDArray[np.float32]
Real = NDArray[np.floating]
LAYER_NUMBERS = ("current_keep", "voltage_keep", "threshold")
NEURONS = ("lif", "clif", "dn", "plif", "cuba")
SLAYER_SCALE = 64  # integers of a SLAYER network that make 1
ROWS = 4096  # decisions that run at once


@dataclass(frozen=True, eq=False)
class SpikingLayer(AnyLayer):
    """weight [out, in], bias [out], float32, and the numbers of its neurons.

    `current_keep` and `voltage_keep` say what C and V keep of themselves per timestep.
    """

    weight: Float
    bias: Float
    neuron: str
    current_keep: float = 0.0
    voltage_keep: float = 0.75
    threshold: float = 0.5

    @property
    def activation(self) -> str:
        """What reports call the layer's non-linearity."""
        return self.neuron

    @property
    def record(self) -> dict[str, str | float]:
        """The neuron's name and numbers."""
        numbers = {name: float(getattr(self, name)) for name in LAYER_NUMBERS}
        return {"neuron": self.neuron, **numbers}


@dataclass(frozen=True, eq=False)
class SpikingPolicy(MemorylessPolicy):
    """A spiking network with its encoder and decoder.

    mean, std [features, P] of the population encoder, both None for rate coding. decoder_weight
    [act, P_out], decoder_bias [act]. `environment` is the id that a sidecar names, or empty.
    """

    layers: tuple[SpikingLayer, ...]
    timesteps: int
    observation: ObservationContract
    action: ActionContract
    provenance: Provenance
    decoder_weight: Float
    decoder_bias: Float
    transform: str = "none"
    mean: Float | None = None
    std: Float | None = None
    environment: str = ""

    own_neuron = "lif"  # every variant runs as lif
    needs_states = False  # rates lie in 0..1, so a rate-coded network can do without

    def __post_init__(self) -> None:
        problems = []
        if not self.layers:
            problems.append("no layer")
        problems += _encoder_problems(self)
        if not 1 <= self.timesteps <= 1024:
            problems.append(f"{self.timesteps} timesteps, 1..1024 expected")
        arriving = self.population * self.observation.features
        for index, layer in enumerate(self.layers):
            problems += [f"layer {index} {problem}" for problem in _layer_problems(layer, arriving)]
            arriving = layer.outputs
        problems += _decoder_problems(self, arriving)
        if problems:
            raise violations(
                self.provenance.file,
                problems,
                why="a policy is converted whole or not at all",
                fix="save the actor's own state_dict, all values finite",
            )

    @property
    def population(self) -> int:
        """Encoder neurons per feature."""
        if self.mean is None:
            return 1
        return self.mean.shape[1]

    @property
    def neuron(self) -> str:
        """The first layer's neuron, one of NEURONS."""
        return self.layers[0].neuron

    def activations(self, inputs: NDArray[np.floating]) -> Float:
        """What the encoder integrates, a [n, features * P], of network inputs [n, features]."""
        if self.transform == "tanh":
            z = np.tanh(inputs.astype(np.float32))
        else:
            z = inputs.astype(np.float32)
        if self.mean is None or self.std is None:
            return z
        with np.errstate(over="ignore"):  # what is infinitely far away does not spike
            return np.exp(
                np.float32(-0.5) * (z[:, :, None] - self.mean) ** 2 / self.std**2
            ).reshape(len(z), -1)

    def counts(self, inputs: NDArray[np.floating]) -> list[Float]:
        """Spike counts of the encoder and of every layer for network inputs [n, features].

        Each is [n, neurons].
        """
        activation = self.activations(inputs)
        v = np.zeros((len(inputs), self.population * inputs.shape[1]), np.float32)
        states: list[dict[str, Real]] = [
            {name: np.zeros((len(inputs), layer.outputs), np.float32) for name in "CVUS"}
            for layer in self.layers
        ]
        counts = [np.zeros_like(v), *(np.zeros_like(state["S"]) for state in states)]
        for _ in range(self.timesteps):
            v += activation
            spikes: Real = (v > np.float32(ENCODER_THRESHOLD)).astype(np.float32)
            v -= np.float32(ENCODER_THRESHOLD) * spikes
            counts[0] += spikes
            for layer, state, count in zip(self.layers, states, counts[1:], strict=True):
                spikes = _step(layer, state, spikes)
                count += spikes
        return counts

    def act(
        self, observations: NDArray[np.floating], decisions: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Deterministic actions [n, act] for observations [n, obs].

        The network runs in float32, as it was trained; the contracts around it in float64.
        `decisions` [n] are decision numbers for a time feature, 0 if None.
        """
        if decisions is None:
            decisions = np.zeros(len(observations), np.int64)
        inputs = self.network_inputs(observations, decisions)
        outputs = np.zeros((len(inputs), self.action.size))
        for first in range(0, len(inputs), ROWS):
            block = slice(first, first + ROWS)
            rate = self.counts(inputs[block])[-1] / np.float32(self.timesteps)
            grouped = rate.reshape(len(rate), self.action.size, -1)
            outputs[block] = (grouped * self.decoder_weight).sum(2) + self.decoder_bias
        return self.action.apply(outputs)

    def facts(self) -> dict[str, object]:
        """Neurons, encoder, decays and decoder, as JSON data."""
        return {
            "neuron": self.neuron,
            "timesteps": self.timesteps,
            "encoder": {
                "kind": "rate" if self.mean is None else "population",
                "neurons_per_feature": self.population,
                "transform": self.transform,
            },
            "dynamics": [
                {name: getattr(layer, name) for name in LAYER_NUMBERS} for layer in self.layers
            ],
            "decoder": {"neurons_per_action": self.decoder_weight.shape[1]},
            "environment": self.environment or None,
        }


def _encoder_problems(policy: SpikingPolicy) -> Iterator[str]:
    """What is wrong with the encoder's arrays and its transform."""
    features = policy.observation.features
    mean = policy.mean
    std = policy.std
    for name, value in (("mean", mean), ("std", std)):
        if value is None:
            continue
        if value.ndim != 2 or value.shape[0] != features or value.shape[1] < 1:
            yield f"the encoder's {name} has shape {value.shape} for {features} features"
        elif not np.isfinite(value).all():
            yield f"the encoder's {name} has non-finite values"
    shapes = [None if value is None else value.shape for value in (mean, std)]
    if shapes[0] != shapes[1]:
        yield "a population encoder needs mean and std of one shape"
    elif std is not None and (std == 0).any():
        yield "the encoder's std has zeros"
    if policy.transform not in TRANSFORMS:
        known = ", ".join(TRANSFORMS)
        yield f"unknown observation transform {policy.transform!r}, known are {known}"


def _decoder_problems(policy: SpikingPolicy, arriving: int) -> Iterator[str]:
    """What is wrong with the decoder that `arriving` output neurons reach."""
    weight = policy.decoder_weight
    bias = policy.decoder_bias
    size = policy.action.size
    if weight.ndim != 2 or len(weight) != size or weight.size != arriving:
        yield (
            f"the decoder's weight has shape {weight.shape} for {arriving} output neurons and"
            f" {size} action channels"
        )
    if bias.shape != (size,):
        yield f"the decoder's bias has shape {bias.shape} for {size} action channels"
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        yield "the decoder has non-finite values"


def _layer_problems(layer: SpikingLayer, arriving: int) -> Iterator[str]:
    """What is wrong with a layer that `arriving` channels reach."""
    if layer.neuron not in NEURONS:
        yield f"has unknown neuron {layer.neuron!r}, known are {', '.join(NEURONS)}"
    if layer.weight.ndim != 2 or layer.inputs != arriving:
        yield f"has a weight of shape {layer.weight.shape} where {arriving} inputs arrive"
    elif layer.bias.shape != (layer.outputs,):
        yield f"has a bias of shape {layer.bias.shape} for {layer.outputs} outputs"
    for name in layer.arrays:
        if not np.isfinite(getattr(layer, name)).all():
            yield f"{name} has non-finite values"
    kept = 0 <= layer.current_keep < 1 and 0 <= layer.voltage_keep <= 1
    if not (kept and 0 < layer.threshold < np.inf):
        yield (
            f"keeps {layer.current_keep:g} and {layer.voltage_keep:g} with threshold"
            f" {layer.threshold:g}; 0..1, 0..1 and above 0 expected"
        )


def _step(layer: SpikingLayer, state: dict[str, Real], arriving: Real) -> Real:
    """One timestep of one layer: spikes [n, in] in, spikes [n, out] out."""
    drive = arriving @ layer.weight.T
    if layer.neuron != "cuba":
        drive = drive + layer.bias
    current_keep = np.float32(layer.current_keep)
    voltage_keep = np.float32(layer.voltage_keep)
    if layer.neuron in ("clif", "dn", "cuba"):
        drive = state["C"] = current_keep * state["C"] + drive
    if layer.neuron == "cuba":
        drive = drive + layer.bias
    if layer.neuron == "dn":
        v = state["V"] * (1 - state["S"]) + np.float32(0.021) * state["S"]
        u = state["U"] + np.float32(0.132) * state["S"]
        state["V"] = v + (v * v - v - u + drive)
        state["U"] = u + (np.float32(-0.172) * v + np.float32(0.529) * u)
    else:
        state["V"] = voltage_keep * state["V"] * (1 - state["S"]) + drive
    state["S"] = (state["V"] > np.float32(layer.threshold)).astype(np.float32)
    return state["S"]
