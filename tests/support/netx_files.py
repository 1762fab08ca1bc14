"""netx files as lava-dl's export_hdf5 writes them, random, with the sidecar that they need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import spikeport
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.readers.load import load_policy

T = 8
SIDECAR: dict[str, Any] = {
    "timesteps": T,
    "encoder": "rate",
    "observation": "none",
    "netx": {"state": "reset", "decoder": "rate"},
}
WIDTHS = (3, 8, 4)


def network(rng: np.random.Generator, widths: tuple[int, ...] = WIDTHS) -> list[dict[str, Any]]:
    """Blocks as export_hdf5 writes them, random; an input block first."""
    blocks: list[dict[str, Any]] = [{"type": b"input", "shape": np.array([widths[0]])}]
    for a, b in zip(widths[:-1], widths[1:], strict=True):
        neuron = {
            "type": "CUBA",
            "iDecay": int(rng.integers(1, 4097)),
            "vDecay": int(rng.integers(0, 4097)),
            "vThMant": int(rng.integers(50, 400)),
            "refDelay": 1,
            "gradedSpike": False,
        }
        weight = (2 * rng.integers(-60, 128, (b, a))).astype(np.float32)
        weight[0, 0] = 254
        blocks.append(
            {
                "type": b"dense",
                "shape": np.array([b]),
                "inFeatures": a,
                "outFeatures": b,
                "weight": weight,
                "neuron": neuron,
            }
        )
    return blocks


def written(
    path: Path, blocks: list[dict[str, Any]], sidecar: Any = SIDECAR, **others: Any
) -> Path:
    """A netx file of these blocks, with a sidecar beside it."""
    import h5py

    with h5py.File(path, "w") as file:
        for index, block in enumerate(blocks):
            group = file.create_group(f"layer/{index}")
            for name, value in block.items():
                if name == "type":
                    group.create_dataset("type", (1,), "S10", [value])
                elif isinstance(value, dict):
                    for inner, entry in value.items():
                        group[f"{name}/{inner}"] = entry
                else:
                    group[name] = value
        for name, value in others.items():
            file[name] = value
    if sidecar is not None:
        path.with_name(f"{path.stem}.spikeport.json").write_text(json.dumps(sidecar))
    return path


def read(path: Path, **options: Any) -> SpikingPolicy:
    """The policy of a netx file."""
    policy = load_policy(path, **{"squash": "none"} | options)
    assert isinstance(policy, SpikingPolicy)
    return policy


def artifact_of(policy: SpikingPolicy) -> Artifact:
    """The policy converted on random observations."""
    return spikeport.convert(
        policy, observations=np.random.default_rng(0).random((120, policy.observation.size))
    )
