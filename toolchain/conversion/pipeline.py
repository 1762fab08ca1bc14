"""A policy in, an artifact out: the steps of a conversion, in order.

    collect     the states that the policy visits, recorded ones or synthetic ones
    measure     what they say about its signals (calibration/signal_statistics.py)
    build       a scheme's network, the proof, the artifact around it (build.py)
    close       the loop over the scheme's candidates (closed_loop_conversion.py)
    distil      the policy into the integers, where the user chose so (distillation/)
    note        what was measured

States and statistics belong to a CalibratedPolicy: each is made once, however many neurons and
candidates are tried.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.build import build
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.calibration.state_source import (
    StateSource,
    recorded,
    visited,
)
from spikeport.toolchain.conversion.closed_loop_conversion import (
    Attempt,
    Loop,
    best_candidate,
    better_of,
)
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.distillation.distillation_states import States
from spikeport.toolchain.conversion.distillation.fake_quantised import pytorch
from spikeport.toolchain.conversion.distillation.finetune import finetune
from spikeport.toolchain.conversion.schemes.scheme import Scheme
from spikeport.toolchain.conversion.schemes.scheme_table import scheme_of
from spikeport.toolchain.errors import refuse_faults
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.progress import Progress, silent

DEFAULTS = ConversionOptions()


def convert_from_source(
    policy: AnyPolicy, source: StateSource, options: ConversionOptions, progress: Progress = silent
) -> tuple[Artifact, list[Attempt]]:
    """Collect states and convert.

    In an environment the closed loop decides among the scheme's candidates; on other states none is
    closed.

    Args:
        policy: The float policy.
        source: Where its states come from; checked already.
        options: What the user chose.
        progress: Is called as it goes.

    Returns:
        The artifact, and what the closed loop found of each candidate.

    Raises:
        InputError: Where the policy and the options do not go together, before states are
            collected; for states that cannot be used; where no integers pass the proof.
    """
    check_before_states(policy, options)
    subject = collect(policy, source, options, progress)
    loop = None
    if source.env is not None:
        loop = Loop(source.env, source.seed, list(subject.calibration.seeds), progress)
    return convert_calibrated(subject, options, loop, progress)


def check_before_states(policy: AnyPolicy, options: ConversionOptions) -> Scheme[Any]:
    """The scheme that will convert; raises InputError where the policy or PyTorch forbids it."""
    scheme = scheme_of(policy, options.neuron)
    refuse_faults("convert", list(scheme.refusals(policy, options)))
    if options.finetune:
        pytorch()
    return scheme


def collect(
    policy: AnyPolicy, source: StateSource, options: ConversionOptions, progress: Progress
) -> CalibratedPolicy[Any]:
    """Visit, read or make up the states of a policy."""
    if source.env is not None:
        return visited(policy, source, progress)
    if source.observations is not None:
        return recorded(policy, source)
    calibration = scheme_of(policy, options.neuron).synthetic(policy)
    return CalibratedPolicy(policy, calibration, seed=source.seed)


def convert_calibrated(
    subject: CalibratedPolicy[Any],
    options: ConversionOptions,
    loop: Loop | None,
    progress: Progress = silent,
) -> tuple[Artifact, list[Attempt]]:
    """Build, close the loop, distil and note.

    Args:
        subject: The policy with its states.
        options: What the user chose.
        loop: Runs episodes; None where there is no environment.
        progress: Is called as it goes.

    Returns:
        The artifact, and what the closed loop found of each candidate.
    """
    scheme = scheme_of(subject.policy, options.neuron)
    candidates = scheme.candidates(subject.policy, options)
    attempts: list[Attempt] = []
    if loop is not None and len(candidates) > 1:
        artifact, attempts = best_candidate(subject, candidates, loop, scheme.first_accepted)
    else:
        artifact = build(subject, options)
    if options.finetune:
        artifact = distil(artifact, subject, options.weight_bits, loop, progress)
    notes = scheme.notes(subject, artifact)
    if loop is not None:
        notes["seeds"] = list(loop.seeds)
    if not scheme.trained:
        notes["closed_loop"] = [dataclasses.asdict(attempt) for attempt in attempts]
    return with_notes(artifact, notes), attempts


def distil(
    artifact: Artifact,
    subject: CalibratedPolicy[Policy],
    bits: int,
    loop: Loop | None,
    progress: Progress,
) -> Artifact:
    """Distil the policy into the artifact's integers.

    With a loop the states that both meet in it are learned from as well, and the result is kept if
    its mean return did not fall.
    """
    calibration = subject.calibration
    states = States(calibration.observations, calibration.decisions)
    gather = None
    if loop is not None:
        gather = loop.gather
    trained = finetune(artifact, subject.policy, states, bits, subject.seed, gather, progress)
    if loop is None:
        return trained
    better, means = better_of(artifact, trained, loop)
    notes: dict[str, Any] = {"finetune_mean_returns": means}
    if better is artifact:
        notes["finetuned"] = False
    return with_notes(better, notes)


def with_notes(artifact: Artifact, notes: dict[str, Any]) -> Artifact:
    """The artifact with more in its calibration record."""
    return dataclasses.replace(artifact, calibration=artifact.calibration | notes)


def convert_in_environment(
    policy: AnyPolicy,
    identifier: str,
    options: ConversionOptions = DEFAULTS,
    *,
    calibration_steps: int = 10_000,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[Artifact, list[Attempt]]:
    """Convert on the states that a policy visits in an environment that the user named.

    Args:
        policy: The float policy.
        identifier: A Gymnasium id, `module:Id` allowed.
        options: What the user chose.
        calibration_steps: Decisions to visit.
        seed: The user's --seed.
        progress: Is called as it goes.

    Returns:
        The artifact, and what the closed loop found of each candidate.
    """
    source = StateSource(identifier, steps=calibration_steps, seed=seed)
    return convert_from_source(policy, source, options, progress)
