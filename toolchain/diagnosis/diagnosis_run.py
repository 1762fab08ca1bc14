"""`diagnose`: run both policies, take the network apart in both sets of states, name the cause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.diagnosis.diagnosis_evidence import gather
from spikeport.toolchain.diagnosis.diagnosis_result import Diagnosis
from spikeport.toolchain.diagnosis.diagnosis_verdict import judge
from spikeport.toolchain.diagnosis.journey import travel
from spikeport.toolchain.diagnosis.observation_check import check_reset
from spikeport.toolchain.diagnosis.published_equations import lag_correlation, published
from spikeport.toolchain.diagnosis.source_check import check_source
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.neurons import trained_as_spiking
from spikeport.toolchain.policies.actor import FloatActor
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.leaky_policy import LeakyPolicy
from spikeport.toolchain.policies.spiking_policy import AnyPolicy, SpikingPolicy
from spikeport.toolchain.simulation.backends import backend_class, open_backend
from spikeport.toolchain.simulation.closed_loop import (
    MAX_ROWS,
    check_episodes,
    environment_of,
    refuse_calibration_seeds,
)
from spikeport.toolchain.simulation.return_statistics import failed_episodes, return_ratio

STATES = 2000  # of each kind that are taken apart
TRACE_NUMBERS = 5e7  # payloads and states of one set of states at most


def diagnose(
    artifact: Artifact,
    *,
    environment: str | None = None,
    backend: str = "fast",
    episodes: int = 10,
    seed: int = 1000,
    source: AnyPolicy | None = None,
    progress: Callable[[int], None] = lambda finished: None,
) -> Diagnosis:
    """Say why a converted policy does or does not do what its source does.

    Episode i starts from reset(seed=seed+i), for the source policy and for the spiking one;
    `environment` may be `module:Id`. `source` is the float policy where the artifact has none
    inside. `progress` is called as episodes end, 2 * episodes in all. Raises InputError for an
    artifact without a source, a source that does not fit, seeds that calibration used, an
    environment that does not fit.
    """
    if trained_as_spiking(artifact.network):
        raise InputError(
            "diagnose",
            "a network that was trained as spiking has no ANN to be taken apart against",
            got=artifact.network.neuron,
            limit="an artifact converted from an ANN",
            fix=("spikeport simulate --compare", "spikeport verify"),
        )
    check_episodes(episodes)
    if seed < 0:
        raise InputError(
            "--seed", "a seed is never negative", got=seed, limit="0 or more", fix="--seed 1000"
        )
    refuse_calibration_seeds(artifact, seed, episodes)
    if artifact.action.discrete:
        raise InputError(
            "diagnose",
            "a discrete action is not taken apart",
            got="squash argmax",
            limit="a continuous action",
            why=(
                "every number here is a difference of actions in half ranges, and choices have none"
            ),
            fix=("spikeport simulate --compare", "spikeport verify"),
        )
    policy = fitting_source(artifact, source)
    make, identifier = environment_of(artifact, environment)

    def make_env() -> Any:
        return make(None)

    seeds = range(seed, seed + episodes)
    network = artifact.network
    rows = min(episodes, backend_class(backend).max_rows or MAX_ROWS)
    with open_backend(backend, artifact, rows) as spiking:
        by_ann = travel(FloatActor(policy, rows), spiking, make_env, seeds, progress)
        by_spiking = travel(spiking, FloatActor(policy, rows), make_env, seeds, progress)
        states = int(
            np.clip(TRACE_NUMBERS / (2 * network.timesteps * sum(network.widths)), 100, STATES)
        )
        on_ann, on_spiking = (
            gather(
                artifact,
                policy,
                spiking,
                [np.array(episode.observations) for episode in driven],
                states,
            )
            for driven in (by_ann, by_spiking)
        )
    returns, ann_returns = (
        np.array([episode.total for episode in driven]) for driven in (by_spiking, by_ann)
    )
    errors = [
        (np.array(episode.actions) - np.array(episode.advice)) / (policy.action.range / 2)
        for episode in by_spiking
    ]
    lag = lag_correlation(errors)
    checked = check_source(policy, by_ann, make_env, seeds)
    findings = judge(
        network,
        int(artifact.calibration.get("weight_bits") or 8),
        on_ann,
        checked,
        check_reset(artifact, make_env),
        lag,
        returns,
        ann_returns,
    )
    return Diagnosis(
        environment=identifier,
        backend=backend,
        seed=seed,
        returns=returns,
        ann_returns=ann_returns,
        return_ratio=return_ratio(returns, ann_returns),
        failed_episodes=failed_episodes(returns, ann_returns),
        ann_failed_episodes=failed_episodes(ann_returns, ann_returns),
        trivial_return=checked.trivial_return,
        lag_correlation=lag,
        on_ann_states=on_ann,
        on_spiking_states=on_spiking,
        published=published(by_ann, by_spiking, policy),
        findings=tuple(findings),
    )


def fitting_source(artifact: Artifact, source: AnyPolicy | None) -> Policy:
    """The float policy, the given one or the one inside, if its layers are the artifact's.

    Raises InputError.
    """
    if source is not None:
        policy = source
    else:
        policy = artifact.source
    if isinstance(policy, SpikingPolicy | LeakyPolicy):
        raise InputError(
            "diagnose",
            "the source is a spiking policy",
            got=policy.provenance.file,
            limit="the ANN that was converted",
            fix="--source FILE",
        )
    if policy is None:
        raise InputError(
            "diagnose",
            "the artifact was converted with --no-source",
            why="every number here compares with the float policy",
            fix=("--source CHECKPOINT", "reconvert without --no-source"),
        )
    widths = (policy.observation.features, *(layer.outputs for layer in policy.layers))
    if widths != artifact.network.widths or policy.observation.size != artifact.observation.size:
        pruned = bool(artifact.calibration.get("pruned"))
        raise InputError(
            "diagnose",
            "the source policy's layers are not the artifact's",
            got=" - ".join(map(str, widths)),
            limit=" - ".join(map(str, artifact.network.widths)),
            why="neurons are compared one by one"
            + (", and this artifact was converted with --prune-dead" if pruned else ""),
            fix=(
                "reconvert without --prune-dead"
                if pruned
                else "give the policy that the artifact was converted from"
            ),
        )
    return policy
