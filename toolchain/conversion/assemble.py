"""The artifact around a network: contracts, provenance, recipe and probe."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import PROBE_DECISIONS, Artifact, Probe
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.conversion.states import Calibration
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.policies.policy_interface import AnyPolicy

SYNTHETIC = 32


def common_recipe(calibration: Calibration, network: Network, seed: int) -> dict[str, Any]:
    """What every artifact records of its calibration."""
    return {
        "source": calibration.source,
        "steps": len(calibration.starts),
        "seed": seed,
        "seeds": list(calibration.seeds),
        "neuron": network.neuron,
    }


def artifact_of(
    policy: AnyPolicy,
    network: Network,
    calibration: Calibration,
    recipe: dict[str, Any],
    environment: EnvironmentRecord | None,
    keep_source: bool,
) -> Artifact:
    """The artifact of a policy and its network, checked.

    Raises InputError, all violations at once.
    """
    artifact = Artifact(
        network=network,
        observation=policy.observation,
        action=policy.action,
        provenance=policy.provenance,
        probe=make_probe(calibration),
        calibration=recipe,
        environment=environment,
        source=policy if keep_source else None,
        source_macs=policy.macs,
    )
    check(artifact, policy.provenance.file)
    return artifact


def make_probe(calibration: Calibration) -> Probe:
    """256 observations.

    Four stretches of calibration with an episode start each, one resync, 32 synthetic ones.
    """
    stretch = (PROBE_DECISIONS - SYNTHETIC) // 4
    values = calibration.observations
    flags = np.zeros(PROBE_DECISIONS, np.uint8)
    low = values.min(0)
    high = values.max(0)
    mean = values.mean(0)
    chosen = []
    for part in range(4):
        first = int(part * max(len(values) - stretch, 0) / 3)
        chosen.append(values[np.minimum(np.arange(first, first + stretch), len(values) - 1)])
        flags[part * stretch] = 1
    flags[2 * stretch + stretch // 2] = 2
    span = np.maximum(high - low, 1e-3)
    ends = [low, high, low - 100 * span, high + 100 * span, mean, mean, mean, np.zeros_like(mean)]
    corners = np.where(
        np.random.default_rng(0).random((SYNTHETIC - 2 * len(ends), len(mean))) < 0.5, low, high
    )
    flags[4 * stretch] = flags[4 * stretch + 2 * len(ends)] = 1
    return Probe(np.concatenate([*chosen, np.array(ends + ends[::-1]), corners]), flags)
