"""Rounds of driving and distilling: a converted artifact in, one with better integers out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.conversion.distillation.distillation_states import Gather, Recorder, States
from spikeport.toolchain.conversion.distillation.distillation_training import train
from spikeport.toolchain.conversion.distillation.distilled_integers import integer_network
from spikeport.toolchain.conversion.distillation.fake_quantised import FakeQuantised
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

ROUNDS = 3
STEPS = 2000  # per round
ROWS = 16  # episodes of each rollout
NOISE = 0.1  # of half the action's range, for the float policy's exploration
MOST_STATES = 200_000
LEAST_SPREAD = 1e-6  # of a row's pre-activations: a bias is learned in these units


def finetune(
    artifact: Artifact,
    policy: Policy,
    states: States,
    bits: int,
    seed: int,
    gather: Gather | None,
    progress: Callable[[str, int, int], None],
) -> Artifact:
    """Distil a policy into an artifact's integers; deterministic for a seed.

    Args:
        artifact: What to begin with.
        policy: The policy that it came from.
        states: Those of the calibration.
        bits: Of the weights.
        seed: The user's --seed.
        gather: Runs an actor and gives the states that it met. The float policy under noise, and
            before each round the network as it is then, add theirs. None: the calibration's alone.
        progress: Is called with each round.

    Returns:
        The artifact with the distilled network, checked.

    Raises:
        InputError: Where PyTorch is missing.
    """
    inputs = policy.observation.apply(states.observations, states.decisions)
    spread = [np.maximum(pre.std(0), LEAST_SPREAD) for pre in policy.forward(inputs)]
    student = FakeQuantised(artifact.network, spread, bits)
    current = artifact
    if gather is not None:
        noisy = Recorder(policy.actor(ROWS), NOISE * policy.action.range / 2, seed)
        states = states + gather(noisy, "finetune: noisy states")
    for number in range(ROUNDS):
        if gather is not None:
            own = Recorder(FastBackend(current, ROWS))
            states = newest(states + gather(own, f"finetune: own states {number + 1}"))
        inputs = policy.observation.apply(states.observations, states.decisions)
        stage = f"finetune: round {number + 1} of {ROUNDS}"
        heights = ((ROUNDS - number) / ROUNDS, (ROUNDS - number - 1) / ROUNDS)
        train(
            student,
            policy,
            inputs,
            STEPS,
            seed + number,
            heights,
            lambda done, stage=stage: progress(stage, done, STEPS),
        )
        current = dataclasses.replace(artifact, network=integer_network(student))
    record = artifact.calibration | {
        "finetuned": True,
        "finetune_steps": ROUNDS * STEPS,
        "finetune_rounds": ROUNDS,
        "finetune_states": len(states.decisions),
    }
    current = dataclasses.replace(current, calibration=record)
    check(current, policy.provenance.file)
    return current


def newest(states: States) -> States:
    """The last 200,000 of the states."""
    return States(states.observations[-MOST_STATES:], states.decisions[-MOST_STATES:])
