"""The published measures of what a conversion does to a closed loop.

They are equations 26-33 of arXiv 2601.21778:

    R_SNN|ANN   reward of the spiking network's actions in the states that the ANN visits, summed
        over an episode
    R_ANN|SNN   reward of the ANN's actions in the states that the spiking network visits

    da(k) = a_SNN(k) - a_ANN(k) in the same state;  a_cf(k+1) = pi_ANN(s_SNN(k+1)), s_SNN(k+1) after
        a_SNN(k),
    a_ANN(k+1) = pi_ANN(s_ANN(k+1)), s_ANN(k+1) after a_ANN(k)

    ANN correction    cos(da(k), a_cf(k+1)  - a_ANN(k+1))     negative: the ANN itself would undo
        the error
    SNN consistency   cos(da(k), a_SNN(k+1) - a_cf(k+1))      positive: the next error points the
        same way
    SNN drift         cos(da(k), a_SNN(k+1) - a_ANN(k+1))     what is left of both

Means over decisions; actions in half ranges. Both counterfactual steps need an environment that can
be copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.diagnosis.journey import Episode
from spikeport.toolchain.host.observations import Float
from spikeport.toolchain.policies.ann_policy import Policy


@dataclass(frozen=True)
class Published:
    """None where the environment cannot be copied, or no decision has a direction."""

    snn_given_ann: float | None
    ann_given_snn: float | None
    ann_correction: float | None
    snn_consistency: float | None
    snn_drift: float | None


def published(
    ann_driven: Sequence[Episode], spiking_driven: Sequence[Episode], policy: Policy
) -> Published:
    """The measures of two sets of episodes, each with the other policy's advice."""
    half = policy.action.range / 2
    cosines = [[], [], []]
    for episode in spiking_driven:
        if not episode.whatif or len(episode.rewards) < 2:
            continue
        spiking = np.array(episode.actions)
        here = np.array(episode.advice)
        counterfactual = np.array(episode.advised_observations)[:-1]
        there = policy.act(counterfactual, np.arange(1, len(spiking)))
        error = (spiking - here)[:-1] / half
        for found, change in zip(
            cosines, (here[1:] - there, (spiking - here)[1:], spiking[1:] - there), strict=True
        ):
            found.append(_cosine(error, change / half))
    means = [
        float(np.mean(np.concatenate(found))) if sum(map(len, found)) else None for found in cosines
    ]
    return Published(_return(ann_driven), _return(spiking_driven), *means)


def lag_correlation(errors: Sequence[Float]) -> float | None:
    """How much of an error e stays from decision to decision; 1 where it stays as it is.

    sum e(k) e(k+1) / sum e(k)^2 over channels and decisions of episodes [n, act]; None without
    any error.
    """
    cross = sum(float((error[1:] * error[:-1]).sum()) for error in errors)
    power = sum(float((error[:-1] ** 2).sum() + (error[1:] ** 2).sum()) / 2 for error in errors)
    if power > 0:
        return cross / power
    return None


def _return(episodes: Sequence[Episode]) -> float | None:
    if not all(episode.whatif for episode in episodes):
        return None
    return float(np.mean([np.sum(episode.advised_rewards) for episode in episodes]))


def _cosine(a: Float, b: Float) -> Float:
    """Cosines of the rows of a and b [n, act], without rows of no length."""
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(1)[size > 0] / size[size > 0]
