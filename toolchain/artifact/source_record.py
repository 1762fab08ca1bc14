"""The float source policy inside an artifact.

Its layers are JSON, as each layer's `record` gives it: an ANN's is the name of its activation, a
spiking one an object of its neuron, decays and threshold. Its weights are arrays
`source.{l}.weight`, `.bias` and so on. What stands around the layers (contracts; encoder, decoder
and timesteps of a spiking policy) is the artifact's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.entries import Tensors, take
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.layers import AnyLayer, DenseLayer
from spikeport.toolchain.policies.leaky_policy import LeakyLayer, LeakyPolicy
from spikeport.toolchain.policies.policy_interface import AnyPolicy, Provenance
from spikeport.toolchain.policies.spiking_policy import LAYER_NUMBERS, SpikingLayer, SpikingPolicy

LEAKY_LAYER = "leaky"  # what LeakyLayer.record says
Arrays = NDArray[np.float32]


def source_layers(policy: AnyPolicy) -> list[Any]:
    """What the description keeps of each layer."""
    return [layer.record for layer in policy.layers]


def source_arrays(layer: AnyLayer) -> tuple[str, ...]:
    """Names of the arrays that are kept of a layer."""
    return layer.arrays


def read_source(
    tensors: Tensors,
    entries: list[Any],
    network: Network,
    observation: ObservationContract,
    action: ActionContract,
    provenance: Provenance,
) -> AnyPolicy:
    """Read the policy that `entries` and the arrays describe.

    Args:
        tensors: The artifact's arrays by name; the source's own are taken out.
        entries: What the description keeps of each layer.
        network: The artifact's network, whose encoder and decoder a spiking source shares.
        observation: The artifact's observation contract.
        action: The artifact's action contract.
        provenance: Where the policy came from.

    Returns:
        The float policy.

    Raises:
        InputError: For missing arrays and wrong types.
        ValueError: For entries that describe no layers.
    """
    arrays = [
        (_take(tensors, f"source.{index}.weight"), _take(tensors, f"source.{index}.bias"))
        for index in range(len(entries))
    ]
    if LEAKY_LAYER in entries:
        hidden = _leaky_layers(tensors, entries, arrays)
        return LeakyPolicy(hidden, DenseLayer(*arrays[-1]), observation, action, provenance)
    coding = network.spike_coding
    pairs = list(zip(arrays, entries, strict=True))
    if coding is None:
        dense = tuple(DenseLayer(*own, str(activation)) for own, activation in pairs)
        return Policy(dense, observation, action, provenance)
    return SpikingPolicy(
        tuple(_spiking_layer(*own, entry) for own, entry in pairs),
        network.timesteps,
        observation,
        action,
        provenance,
        coding.decoder_weights.astype(np.float32),
        coding.decoder_bias.astype(np.float32),
        coding.transform,
        *_population(coding),
    )


def _leaky_layers(
    tensors: Tensors, entries: list[Any], arrays: list[tuple[Arrays, Arrays]]
) -> tuple[LeakyLayer, ...]:
    """The hidden layers; the last entry is the readout's."""
    count = len(entries) - 1
    if [*entries] != [LEAKY_LAYER] * count + ["identity"]:
        raise ValueError("a leaky source has layers leaky, and identity last")
    return tuple(
        LeakyLayer(
            *arrays[index],
            _take(tensors, f"source.{index}.beta"),
            _take(tensors, f"source.{index}.threshold"),
        )
        for index in range(count)
    )


def _population(coding: SpikeCoding) -> tuple[Arrays | None, Arrays | None]:
    """Give mean and std of a population encoder; None of both for rate coding."""
    if coding.mean is None or coding.std is None:
        return None, None
    return coding.mean.astype(np.float32), coding.std.astype(np.float32)


def _spiking_layer(weight: Arrays, bias: Arrays, entry: Any) -> SpikingLayer:
    if not isinstance(entry, dict) or set(entry) != {"neuron", *LAYER_NUMBERS}:
        raise ValueError(f"a spiking source layer has the keys neuron, {', '.join(LAYER_NUMBERS)}")
    numbers = [entry[name] for name in LAYER_NUMBERS]
    if not all(
        isinstance(number, int | float) and not isinstance(number, bool) for number in numbers
    ):
        raise ValueError("the numbers of a spiking source layer are not numbers")
    return SpikingLayer(weight, bias, str(entry["neuron"]), *map(float, numbers))


def _take(tensors: Tensors, name: str) -> Arrays:
    return take(tensors, name, np.float32)
