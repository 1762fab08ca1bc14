"""What a netx file says about itself, as JSON.

How to run it, which columns to read, encode and decode.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.export.host_description import decode, encode, numbers
from spikeport.export.netx.blocks import Blocks
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import checksum
from spikeport.toolchain.artifact.parts import VERSION

FORMAT = "spikeport-netx"
FORMAT_VERSION = "1.0"
MEANING = {
    "run": (
        "Network(file, reset_interval=reset_interval, reset_offset=reset_offset); a decision takes"
        " reset_interval steps"
    ),
    "input": (
        "columns 0 .. timesteps - 1 of a decision: the spikes of the encoder's neuron that channels"
        " names; a channel of -1 is 1 in every step, of the other columns, too; the other channels"
        " may hold anything outside these columns"
    ),
    "output": (
        "the last layer's spikes of a decision are in columns first_column .. first_column +"
        " timesteps - 1"
    ),
    "layers": (
        "layer l has its window one column later than layer l - 1; neurons: the artifact's numbers"
        " of a block's neurons, copies are alike, -1 always spikes and belongs to no layer"
    ),
    "encode": (
        "x = clip((features - shift) / divisor, -clip, clip); with a time feature 1 - decision /"
        " max_steps (1 in test mode) is the last feature; z = transform(x); a = exp(-(z - mean)^2 /"
        " (2 std^2)), feature by feature, or z where mean is null; q = clip(floor(a / scale + 0.5),"
        " -limit, limit)"
    ),
    "spikes": (
        "timesteps times from v = 0: v <- v + q; spike if v > threshold, then v <- v - threshold"
    ),
    "decode": (
        "y = weights . counts / timesteps + bias, each action its own row of counts; "
        "action = clip(squash(y) * scale + offset, low, high)"
    ),
    "clip": "clip, low and high are the largest float64 where nothing is clipped",
}


def describe(artifact: Artifact, made: Blocks) -> dict[str, Any]:
    """The description of an artifact of `lif@1` and its blocks."""
    network = artifact.network
    provenance = artifact.provenance
    environment = artifact.environment
    coding = network.spike_coding
    layers = len(network.layers)
    assert coding is not None  # `blocks_of` refuses others
    spikes = {
        "transform": coding.transform,
        "mean": None if coding.mean is None else [numbers(row) for row in np.asarray(coding.mean)],
        "std": None if coding.std is None else [numbers(row) for row in np.asarray(coding.std)],
        "threshold": coding.threshold,
    }
    counts = {
        "weights": [numbers(row) for row in coding.decoder_weights],
        "bias": numbers(coding.decoder_bias),
    }
    action = {
        name: value
        for name, value in decode(artifact).items()
        if name not in ("row_scale", "divisor")
    }
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "artifact_sha256": checksum(artifact),
        "artifact_version": ".".join(map(str, VERSION)),
        "neuron": network.neuron,
        "timesteps": network.timesteps,
        "run": {"reset_interval": network.chip_steps, "reset_offset": 1},
        "input": {"channels": made.channels.tolist()},
        "output": {"first_column": layers},
        "layers": [
            {"first_column": index + 1, "neurons": block.neurons.tolist()}
            for index, block in enumerate(made.blocks)
        ],
        "encode": encode(artifact) | spikes,
        "decode": action | counts,
        "meaning": MEANING,
        "environment": (
            None
            if environment is None
            else {"id": environment.id, "control_period_s": environment.control_period_s}
        ),
        "provenance": {"file": provenance.file, "sha256": provenance.sha256},
    }
