"""The host's part of a policy, encoder and contracts, as data for other programs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import Network

Arrays = dict[str, NDArray[Any]]
LARGEST = float(np.finfo(np.float64).max)


def describe_host(artifact: Artifact) -> tuple[dict[str, Any], Arrays]:
    """Encoder and contracts as export/lava/host.py reads them: facts, and arrays by name."""
    observation = artifact.observation
    action = artifact.action
    network = artifact.network
    facts = {
        "size": observation.size,
        "clip": observation.clip,
        "time_feature": _time_feature(artifact),
        "squash": action.squash,
        "resync_every": network.resync_every,
    }
    arrays = {
        "encoder.scale": network.encoder.scale,
        "encoder.limit": network.encoder.limit,
        "observation.shift": observation.shift,
        "observation.divisor": observation.divisor,
        "action.row_scale": network.layers[-1].row_scale,
        "action.scale": action.scale,
        "action.offset": action.offset,
    }
    own_facts, own_arrays = OWN[network.code.name](network)
    arrays |= own_arrays
    if action.low is not None and action.high is not None:
        arrays |= {"action.low": action.low, "action.high": action.high}
    return facts | own_facts, arrays


def encode(artifact: Artifact) -> dict[str, Any]:
    """The observation contract and the encoder, as JSON.

    Of a spike code scale and limit belong to its input neurons, [features * P].
    """
    observation = artifact.observation
    encoder = artifact.network.encoder
    return ACTIVATIONS[artifact.network.code.name](artifact.network) | {
        "size": observation.size,
        "shift": numbers(observation.shift),
        "divisor": numbers(observation.divisor),
        "clip": LARGEST if observation.clip is None else observation.clip,
        "scale": numbers(encoder.scale),
        "limit": encoder.limit.tolist(),
        "time_feature": _time_feature(artifact),
        "names": list(observation.names),
        "units": list(observation.units),
    }


def decode(artifact: Artifact) -> dict[str, Any]:
    """The action contract, and the readout's scale or the spike counts' weights, as JSON.

    `output` is the graph's output that is decoded.
    """
    action = artifact.action
    network = artifact.network
    unbounded = np.full(action.size, LARGEST)
    return DECODED[network.code.name](network) | {
        "output": network.code.decoded_output,
        "divisor": network.divisor,
        "squash": action.squash,
        "scale": numbers(action.scale),
        "offset": numbers(action.offset),
        "low": numbers(-unbounded if action.low is None else action.low),
        "high": numbers(unbounded if action.high is None else action.high),
        "names": list(action.names),
        "units": list(action.units),
    }


def origin(artifact: Artifact) -> dict[str, Any]:
    """Where the policy comes from and where it acts, as JSON."""
    provenance = artifact.provenance
    environment = artifact.environment
    place = None
    if environment is not None:
        place = {"id": environment.id, "control_period_s": environment.control_period_s}
    return {
        "environment": place,
        "provenance": {"file": provenance.file, "sha256": provenance.sha256},
    }


def numbers(values: NDArray[Any]) -> list[float]:
    """The values as JSON has them, which knows no infinity."""
    return np.clip(values.astype(np.float64), -LARGEST, LARGEST).tolist()


def spike_coding_of(network: Network) -> SpikeCoding:
    """The code of a network that was trained as spiking."""
    assert network.spike_coding is not None  # `check` refuses artifacts without
    return network.spike_coding


def _time_feature(artifact: Artifact) -> dict[str, Any] | None:
    time = artifact.observation.time_feature
    if time is None:
        return None
    return {"max_steps": time.max_steps, "test_mode": time.test_mode}


def _nothing_of_its_own(network: Network) -> tuple[dict[str, Any], Arrays]:
    return {}, {}


def _encoder_and_decoder(network: Network) -> tuple[dict[str, Any], Arrays]:
    coding = spike_coding_of(network)
    arrays: Arrays = {
        "decoder.weights": coding.decoder_weights,
        "decoder.bias": coding.decoder_bias,
    }
    if coding.mean is not None and coding.std is not None:
        arrays |= {"encoder.mean": coding.mean, "encoder.std": coding.std}
    return {"transform": coding.transform}, arrays


def _no_activations(network: Network) -> dict[str, Any]:
    return {}


def _activations(network: Network) -> dict[str, Any]:
    coding = spike_coding_of(network)
    facts: dict[str, Any] = {"transform": coding.transform, "mean": None, "std": None}
    if coding.mean is not None and coding.std is not None:
        facts |= {"mean": coding.mean.tolist(), "std": coding.std.tolist()}
    return facts


def _accumulator(network: Network) -> dict[str, Any]:
    return {"row_scale": numbers(network.layers[-1].row_scale)}


def _counts(network: Network) -> dict[str, Any]:
    coding = spike_coding_of(network)
    return {"weights": coding.decoder_weights.tolist(), "bias": coding.decoder_bias.tolist()}


OWN = {"value": _nothing_of_its_own, "spikes": _encoder_and_decoder}
ACTIVATIONS = {"value": _no_activations, "spikes": _activations}
DECODED = {"value": _accumulator, "spikes": _counts}
