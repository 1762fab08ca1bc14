"""What a netx file says about itself, as JSON: how to run it, its columns, encode and decode."""

from __future__ import annotations

from typing import Any

from spikeport.export.host_description import decode, encode, origin, spike_coding_of
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
    coding = spike_coding_of(network)
    layers = len(network.layers)
    action = decode(artifact)
    del action["divisor"]  # a decision's counts are divided by `timesteps`
    return origin(artifact) | {
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
        "encode": encode(artifact) | {"threshold": coding.threshold},
        "decode": action,
        "meaning": MEANING,
    }
