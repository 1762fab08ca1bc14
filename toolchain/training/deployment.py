"""`spiking_policy.json`: what a reader of a trained zip must know of its neurons, so that nothing pickled is needed.

    algorithm                 ProxyTargetTD3 | SpikingTD3
    neuron, timesteps         as in the sidecar (toolchain/policies/sidecar.py)
    encoder, observation      population, tanh
    action_low, action_high   the bounds that the last tanh is spread over, one number per channel
    environment               Gymnasium id, where it is known
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

MEMBER = "spiking_policy.json"
FORMAT = 1


def add_spiking_facts(stream: io.BytesIO, model: Any) -> None:
    """Append the member to a model's zip."""
    kind, space = model.actor.mu.kind, model.action_space
    facts: dict[str, Any] = {
        "format": FORMAT,
        "algorithm": type(model).__name__,
        "neuron": kind.neuron,
        "timesteps": model.actor.mu.timesteps,
        "encoder": "population",
        "observation": "tanh",
        "action_low": [float(bound) for bound in space.low.ravel()],
        "action_high": [float(bound) for bound in space.high.ravel()],
    }
    if getattr(model, "environment_id", None):
        facts["environment"] = model.environment_id
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(MEMBER, json.dumps(facts, indent=1) + "\n")
