"""`diagnose`: run both policies, take the network apart in both sets of states, name the cause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import Float
from spikeport.toolchain.diagnosis.diagnosis_evidence import Evidence, gather
from spikeport.toolchain.diagnosis.diagnosis_result import Diagnosis
from spikeport.toolchain.diagnosis.diagnosis_verdict import Observed, judge
from spikeport.toolchain.diagnosis.journey import Episode, travel
from spikeport.toolchain.diagnosis.observation_check import check_reset
from spikeport.toolchain.diagnosis.published_equations import lag_correlation, published
from spikeport.toolchain.diagnosis.source_check import check_source
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import READOUT
from spikeport.toolchain.neurons import SHORT_NAMES
from spikeport.toolchain.policies.ann_policy import Policy, is_feed_forward
from spikeport.toolchain.policies.policy_interface import AnyPolicy
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
# Of the first layer of a network that an ANN was converted to; without hidden layers the readout.
CONVERTED = (*SHORT_NAMES.values(), READOUT)


@dataclass(frozen=True, eq=False)
class Drives:
    """The episodes that each policy drove while the other advised, and the evidence in them."""

    by_ann: list[Episode]
    by_spiking: list[Episode]
    on_ann: Evidence
    on_spiking: Evidence

    @property
    def returns(self) -> Float:
        """Returns [episodes] of the spiking policy."""
        return np.array([episode.total for episode in self.by_spiking])

    @property
    def ann_returns(self) -> Float:
        """Returns [episodes] of the source policy."""
        return np.array([episode.total for episode in self.by_ann])


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

    Args:
        artifact: What was converted from a feed-forward ANN.
        environment: A Gymnasium id, perhaps `module:Id`; the artifact's own if None.
        backend: What runs the artifact.
        episodes: How many episodes each policy drives.
        seed: Episode i starts from reset(seed=seed+i), for both policies.
        source: The float policy where the artifact has none inside.
        progress: Is called with the number of episodes that ended, 2 * `episodes` in all.

    Returns:
        The diagnosis; its first finding is the verdict.

    Raises:
        InputError: For an artifact without a source, a source that does not fit, seeds that
            calibration used, an environment that does not fit.
    """
    _refuse_trained(artifact)
    check_episodes(episodes)
    _refuse_negative(seed)
    refuse_calibration_seeds(artifact, seed, episodes)
    _refuse_discrete(artifact)
    policy = fitting_source(artifact, source)
    make, identifier = environment_of(artifact, environment)

    def make_env() -> Any:
        return make(None)

    seeds = range(seed, seed + episodes)
    drives = _drive(artifact, policy, backend, make_env, seeds, progress)
    observed = _observe(artifact, policy, drives, make_env, seeds)
    return Diagnosis(
        environment=identifier,
        backend=backend,
        seed=seed,
        returns=drives.returns,
        ann_returns=drives.ann_returns,
        return_ratio=return_ratio(drives.returns, drives.ann_returns),
        failed_episodes=failed_episodes(drives.returns, drives.ann_returns),
        ann_failed_episodes=failed_episodes(drives.ann_returns, drives.ann_returns),
        trivial_return=observed.source.trivial_return,
        lag_correlation=observed.lag,
        on_ann_states=drives.on_ann,
        on_spiking_states=drives.on_spiking,
        published=published(drives.by_ann, drives.by_spiking, policy),
        findings=tuple(judge(observed)),
    )


def _drive(
    artifact: Artifact,
    policy: Policy,
    backend: str,
    make_env: Callable[[], Any],
    seeds: Sequence[int],
    progress: Callable[[int], None],
) -> Drives:
    """Run both policies on the same seeds and take the network apart in the states of each."""
    network = artifact.network
    rows = min(len(seeds), backend_class(backend).max_rows or MAX_ROWS)
    most = TRACE_NUMBERS / (2 * network.timesteps * sum(network.widths))
    states = int(np.clip(most, 100, STATES))
    with open_backend(backend, artifact, rows) as spiking:
        by_ann = travel(policy.actor(rows), spiking, make_env, seeds, progress)
        by_spiking = travel(spiking, policy.actor(rows), make_env, seeds, progress)
        on_ann, on_spiking = (
            gather(
                artifact, policy, spiking, [np.array(one.observations) for one in driven], states
            )
            for driven in (by_ann, by_spiking)
        )
    return Drives(by_ann, by_spiking, on_ann, on_spiking)


def _observe(
    artifact: Artifact,
    policy: Policy,
    drives: Drives,
    make_env: Callable[[], Any],
    seeds: Sequence[int],
) -> Observed:
    """Check source and environment, too, and put everything together that a verdict rests on."""
    return Observed(
        artifact.network,
        int(artifact.calibration.get("weight_bits") or 8),
        drives.on_ann,
        check_source(policy, drives.by_ann, make_env, seeds),
        check_reset(artifact, make_env),
        _lag(drives.by_spiking, policy),
        drives.returns,
        drives.ann_returns,
    )


def _lag(driven: Sequence[Episode], policy: Policy) -> float | None:
    """How much of the spiking policy's action error stays from decision to decision."""
    half = policy.action.range / 2
    return lag_correlation(
        [(np.array(one.actions) - np.array(one.advice)) / half for one in driven]
    )


def _refuse_trained(artifact: Artifact) -> None:
    if artifact.network.neuron not in CONVERTED:
        raise InputError(
            "diagnose",
            "a network that was trained as spiking has no ANN to be taken apart against",
            got=artifact.network.neuron,
            limit="an artifact converted from an ANN",
            fix=("spikeport simulate --compare", "spikeport verify"),
        )


def _refuse_negative(seed: int) -> None:
    if seed < 0:
        raise InputError(
            "--seed", "a seed is never negative", got=seed, limit="0 or more", fix="--seed 1000"
        )


def _refuse_discrete(artifact: Artifact) -> None:
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


def fitting_source(artifact: Artifact, source: AnyPolicy | None) -> Policy:
    """The float policy, the given one or the one inside, if its layers are the artifact's.

    Raises InputError.
    """
    policy = source if source is not None else artifact.source
    if policy is None:
        raise InputError(
            "diagnose",
            "the artifact was converted with --no-source",
            why="every number here compares with the float policy",
            fix=("--source CHECKPOINT", "reconvert without --no-source"),
        )
    if not is_feed_forward(policy):
        kind = "a spiking policy" if policy.own_neuron else "not a feed-forward ANN"
        raise InputError(
            "diagnose",
            f"the source is {kind}",
            got=policy.provenance.file,
            limit="the ANN that was converted",
            fix="--source FILE",
        )
    widths = (policy.observation.features, *(layer.outputs for layer in policy.layers))
    if widths != artifact.network.widths or policy.observation.size != artifact.observation.size:
        raise _other_layers(artifact, widths)
    return policy


def _other_layers(artifact: Artifact, widths: Sequence[int]) -> InputError:
    """The error for a source of other widths; pruning is a reason for that."""
    why = "neurons are compared one by one"
    fix = "give the policy that the artifact was converted from"
    if artifact.calibration.get("pruned"):
        why += ", and this artifact was converted with --prune-dead"
        fix = "reconvert without --prune-dead"
    return InputError(
        "diagnose",
        "the source policy's layers are not the artifact's",
        got=" - ".join(map(str, widths)),
        limit=" - ".join(map(str, artifact.network.widths)),
        why=why,
        fix=fix,
    )
