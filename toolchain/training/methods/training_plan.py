"""What determines the weights of a training run; method_choices.py makes and checks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spikeport.toolchain.training.methods.hyperparameters import HIDDEN, LEARNING_STARTS

MOST_THREADS = 1024
MOST_STEPS = 5_000_000  # the memory keeps every step
LIMITS = {  # of the whole numbers in a plan
    "seed": (0, 2**32 - 1),  # as NumPy's
    "learning_starts": (0, MOST_STEPS),
    "threads": (1, MOST_THREADS),
}


@dataclass(frozen=True)
class TrainingPlan:
    """A method, its task, and every choice on which the trained weights depend.

    Attributes:
        method: A name in the table of training methods.
        environment: A Gymnasium id; `module:Id` imports that module.
        neuron: Neuron of a spiking actor.
        seed: Of weights, minibatches, actions and episodes.
        learning_starts: Steps of random actions before training begins.
        threads: Threads of PyTorch.
        hidden: Widths of the hidden layers of actor and critics.
        own: All choices of the method's own by name, as JSON holds them.
    """

    method: str
    environment: str
    neuron: str = "lif"
    seed: int = 0
    learning_starts: int = LEARNING_STARTS
    threads: int = 1
    hidden: tuple[int, ...] = HIDDEN
    own: Mapping[str, Any] = field(default_factory=dict)

    def problems(self, neurons: tuple[str, ...]) -> list[str]:
        """Say what is wrong with the common choices, given the neurons that may be trained."""
        problems = []
        if self.neuron not in neurons:
            problems.append(f"neuron is {self.neuron!r}, known are {', '.join(neurons)}")
        if not isinstance(self.environment, str):
            kind = type(self.environment).__name__
            problems.append(f"environment is a {kind}, a Gymnasium id expected")
        whole = all(isinstance(width, int) and width >= 1 for width in self.hidden)
        if not self.hidden or not whole:
            problems.append(f"hidden is {tuple(self.hidden)!r}, at least one whole number expected")
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not low <= value <= high:
                problems.append(f"{name} is {value!r}, {low}..{high} expected")
        return problems

    def to_json(self) -> dict[str, Any]:
        """The plan as one flat object, the method's own choices among the others."""
        return {
            "method": self.method,
            "environment": self.environment,
            "neuron": self.neuron,
            "seed": self.seed,
            "learning_starts": self.learning_starts,
            "threads": self.threads,
            **self.own,
            "hidden": list(self.hidden),
        }
