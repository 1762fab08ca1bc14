"""An artifact as named tensors and a description in JSON, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.artifact.entries import (
    RECONVERT,
    Tensors,
    integer,
    number,
    number_or_none,
    only,
    present,
    take,
    take_present,
    texts,
)
from spikeport.toolchain.artifact.network_parts import network_from_parts, network_to_parts
from spikeport.toolchain.artifact.source_record import read_source, source_arrays, source_layers
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import Provenance

VERSION = (1, 2)
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
OBSERVATION_KEYS = ("size", "epsilon", "clip", "names", "units", "time_feature")
ACTION_ARRAYS = ("scale", "offset", "low", "high")
ACTION_KEYS = ("size", "squash", "names", "units")
ENVIRONMENT_KEYS = ("id", "kwargs", "wrappers", "control_period_s", "versions")
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
    "synapses",
}


def artifact_to_parts(artifact: Artifact) -> tuple[Tensors, dict[str, Any]]:
    """Arrays by name, and the description of everything else, of an artifact."""
    tensors, network = network_to_parts(artifact.network)
    tensors |= {
        "probe.observations": artifact.probe.observations.astype(np.float64),
        "probe.flags": artifact.probe.flags.astype(np.uint8),
    }
    tensors |= present(artifact.observation, "observation", OBSERVATION_ARRAYS, np.float64)
    tensors |= present(artifact.action, "action", ACTION_ARRAYS, np.float64)
    source = None
    if artifact.source is not None:
        source = source_layers(artifact.source)
        for index, layer in enumerate(artifact.source.layers):
            tensors |= present(layer, f"source.{index}", source_arrays(layer), np.float32)
    return tensors, network | {
        "version": ".".join(map(str, VERSION)),
        "observation": _observation_facts(artifact.observation),
        "action": _action_facts(artifact.action),
        "provenance": _provenance_facts(artifact.provenance),
        "calibration": artifact.calibration,
        "environment": _environment_facts(artifact.environment),
        "source": source,
        "source_macs": artifact.source_macs,
        "memory": artifact.memory,
        "extensions": artifact.extensions,
    }


def artifact_from_parts(tensors: Tensors, description: dict[str, Any]) -> Artifact:
    """The artifact that arrays and a description are; the arrays are taken out of `tensors`.

    Raises InputError for what is missing, unknown or of another type, and ValueError, KeyError,
    TypeError or AttributeError for entries of another form. `check` has the rules.
    """
    network = network_from_parts(tensors, description)
    observation = _observation(tensors, description["observation"])
    action = _action(tensors, description["action"])
    provenance = _provenance(description["provenance"])
    source = None
    if description["source"] is not None:
        source = read_source(
            tensors, description["source"], network, observation, action, provenance
        )
    environment = _environment(description["environment"])
    probe = Probe(
        take(tensors, "probe.observations", np.float64), take(tensors, "probe.flags", np.uint8)
    )
    if tensors:
        raise InputError("artifact", f"unknown arrays {', '.join(sorted(tensors))}", fix=RECONVERT)
    unknown = {name: value for name, value in description.items() if name not in KNOWN_KEYS}
    return Artifact(
        network,
        observation,
        action,
        provenance,
        probe,
        dict(description["calibration"]),
        environment,
        source,
        integer(description["source_macs"]),
        str(description["memory"]),
        unknown | dict(description["extensions"]),
    )


def _observation_facts(observation: ObservationContract) -> dict[str, Any]:
    time = observation.time_feature
    if time is not None:
        time = {"max_steps": time.max_steps, "test_mode": time.test_mode}
    return {
        "size": observation.size,
        "epsilon": observation.epsilon,
        "clip": observation.clip,
        "names": list(observation.names),
        "units": list(observation.units),
        "time_feature": time,
    }


def _observation(tensors: Tensors, facts: dict[str, Any]) -> ObservationContract:
    only(facts, "observation", *OBSERVATION_KEYS)
    feature = None
    if facts["time_feature"] is not None:
        time = only(facts["time_feature"], "time feature", "max_steps", "test_mode")
        feature = TimeFeature(integer(time["max_steps"]), bool(time["test_mode"]))
    return ObservationContract(
        size=integer(facts["size"]),
        epsilon=number(facts["epsilon"]),
        clip=number_or_none(facts["clip"]),
        names=texts(facts["names"]),
        units=texts(facts["units"]),
        time_feature=feature,
        **take_present(tensors, "observation", OBSERVATION_ARRAYS, np.float64),
    )


def _action_facts(action: ActionContract) -> dict[str, Any]:
    return {
        "size": action.size,
        "squash": action.squash,
        "names": list(action.names),
        "units": list(action.units),
    }


def _action(tensors: Tensors, facts: dict[str, Any]) -> ActionContract:
    only(facts, "action", *ACTION_KEYS)
    arrays = take_present(tensors, "action", ACTION_ARRAYS, np.float64)
    return ActionContract(
        size=integer(facts["size"]),
        squash=facts["squash"],
        names=texts(facts["names"]),
        units=texts(facts["units"]),
        **arrays,
    )


def _provenance_facts(provenance: Provenance) -> dict[str, Any]:
    facts = {name: getattr(provenance, name) for name in PROVENANCE}
    return facts | {"assumptions": list(provenance.assumptions)}


def _provenance(facts: dict[str, Any]) -> Provenance:
    only(facts, "provenance", *PROVENANCE)
    texts([value for name, value in facts.items() if name != "assumptions"])
    return Provenance(**{**facts, "assumptions": texts(facts["assumptions"])})


def _environment_facts(environment: EnvironmentRecord | None) -> dict[str, Any] | None:
    if environment is None:
        return None
    return {
        "id": environment.id,
        "kwargs": environment.kwargs,
        "wrappers": list(environment.wrappers),
        "control_period_s": environment.control_period_s,
        "versions": environment.versions,
    }


def _environment(facts: dict[str, Any] | None) -> EnvironmentRecord | None:
    if facts is None:
        return None
    only(facts, "environment", *ENVIRONMENT_KEYS)
    return EnvironmentRecord(
        str(facts["id"]),
        dict(facts["kwargs"]),
        texts(facts["wrappers"]),
        number_or_none(facts["control_period_s"]),
        dict(facts["versions"]),
    )
