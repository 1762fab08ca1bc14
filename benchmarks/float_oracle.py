"""The float equations of the rate neurons with CRPI, written straight from the papers: what the
integers are held to.

    if   arXiv 2601.21778, Algorithm 1: theta/2 initialisation, strict firing, soft reset
    snm  Wang et al., IJCAI 2022: a negative spike below zero, as long as the decision's net spikes
        are positive
    mt   Huang et al., ICML 2025 (arXiv 2503.00301): thresholds theta / 2^k, k = 0..3, fired from
        three quarters of each
    dc   the same paper: a spike at timestep t changes the running mean by its value / t; the input
        comes at t = 1

The residual dv = max(v[T] - v[0], -sum of emitted) times alpha is carried into the next decision
within the neuron's limits. Rows are independent environments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.policies.ann_policy import Policy

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FloatNetwork:
    """Weights [out, in] and biases [out] per layer.

    Full-scale thresholds theta and what a full spike carries, [out] each.
    """

    neuron: str
    weights: list[Float]
    biases: list[Float]
    thresholds: list[Float]
    payloads: list[Float]

    @classmethod
    def of_policy(cls, policy: Policy, artifact: Artifact) -> FloatNetwork:
        """The policy's own float weights with the artifact's thresholds.

        A spike carries its threshold.
        """
        layers = policy.layers
        thresholds = [layer.unit * levels(layer.neuron) for layer in artifact.network.layers[:-1]]
        return cls(
            artifact.network.neuron,
            [layer.weight.astype(float) for layer in layers],
            [layer.bias.astype(float) for layer in layers],
            thresholds,
            thresholds,
        )

    @classmethod
    def of_artifact(cls, artifact: Artifact) -> FloatNetwork:
        """The artifact's own numbers in row units.

        A spike of one unit carries 1, its value stands in the next columns.
        """
        layers = artifact.network.layers
        scale = [levels(layer.neuron) for layer in layers[:-1]]
        thresholds = [
            layer.threshold.astype(float) * level
            for layer, level in zip(layers[:-1], scale, strict=True)
        ]
        carried = [
            np.full(len(theta), float(level))
            for theta, level in zip(thresholds, scale, strict=True)
        ]
        return cls(
            artifact.network.neuron,
            [layer.weights.astype(float) for layer in layers],
            [layer.bias.astype(float) for layer in layers],
            thresholds,
            carried,
        )


def levels(neuron: str) -> int:
    if neuron in ("mt@1", "dc@1"):
        return 8
    return 1


class FloatSimulation:
    """Runs decisions of `rows` environments; keeps each neuron's residual from one to the next."""

    def __init__(self, network: FloatNetwork, timesteps: int, alpha: float, rows: int = 1) -> None:
        self.network = network
        self.timesteps = timesteps
        self.alpha = alpha
        shape = [(rows, len(theta)) for theta in network.thresholds]
        self.start, self.v, self.emitted = ([np.zeros(s) for s in shape] for _ in range(3))
        self.signed = network.neuron in (
            "mt@1",
            "dc@1",
        )  # v_init 0 within -theta/2..theta/2, else theta/2 within 0..theta

    def decide(self, inputs: Float, fresh: NDArray[np.bool_]) -> Float:
        """Decoded readouts [rows, act] of inputs [rows, in]; `fresh` rows start an episode."""
        self._carry_over(fresh)
        if self.network.neuron == "dc@1":
            return self._differential(inputs)
        return self._rate(inputs)

    def run(self, inputs: Float, starts: NDArray[np.bool_]) -> Float:
        """Readouts [N, act] of a stream of inputs [N, in], one row."""
        return np.concatenate(
            [
                self.decide(x[None], np.array([start]))
                for x, start in zip(inputs, starts, strict=True)
            ]
        )

    def _carry_over(self, fresh: NDArray[np.bool_]) -> None:
        for layer, theta in enumerate(self.network.thresholds):
            residual = self.alpha * np.maximum(
                self.v[layer] - self.start[layer], -self.emitted[layer]
            )
            first, low, high = (
                (0 * theta, -theta / 2, theta / 2) if self.signed else (theta / 2, 0 * theta, theta)
            )
            self.start[layer] = np.clip(first + np.where(fresh[:, None], 0.0, residual), low, high)
            self.v[layer], self.emitted[layer] = (
                self.start[layer].copy(),
                np.zeros_like(self.v[layer]),
            )

    def _fire(self, layer: int) -> Float:
        """What the neurons emit, in units of theta; membranes and emitted sums follow."""
        v = self.v[layer]
        theta = self.network.thresholds[layer]
        emitted = self.emitted[layer]
        if self.network.neuron == "if@1":
            spikes = (v > theta).astype(float)
        elif self.network.neuron == "snm@1":
            spikes = np.where(
                v >= theta, 1.0, np.where((v < 0) & (emitted >= theta * 0.5), -1.0, 0.0)
            )
        else:
            spikes = np.zeros_like(v)
            for level in (0.125, 0.25, 0.5, 1.0):
                spikes = np.where(
                    (v <= -0.75 * level * theta) & (emitted >= level * theta * (1 - 1e-12)),
                    -level,
                    spikes,
                )
            for level in (0.125, 0.25, 0.5, 1.0):
                spikes = np.where(v >= 0.75 * level * theta, level, spikes)
        self.v[layer] = v - spikes * theta
        self.emitted[layer] = emitted + spikes * theta
        return spikes

    def _rate(self, inputs: Float) -> Float:
        network = self.network
        current = inputs @ network.weights[0].T + network.biases[0]
        if not network.thresholds:
            return current
        total = np.zeros((len(inputs), len(network.biases[-1])))
        for _ in range(self.timesteps):
            sent = inputs
            for layer, payload in enumerate(network.payloads):
                self.v[layer] += (
                    current
                    if layer == 0
                    else sent @ network.weights[layer].T + network.biases[layer]
                )
                sent = payload * self._fire(layer)
            total += sent @ network.weights[-1].T
        return total / self.timesteps + network.biases[-1]

    def _differential(self, inputs: Float) -> Float:
        network = self.network
        mean_in = [
            np.broadcast_to(bias, v.shape).copy()
            for bias, v in zip(network.biases[:-1], self.v, strict=True)
        ]
        mean_out = [np.zeros_like(v) for v in self.v]
        output = np.broadcast_to(network.biases[-1], (len(inputs), len(network.biases[-1]))).copy()
        for t in range(1, self.timesteps + 1):
            if t == 1:
                sent = inputs
            else:
                sent = np.zeros_like(inputs)
            for layer, payload in enumerate(network.payloads):
                arriving = sent @ network.weights[layer].T
                self.v[layer] += arriving + mean_in[layer] - mean_out[layer]
                self.emitted[layer] += mean_out[layer]
                spikes = self._fire(layer)
                mean_in[layer] += arriving / t
                mean_out[layer] += network.thresholds[layer] * spikes / t
                sent = payload * spikes
            output += sent @ network.weights[-1].T / t
        return output


