"""What an exported file says about itself: enough to run it with nothing but a runtime for ONNX.

Every number that encode and decode need is here, as JSON: Python and C print a float64 so that it
reads back as the same.
"""

from __future__ import annotations

from typing import Any

from spikeport.export.host_description import decode, encode, origin
from spikeport.export.onnx.decision import COUNTS, Decision
from spikeport.export.onnx.neurons import NEURON_GRAPHS
from spikeport.export.onnx.onnx_codes import IDLE_COUNTS
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import checksum
from spikeport.toolchain.artifact.parts import VERSION
from spikeport.toolchain.files.atomic import canonical_json

FORMAT = "spikeport"
FORMAT_VERSION = "1.1"
ENCODE = (
    "q0 = clip(floor(x / scale + 0.5), -limit, limit), x = clip((features - shift) / divisor,"
    " -clip, clip), in float64; with a time feature 1 - decision / max_steps (1 in test mode) is"
    " the last feature, decision counting from 0 at an episode's start"
)
COMMON_MEANING = {
    "counts": f"per layer: {', '.join(COUNTS)}; zero where a row is not active",
    "clip": "clip, low and high are the largest float64 where nothing is clipped",
}
VALUE_MEANING = COMMON_MEANING | {
    "encoded": "q0 of encode, one row per environment",
    "control": (
        "per row: 1 carry on, 2 an episode starts (also every resync_every decisions, if not 0), 0"
        " not active: its state is kept"
    ),
    "state": (
        "zeros before the first decision, whose control word is 2; then the output of the same name"
        " with next_ before it"
    ),
    "accumulator": "what decode takes",
    "encode": ENCODE,
    "decode": (
        "action = clip(squash(y) * scale + offset, low, high), y = accumulator * row_scale /"
        " divisor, in float64; with the squash argmax it is the number of the largest y, the lowest"
        " of equal ones"
    ),
}
SPIKING_MEANING = COMMON_MEANING | {
    "encoded": (
        "q0 of encode, one row per environment: what the input neurons integrate in each timestep"
    ),
    "control": (
        "per row: 1 or 2 active, nothing is carried over from decision to decision; 0 not active"
    ),
    "spike_counts": (
        "spikes of the last layer's neurons, what decode takes; zero where a row is not active"
    ),
    "idle_counts": (
        f"{' and '.join(IDLE_COUNTS)} of the steps after a window, until a stock LIF's next reset;"
        " zero where a row is not active"
    ),
    "encode": (
        f"{ENCODE}; feature i then becomes P activations, which take the place of x: z ="
        " tanh(x) with the transform tanh, else x; exp(-0.5 * ((z - mean[i, j]) * (z - mean[i,"
        " j])) / (std[i, j] * std[i, j])), or z itself where mean is null"
    ),
    "decode": (
        "action = clip(squash(y) * scale + offset, low, high), y[k] = sum of weights[k, j] *"
        " spike_counts[k * P + j], j rising, / divisor + bias[k], in float64"
    ),
}
MEANINGS = {"value": VALUE_MEANING, "spikes": SPIKING_MEANING}


def metadata(artifact: Artifact, decision: Decision) -> dict[str, str]:
    """metadata_props of the model.

    They are the format and versions, the artifact's checksum, neuron and time, and `description` as
    canonical JSON.
    """
    network = artifact.network
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "artifact_sha256": checksum(artifact),
        "artifact_version": ".".join(map(str, VERSION)),
        "neuron": network.neuron,
        "timesteps": str(network.timesteps),
        "alpha": f"{network.alpha}/64",
        "description": canonical_json(describe(artifact, decision)),
    }


def describe(artifact: Artifact, decision: Decision) -> dict[str, Any]:
    """What goes in and out and what it means, encode and decode, where the policy comes from."""
    network = artifact.network
    entries = [list(NEURON_GRAPHS[layer.neuron].state) for layer in network.layers]
    entries = [["announced"]] * network.across_decisions + [names for names in entries if names]
    states = [
        {"input": port.name, "output": after, "entries": names, "neurons": port.shape[-1]}
        for (port, after), names in zip(decision.states, entries, strict=True)
    ]
    return origin(artifact) | {
        "neurons": [layer.neuron for layer in network.layers],
        "timesteps": network.timesteps,
        "alpha": network.alpha,
        "resync_every": network.resync_every,
        "states": states,
        "encode": encode(artifact),
        "decode": decode(artifact),
        "meaning": MEANINGS[network.code.name],
        "memory": artifact.memory,
    }
