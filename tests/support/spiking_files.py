"""Spiking checkpoints in the layouts of PopSAN, Proxy-Target and SDDPG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.readers.load import load_policy
from tests.support.policy_files import pickled, torch_bytes, write

OBSERVATIONS = 3
ACTIONS = 2
HIDDEN = (8, 6)
WORLD = EnvironmentFacts("World-v4", OBSERVATIONS, 100, -np.ones(ACTIONS), np.ones(ACTIONS))


def actor(
    seed: int = 0, *, span: float = 3.0, population: int = 4, readers: int = 3, plif: bool = False
) -> dict[str, torch.Tensor]:
    """A PopSAN-like state dict whose encoder's means run from -span to span."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int, scale: float = 1.0) -> torch.Tensor:
        return scale * torch.randn(shape, generator=generator)

    means = torch.linspace(-span, span, population).repeat(1, OBSERVATIONS, 1)
    stds = torch.full((1, OBSERVATIONS, population), 0.6)
    tensors = {"encoder.mean": means, "encoder.std": stds}
    widths = (OBSERVATIONS * population, *HIDDEN, ACTIONS * readers)
    names = [f"snn.hidden_layers.{index}" for index in range(len(HIDDEN))] + ["snn.out_pop_layer"]
    for index, name in enumerate(names):
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = (
            random(widths[index + 1], widths[index], scale=0.5),
            random(widths[index + 1], scale=0.2),
        )
    tensors |= {
        "decoder.decoder.weight": random(ACTIONS, 1, readers),
        "decoder.decoder.bias": random(ACTIONS, scale=0.3),
    }
    return tensors | (
        {f"snn.plifnodes.{index}.w": torch.tensor(0.5 + index) for index in range(3)}
        if plif
        else {}
    )


def read(
    folder: Path,
    tensors: dict[str, Any],
    name: str = "actor.pt",
    sidecar: dict[str, Any] | None = None,
    **options: Any,
) -> SpikingPolicy:
    """The policy of these tensors, with a sidecar beside them if one is given."""
    path = write(folder / name, torch_bytes(tensors))
    if sidecar is not None:
        (folder / f"{name.removesuffix('.pt')}.spikeport.json").write_text(json.dumps(sidecar))
    policy = load_policy(path, environment=options.pop("environment", WORLD), **options)
    assert isinstance(policy, SpikingPolicy)
    return policy


def navigation(folder: Path, weights: Any = None, biases: Any = None) -> Path:
    """SDDPG's two files."""
    rng = np.random.default_rng(0)
    widths = (4, 6, 5, 2)
    own = [
        rng.normal(size=pair[::-1]).astype(np.float32)
        for pair in zip(widths[:-1], widths[1:], strict=True)
    ]
    write(folder / "nav_weights.p", pickled(own if weights is None else weights, 3))
    write(
        folder / "nav_bias.p",
        pickled(
            (
                [rng.normal(scale=0.2, size=n).astype(np.float32) for n in widths[1:]]
                if biases is None
                else biases
            ),
            3,
        ),
    )
    return folder / "nav_weights.p"
