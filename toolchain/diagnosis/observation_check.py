"""Do the environment's observations still look like those that the policy was calibrated on?

The artifact's probe begins with the first episode of calibration, and the calibration record holds
that episode's seed: the same reset must give the same observation, whatever any policy does later.
Where a normaliser is part of the policy, what it makes of the states must be of size one, for that
is what a normaliser is for.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.environments.gymnasium_bridge import flat, quiet
from spikeport.toolchain.host.observations import Float
from spikeport.toolchain.policies.ann_policy import Policy

# relative difference of resets that is still the same environment (another version's rounding,
# noise)
SAME = 0.02
TYPICAL = 3.0  # a normalised channel's RMS is between the inverse of this and this


@dataclass(frozen=True)
class ResetCheck:
    """One reset of calibration repeated: the observation now against the one in the probe."""

    gain: float  # now = gain * then, least squares
    difference: float  # RMS of now - then over the RMS of then
    misfit: float  # RMS of now - gain * then over the RMS of now
    same_versions: bool  # of Gymnasium and NumPy, which make the random numbers

    @property
    def changed(self) -> bool:
        """Whether the reset is another one than in calibration.

        Other versions may reset elsewhere, but one common factor on all channels is no matter of
        versions.
        """
        return self.difference > SAME and (self.same_versions or self.misfit < SAME)


def check_reset(artifact: Artifact, make_env: Callable[[], Any]) -> ResetCheck | None:
    """Repeat calibration's first reset.

    None where the artifact has no such reset, or resets do not follow the seed.
    """
    seeds = artifact.calibration.get("seeds") or []
    if artifact.environment is None or not seeds:
        return None
    env = make_env()
    try:
        with quiet():
            now, again = (flat(env.reset(seed=int(seeds[0]))[0]) for _ in range(2))
    finally:
        env.close()
    then = artifact.probe.observations[0]
    if not np.array_equal(now, again) or not then.any() or not now.any():
        return None
    gain = float(now @ then / (then @ then))
    versions = {
        name: artifact.environment.versions.get(name) == importlib.metadata.version(name)
        for name in ("gymnasium", "numpy")
    }
    return ResetCheck(
        gain,
        float(np.linalg.norm(now - then) / np.linalg.norm(then)),
        float(np.linalg.norm(now - gain * then) / np.linalg.norm(now)),
        all(versions.values()),
    )


def normalised_size(policy: Policy, inputs: Float) -> float | None:
    """Median over varying channels of the RMS of normalised inputs [n, features].

    None for a policy without normaliser.
    """
    if policy.observation.mean is None:
        return None
    size = np.sqrt((inputs**2).mean(0))
    varying = inputs.std(0) > 1e-9
    if varying.any():
        return float(np.median(size[varying]))
    return None


def contract_fit(source_inputs: Float, artifact_inputs: Float) -> tuple[Float, Float]:
    """Fit the artifact's network inputs [n, features] to the source's, channel by channel.

    Returns gain and offset [features]; the offset is in the channel's deviations.
    """
    spread = np.maximum(source_inputs.std(0), 1e-12)
    centred = source_inputs - source_inputs.mean(0)
    power = (centred**2).sum(0)
    gain = np.divide(
        (centred * (artifact_inputs - artifact_inputs.mean(0))).sum(0),
        power,
        out=np.ones_like(power),
        where=power > 1e-18,
    )
    offset = (artifact_inputs - source_inputs * np.where(power > 1e-18, gain, 1.0)).mean(0)
    return gain, np.where(power > 1e-18, offset / spread, offset)