class FloatSpikingActor:
    """A float network as an actor for rollouts, with the artifact's contracts around it: on the
    float weights of `policy`, or, where that is None, on the artifact's own weights and encoded
    observations.
    """

    def __init__(self, artifact: Artifact, rows: int, policy: Policy | None = None) -> None:
        self.artifact = artifact
        self.rows = rows
        self.own = policy is None
        if policy is None:
            network = FloatNetwork.of_artifact(artifact)
        else:
            network = FloatNetwork.of_policy(policy, artifact)
        self.network = FloatSimulation(
            network, artifact.network.timesteps, artifact.network.alpha / 64, rows
        )
        self.decisions, self.fresh = np.zeros(rows, np.int64), np.ones(rows, bool)

    def reset(self, mask: NDArray[np.bool_] | None = None) -> None:
        self.fresh[slice(None) if mask is None else mask] = True

    def decide(self, observations: Float, active: NDArray[np.bool_] | None = None) -> Float:
        self.decisions[self.fresh] = 0
        inputs = self.artifact.observation.apply(observations, self.decisions)
        encoder = self.artifact.network.encoder
        if self.own:
            inputs = np.clip(np.floor(inputs / encoder.scale + 0.5), -encoder.limit, encoder.limit)
        readout = self.network.decide(inputs, self.fresh)
        actions = self.artifact.action.apply(
            readout * self.artifact.network.layers[-1].row_scale if self.own else readout
        )
        self.decisions += 1
        self.fresh[:] = False
        if active is not None:
            actions[~active] = np.nan
        return actions
