"""Everything measured in one set of states: the input, every layer, the action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.diagnosis.layer_report import LayerReport, report_layer
from spikeport.toolchain.diagnosis.observation_check import contract_fit, normalised_size
from spikeport.toolchain.diagnosis.signals import Signals, listen, listen_to_probe
from spikeport.toolchain.diagnosis.stages import (
    action_rmse,
    all_worths,
    drive_errors,
    input_stages,
    largest_value,
    layer_stages,
    source_activations,
)
from spikeport.toolchain.host.observations import Float
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.backend import Backend


@dataclass(frozen=True)
class InputReport:
    """Where the decoded inputs differ from the source's own, in the worst channel."""

    shares: dict[str, float]  # action RMSE of contract, clip, quantum and scale
    # of the artifact's observation contract on the source's, the channel furthest from 1
    contract_gain: float
    contract_offset: float  # in deviations of the channel, the channel furthest from 0
    # what layer 0's columns take a unit for / the encoder's scale, the channel furthest from 1
    worth_gain: float
    saturated: float  # share of values at the encoder's limit
    normalised: float | None  # RMS of normalised inputs, median channel; None without a normaliser


@dataclass(frozen=True)
class Evidence:
    """Numbers on one set of states."""

    states: int
    action_rmse: float  # the whole network's open-loop action error
    input: InputReport
    layers: tuple[LayerReport, ...]


def gather(
    artifact: Artifact, policy: Policy, backend: Backend, episodes: Sequence[Float], states: int
) -> Evidence:
    """Run the artifact open loop over recorded episodes and take everything apart.

    Args:
        artifact: The artifact.
        policy: Its source policy.
        backend: What runs the artifact.
        episodes: Observations [n, obs] of each episode.
        states: About how many of them are taken, the same number of each episode.

    Returns:
        The numbers on these states.
    """
    network = artifact.network
    signals: Signals = listen(backend, episodes, states)
    source = policy.observation.apply(signals.observations, signals.decisions)
    contract = artifact.observation.apply(signals.observations, signals.decisions)
    worths = all_worths(network, policy, signals.values)
    host = input_stages(network, policy, contract, source, signals, worths[0])
    gain, offset = contract_fit(source, contract)
    activations = source_activations(policy, source)
    stages_of = layer_stages(
        network, policy, signals, worths, drive_errors(network, policy, listen_to_probe(backend))
    )
    limits = (*signals.limit_hits, 0.0)
    layers = tuple(
        report_layer(
            layer, policy, stages, activation, largest_value(network), limit, network.timesteps
        )
        for layer, stages, activation, limit in zip(
            network.layers, stages_of, activations, limits, strict=True
        )
    )
    report = InputReport(
        host.shares,
        _furthest(gain),
        float(offset[np.argmax(np.abs(offset))]),
        _furthest(host.gain),
        host.clipped,
        normalised_size(policy, source),
    )
    difference = signals.actions - policy.act(signals.observations, signals.decisions)
    return Evidence(len(signals.actions), action_rmse(difference, policy), report, layers)


def _furthest(gain: Float) -> float:
    return float(gain[np.argmax(np.abs(np.log(np.maximum(np.abs(gain), 1e-12))))])
