"""Rounds of driving and distilling, from a converted artifact to one with the same integers' format
and better ones.
"""

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
from spikeport.toolchain.policies.actor import FloatActor
from spikeport.toolchain.policies.ann_policy import Policy
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend

ROUNDS = 3
STEPS = 2000  # per round
ROWS = 16  # episodes of each rollout
NOISE = 0.1  # of half the action's range, for the float policy's exploration
MOST_STATES = 200_000


def finetune(
    artifact: Artifact,
    policy: Policy,
    states: States,
    bits: int,
    seed: int,
    gather: Gather | None,
    progress: Callable[[str, int, int], None],
) -> Artifact:
    """Distil `policy` into the integers of `artifact`; `states` are those of the calibration.

    With `gather` the states of the float policy under noise and, before each round, those of the
    network as it is then are added. Deterministic for a seed. Raises InputError where PyTorch is
    missing.
    """
    network = artifact.network
    inputs = policy.observation.apply(states.observations, states.decisions)
    spread = [np.maximum(pre.std(0), 1e-6) for pre in policy.forward(inputs)]
    student = FakeQuantised(network, spread, bits)
    current = artifact
    if gather is not None:
        states = states + gather(
            Recorder(FloatActor(policy, ROWS), NOISE * policy.action.range / 2, seed),
            "finetune: noisy states",
        )
    for number in range(ROUNDS):
        if gather is not None:
            states = newest(
                states
                + gather(Recorder(FastBackend(current, ROWS)), f"finetune: own states {number + 1}")
            )
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
    return States(states.observations[-MOST_STATES:], states.decisions[-MOST_STATES:])
