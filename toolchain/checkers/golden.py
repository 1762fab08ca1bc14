"""Golden vectors: networks, inputs, and what Lava's real runtime computed from them.

tests/golden/record.py recorded them; reading needs no Lava. One npz per case: `network` (JSON),
`layers.*` (the network's arrays), `observations` (integers: the encoder's scale is 1), `flags`, and
the recording: `inputs`, `control`, `payloads.*`, `states.*`, `saturations`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import Encoder, Layer, Network
from spikeport.toolchain.network.parameters import ActivationTable, Dynamics, Leak
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import network_of
from spikeport.toolchain.policies.policy_interface import Provenance

FOLDER = Path(__file__).parent / "recordings"
LAYER_ARRAYS = ("weights", "bias", "threshold", "payload_low", "payload_high")
TABLE_ARRAYS = ("start", "multiplier", "offset", "shift")
LAYER_VALUES = ("neuron", "activation", "trigger", "hold_input")


@dataclass(frozen=True, eq=False)
class Golden:
    """One case: observations [decisions, obs], flags [decisions], arrays by name (see above)."""

    artifact: Artifact
    observations: NDArray[np.float64]
    flags: NDArray[np.uint8]
    recorded: dict[str, NDArray[Any]]


def names() -> list[str]:
    """The recorded cases."""
    return sorted(path.stem for path in FOLDER.glob("*.npz"))


def read(name: str) -> Golden:
    """One recorded case."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    return Golden(
        artifact_of(arrays), arrays["observations"].astype(np.float64), arrays["flags"], arrays
    )


def network_arrays(network: Network) -> dict[str, NDArray[Any]]:
    """A network's integers, as `artifact_of` reads them."""
    facts = {
        "timesteps": network.timesteps,
        "alpha": network.alpha,
        "resync_every": network.resync_every,
    }
    layers = [
        {name: getattr(layer, name) for name in LAYER_VALUES} | {"table": layer.table is not None}
        for layer in network.layers
    ]
    coding = network.spike_coding
    if coding is not None:  # the observations are what the encoder's neurons integrate
        facts["encoder_threshold"] = coding.threshold
        layers = [
            values | {"dynamics": dataclasses.asdict(layer.dynamics)}
            for values, layer in zip(layers, network.layers, strict=True)
            if layer.dynamics
        ]
    arrays: dict[str, NDArray[Any]] = {
        "network": np.array(json.dumps(facts | {"layers": layers})),
        "limit": network.encoder.limit,
    }
    for index, layer in enumerate(network.layers):
        arrays |= {f"layers.{index}.{name}": getattr(layer, name) for name in LAYER_ARRAYS}
        leak = layer.leak
        if leak is not None:
            arrays |= {
                f"layers.{index}.leak.keep": leak.keep,
                f"layers.{index}.leak.shift": np.array(leak.shift),
            }
        if layer.table is not None:
            arrays |= {
                f"layers.{index}.table.{name}": getattr(layer.table, name) for name in TABLE_ARRAYS
            }
    return arrays


def artifact_of(arrays: dict[str, NDArray[Any]]) -> Artifact:
    """An artifact that does nothing but these integers.

    Its encoder has scale 1, it has no normaliser, and actions are decoded by 1.
    """
    facts = json.loads(str(arrays["network"]))
    layers = tuple(
        _layer(arrays, f"layers.{index}", values) for index, values in enumerate(facts["layers"])
    )
    features = layers[0].inputs
    actions = layers[-1].outputs
    coding = None
    if "encoder_threshold" in facts:
        coding = SpikeCoding(facts["encoder_threshold"], np.ones((actions, 1)), np.zeros(actions))
    network = network_of(
        Encoder(np.ones(features), arrays["limit"]),
        layers,
        facts["timesteps"],
        facts["alpha"],
        facts["resync_every"],
        coding,
    )
    return Artifact(
        network,
        ObservationContract(features),
        ActionContract(actions, "none", np.ones(actions), np.zeros(actions)),
        Provenance("golden", "0" * 64, "test", "golden"),
        Probe(np.zeros((2, features)), np.ones(2, np.uint8)),
        {"seeds": []},
        source_macs=1,
    )


def _layer(arrays: dict[str, NDArray[Any]], prefix: str, values: dict[str, Any]) -> Layer:
    """A layer of the arrays under `prefix` and the JSON `values`, with all scales 1."""
    own: dict[str, Any] = {name: arrays[f"{prefix}.{name}"] for name in LAYER_ARRAYS}
    ones = np.ones(len(own["bias"]))
    table = None
    if values["table"]:
        parts = {name: arrays[f"{prefix}.table.{name}"] for name in TABLE_ARRAYS}
        table = ActivationTable(**parts, error_bound=ones)
    leak = None
    if f"{prefix}.leak.keep" in arrays:
        leak = Leak(arrays[f"{prefix}.leak.keep"], int(arrays[f"{prefix}.leak.shift"]))
    dynamics = None
    if "dynamics" in values:
        dynamics = Dynamics(**values["dynamics"])
    return Layer(
        **{name: values[name] for name in LAYER_VALUES},
        synapses=Dense(own.pop("weights")),
        **own,
        row_scale=ones,
        unit=ones,
        table=table,
        dynamics=dynamics,
        leak=leak,
    )
