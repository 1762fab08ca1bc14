"""A policy as plain JSON data, for `inspect` and reports."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.policies.policy_interface import AnyPolicy, Provenance


def describe(policy: AnyPolicy) -> dict[str, object]:
    """Origin, layers, contracts and assumptions of a policy.

    Every value is JSON, infinities are null.
    """
    origin = policy.provenance
    return {
        "file": origin.file,
        "sha256": origin.sha256,
        "format": origin.format,
        "family": origin.family,
        "layers": [
            {"inputs": layer.inputs, "outputs": layer.outputs, "activation": layer.activation}
            for layer in policy.layers
        ],
        "observation": _observation(policy.observation, origin),
        "action": _action(policy.action),
        "assumptions": list(origin.assumptions),
        "macs": policy.macs,
        **policy.facts(),
    }


def _observation(observation: ObservationContract, origin: Provenance) -> dict[str, object]:
    time_feature = observation.time_feature and {
        "max_steps": observation.time_feature.max_steps,
        "test_mode": observation.time_feature.test_mode,
    }
    return {
        "size": observation.size,
        "features": observation.features,
        "normalizer": _normalizer(observation, origin),
        "time_feature": time_feature,
        "names": list(observation.names),
        "units": list(observation.units),
    }


def _normalizer(observation: ObservationContract, origin: Provenance) -> dict[str, object] | None:
    if observation.mean is None:
        return None
    found: dict[str, object] = {
        "file": origin.normalizer_file,
        "sha256": origin.normalizer_sha256,
        "epsilon": observation.epsilon,
        "clip": _finite(observation.clip),
    }
    if origin.format == "rsl-rl" and observation.epsilon == 0:
        found["epsilon_note"] = (
            "0, as the 0.01 that RSL-RL adds to the deviation is folded into the variance"
        )
    return found


def _action(action: ActionContract) -> dict[str, object]:
    return {
        "size": action.size,
        "squash": action.squash,
        "scale": _numbers(action.scale),
        "offset": _numbers(action.offset),
        "low": _numbers(action.low),
        "high": _numbers(action.high),
        "names": list(action.names),
        "units": list(action.units),
    }


def _finite(value: float | None) -> float | None:
    if value is not None and np.isfinite(value):
        return float(value)
    return None


def _numbers(values: NDArray[np.float64] | None) -> list[float | None] | None:
    if values is None:
        return None
    return [_finite(value) for value in values]
