"""From choices by name to the plan of a run, by the table of training methods."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from spikeport.toolchain import plugins
from spikeport.toolchain.errors import did_you_mean, violations
from spikeport.toolchain.training.layers.scans import NEURONS
from spikeport.toolchain.training.methods.method import TrainingMethod
from spikeport.toolchain.training.methods.training_plan import TrainingPlan

METHODS = "training_methods"  # their table
COMMON = tuple(
    field.name
    for field in dataclasses.fields(TrainingPlan)
    if field.name not in ("method", "environment", "own")
)


def make_plan(method: str, environment: str, **choices: Any) -> TrainingPlan:
    """Make a plan from choices by name.

    Args:
        method: A name in the table of training methods.
        environment: A Gymnasium id.
        choices: Those that are common to all methods, and the method's own.

    Returns:
        The plan, with the method's defaults where it was given no choice.

    Raises:
        InputError: For choices that cannot be used, all of them at once.
    """
    common = {name: value for name, value in choices.items() if name in COMMON}
    own = {name: value for name, value in choices.items() if name not in COMMON}
    plan = TrainingPlan(method, environment, **common, own=own)
    methods = plugins.names(METHODS)
    if method in methods:
        problems = plan.problems(method_class(method).neurons) + _own_problems(plan)
    else:
        unknown = f"unknown method {method!r} {did_you_mean(method, methods)}".rstrip()
        problems = [unknown, *plan.problems(NEURONS)]
    if problems:
        raise violations(
            "training",
            problems,
            fix=f"spikeport train --help lists them; methods are {', '.join(methods)}",
        )
    # as they are read back from the run's files
    whole = json.loads(json.dumps(dataclasses.asdict(trainer_of(plan))))
    return dataclasses.replace(plan, hidden=tuple(plan.hidden), own=whole)


def trainer_of(plan: TrainingPlan) -> TrainingMethod:
    """The method of a plan, with its own choices."""
    return method_class(plan.method)(**plan.own)


def method_class(name: str) -> type[TrainingMethod]:
    """The class of a method in the table."""
    return plugins.find(
        METHODS,
        name,
        where="METHOD",
        what="unknown training method",
        usual="spikeport train --help",
    )


def own_choices(method: str) -> tuple[str, ...]:
    """The names of a method's own choices."""
    return tuple(field.name for field in dataclasses.fields(method_class(method)))


def _own_problems(plan: TrainingPlan) -> list[str]:
    known = own_choices(plan.method)
    unknown = [name for name in plan.own if name not in known]
    if unknown:
        return [
            f"{plan.method} has no choice {name!r} {did_you_mean(name, known)}".rstrip()
            for name in unknown
        ]
    return trainer_of(plan).problems(plan)
