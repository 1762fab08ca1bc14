"""The member of a trained zip that says, as JSON, what a reader must know of its neurons.

toolchain/readers/sb3/spiking_zip.py reads it.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from spikeport.toolchain.readers.sb3.spiking_zip import FORMAT, MEMBER


def add_spiking_facts(stream: io.BytesIO, model: Any) -> None:
    """Append the member to a model's zip."""
    kind = model.actor.mu.kind
    space = model.action_space
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
    if model.observations_normalised:
        facts["normalised"] = True
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(MEMBER, json.dumps(facts, indent=1) + "\n")
