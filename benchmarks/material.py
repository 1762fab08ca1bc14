"""What the contenders work on.

A policy, its two spiking networks and a stream of real observations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import ACTION_ERROR, ALPHA, TIMESTEPS, Subject
from spikeport import api
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.errors import CheckFailed
from spikeport.toolchain.policies.ann_policy import Policy

# calibration uses seeds from 10^6
SEED = 1000
DECISIONS = 1000


@dataclass(frozen=True, eq=False)
class Stream:
    """The first decisions of one episode of the source policy.

    Observations [n, obs], actions [n, act] as sent.
    """

    observations: NDArray[np.float64]
    actions: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Material:
    subject: Subject
    policy: Policy
    sdn: Artifact
    stream: Stream


def prepare(subject: Subject, calibration_steps: int) -> Material:
    """Read, convert to `sdn`, record. Raises CheckFailed for an episode that ends early."""
    policy = api.load_policy(subject.checkpoint, env=subject.environment)
    sdn = api.convert(
        policy,
        env=subject.environment,
        action_error=ACTION_ERROR,
        calibration_steps=calibration_steps,
    )
    return Material(subject, policy, sdn, record(policy, subject.environment))


def rate_network(material: Material, calibration_steps: int) -> Artifact:
    """The same policy as `if` network."""
    return api.convert(
        material.policy,
        env=material.subject.environment,
        neuron="if",
        timesteps=TIMESTEPS,
        alpha=ALPHA,
        calibration_steps=calibration_steps,
    )


def record(policy: Policy, environment: str) -> Stream:
    """Run the source policy for DECISIONS decisions of one episode."""
    env = make(environment)
    observations = np.zeros((DECISIONS, policy.observation.size))
    actions = np.zeros((DECISIONS, policy.action.size), env.action_space.dtype)
    with gymnasium_bridge.quiet():
        observation, _ = env.reset(seed=SEED)
        for index in range(DECISIONS):
            observations[index] = gymnasium_bridge.flat(observation)
            actions[index] = policy.act(observations[index : index + 1], np.array([index]))[0]
            observation, _, terminated, truncated, _ = env.step(actions[index])
            if (terminated or truncated) and index < DECISIONS - 1:
                why = "every contender walks the same episode"
                raise CheckFailed(
                    f"benchmark, {environment}",
                    "the source policy's episode ended early",
                    got=index + 1,
                    limit=DECISIONS,
                    why=why,
                )
    env.close()
    return Stream(observations, actions)


def make(environment: str) -> Any:
    """The environment as `simulate` makes it."""
    return gymnasium_bridge.make(environment, trusted=True)
