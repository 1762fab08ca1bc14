"""A policy as plain JSON data, for `inspect` and reports."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.policies.spiking_policy import AnyPolicy, SpikingPolicy


def describe(policy: AnyPolicy) -> dict[str, object]:
    """Origin, layers, contracts and assumptions of a policy.

    Every value is JSON, infinities are null.
    """
    origin = policy.provenance
    observation = policy.observation
    action = policy.action
    normalizer = None
    if observation.mean is not None:
        normalizer = {
            "file": origin.normalizer_file,
            "sha256": origin.normalizer_sha256,
            "epsilon": observation.epsilon,
            "clip": _finite(observation.clip),
        }
        if origin.format == "rsl-rl" and observation.epsilon == 0:
            normalizer["epsilon_note"] = (
                "0, as the 0.01 that RSL-RL adds to the deviation is folded into the variance"
            )
    time_feature = observation.time_feature and {
        "max_steps": observation.time_feature.max_steps,
        "test_mode": observation.time_feature.test_mode,
    }
    return {
        "file": origin.file,
        "sha256": origin.sha256,
        "format": origin.format,
        "family": origin.family,
        "layers": [
            {"inputs": layer.inputs, "outputs": layer.outputs, "activation": layer.activation}
            for layer in policy.layers
        ],
        "observation": {
            "size": observation.size,
            "features": observation.features,
            "normalizer": normalizer,
            "time_feature": time_feature,
            "names": list(observation.names),
            "units": list(observation.units),
        },
        "action": {
            "size": action.size,
            "squash": action.squash,
            "scale": _numbers(action.scale),
            "offset": _numbers(action.offset),
            "low": _numbers(action.low),
            "high": _numbers(action.high),
            "names": list(action.names),
            "units": list(action.units),
        },
        "assumptions": list(origin.assumptions),
        "macs": policy.macs,
    } | _spiking(policy)


def _spiking(policy: AnyPolicy) -> dict[str, object]:
    """What a spiking policy has beside an ANN's facts."""
    if not isinstance(policy, SpikingPolicy):
        return {}
    encoder = {
        "kind": "rate" if policy.mean is None else "population",
        "neurons_per_feature": policy.population,
        "transform": policy.transform,
    }
    decays = [
        {
            "current_keep": layer.current_keep,
            "voltage_keep": layer.voltage_keep,
            "threshold": layer.threshold,
        }
        for layer in policy.layers
    ]
    return {
        "neuron": policy.neuron,
        "timesteps": policy.timesteps,
        "encoder": encoder,
        "dynamics": decays,
        "decoder": {"neurons_per_action": policy.decoder_weight.shape[1]},
        "environment": policy.environment or None,
    }


def _finite(value: float | None) -> float | None:
    if value is not None and np.isfinite(value):
        return float(value)
    return None


def _numbers(values: NDArray[np.float64] | None) -> list[float | None] | None:
    if values is None:
        return None
    return [_finite(value) for value in values]
