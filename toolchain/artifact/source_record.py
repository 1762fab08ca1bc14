"""The float source policy inside an artifact: its layers as JSON, its weights as arrays
`source.{l}.weight`, `.bias`.

An ANN's layer is the name of its activation; a spiking layer an object of its neuron, decays and
threshold. What stands around the layers (contracts; encoder, decoder and timesteps of a spiking
policy) is the artifact's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.policies.leaky_policy import LeakyLayer, LeakyPolicy
from spikeport.toolchain.policies.spiking_policy import AnyPolicy, SpikingLayer, SpikingPolicy

NUMBERS = ("current_keep", "voltage_keep", "threshold")
RECONVERT = "reconvert the policy with `spikeport convert CHECKPOINT -o FILE --env ID`"
Tensors = dict[str, NDArray[Any]]


def source_layers(policy: AnyPolicy) -> list[Any]:
    """What the description keeps of each layer."""
    if isinstance(policy, SpikingPolicy):
        return [
            {"neuron": layer.neuron} | {name: float(getattr(layer, name)) for name in NUMBERS}
            for layer in policy.layers
        ]
    return [layer.activation for layer in policy.layers]


def source_arrays(layer: DenseLayer | SpikingLayer | LeakyLayer) -> tuple[str, ...]:
    """Names of the arrays that are kept of a layer."""
    if isinstance(layer, LeakyLayer):
        return ("weight", "bias", "beta", "threshold")
    return ("weight", "bias")


def read_source(
    tensors: Tensors,
    entries: list[Any],
    network: Network,
    observation: ObservationContract,
    action: ActionContract,
    provenance: Provenance,
) -> AnyPolicy:
    """The policy that `entries` and the arrays describe; the arrays are taken out of `tensors`.

    Raises InputError for missing arrays and wrong types, ValueError for entries that are none.
    """
    arrays = [
        (_take(tensors, f"source.{index}.weight"), _take(tensors, f"source.{index}.bias"))
        for index in range(len(entries))
    ]
    coding = network.spike_coding
    if "leaky" in entries:
        if [*entries] != ["leaky"] * (len(entries) - 1) + ["identity"]:
            raise ValueError("a leaky source has layers leaky, and identity last")
        neurons = [
            (_take(tensors, f"source.{index}.beta"), _take(tensors, f"source.{index}.threshold"))
            for index in range(len(entries) - 1)
        ]
        hidden = tuple(LeakyLayer(*pair, *own) for pair, own in zip(arrays, neurons, strict=False))
        return LeakyPolicy(hidden, DenseLayer(*arrays[-1]), observation, action, provenance)
    if coding is None:
        dense = tuple(
            DenseLayer(*pair, str(activation))
            for pair, activation in zip(arrays, entries, strict=True)
        )
        return Policy(dense, observation, action, provenance)
    if coding.mean is None or coding.std is None:
        ends = None
    else:
        ends = (coding.mean.astype(np.float32), coding.std.astype(np.float32))
    layers = tuple(
        _spiking_layer(*pair, entry) for pair, entry in zip(arrays, entries, strict=True)
    )
    weight = coding.decoder_weights.astype(np.float32)
    bias = coding.decoder_bias.astype(np.float32)
    return SpikingPolicy(
        layers,
        network.timesteps,
        observation,
        action,
        provenance,
        weight,
        bias,
        coding.transform,
        *(ends or (None, None)),
    )


def _spiking_layer(
    weight: NDArray[np.float32], bias: NDArray[np.float32], entry: Any
) -> SpikingLayer:
    if not isinstance(entry, dict) or set(entry) != {"neuron", *NUMBERS}:
        raise ValueError(f"a spiking source layer has the keys neuron, {', '.join(NUMBERS)}")
    numbers = [entry[name] for name in NUMBERS]
    if not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in numbers
    ):
        raise ValueError("the numbers of a spiking source layer are not numbers")
    return SpikingLayer(weight, bias, str(entry["neuron"]), *map(float, numbers))


def _take(tensors: Tensors, name: str) -> NDArray[np.float32]:
    if name not in tensors:
        raise InputError("artifact", f"array {name} is missing", fix=RECONVERT)
    value = tensors.pop(name)
    if value.dtype != np.float32:
        raise InputError(
            "artifact",
            f"array {name} has the wrong type",
            got=value.dtype,
            limit="float32",
            fix=RECONVERT,
        )
    return value
