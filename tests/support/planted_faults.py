"""Faults planted in converted artifacts.

Beside them, a toy policy that does its task well enough to show them.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

import spikeport
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from tests.support.front_door import TOY_ENV

CHANNELS = 5
ACTIONS = 2


def steering_policy(widths: tuple[int, ...] = (32, 24), activation: str = "relu") -> Policy:
    """Pushes the drifting point of Drift-v0 back.

    Random features, a readout fitted by least squares.
    """
    rng = np.random.default_rng(3)
    states = rng.normal(size=(2000, CHANNELS))
    wanted = np.stack(
        [-1.5 * states[:, channel::ACTIONS].mean(1) for channel in range(ACTIONS)], axis=1
    )
    values = states
    layers = []
    for width in widths:
        weight = rng.normal(scale=values.shape[1] ** -0.5, size=(width, values.shape[1]))
        bias = rng.normal(scale=0.4, size=width)
        layers.append(DenseLayer(weight.astype(np.float32), bias.astype(np.float32), activation))
        pre = values @ weight.T + bias
        if activation == "relu":
            values = np.maximum(pre, 0)
        else:
            values = np.tanh(pre)
    ones = np.concatenate([values, np.ones((len(values), 1))], axis=1)
    fitted = np.linalg.solve(
        ones.T @ ones + 0.5 * np.eye(ones.shape[1]),
        ones.T @ np.arctanh(np.clip(wanted, -0.95, 0.95)),
    )
    layers.append(DenseLayer(fitted[:-1].T.astype(np.float32), fitted[-1].astype(np.float32)))
    action = ActionContract(ACTIONS, "tanh", np.ones(ACTIONS), np.zeros(ACTIONS))
    return Policy(
        tuple(layers),
        ObservationContract(CHANNELS),
        action,
        Provenance("steering", "0" * 64, "test", "test"),
    )


@functools.cache
def steering(
    neuron: str = "sdn", timesteps: int | None = None, activation: str = "relu"
) -> Artifact:
    """The toy policy converted."""
    choices: dict[str, Any] = {"action_error": 0.05} if neuron == "sdn" else {}
    return spikeport.convert(
        steering_policy(activation=activation),
        env=TOY_ENV,
        neuron=neuron,
        timesteps=timesteps,
        calibration_steps=600,
        **choices,
    )


def with_layer(artifact: Artifact, index: int, **changes: Any) -> Artifact:
    """The artifact with other fields in one layer."""
    layers = list(artifact.network.layers)
    layers[index] = dataclasses.replace(layers[index], **changes)
    return dataclasses.replace(
        artifact, network=dataclasses.replace(artifact.network, layers=tuple(layers))
    )


def thresholds_times(
    artifact: Artifact, index: int, factor: int = 4, units: bool = False
) -> Artifact:
    """All thresholds of a layer times `factor`; the units with them or left as they were."""
    layer = artifact.network.layers[index]
    return with_layer(
        artifact,
        index,
        threshold=layer.threshold * np.int32(factor),
        unit=layer.unit * (factor if units else 1),
    )


def one_threshold_times(artifact: Artifact, index: int, factor: int = 4) -> Artifact:
    """The threshold of the neuron that matters most on the probe."""
    layer = artifact.network.layers[index]
    source = artifact.source
    assert source is not None
    pre = source.forward(
        source.observation.apply(artifact.probe.observations[:224], np.zeros(224, np.int64))
    )[index]
    chosen = int(
        np.argmax(np.maximum(pre, 0).std(0) * np.abs(source.layers[index + 1].weight).sum(0))
    )
    threshold = layer.threshold.copy()
    threshold[chosen] *= factor
    return with_layer(artifact, index, threshold=threshold)


def coarse_weights(artifact: Artifact, index: int, bits: int = 3) -> Artifact:
    """One layer's integer weights rounded to the sizes that `bits` bits have.

    Nothing else is touched.
    """
    layer = artifact.network.layers[index]
    limit = 2 ** (bits - 1) - 1
    step = np.maximum(np.abs(layer.weights.astype(np.int64)).max(1, keepdims=True) // limit, 1)
    return with_layer(
        artifact,
        index,
        synapses=Dense(
            (np.clip(np.rint(layer.weights / step), -limit, limit) * step).astype(np.int8)
        ),
    )


def without_bias(artifact: Artifact, index: int) -> Artifact:
    """One layer's biases are zero."""
    return with_layer(artifact, index, bias=np.zeros_like(artifact.network.layers[index].bias))


def wrong_encoder(artifact: Artifact, factor: float = 3.0) -> Artifact:
    """The encoder's scale, not folded into layer 0."""
    encoder = artifact.network.encoder
    network = dataclasses.replace(
        artifact.network, encoder=dataclasses.replace(encoder, scale=encoder.scale * factor)
    )
    return dataclasses.replace(artifact, network=network)


def wrong_normaliser(artifact: Artifact, variance: float = 9.0, mean: float = 0.0) -> Artifact:
    """Another observation contract than the source policy's."""
    contract = artifact.observation
    features = contract.features
    if contract.variance is None:
        spread = np.ones(features)
    else:
        spread = contract.variance
    changed = dataclasses.replace(contract, mean=contract.shift + mean, variance=spread * variance)
    return dataclasses.replace(artifact, observation=changed)


def shuffled(policy: Policy) -> Policy:
    """Every layer's weights in another order: a policy that learnt nothing."""
    rng = np.random.default_rng(0)
    layers = tuple(
        dataclasses.replace(
            layer, weight=rng.permutation(layer.weight.ravel()).reshape(layer.weight.shape)
        )
        for layer in policy.layers
    )
    return dataclasses.replace(policy, layers=layers)
