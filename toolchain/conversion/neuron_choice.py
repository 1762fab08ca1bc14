"""`convert --neuron auto`.

Every neuron's default conversion in the closed loop, the cheapest that holds is taken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.conversion.closed_loop_conversion import convert_in_environment
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.seeds import search_seeds
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.actor import FloatActor
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.return_statistics import Verdict, holds_target
from spikeport.toolchain.simulation.rollout import roll_out

EPISODES = 20
TARGET = 0.99
DEFAULTS = ConversionOptions()
SDN_ONLY = ("action_error", "error_shares", "triggers", "allocation", "thrift", "finetune")


@dataclass(frozen=True)
class AutomaticAttempt:
    """One neuron tried."""

    neuron: str
    synops_per_mac: float
    verdict: Verdict

    @property
    def accepted(self) -> bool:
        return self.verdict.holds

    def __str__(self) -> str:
        if self.verdict.holds:
            holds = "holds"
        else:
            holds = "does not hold"
        return (
            f"neuron {self.neuron}: {self.synops_per_mac:.3f} synops per MAC, {holds} {TARGET} of"
            f" the return: {self.verdict.reason}"
        )


def convert_automatically(
    policy: Policy,
    environment: str,
    options: ConversionOptions = DEFAULTS,
    *,
    calibration_steps: int = 10_000,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[Artifact, list[AutomaticAttempt]]:
    """Convert with sdn and, where all hidden layers are relu, with dc, mt, snm and if.

    Each runs 20 episodes on the seeds of tuning; the cheapest (synops) that holds 0.99 of the
    return is taken, or sdn where none does. `options` apply to all; its neuron is ignored, and what
    belongs to sdn goes to sdn alone.
    """
    refuse_own_choices(options.timesteps, options.alpha, options.threshold_shares)
    relu = all(layer.activation == "relu" for layer in policy.layers[:-1])
    seeds = search_seeds(seed, EPISODES)

    def make(index: int) -> object:
        return gymnasium_bridge.make(environment, trusted=True)

    ann = roll_out(FloatActor(policy, EPISODES), make, seeds).returns
    found: list[tuple[Artifact, AutomaticAttempt]] = []
    for neuron in ("sdn", "dc", "mt", "snm", "if") if relu else ("sdn",):
        if neuron == "sdn":
            own = {}
        else:
            own = {name: getattr(DEFAULTS, name) for name in SDN_ONLY}
        try:
            chosen = dataclasses.replace(options, neuron=neuron, **own)
            artifact, _ = convert_in_environment(
                policy,
                environment,
                chosen,
                calibration_steps=calibration_steps,
                seed=seed,
                progress=progress,
            )
        except InputError:
            if neuron == "sdn":
                raise
            continue  # this neuron's proof does not pass at this width
        backend = FastBackend(artifact, EPISODES)
        returns = roll_out(
            backend,
            make,
            seeds,
            lambda done, neuron=neuron: progress(f"neuron {neuron}", done, EPISODES),
        ).returns
        found.append(
            (
                artifact,
                AutomaticAttempt(
                    neuron, backend.census().synops_per_mac, holds_target(returns, ann, TARGET)
                ),
            )
        )
    holding = [pair for pair in found if pair[1].verdict.holds]
    artifact, taken = min(holding, key=lambda pair: pair[1].synops_per_mac) if holding else found[0]
    notes = {
        "seeds": [*artifact.calibration["seeds"], *seeds],
        "automatic": [
            {
                "neuron": attempt.neuron,
                "synops_per_mac": attempt.synops_per_mac,
                "holds": attempt.verdict.holds,
                "taken": attempt is taken,
            }
            for _, attempt in found
        ],
    }
    return dataclasses.replace(artifact, calibration=artifact.calibration | notes), [
        attempt for _, attempt in found
    ]


def refuse_own_choices(
    timesteps: int | None, alpha: float | None, threshold_shares: tuple[float, ...]
) -> None:
    """Raise InputError where a user chose what only a named neuron can have."""
    chosen = {
        "--timesteps": timesteps is not None,
        "--alpha": alpha is not None,
        "--threshold-shares": bool(threshold_shares),
    }
    given = next((option for option, is_given in chosen.items() if is_given), "")
    if given:
        why = "takes each neuron's own timesteps, alpha and thresholds"
        raise InputError(
            "--neuron auto", why, got=given, fix=(f"leave {given} away", "name a --neuron")
        )
