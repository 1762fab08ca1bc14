"""How far an artifact's actions are from its policy's on the states that it was converted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.signal_statistics import centred, unit
from spikeport.toolchain.conversion.calibration.states import Calibration
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

Float = NDArray[np.float64]
STATES = 2000  # in order, where decisions depend on one another


def open_loop_error(artifact: Artifact, policy: Policy, calibration: Calibration) -> float:
    """RMS action error on the first calibration states, summed over channels.

    Args:
        artifact: What `policy` was converted to.
        policy: The feed-forward policy.
        calibration: At most its first 2000 states are run, in order.

    Returns:
        The error in units of half the action's range, of a discrete action in those of its outputs
        (signal_statistics.py).
    """
    observations = calibration.observations[:STATES]
    decisions = calibration.decisions[:STATES]
    starts = calibration.starts[:STATES].astype(np.int64)
    trace = FastBackend(artifact).trace(observations, starts)
    if not policy.action.discrete:
        return rms(action_difference(trace.actions, policy, observations, decisions))
    network = artifact.network
    wanted = policy.outputs(observations, decisions)
    found = trace.layers[-1].states[:, -1] * network.layers[-1].row_scale / network.divisor
    return rms((centred(found) - centred(wanted)) / unit(wanted))


def action_difference(
    actions: Float, policy: AnyPolicy, observations: Float, decisions: NDArray[np.int64]
) -> Float:
    """How far actions [n, act] are from the policy's, in units of half the action's range."""
    return (actions - policy.act(observations, decisions)) / (policy.action.range / 2)


def rms(difference: Float) -> float:
    """The RMS over states [n, act] of what channels add up to."""
    return float(np.sqrt((difference**2).sum(1).mean()))
