"""The float source policy inside an artifact.

Its layers are JSON, its weights the arrays `source.{l}.weight` and `.bias`.
An ANN's layer is the name of its activation; a spiking layer an object of its neuron, decays and
threshold. What stands around the layers (contracts; encoder, decoder and timesteps of a spiking
policy) is the artifact's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.entries import Tensors, take
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy, Provenance
from spikeport.toolchain.policies.leaky_policy import LeakyLayer, LeakyPolicy
from spikeport.toolchain.policies.spiking_policy import AnyPolicy, SpikingLayer, SpikingPolicy

NUMBERS = ("current_keep", "voltage_keep", "threshold")


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
    """The policy that entries and arrays describe.

    Args:
        tensors: Arrays by name; the source's are taken out.
        entries: What `source_layers` gave.
        network: The artifact's, whose encoder, decoder and timesteps a spiking source shares.
        observation: The artifact's.
        action: The artifact's.
        provenance: The artifact's.

    Raises:
        InputError: For missing arrays and wrong types.
        ValueError: For entries of another form.
    """
    contracts = (observation, action, provenance)
    pairs = [_arrays(tensors, index, "weight", "bias") for index in range(len(entries))]
    if "leaky" in entries:
        if [*entries] != ["leaky"] * (len(entries) - 1) + ["identity"]:
            raise ValueError("a leaky source has layers leaky, and identity last")
        hidden = tuple(
            LeakyLayer(*pair, *_arrays(tensors, index, "beta", "threshold"))
            for index, pair in enumerate(pairs[:-1])
        )
        return LeakyPolicy(hidden, DenseLayer(*pairs[-1]), *contracts)
    if network.spike_coding is None:
        dense = tuple(
            DenseLayer(*pair, str(activation))
            for pair, activation in zip(pairs, entries, strict=True)
        )
        return Policy(dense, *contracts)
    layers = tuple(_spiking_layer(*pair, entry) for pair, entry in zip(pairs, entries, strict=True))
    coding = network.spike_coding
    return SpikingPolicy(
        layers,
        network.timesteps,
        *contracts,
        coding.decoder_weights.astype(np.float32),
        coding.decoder_bias.astype(np.float32),
        coding.transform,
        *_population(coding),
    )


def _arrays(tensors: Tensors, index: int, *names: str) -> list[NDArray[np.float32]]:
    return [take(tensors, f"source.{index}.{name}", np.float32) for name in names]


def _population(coding: SpikeCoding) -> tuple[NDArray[np.float32] | None, ...]:
    """Mean and std of a population encoder; None each for rate coding."""
    if coding.mean is None or coding.std is None:
        return (None, None)
    return coding.mean.astype(np.float32), coding.std.astype(np.float32)


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
