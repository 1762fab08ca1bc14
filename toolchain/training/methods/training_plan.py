"""What determines the weights of a training run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from spikeport.toolchain import plugins
from spikeport.toolchain.errors import did_you_mean, violations
from spikeport.toolchain.training.layers.scans import NEURONS
from spikeport.toolchain.training.methods.hyperparameters import HIDDEN, LEARNING_STARTS
from spikeport.toolchain.training.methods.method import TrainingMethod

METHODS = "training_methods"  # their table
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
        own: The method's own choices by name; those that are absent have its defaults.
    """

    method: str
    environment: str
    neuron: str = "lif"
    seed: int = 0
    learning_starts: int = LEARNING_STARTS
    threads: int = 1
    hidden: tuple[int, ...] = HIDDEN
    own: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        methods = plugins.names(METHODS)
        problems = []
        neurons = NEURONS
        if self.method in methods:
            neurons = method_class(self.method).neurons
        else:
            suggestion = did_you_mean(self.method, methods)
            problems.append(f"unknown method {self.method!r} {suggestion}".rstrip())
        problems += self._common_problems(neurons)
        if self.method in methods:
            problems += self._own_problems()
        if problems:
            raise violations(
                "training",
                problems,
                fix=f"spikeport train --help lists them; methods are {', '.join(methods)}",
            )
        object.__setattr__(self, "hidden", tuple(self.hidden))

    def _common_problems(self, neurons: tuple[str, ...]) -> list[str]:
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

    def _own_problems(self) -> list[str]:
        known = own_choices(self.method)
        unknown = [name for name in self.own if name not in known]
        if unknown:
            return [
                f"{self.method} has no choice {name!r} {did_you_mean(name, known)}".rstrip()
                for name in unknown
            ]
        return self.trainer.problems(self)

    @cached_property
    def trainer(self) -> TrainingMethod:
        """The method with its own choices."""
        return method_class(self.method)(**self.own)

    def to_json(self) -> dict[str, Any]:
        """The plan as one flat object, the method's own choices among the others."""
        return {
            "method": self.method,
            "environment": self.environment,
            "neuron": self.neuron,
            "seed": self.seed,
            "learning_starts": self.learning_starts,
            "threads": self.threads,
            **json.loads(json.dumps(dataclasses.asdict(self.trainer))),  # as it is read back
            "hidden": list(self.hidden),
        }


COMMON = tuple(
    field.name
    for field in dataclasses.fields(TrainingPlan)
    if field.name not in ("method", "environment", "own")
)


def make_plan(method: str, environment: str, **choices: Any) -> TrainingPlan:
    """A plan from choices by name, whether they are common to all methods or a method's own."""
    common = {name: value for name, value in choices.items() if name in COMMON}
    own = {name: value for name, value in choices.items() if name not in COMMON}
    return TrainingPlan(method, environment, **common, own=own)


def method_class(name: str) -> type[TrainingMethod]:
    """The class of a method in the table."""
    found: type[TrainingMethod] = plugins.find(METHODS, name, "METHOD")
    return found


def own_choices(method: str) -> tuple[str, ...]:
    """The names of a method's own choices."""
    return tuple(field.name for field in dataclasses.fields(method_class(method)))
