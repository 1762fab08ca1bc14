"""`convert --neuron auto`: every neuron's default conversion, of which the cheapest that holds.

The states, their statistics and the source policy's episodes are the same for all neurons, so they
are collected once.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.calibration.calibrated_policy import CalibratedPolicy
from spikeport.toolchain.conversion.calibration.reset_seeds import search_seeds
from spikeport.toolchain.conversion.calibration.state_source import StateSource, visited
from spikeport.toolchain.conversion.closed_loop_conversion import Loop
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.pipeline import (
    check_before_states,
    convert_calibrated,
    silent,
    with_notes,
)
from spikeport.toolchain.conversion.schemes.scheme_table import SCHEMES
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.actor import Actor
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.progress import Progress
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.return_statistics import Verdict, holds_target
from spikeport.toolchain.simulation.rollout import Rollout, roll_out

EPISODES = 20
TARGET = 0.99
DEFAULTS = ConversionOptions()
SURE = "sdn"  # carries every ANN, so it is tried first and written where nothing holds
TRIED = (SURE, "dc", "mt", "snm", "if")
SDN_ONLY = ("action_error", "error_shares", "triggers", "allocation", "thrift", "finetune")


@dataclass(frozen=True)
class AutomaticAttempt:
    """One neuron tried."""

    neuron: str
    synops_per_mac: float
    verdict: Verdict

    @property
    def accepted(self) -> bool:
        """Whether it holds the return."""
        return self.verdict.holds

    def __str__(self) -> str:
        holds = "does not hold"
        if self.verdict.holds:
            holds = "holds"
        return (
            f"neuron {self.neuron}: {self.synops_per_mac:.3f} synops per MAC, {holds} {TARGET} of"
            f" the return: {self.verdict.reason}"
        )


def convert_automatically(
    policy: Policy,
    source: StateSource,
    options: ConversionOptions = DEFAULTS,
    progress: Progress = silent,
) -> tuple[Artifact, list[AutomaticAttempt]]:
    """Convert with every neuron that carries the policy.

    Each artifact runs 20 episodes on the seeds of tuning; the cheapest (synops) that holds 0.99 of
    the return is taken, or sdn where none does.

    Args:
        policy: The float policy.
        source: Names the environment.
        options: Apply to all; the neuron is ignored, and what belongs to sdn goes to sdn alone.
        progress: Is called as it goes.

    Returns:
        The artifact, and what was found of each neuron.

    Raises:
        InputError: Where the user chose what only a named neuron can have, where sdn does not
            convert, and for states that cannot be used.
    """
    refuse_own_choices(options.timesteps, options.alpha, options.threshold_shares)
    assert source.env is not None
    check_before_states(policy, dataclasses.replace(options, neuron=SURE))
    subject = visited(policy, source, progress)
    loop = Loop(source.env, source.seed, list(subject.calibration.seeds), progress)
    seeds = search_seeds(source.seed, EPISODES)
    returns = episodes(policy.actor(EPISODES), source.env, seeds).returns
    found: list[tuple[Artifact, AutomaticAttempt]] = []
    for neuron in TRIED:
        if not SCHEMES[neuron].accepts(policy):
            continue
        artifact = _tried(subject, neuron, options, loop)
        if artifact is None:
            continue
        backend = FastBackend(artifact, EPISODES)
        mine = episodes(backend, source.env, seeds, progress, f"neuron {neuron}").returns
        verdict = holds_target(mine, returns, TARGET)
        attempt = AutomaticAttempt(neuron, backend.census().synops_per_mac, verdict)
        found.append((artifact, attempt))
    holding = [pair for pair in found if pair[1].accepted] or found[:1]
    artifact, taken = min(holding, key=lambda pair: pair[1].synops_per_mac)
    attempts = [attempt for _, attempt in found]
    notes = {
        "seeds": [*artifact.calibration["seeds"], *seeds],
        "automatic": [_record(attempt, taken) for attempt in attempts],
    }
    return with_notes(artifact, notes), attempts


def _tried(
    subject: CalibratedPolicy[Policy], neuron: str, options: ConversionOptions, loop: Loop
) -> Artifact | None:
    """The conversion with one neuron; None where its proof does not pass at this width."""
    own: dict[str, Any] = {}
    if neuron != SURE:
        own = {name: getattr(DEFAULTS, name) for name in SDN_ONLY}
    try:
        chosen = dataclasses.replace(options, neuron=neuron, **own)
        again = loop.again(subject.calibration.seeds)
        artifact, _ = convert_calibrated(subject, chosen, again, loop.progress)
    except InputError:
        if neuron == SURE:
            raise
        return None
    return artifact


def episodes(
    actor: Actor, env: str, seeds: range, progress: Progress = silent, stage: str = ""
) -> Rollout:
    """One episode per seed, all at once."""
    return roll_out(
        actor,
        lambda index: gymnasium_bridge.make(env, trusted=True),
        seeds,
        lambda done: progress(stage, done, len(seeds)),
    )


def _record(attempt: AutomaticAttempt, taken: AutomaticAttempt) -> dict[str, Any]:
    """An attempt as JSON data."""
    return {
        "neuron": attempt.neuron,
        "synops_per_mac": attempt.synops_per_mac,
        "holds": attempt.accepted,
        "taken": attempt is taken,
    }


def refuse_own_choices(
    timesteps: int | None, alpha: float | None, threshold_shares: tuple[float, ...]
) -> None:
    """Raise InputError where a user chose what only a named neuron can have."""
    chosen = {
        "--timesteps": timesteps is not None,
        "--alpha": alpha is not None,
        "--threshold-shares": bool(threshold_shares),
    }
    for option, is_given in chosen.items():
        if is_given:
            raise InputError(
                "--neuron auto",
                "takes each neuron's own timesteps, alpha and thresholds",
                got=option,
                fix=(f"omit {option}", "name a --neuron"),
            )
