"""The artifact around a network: contracts, provenance, recipe and probe."""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import PROBE_DECISIONS, Artifact, Probe
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy, P
from spikeport.toolchain.conversion.calibration.states import Calibration
from spikeport.toolchain.network.integer_network import Network

SYNTHETIC = 32  # observations of a probe that calibration did not visit
STRETCHES = 4  # of consecutive calibration states in a probe
EPISODE_START = 1
RESYNC = 2


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
    subject: CalibratedPolicy[P], network: Network, recipe: dict[str, Any], keep_source: bool
) -> Artifact:
    """Assemble an artifact and check it.

    Args:
        subject: The policy, whose contracts become the artifact's, and its states.
        network: The integers.
        recipe: The calibration record, JSON data.
        keep_source: Whether the float policy goes in, too.

    Returns:
        The artifact.

    Raises:
        InputError: For a network that breaks its neurons' rules or the range proof, all violations
            at once.
    """
    policy = subject.policy
    source = None
    if keep_source:
        source = policy
    artifact = Artifact(
        network=network,
        observation=policy.observation,
        action=policy.action,
        provenance=policy.provenance,
        probe=make_probe(subject.calibration),
        calibration=recipe,
        environment=subject.environment,
        source=source,
        source_macs=policy.macs,
    )
    check(artifact, policy.provenance.file)
    return artifact


def make_probe(calibration: Calibration) -> Probe:
    """256 observations that exercise a network.

    Four stretches of calibration with an episode start each and one resync among them, and 32
    synthetic ones: the ends of the range, far beyond it, the mean, zeros, and random corners.
    """
    stretch = (PROBE_DECISIONS - SYNTHETIC) // STRETCHES
    values = calibration.observations
    flags = np.zeros(PROBE_DECISIONS, np.uint8)
    chosen = []
    for part in range(STRETCHES):
        first = int(part * max(len(values) - stretch, 0) / (STRETCHES - 1))
        chosen.append(values[np.minimum(np.arange(first, first + stretch), len(values) - 1)])
        flags[part * stretch] = EPISODE_START
    flags[2 * stretch + stretch // 2] = RESYNC
    low = values.min(0)
    high = values.max(0)
    mean = values.mean(0)
    span = np.maximum(high - low, 1e-3)
    ends = [low, high, low - 100 * span, high + 100 * span, mean, mean, mean, np.zeros_like(mean)]
    corners = np.where(
        np.random.default_rng(0).random((SYNTHETIC - 2 * len(ends), len(mean))) < 0.5, low, high
    )
    flags[STRETCHES * stretch] = EPISODE_START
    flags[STRETCHES * stretch + 2 * len(ends)] = EPISODE_START
    return Probe(np.concatenate([*chosen, np.array(ends + ends[::-1]), corners]), flags)
