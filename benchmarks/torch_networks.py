"""The `if` network, and the source ANN, as torch programs.

`EagerNetwork` is written the way repositories of papers write it: a module per layer of neurons,
out-of-place operations, both hidden layers computed in every timestep. `TunedNetwork` is the same
network by somebody who wants it quick: the held input's layer once, buffers updated in place.

The weights are the artifact's integers as float32. Every sum is below 2^24 by the range proof, so
float32 holds it exactly; alpha = 1/2 needs no more than halving. `verification.py` demands equality
before anything is timed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.policies.ann_policy import Policy

Float = NDArray[np.float64]


def single(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


class SpikingNeuron(nn.Module):
    """Integrate, fire, subtract the threshold.

    Half of the residual is carried into the next decision.
    """

    threshold: Tensor

    def __init__(self, threshold: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("threshold", single(threshold))
        self.restart()

    def restart(self) -> None:
        self.membrane = self.start = 0.5 * self.threshold[None]
        self.emitted = torch.zeros_like(self.start)

    def begin(self, alpha: float) -> None:
        residual = torch.maximum(self.membrane - self.start, -self.emitted)
        carried = torch.floor(alpha * residual + 0.5)
        self.start = torch.minimum(
            torch.clamp(0.5 * self.threshold + carried, min=0), self.threshold
        )
        self.membrane = self.start
        self.emitted = torch.zeros_like(self.start)

    def forward(self, x: Tensor) -> Tensor:
        self.membrane = self.membrane + x
        spikes = (self.membrane > self.threshold).float()
        self.membrane = self.membrane - spikes * self.threshold
        self.emitted = self.emitted + spikes * self.threshold
        return spikes

    def spike_count(self) -> Float:
        return (self.emitted / self.threshold).double().numpy()


class Codec:
    """The artifact's encoder and decoder in torch; float64, as the host's."""

    def __init__(self, artifact: Artifact) -> None:
        network = artifact.network
        action = artifact.action
        self.scale, self.limit = (
            torch.from_numpy(network.encoder.scale),
            torch.from_numpy(network.encoder.limit.astype(np.float64)),
        )
        self.row_scale = torch.from_numpy(network.layers[-1].row_scale)
        self.divisor = network.divisor
        self.action_scale, self.offset = (
            torch.from_numpy(action.scale),
            torch.from_numpy(action.offset),
        )

    def encode(self, observations: Float) -> Tensor:
        q = torch.floor(torch.from_numpy(observations) / self.scale + 0.5)
        return torch.minimum(torch.maximum(q, -self.limit), self.limit).float()

    def decode(self, accumulator: Tensor) -> Float:
        return (
            torch.tanh(accumulator.double() * self.row_scale / self.divisor) * self.action_scale
            + self.offset
        ).numpy()


class EagerNetwork(nn.Module):
    def __init__(self, artifact: Artifact) -> None:
        super().__init__()
        layers = artifact.network.layers
        self.linears = nn.ModuleList(linear(layer.weights, layer.bias) for layer in layers[:-1])
        self.neurons = nn.ModuleList(SpikingNeuron(layer.threshold) for layer in layers[:-1])
        self.readout = linear(layers[-1].weights, layers[-1].bias * artifact.network.timesteps)
        self.codec = Codec(artifact)
        self.timesteps = artifact.network.timesteps
        self.alpha = artifact.network.alpha / 64

    def restart(self) -> None:
        for neuron in self.neurons:
            neuron.restart()  # type: ignore[operator]

    @torch.no_grad()
    def forward(self, observations: Float) -> Float:
        state = self.codec.encode(observations)
        total = 0
        for neuron in self.neurons:
            neuron.begin(self.alpha)  # type: ignore[operator]
        for _ in range(self.timesteps):
            x = state
            for layer, neuron in zip(self.linears, self.neurons, strict=True):
                x = neuron(layer(x))
            total = total + x
        self.accumulator = self.readout(total)
        return self.codec.decode(self.accumulator)

    def spike_counts(self) -> list[Float]:
        """Spikes of the last decision, per hidden layer [n, neurons]."""
        return [neuron.spike_count() for neuron in self.neurons]  # type: ignore[operator]


class TunedNetwork:
    def __init__(self, artifact: Artifact, rows: int) -> None:
        layers = artifact.network.layers
        self.weights, self.biases = (
            [single(layer.weights.T.copy()) for layer in layers],
            [single(layer.bias) for layer in layers],
        )
        self.thresholds = [single(layer.threshold)[None] for layer in layers[:-1]]
        self.start, self.membrane, self.count, self.spikes = (
            [torch.zeros(rows, layer.outputs) for layer in layers[:-1]] for _ in range(4)
        )
        self.codec = Codec(artifact)
        self.timesteps = artifact.network.timesteps
        self.alpha = artifact.network.alpha / 64
        self.restart()

    def restart(self) -> None:
        for start, membrane, count, threshold in zip(
            self.start, self.membrane, self.count, self.thresholds, strict=True
        ):
            start.copy_(0.5 * threshold)
            membrane.copy_(start)
            count.zero_()

    @torch.no_grad()
    def __call__(self, observations: Float) -> Float:
        held = torch.addmm(self.biases[0], self.codec.encode(observations), self.weights[0])
        for start, membrane, count, threshold in zip(
            self.start, self.membrane, self.count, self.thresholds, strict=True
        ):
            residual = torch.maximum(membrane.sub_(start), count.mul_(threshold).neg_())
            torch.clamp(
                residual.mul_(self.alpha).add_(0.5).floor_().add_(threshold, alpha=0.5),
                min=0,
                out=start,
            )
            torch.minimum(start, threshold, out=start)
            membrane.copy_(start)
            count.zero_()
        last = len(self.membrane)
        for _ in range(self.timesteps):
            current = held
            for index in range(last):
                membrane = self.membrane[index]
                spikes = self.spikes[index]
                threshold = self.thresholds[index]
                torch.gt(membrane.add_(current), threshold, out=spikes)
                membrane.addcmul_(spikes, threshold, value=-1)
                self.count[index].add_(spikes)
                if index + 1 < last:
                    current = torch.addmm(self.biases[index + 1], spikes, self.weights[index + 1])
        self.accumulator = torch.addmm(
            self.timesteps * self.biases[last], self.count[-1], self.weights[last]
        )
        return self.codec.decode(self.accumulator)

    def spike_counts(self) -> list[Float]:
        """Spikes of the last decision, per hidden layer [n, neurons]."""
        return [count.double().numpy().copy() for count in self.count]


def linear(weights: NDArray[Any], bias: NDArray[Any]) -> nn.Linear:
    layer = nn.Linear(weights.shape[1], weights.shape[0])
    layer.load_state_dict({"weight": single(weights), "bias": single(bias)})
    return layer


class Scaled(nn.Module):
    """The action contract's end: tanh, times the action's scale."""

    scale: Tensor

    def __init__(self, scale: NDArray[Any]) -> None:
        super().__init__()
        self.register_buffer("scale", single(scale))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x) * self.scale


def torch_policy(policy: Policy) -> nn.Module:
    """The source ANN: float32 network inputs in, actions out."""
    layers: list[nn.Module] = []
    for layer in policy.layers:
        layers += [
            linear(layer.weight, layer.bias),
            *([nn.ReLU()] if layer.activation == "relu" else []),
        ]
    return nn.Sequential(*layers, Scaled(policy.action.scale)).eval()
