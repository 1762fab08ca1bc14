"""A policy that was trained as a spiking network: encoder, spiking layers, count decoder, in
floating point.

Each decision starts with all state at zero and takes T timesteps without layer delay, strict `>`
everywhere:

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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import violations
from spikeport.toolchain.network.codes import ENCODER_THRESHOLD, TRANSFORMS
from spikeport.toolchain.policies.ann_policy import Policy, Provenance
from spikeport.toolchain.policies.leaky_policy import LeakyPolicy

Float = NDArray[np.float32]
Real = NDArray[np.floating]
NEURONS = ("lif", "clif", "dn", "plif", "cuba")
SLAYER_SCALE = 64  # integers of a SLAYER network that make 1
ROWS = 4096  # decisions that run at once


@dataclass(frozen=True, eq=False)
class SpikingLayer:
    """weight [out, in], bias [out], float32.

    What C and V keep of themselves per timestep, and the threshold.
    """

    weight: Float
    bias: Float
    neuron: str
    current_keep: float = 0.0
    voltage_keep: float = 0.75
    threshold: float = 0.5

    @property
    def inputs(self) -> int:
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.weight.shape[0]

    @property
    def activation(self) -> str:
        """What reports call the layer's non-linearity."""
        return self.neuron


@dataclass(frozen=True, eq=False)
class SpikingPolicy:
    """`Policy`'s surface around a spiking network.

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

    def __post_init__(self) -> None:
        if self.layers:
            problems = []
        else:
            problems = ["no layer"]
        features = self.observation.features
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None and (
                value.ndim != 2 or value.shape[0] != features or value.shape[1] < 1
            ):
                problems.append(
                    f"the encoder's {name} has shape {value.shape} for {features} features"
                )
            elif value is not None and not np.isfinite(value).all():
                problems.append(f"the encoder's {name} has non-finite values")
        if (self.mean is None) != (self.std is None) or (
            self.mean is not None and self.std is not None and self.mean.shape != self.std.shape
        ):
            problems.append("a population encoder needs mean and std of one shape")
        elif self.std is not None and (self.std == 0).any():
            problems.append("the encoder's std has zeros")
        if self.transform not in TRANSFORMS:
            problems.append(
                f"unknown observation transform {self.transform!r}, known are"
                f" {', '.join(TRANSFORMS)}"
            )
        if not 1 <= self.timesteps <= 1024:
            problems.append(f"{self.timesteps} timesteps, 1..1024 expected")
        arriving = self.population * features
        for index, layer in enumerate(self.layers):
            problems += [f"layer {index} {problem}" for problem in _layer_problems(layer, arriving)]
            arriving = layer.outputs
        if (
            self.decoder_weight.ndim != 2
            or len(self.decoder_weight) != self.action.size
            or self.decoder_weight.size != arriving
        ):
            problems.append(
                f"the decoder's weight has shape {self.decoder_weight.shape} for {arriving} output"
                f" neurons and {self.action.size} action channels"
            )
        if self.decoder_bias.shape != (self.action.size,):
            problems.append(
                f"the decoder's bias has shape {self.decoder_bias.shape} for {self.action.size}"
                " action channels"
            )
        if not (np.isfinite(self.decoder_weight).all() and np.isfinite(self.decoder_bias).all()):
            problems.append("the decoder has non-finite values")
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
        return self.layers[0].neuron

    @property
    def macs(self) -> int:
        """Dense multiply-adds of one pass through the weight layers, in * out each.

        A decision makes T of them.
        """
        return sum(layer.inputs * layer.outputs for layer in self.layers)

    def activations(self, inputs: NDArray[np.floating]) -> Float:
        """a [n, features * P] of network inputs [n, features]."""
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
        """Spike counts of the encoder and of every layer, [n, neurons] each, for network inputs [n,
        features].
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
        """Deterministic actions [n, act] for observations [n, obs]; decisions do not depend on one
        another.

        The network runs in float32, as it was trained; the contracts around it in float64.
        """
        if decisions is None:
            decisions = np.zeros(len(observations), np.int64)
        inputs = self.observation.apply(np.asarray(observations, np.float64), decisions).astype(
            np.float32
        )
        outputs = np.zeros((len(inputs), self.action.size))
        for first in range(0, len(inputs), ROWS):
            rate = self.counts(inputs[first : first + ROWS])[-1] / np.float32(self.timesteps)
            grouped = rate.reshape(len(rate), self.action.size, -1)
            outputs[first : first + ROWS] = (grouped * self.decoder_weight).sum(
                2
            ) + self.decoder_bias
        return self.action.apply(outputs)


AnyPolicy = Policy | SpikingPolicy | LeakyPolicy


def _layer_problems(layer: SpikingLayer, arriving: int) -> list[str]:
    problems = []
    if layer.neuron not in NEURONS:
        problems.append(f"has unknown neuron {layer.neuron!r}, known are {', '.join(NEURONS)}")
    if layer.weight.ndim != 2 or layer.inputs != arriving:
        problems.append(
            f"has a weight of shape {layer.weight.shape} where {arriving} inputs arrive"
        )
    elif layer.bias.shape != (layer.outputs,):
        problems.append(f"has a bias of shape {layer.bias.shape} for {layer.outputs} outputs")
    problems += [
        f"{name} has non-finite values"
        for name in ("weight", "bias")
        if not np.isfinite(getattr(layer, name)).all()
    ]
    if not (
        0 <= layer.current_keep < 1
        and 0 <= layer.voltage_keep <= 1
        and 0 < layer.threshold < np.inf
    ):
        problems.append(
            f"keeps {layer.current_keep:g} and {layer.voltage_keep:g} with threshold"
            f" {layer.threshold:g}; 0..1, 0..1 and above 0 expected"
        )
    return problems


def _step(layer: SpikingLayer, state: dict[str, Real], arriving: Real) -> Real:
    """One timestep of one layer: spikes [n, in] in, spikes [n, out] out."""
    drive = arriving @ layer.weight.T + (0 if layer.neuron == "cuba" else layer.bias)
    current_keep = np.float32(layer.current_keep)
    voltage_keep = np.float32(layer.voltage_keep)
    if layer.neuron in ("clif", "dn", "cuba"):
        drive = state["C"] = current_keep * state["C"] + drive
    if layer.neuron == "cuba":
        drive = drive + layer.bias
    if layer.neuron == "dn":
        v = state["V"] * (1 - state["S"]) + np.float32(0.021) * state["S"]
        u = state["U"] + np.float32(0.132) * state["S"]
        state["V"], state["U"] = (
            v + (v * v - v - u + drive),
            u + (np.float32(-0.172) * v + np.float32(0.529) * u),
        )
    else:
        state["V"] = voltage_keep * state["V"] * (1 - state["S"]) + drive
    state["S"] = (state["V"] > np.float32(layer.threshold)).astype(np.float32)
    return state["S"]
