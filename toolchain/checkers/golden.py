"""Golden vectors: networks, inputs, and what Lava's real runtime computed from them
(tests/golden/record.py). Reading needs no Lava.

One npz per case: `network` (JSON), `layers.*` (the network's arrays), `observations` (integers: the
encoder's scale is 1), `flags`, and the recording: `inputs`, `control`, `payloads.*`, `states.*`,
`saturations`.
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
from spikeport.toolchain.neurons import network_of
from spikeport.toolchain.policies.ann_policy import Provenance

FOLDER = Path(__file__).parent / "recordings"
LAYER_ARRAYS = ("weights", "bias", "threshold", "payload_low", "payload_high")
TABLE_ARRAYS = ("start", "multiplier", "offset", "shift")
LAYER_VALUES = ("neuron", "activation", "trigger", "hold_input")


@dataclass(frozen=True, eq=False)
class Golden:
    """One case.

    Observations [decisions, obs], flags [decisions], and `recorded` by name (see above).
    """

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
    if (
        network.spike_coding is not None
    ):  # lif: the observations are what the encoder's neurons integrate
        facts["encoder_threshold"] = network.spike_coding.threshold
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
        if layer.leak is not None:
            arrays |= {
                f"layers.{index}.leak.keep": layer.leak.keep,
                f"layers.{index}.leak.shift": np.array(layer.leak.shift),
            }
        if layer.table is not None:
            arrays |= {
                f"layers.{index}.table.{name}": getattr(layer.table, name) for name in TABLE_ARRAYS
            }
    return arrays


def artifact_of(arrays: dict[str, NDArray[Any]]) -> Artifact:
    """An artifact that does nothing but these integers.

    Encoder scale 1, no normaliser, decode by 1.
    """
    facts = json.loads(str(arrays["network"]))
    layers = []
    for index, values in enumerate(facts["layers"]):
        own = {name: arrays[f"layers.{index}.{name}"] for name in LAYER_ARRAYS}
        ones = np.ones(len(own["bias"]))
        table = None
        if values["table"]:
            table = ActivationTable(
                **{name: arrays[f"layers.{index}.table.{name}"] for name in TABLE_ARRAYS},
                error_bound=ones,
            )
        leak = None
        if f"layers.{index}.leak.keep" in arrays:
            leak = Leak(
                arrays[f"layers.{index}.leak.keep"], int(arrays[f"layers.{index}.leak.shift"])
            )
        if "dynamics" in values:
            dynamics = Dynamics(**values["dynamics"])
        else:
            dynamics = None
        more = {"table": table, "dynamics": dynamics, "leak": leak}
        layers.append(
            Layer(
                **{name: values[name] for name in LAYER_VALUES},
                **own,
                row_scale=ones,
                unit=ones,
                **more,
            )
        )
    features = layers[0].inputs
    actions = layers[-1].outputs
    if "encoder_threshold" in facts:
        coding = SpikeCoding(facts["encoder_threshold"], np.ones((actions, 1)), np.zeros(actions))
    else:
        coding = None
    times = facts["timesteps"], facts["alpha"], facts["resync_every"]
    encoder = Encoder(np.ones(features), arrays["limit"])
    network = network_of(encoder, tuple(layers), *times, coding)
    probe = Probe(np.zeros((2, features)), np.ones(2, np.uint8))
    contracts = (
        ObservationContract(features),
        ActionContract(actions, "none", np.ones(actions), np.zeros(actions)),
    )
    return Artifact(
        network,
        *contracts,
        Provenance("golden", "0" * 64, "test", "golden"),
        probe,
        {"seeds": []},
        source_macs=1,
    )
