"""Calibration states with small random changes, on which the rows of sdn are fitted as well.

Rows fitted on a policy's own narrow path alone would be free to do anything beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.conversion.calibration.signal_statistics import PolicyStatistics
from spikeport.toolchain.conversion.calibration.states import subset
from spikeport.toolchain.policies.ann_policy import Policy

Float = NDArray[np.float64]
# Of each channel's standard deviation; a finer action strays less from the policy's own path.
SPREAD_PER_ERROR = 3.0
MOST_SPREAD = 0.3
LEAST_NARROW_SPREAD = 0.1  # narrow weights err by themselves, however fine the steps
FULL_WIDTH = 8  # bits
COPIES = 0.5  # per state


def spread(action_error: float, bits: int) -> float:
    """How far perturbed states lie from calibration's, in standard deviations."""
    least = 0.0
    if bits < FULL_WIDTH:
        least = LEAST_NARROW_SPREAD
    return min(MOST_SPREAD, max(SPREAD_PER_ERROR * action_error, least))


def states_to_fit(
    policy: Policy, statistics: PolicyStatistics, share: float
) -> tuple[Float, list[Float]]:
    """Calibration states with perturbed ones behind them, and their pre-activations.

    Args:
        policy: The policy that `statistics` are of.
        statistics: Keeps the result of the last share.
        share: The perturbation, in standard deviations.

    Returns:
        Network inputs [n, features], and the pre-activations [n, out] of every layer.
    """
    if share not in statistics.perturbed:
        # tens of megabytes each, and a search asks for a new share every time
        statistics.perturbed.clear()
        inputs = np.concatenate([statistics.inputs, perturbed(statistics.inputs, share)])
        wanted = [np.asarray(pre, np.float64) for pre in policy.forward(inputs)]
        statistics.perturbed[share] = (inputs, wanted)
    return statistics.perturbed[share]


def perturbed(inputs: Float, share: float) -> Float:
    """Copies [n, features] of states, with noise of `share` of its deviation on every channel."""
    rng = np.random.default_rng(0)
    chosen = inputs[subset(len(inputs), int(COPIES * len(inputs)))]
    return chosen + rng.normal(size=chosen.shape) * inputs.std(0) * share
