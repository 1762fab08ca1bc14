"""Hyperparameters of Xu et al. 2025 (arXiv 2505.24161, tables 5 to 7).

The proxy's depend on the neuron, the others are shared. The paper makes one exception: on
InvertedDoublePendulum the proxy of clif is (512, 512).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spikeport.toolchain.errors import InputError

HIDDEN = (256, 256)  # of the actor and of each critic
LEARNING_RATE = 3e-4  # Adam, actor and critics
BATCH = 256
GAMMA = 0.99
TAU = 0.005
EXPLORATION_NOISE = 0.1  # standard deviation; this and the next two of half the action range
TARGET_NOISE = 0.2
NOISE_CLIP = 0.5
POLICY_DELAY = 2
LEARNING_STARTS = 25_000  # steps of random actions
EVALUATE_EVERY = 5_000
EVALUATION_EPISODES = 10
PAPER: dict[str, Any] = {  # of TD3, by the names of its arguments
    "learning_rate": LEARNING_RATE,
    "learning_starts": LEARNING_STARTS,
    "batch_size": BATCH,
    "gamma": GAMMA,
    "tau": TAU,
    "policy_delay": POLICY_DELAY,
    "target_policy_noise": TARGET_NOISE,
    "target_noise_clip": NOISE_CLIP,
}


@dataclass(frozen=True)
class ProxyHyperparameters:
    """Hidden widths, Adam's learning rate, and minibatches K per training step."""

    hidden: tuple[int, ...]
    learning_rate: float
    iterations: int = 3


PROXY = {
    "lif": ProxyHyperparameters((512, 512), 1e-3),
    "clif": ProxyHyperparameters((800, 600), 3e-3),
    "dn": ProxyHyperparameters((512, 512), 3e-3),
}


def proxy_hyperparameters(neuron: str, environment: str = "") -> ProxyHyperparameters:
    """Look up the paper's proxy for a neuron in an environment.

    Raises:
        InputError: For a neuron that the paper does not know.
    """
    if neuron not in PROXY:
        raise InputError(
            "spiking network",
            "unknown neuron",
            got=neuron,
            limit=", ".join(PROXY),
            fix="neuron lif",
        )
    if neuron == "clif" and "InvertedDoublePendulum" in environment:
        return ProxyHyperparameters((512, 512), PROXY["clif"].learning_rate)
    return PROXY[neuron]
