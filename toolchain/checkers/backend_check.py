"""`check_backend`.

Somebody else's backend against what Lava computed and against the rules of every backend.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.checkers import golden
from spikeport.toolchain.checkers.backend_rules import rule_checks, sensitivity
from spikeport.toolchain.checkers.check_report import Check, CheckReport, run_check
from spikeport.toolchain.checkers.command_check import check_command
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
    """Hold a backend against the golden vectors; a Python one against the rules of contract section
    4 too.

    backend: a class that implements `Backend` (or a function of an artifact and a number of rows
    that returns one), or a command, as one text or as its words, that reads and writes the layout
    of docs/checkers.md. neurons: short names of those that the backend has; None: all. `timeout_s`
    is the command's. Raises InputError for an unknown neuron and for a command that cannot be
    started.
    """
    cases = case_names(None if neurons is None else tuple(neurons))
    if not callable(backend):
        if isinstance(backend, str):
            words = shlex.split(backend)
        else:
            words = list(backend)
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
        return CheckReport(
            "backend", shlex.join(words), tuple(check_command(words, cases, timeout_s))
        )
    factory: Factory = backend
    subject = getattr(factory, "__qualname__", type(factory).__name__)
    interface = run_check("interface", lambda: _interface(factory, cases[0]))
    if not interface.passed:
        return CheckReport("backend", subject, (interface,))
    vectors = [run_check(case, lambda case=case: _trace(factory, case)) for case in cases]
    return CheckReport("backend", subject, (interface, *vectors, *_rules(factory, cases)))


def _interface(factory: Factory, case: str) -> tuple[list[str], str]:
    if isinstance(factory, type) and issubclass(factory, Backend):
        missing = factory.missing()
    else:
        missing = ""
    if missing:
        return [f"cannot run here: {missing}"], ""
    with factory(golden.read(case).artifact) as opened:
        if not isinstance(opened, Backend):
            return [
                f"a {type(opened).__name__} is no spikeport.toolchain.simulation.backend.Backend"
            ], ""
        name: Any = getattr(opened, "name", None)
        return (
            [] if isinstance(name, str) and name else ["it has no name"]
        ), f"name {name}, rows up to {opened.max_rows or 'any number'}"


def _trace(factory: Factory, name: str) -> tuple[list[str], str]:
    case = golden.read(name)
    with factory(case.artifact) as backend:
        trace = backend.trace(case.observations, case.flags)
    if not np.array_equal(trace.inputs, case.recorded["inputs"]):
        return ["the encoder's payloads differ"], ""
    saturations = np.array([layer.saturations for layer in trace.census.layers])
    return differences(
        case,
        Integers(
            [layer.payloads for layer in trace.layers],
            [layer.states for layer in trace.layers],
            saturations,
        ),
    )


def _rules(factory: Factory, cases: list[str]) -> list[Check]:
    """The rules on one network of every neuron.

    The one on whose actions a missed episode start shows most.
    """
    chosen: dict[str, tuple[int, Artifact]] = {}
    for name in cases:
        artifact = golden.read(name).artifact
        shows = sensitivity(artifact)
        if short_name(name) not in chosen or shows > chosen[short_name(name)][0]:
            chosen[short_name(name)] = (shows, artifact)
    return [
        check
        for neuron, (_, artifact) in chosen.items()
        for check in rule_checks(factory, neuron, artifact)
    ]
