"""The float equations of the `if` network with CRPI, written straight from the paper's algorithm.

Source: arXiv 2601.21778, Algorithm 1: theta/2 initialisation, strict firing, soft reset, the residual
dv = max(v[T] - v[0], -sum of emitted) times alpha carried into the next decision within [0, theta].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolchain.artifact import Artifact
from toolchain.policies.policy import Policy

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """Weights [out, in] and biases [out] per layer, thresholds and payloads of a spike [out] per hidden layer."""

    weights: list[Float]
    biases: list[Float]
    thresholds: list[Float]
    payloads: list[Float]

    def run(self, inputs: Float, starts: NDArray[np.bool_], timesteps: int, alpha: float) -> Float:
        """Mean readouts [N, act] of a stream of inputs [N, in]."""
        hidden = len(self.thresholds)
        start = [theta / 2 for theta in self.thresholds]
        v = [value.copy() for value in start]
        emitted = [np.zeros_like(theta) for theta in self.thresholds]
        outputs = []
        for x, fresh in zip(inputs, starts, strict=True):
            for layer, theta in enumerate(self.thresholds):
                residual = 0.0 if fresh else alpha * np.maximum(v[layer] - start[layer], -emitted[layer])
                start[layer] = np.clip(theta / 2 + residual, 0, theta)
                v[layer], emitted[layer] = start[layer].copy(), np.zeros_like(theta)
            current, total = self.weights[0] @ x + self.biases[0], np.zeros(len(self.biases[-1]))
            for _ in range(timesteps):
                spikes = x
                for layer in range(hidden):
                    v[layer] += current if layer == 0 else self.weights[layer] @ spikes + self.biases[layer]
                    fired = v[layer] > self.thresholds[layer]
                    v[layer] -= self.thresholds[layer] * fired
                    emitted[layer] += self.thresholds[layer] * fired
                    spikes = self.payloads[layer] * fired
                total += self.weights[-1] @ spikes
            outputs.append(total / timesteps + self.biases[-1])
        return np.array(outputs)


def of_policy(policy: Policy, artifact: Artifact) -> FloatNetwork:
    """The policy's own float weights with the artifact's thresholds; a spike carries its threshold."""
    layers, thresholds = policy.layers, [layer.unit for layer in artifact.network.layers[:-1]]
    return FloatNetwork([layer.weight.astype(np.float64) for layer in layers], [layer.bias.astype(np.float64) for layer in layers], thresholds, thresholds)


def of_artifact(artifact: Artifact) -> FloatNetwork:
    """The artifact's own numbers in row units; a spike carries 1, its value stands in the next columns."""
    layers = artifact.network.layers
    thresholds = [layer.threshold.astype(np.float64) for layer in layers[:-1]]
    return FloatNetwork(
        [layer.weights.astype(np.float64) for layer in layers],
        [layer.bias.astype(np.float64) for layer in layers],
        thresholds,
        [np.ones_like(theta) for theta in thresholds],
    )
