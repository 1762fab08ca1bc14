"""`check_backend`: somebody else's backend against what Lava computed.

A Python one is held against the rules of every backend, too.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.checkers.backend_rules import rule_checks, sensitivity
from spikeport.toolchain.checkers.check_report import Check, CheckReport, run_check
from spikeport.toolchain.checkers.command_check import check_command
from spikeport.toolchain.checkers.golden import read as read_golden
from spikeport.toolchain.checkers.golden_vectors import case_names, short_name
from spikeport.toolchain.checkers.integer_check import Integers, differences
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.backend import Backend

TIMEOUT_S = 300.0
Factory = Callable[..., Backend]


def check_backend(
    backend: Factory | str | Sequence[str],
    *,
    neurons: Sequence[str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> CheckReport:
    """Hold a backend against the golden vectors; a Python one against contract section 4 too.

    Args:
        backend: A class that implements `Backend` (or a function of an artifact and a number of
            rows that returns one), or a command, as one text or as its words, that reads and
            writes the layout of docs/checkers.md.
        neurons: Short names of those that the backend has; None: all.
        timeout_s: Seconds that a command may take.

    Returns:
        Every check by name.

    Raises:
        InputError: For an unknown neuron and for a command that cannot be started.
    """
    cases = case_names(None if neurons is None else tuple(neurons))
    if not callable(backend):
        return _command(backend, cases, timeout_s)
    factory: Factory = backend
    subject = getattr(factory, "__qualname__", type(factory).__name__)
    interface = run_check("interface", lambda: _interface(factory, cases[0]))
    if not interface.passed:
        return CheckReport("backend", subject, (interface,))
    vectors = [run_check(case, lambda case=case: _trace(factory, case)) for case in cases]
    return CheckReport("backend", subject, (interface, *vectors, *_rules(factory, cases)))


def _command(backend: str | Sequence[str], cases: list[str], timeout_s: float) -> CheckReport:
    words = shlex.split(backend) if isinstance(backend, str) else list(backend)
    if not words:
        raise InputError(
            "--backend-command", "names no program", fix="--backend-command ./my_backend"
        )
    if not timeout_s > 0:
        raise InputError(
            "--timeout",
            "no time to run in",
            got=timeout_s,
            limit="above 0",
            fix=f"--timeout {TIMEOUT_S:g}",
        )
    return CheckReport("backend", shlex.join(words), tuple(check_command(words, cases, timeout_s)))


def _interface(factory: Factory, case: str) -> tuple[list[str], str]:
    """Whether it can run here, is a Backend, and has a name."""
    if isinstance(factory, type) and issubclass(factory, Backend):
        missing = factory.missing()
        if missing:
            return [f"cannot run here: {missing}"], ""
    with factory(read_golden(case).artifact) as opened:
        if not isinstance(opened, Backend):
            wanted = "spikeport.toolchain.simulation.backend.Backend"
            return [f"a {type(opened).__name__} is no {wanted}"], ""
        name: Any = getattr(opened, "name", None)
        if not isinstance(name, str) or not name:
            return ["it has no name"], ""
        return [], f"name {name}, rows up to {opened.max_rows or 'any number'}"


def _trace(factory: Factory, name: str) -> tuple[list[str], str]:
    """One golden vector on the backend."""
    case = read_golden(name)
    with factory(case.artifact) as backend:
        trace = backend.trace(case.observations, case.flags)
    if not np.array_equal(trace.inputs, case.recorded["inputs"]):
        return ["the encoder's payloads differ"], ""
    found = Integers(
        [layer.payloads for layer in trace.layers],
        [layer.states for layer in trace.layers],
        np.array([layer.saturations for layer in trace.census.layers]),
    )
    return differences(case, found)


def _rules(factory: Factory, cases: list[str]) -> list[Check]:
    """The rules on one network of every neuron: where a missed episode start shows most."""
    chosen: dict[str, tuple[int, Artifact]] = {}
    for name in cases:
        artifact = read_golden(name).artifact
        shows = sensitivity(artifact)
        if short_name(name) not in chosen or shows > chosen[short_name(name)][0]:
            chosen[short_name(name)] = (shows, artifact)
    return [
        check
        for neuron, (_, artifact) in chosen.items()
        for check in rule_checks(factory, neuron, artifact)
    ]
