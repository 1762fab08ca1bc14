"""`check_policy`: is a float policy consistent, deterministic, finite and within its bounds?

It also says what the policy converts to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.checkers.check_report import CheckReport, run_check
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.conversion.build import convert
from spikeport.toolchain.conversion.calibration.states import (
    Calibration,
    from_arrays,
    from_environment,
)
from spikeport.toolchain.conversion.conversion_options import ConversionOptions
from spikeport.toolchain.conversion.schemes.scheme_table import SCHEMES
from spikeport.toolchain.environments import gymnasium_bridge
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.policy_interface import AnyPolicy
from spikeport.toolchain.readers.load import load_policy

STEPS = 400
ROWS = 6
Found = tuple[list[str], str]


@dataclass(frozen=True, eq=False)
class Subject:
    """A policy, the states it is tried on, and the environment's facts where one is known."""

    policy: AnyPolicy
    states: Calibration
    facts: EnvironmentFacts | None


def check_policy(
    policy: AnyPolicy | str | os.PathLike[str], env: str | None = None, **options: Any
) -> CheckReport:
    """Check a policy, or a checkpoint.

    Its last check, `conversion`, names the neurons that carry the policy, and of every other the
    reason.

    Args:
        policy: A policy, or a file that `spikeport.load_policy` reads.
        env: A Gymnasium id. The policy is tried on 400 states that it visits there itself; without
            one on synthetic states: normal numbers in the normaliser's units, its range ends
            included.
        options: Of `spikeport.load_policy`, for a file.

    Returns:
        Every check by name.

    Raises:
        InputError: For a file or an environment that cannot be used.
    """
    facts = None if env is None else _facts(env)
    if isinstance(policy, str | os.PathLike):
        policy = _load(policy, facts, options)
    elif options:
        raise InputError(
            "check_policy",
            "options belong to a file that is still to be read",
            got=", ".join(options),
            fix="give the path, or no options",
        )
    name = policy.provenance.file
    checks = [run_check("contracts", lambda: _contracts(policy))]
    if facts is not None:
        checks.append(run_check("environment", lambda: _fit(policy, facts)))
    if not all(check.passed for check in checks):
        return CheckReport("policy", name, tuple(checks))
    subject = Subject(policy, _states(policy, env), facts)
    checks += [run_check(title, lambda rule=rule: rule(subject)) for title, rule in RULES.items()]
    return CheckReport("policy", name, tuple(checks))


def _load(
    path: str | os.PathLike[str], facts: EnvironmentFacts | None, options: dict[str, Any]
) -> AnyPolicy:
    """Read a checkpoint; without an environment the bounds among `options` take its place."""
    bounds = {name: options.pop(name) for name in ("action_low", "action_high") if name in options}
    return load_policy(path, environment=facts or EnvironmentFacts(**bounds), **options)


def _facts(env: str) -> EnvironmentFacts:
    made = gymnasium_bridge.make(env, trusted=True)
    try:
        return gymnasium_bridge.facts(made, env)
    finally:
        made.close()


def _contracts(policy: AnyPolicy) -> Found:
    """Numbers that the host's arithmetic cannot use and that the dataclasses do not refuse."""
    observation = policy.observation
    action = policy.action
    problems = []
    if observation.size < 1 or action.size < 1:
        problems.append(
            f"{observation.size} observation and {action.size} action channels, at least 1 of each"
            " expected"
        )
    problems += _normaliser_problems(observation)
    for name, labels, count in (
        ("observation names", observation.names, observation.size),
        ("observation units", observation.units, observation.size),
        ("action names", action.names, action.size),
        ("action units", action.units, action.size),
    ):
        if labels and len(labels) != count:
            problems.append(f"{len(labels)} {name} for {count} channels")
    problems += _action_problems(action)
    kind = f"{action.size} {'choices' if action.discrete else 'action channels'}"
    return problems, f"{observation.size} observation channels, {kind}"


def _normaliser_problems(observation: ObservationContract) -> Iterator[str]:
    spread = np.ones(1)
    if observation.variance is not None:
        spread = observation.variance + observation.epsilon
    flat = np.flatnonzero(~(np.isfinite(spread) & (spread > 0))).tolist()
    if flat:
        yield (
            f"the normaliser's variance plus epsilon is not finite and positive in channels {flat}"
        )
    if observation.mean is not None and not np.isfinite(observation.mean).all():
        yield "the normaliser's mean is not finite"
    if observation.clip is not None and not 0 < observation.clip < np.inf:
        yield f"the normaliser clips at {observation.clip}, a finite number above 0 expected"


def _action_problems(action: ActionContract) -> Iterator[str]:
    if not (np.isfinite(action.scale).all() and np.isfinite(action.offset).all()):
        yield "the action's scale and offset are not finite"
    still = np.flatnonzero(action.scale == 0).tolist()
    if still and not action.discrete:
        yield f"the action's scale is 0 in channels {still}: they never move"
    low = action.low
    high = action.high
    if (low is None) != (high is None):
        yield "an action that is clipped needs low and high"
    elif low is not None and high is not None and not (low < high).all():
        wrong = np.flatnonzero(~(low < high)).tolist()
        yield f"action bounds are not low < high in channels {wrong}"


def _fit(policy: AnyPolicy, facts: EnvironmentFacts) -> Found:
    gymnasium_bridge.check_fit(facts, policy.observation.size, policy.action)
    return [], f"{facts.label}: {policy.observation.size} observation channels and the action fit"


