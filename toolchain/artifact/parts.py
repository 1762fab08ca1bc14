"""An artifact as named tensors and a description in JSON, and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.artifact.source_record import read_source, source_arrays, source_layers
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.codes import SpikeCoding
from spikeport.toolchain.network.integer_network import Encoder, Layer, Network
from spikeport.toolchain.network.parameters import ActivationTable, Dynamics, Leak
from spikeport.toolchain.policies.ann_policy import Provenance

VERSION = (1, 1)


RECONVERT = "reconvert the policy with `spikeport convert CHECKPOINT -o FILE --env ID`"


Tensors = dict[str, NDArray[Any]]


LAYER_ARRAYS = {
    "weights": np.int8,
    "bias": np.int32,
    "row_scale": np.float64,
    "threshold": np.int32,
    "payload_low": np.int32,
    "payload_high": np.int32,
    "unit": np.float64,
}


TABLE_ARRAYS = {
    "start": np.int32,
    "multiplier": np.int32,
    "offset": np.int32,
    "shift": np.int32,
    "error_bound": np.float64,
}


PROVENANCE = (
    "file",
    "sha256",
    "format",
    "family",
    "normalizer_file",
    "normalizer_sha256",
    "assumptions",
)


OBSERVATION_ARRAYS = ("mean", "variance")


ACTION_ARRAYS = ("scale", "offset", "low", "high")


KNOWN_KEYS = {
    "version",
    "layers",
    "timesteps",
    "alpha",
    "resync_every",
    "observation",
    "action",
    "provenance",
    "calibration",
    "environment",
    "source",
    "source_macs",
    "memory",
    "extensions",
    "spike_coding",
}


DYNAMICS = ("current_decay", "voltage_decay", "weight_exponent", "bias_in_current")


SPIKE_ARRAYS = ("mean", "std", "decoder_weights", "decoder_bias")


def _to_parts(artifact: Artifact) -> tuple[Tensors, dict[str, Any]]:
    network = artifact.network
    tensors = {}
    tensors["encoder.scale"], tensors["encoder.limit"] = (
        network.encoder.scale.astype(np.float64),
        network.encoder.limit.astype(np.int32),
    )
    layers = []
    for index, layer in enumerate(network.layers):
        tensors |= {
            f"layers.{index}.{name}": getattr(layer, name).astype(kind)
            for name, kind in LAYER_ARRAYS.items()
        }
        if layer.table is not None:
            tensors |= {
                f"layers.{index}.table.{name}": getattr(layer.table, name).astype(kind)
                for name, kind in TABLE_ARRAYS.items()
            }
        layers.append(
            {
                "neuron": layer.neuron,
                "activation": layer.activation,
                "trigger": layer.trigger,
                "hold_input": layer.hold_input,
                "table": layer.table is not None,
            }
            | (
                {}
                if layer.dynamics is None
                else {"dynamics": {name: getattr(layer.dynamics, name) for name in DYNAMICS}}
            )
            | ({} if layer.leak is None else {"leak_shift": layer.leak.shift})
        )
        if layer.leak is not None:
            tensors[f"layers.{index}.leak_keep"] = layer.leak.keep.astype(np.int32)
    coding = network.spike_coding
    if coding is not None:
        tensors |= {
            f"spike_coding.{name}": value.astype(np.float64)
            for name in SPIKE_ARRAYS
            if (value := getattr(coding, name)) is not None
        }
    tensors["probe.observations"], tensors["probe.flags"] = (
        artifact.probe.observations.astype(np.float64),
        artifact.probe.flags.astype(np.uint8),
    )
    for prefix, contract, names in (
        ("observation", artifact.observation, OBSERVATION_ARRAYS),
        ("action", artifact.action, ACTION_ARRAYS),
    ):
        tensors |= {
            f"{prefix}.{name}": getattr(contract, name).astype(np.float64)
            for name in names
            if getattr(contract, name) is not None
        }
    if artifact.source is not None:
        for index, dense in enumerate(artifact.source.layers):
            tensors |= {
                f"source.{index}.{name}": getattr(dense, name).astype(np.float32)
                for name in source_arrays(dense)
            }
    observation = artifact.observation
    action = artifact.action
    provenance = artifact.provenance
    environment = artifact.environment
    time = observation.time_feature
    description = {
        "version": ".".join(map(str, VERSION)),
        "layers": layers,
        "timesteps": network.timesteps,
        "alpha": network.alpha,
        "resync_every": network.resync_every,
        "observation": {
            "size": observation.size,
            "epsilon": observation.epsilon,
            "clip": observation.clip,
            "names": list(observation.names),
            "units": list(observation.units),
            "time_feature": (
                None if time is None else {"max_steps": time.max_steps, "test_mode": time.test_mode}
            ),
        },
        "action": {
            "size": action.size,
            "squash": action.squash,
            "names": list(action.names),
            "units": list(action.units),
        },
        "provenance": (
            {name: getattr(provenance, name) for name in PROVENANCE}
            | {"assumptions": list(provenance.assumptions)}
        ),
        "calibration": artifact.calibration,
        "environment": (
            None
            if environment is None
            else {
                "id": environment.id,
                "kwargs": environment.kwargs,
                "wrappers": list(environment.wrappers),
                "control_period_s": environment.control_period_s,
                "versions": environment.versions,
            }
        ),
        "spike_coding": (
            None
            if coding is None
            else {"threshold": coding.threshold, "transform": coding.transform}
        ),
        "source": None if artifact.source is None else source_layers(artifact.source),
        "source_macs": artifact.source_macs,
        "memory": artifact.memory,
        "extensions": artifact.extensions,
    }
    return tensors, description


def _take(tensors: Tensors, name: str, kind: type | None = None) -> NDArray[Any]:
    if name not in tensors:
        raise InputError("artifact", f"array {name} is missing", fix=RECONVERT)
    value = tensors.pop(name)
    if kind is not None and value.dtype != kind:
        raise InputError(
            "artifact",
            f"array {name} has the wrong type",
            got=value.dtype,
            limit=np.dtype(kind),
            fix=RECONVERT,
        )
    return value


def _from_parts(tensors: Tensors, description: dict[str, Any]) -> Artifact:
    encoder = Encoder(
        _take(tensors, "encoder.scale", np.float64), _take(tensors, "encoder.limit", np.int32)
    )
    layers = []
    for index, entry in enumerate(description["layers"]):
        _only(
            entry,
            f"layer {index}",
            "neuron",
            "activation",
            "trigger",
            "hold_input",
            "table",
            "dynamics",
            "leak_shift",
        )
        if entry["table"]:
            table = ActivationTable(
                **{
                    name: _take(tensors, f"layers.{index}.table.{name}", kind)
                    for name, kind in TABLE_ARRAYS.items()
                }
            )
        else:
            table = None
        arrays = {
            name: _take(tensors, f"layers.{index}.{name}", kind)
            for name, kind in LAYER_ARRAYS.items()
        }
        layers.append(
            Layer(
                neuron=str(entry["neuron"]),
                activation=str(entry["activation"]),
                trigger=_integer(entry["trigger"]),
                hold_input=bool(entry["hold_input"]),
                table=table,
                leak=(
                    None
                    if "leak_shift" not in entry
                    else Leak(
                        _take(tensors, f"layers.{index}.leak_keep", np.int32),
                        _integer(entry["leak_shift"]),
                    )
                ),
                dynamics=(
                    None if entry.get("dynamics") is None else _dynamics(entry["dynamics"], index)
                ),
                **arrays,
            )
        )
    coding = None
    facts = description.get("spike_coding")
    if facts is not None:
        _only(facts, "spike coding", "threshold", "transform")
        arrays = {
            name: _take(tensors, f"spike_coding.{name}", np.float64)
            for name in SPIKE_ARRAYS
            if f"spike_coding.{name}" in tensors
        }
        coding = SpikeCoding(
            _integer(facts["threshold"]), transform=str(facts["transform"]), **arrays
        )
    timesteps, alpha, resync_every = (
        _integer(description[name]) for name in ("timesteps", "alpha", "resync_every")
    )
    network = Network(encoder, tuple(layers), timesteps, alpha, resync_every, coding)
    facts = _only(
        description["observation"],
        "observation",
        "size",
        "epsilon",
        "clip",
        "names",
        "units",
        "time_feature",
    )
    if facts["time_feature"] is None:
        time = None
    else:
        time = _only(facts["time_feature"], "time feature", "max_steps", "test_mode")
    observation = ObservationContract(
        size=_integer(facts["size"]),
        epsilon=_number(facts["epsilon"]),
        clip=None if facts["clip"] is None else _number(facts["clip"]),
        names=_texts(facts["names"]),
        units=_texts(facts["units"]),
        time_feature=(
            None
            if time is None
            else TimeFeature(_integer(time["max_steps"]), bool(time["test_mode"]))
        ),
        **{
            name: _take(tensors, f"observation.{name}", np.float64)
            for name in OBSERVATION_ARRAYS
            if f"observation.{name}" in tensors
        },
    )
    facts = _only(description["action"], "action", "size", "squash", "names", "units")
    arrays = {
        name: _take(tensors, f"action.{name}", np.float64)
        for name in ACTION_ARRAYS
        if f"action.{name}" in tensors
    }
    action = ActionContract(
        size=_integer(facts["size"]),
        squash=facts["squash"],
        names=_texts(facts["names"]),
        units=_texts(facts["units"]),
        **arrays,
    )
    facts = _only(description["provenance"], "provenance", *PROVENANCE)
    _texts([value for name, value in facts.items() if name != "assumptions"])
    provenance = Provenance(**{**facts, "assumptions": _texts(facts["assumptions"])})
    source = None
    if description["source"] is not None:
        source = read_source(
            tensors, description["source"], network, observation, action, provenance
        )
    facts = description["environment"]
    environment = None
    if facts is not None:
        period = _only(
            facts, "environment", "id", "kwargs", "wrappers", "control_period_s", "versions"
        )["control_period_s"]
        environment = EnvironmentRecord(
            str(facts["id"]),
            dict(facts["kwargs"]),
            _texts(facts["wrappers"]),
            None if period is None else _number(period),
            dict(facts["versions"]),
        )
    probe = Probe(
        _take(tensors, "probe.observations", np.float64), _take(tensors, "probe.flags", np.uint8)
    )
    if tensors:
        raise InputError("artifact", f"unknown arrays {', '.join(sorted(tensors))}", fix=RECONVERT)
    unknown = {name: value for name, value in description.items() if name not in KNOWN_KEYS}
    extensions = unknown | dict(description["extensions"])
    return Artifact(
        network,
        observation,
        action,
        provenance,
        probe,
        dict(description["calibration"]),
        environment,
        source,
        _integer(description["source_macs"]),
        str(description["memory"]),
        extensions,
    )


def _dynamics(facts: dict[str, Any], index: int) -> Dynamics:
    _only(facts, f"the dynamics of layer {index}", *DYNAMICS)
    current_decay, voltage_decay, exponent = (_integer(facts[name]) for name in DYNAMICS[:3])
    if not isinstance(facts["bias_in_current"], bool):
        raise ValueError(f"{facts['bias_in_current']!r} is not true or false")
    return Dynamics(current_decay, voltage_decay, exponent, facts["bias_in_current"])


def _only(facts: dict[str, Any], where: str, *names: str) -> dict[str, Any]:
    """`facts`, or an InputError.

    Inside an entry nothing unknown could be kept, so nothing is dropped.
    """
    unknown = sorted(set(facts) - set(names))
    if unknown:
        raise InputError(
            "artifact",
            f"unknown keys {', '.join(unknown)} in {where}",
            limit=", ".join(names),
            fix=RECONVERT,
        )
    return facts


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} is not a list of texts")
    return tuple(values)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        raise ValueError(f"{value!r} is not an integer in range")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)