def _states(policy: AnyPolicy, env: str | None) -> Calibration:
    if env is not None:
        made = gymnasium_bridge.make(env, trusted=True)
        try:
            return from_environment(policy, made, STEPS, 0)
        finally:
            made.close()
    rng = np.random.default_rng(0)
    size = policy.observation.size
    observation = policy.observation
    values = rng.normal(size=(STEPS, size))
    values[-4:] = np.array([-1, 1, 10, 0])[:, None] * (observation.clip or 10.0)
    # a channel that hardly varies keeps a variance near the largest number
    spread = np.minimum(observation.divisor[:size], 1e6)
    starts = np.zeros(STEPS, bool)
    starts[:: STEPS // 4] = True
    return from_arrays(values * spread + observation.shift[:size], starts, size)


def _act(subject: Subject, observations: NDArray[np.float64]) -> NDArray[np.float64]:
    return subject.policy.act(observations, subject.states.decisions)


def _shape(subject: Subject) -> Found:
    actions = _act(subject, subject.states.observations)
    wanted = (STEPS, subject.policy.action.channels)
    problems = []
    if actions.shape != wanted:
        problems.append(f"actions have shape {actions.shape}, {wanted} expected")
    if actions.dtype != np.float64:
        problems.append(f"actions are {actions.dtype}, float64 expected")
    return problems, f"float64 {wanted}"


def _finite(subject: Subject) -> Found:
    bad = np.argwhere(~np.isfinite(_act(subject, subject.states.observations)))
    if len(bad):
        state, channel = bad[0]
        return [
            f"{len(bad)} actions are not finite, the first in state {state}, channel {channel}"
        ], ""
    return [], f"{STEPS} states of {subject.states.source}"


def _deterministic(subject: Subject) -> Found:
    first, second = (_act(subject, subject.states.observations.copy()) for _ in range(2))
    different = np.flatnonzero((first != second).any(axis=1))
    if len(different):
        return [
            f"{len(different)} states gave another action the second time, the first of them state"
            f" {different[0]}"
        ], ""
    return [], "equal bits twice"


def _rows(subject: Subject) -> Found:
    """Whatever the others hold, a row's actions are the same bits over a whole stream."""
    policy = subject.policy
    values = subject.states.observations
    streams = np.stack([np.roll(values, 7 * row, axis=0)[:24] for row in range(ROWS)], axis=1)
    others = np.stack(
        [np.roll(values, 7 * row + 3, axis=0)[:24] * 0.5 for row in range(ROWS)], axis=1
    )
    alone = policy.actor(ROWS)
    expected = [alone.decide(step) for step in streams]
    for row in range(ROWS):
        mixed = others.copy()
        actor = policy.actor(ROWS)
        mixed[:, row] = streams[:, row]
        for index, step in enumerate(mixed):
            if not np.array_equal(actor.decide(step)[row], expected[index][row]):
                return [f"the action of row {row}, decision {index} depends on the other rows"], ""
    return [], f"{ROWS} rows"


def _bounds(subject: Subject) -> Found:
    """Actions are choices, or within the bounds that the environment or the policy names."""
    actions = _act(subject, subject.states.observations)
    action = subject.policy.action
    if action.discrete:
        return _choices(actions[:, 0], action.size)
    named = None if subject.facts is None else subject.facts.bounds
    low, high = named or (action.low, action.high)
    if low is None or high is None:
        return [], f"none are known; actions reach {actions.min():.3g}..{actions.max():.3g}"
    # bounds of float32, actions of float64
    slack = 1e-6 * np.maximum(1.0, np.abs(np.stack([low, high])).max(0))
    outside = ((actions < low - slack) | (actions > high + slack)).any(axis=0)
    if outside.any():
        problem = f"actions leave the bounds in channels {np.flatnonzero(outside).tolist()}"
        if action.low is None and action.squash != "tanh":
            problem += "; the policy does not clip"
        return [problem], ""
    return [], f"within {low.min():.3g}..{high.max():.3g}"


def _choices(choices: NDArray[np.float64], count: int) -> Found:
    """Whether choices [n] are whole numbers below `count`."""
    outside = np.flatnonzero((choices != np.floor(choices)) | (choices < 0) | (choices >= count))
    if len(outside):
        first = outside[0]
        return [f"choice {choices[first]} in state {first}, 0..{count - 1} expected"], ""
    return [], f"0..{count - 1}"


def _conversion(subject: Subject) -> Found:
    """Each neuron is tried on the same states; one that carries the policy is enough."""
    carried = []
    refused = []
    for neuron in SCHEMES:
        try:
            _converted(subject, neuron)
            carried.append(neuron)
        except InputError as error:
            refused.append(f"not by {neuron}: {_reason(error)}")
    if not carried:
        return ["; ".join(["by no neuron", *refused])], ""
    return [], "; ".join([f"by {', '.join(carried)}", *refused])


def _converted(subject: Subject, neuron: str) -> object:
    """The policy as an artifact of these neurons; raises InputError where they do not carry it."""
    policy = subject.policy
    options = ConversionOptions(neuron=neuron)
    own = policy.own_neuron
    if own is not None:
        if neuron != own:
            raise InputError(
                "conversion",
                f"the network was trained as spiking and keeps its own neurons, {own}",
                fix=f"--neuron {own}",
            )
    return convert(policy, subject.states, options)


def _reason(error: InputError) -> str:
    """The text without its place and its fix."""
    return str(error).removeprefix(f"{error.where}: ").split(" Fix: ")[0].rstrip(".")


RULES: dict[str, Callable[[Subject], Found]] = {
    "shape and type": _shape,
    "finite": _finite,
    "deterministic": _deterministic,
    "rows are independent": _rows,
    "bounds": _bounds,
    "conversion": _conversion,
}
