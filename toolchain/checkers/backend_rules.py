"""The rules of contract section 4 on one network.

They are about host arithmetic, rows, episode starts, census and refusals. The expected values are
the reference backend's, which the conformance suite holds against an independent oracle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.checkers.check_report import Check, run_check
from spikeport.toolchain.contracts import ActionContract, ObservationContract, TimeFeature
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import Network
from spikeport.toolchain.simulation.backend import Backend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from spikeport.toolchain.simulation.verification import compare

Factory = Callable[..., Backend]
Float = NDArray[np.float64]
Found = tuple[list[str], str]
DECISIONS = 24
ROWS = 3
WHOLE = "normaliser and tanh"  # the variant on which all rules are checked


def rule_checks(factory: Factory, neuron: str, artifact: Artifact) -> list[Check]:
    """All rules on one neuron's network."""
    variants = _host_variants(artifact)
    checks = [
        run_check(f"{neuron}: host, {name}", lambda variant=variant: _host(factory, variant))
        for name, variant in variants.items()
    ]
    whole = variants[WHOLE]
    for name, rule in (
        ("rows are independent", _rows),
        ("a trace leaves the rows alone", _trace_apart),
        ("non-finite observations", _non_finite),
        ("shapes and masks", _refusals),
    ):
        checks.append(run_check(f"{neuron}: {name}", lambda rule=rule: rule(factory, whole)))
    return checks


def sensitivity(artifact: Artifact) -> int:
    """In how many decisions the actions show a mistaken episode start.

    A start may be missed, or a resync taken for one.
    """
    variant = _host_variants(artifact)[WHOLE]
    observations, flags = _stream(variant, 1)
    missed = np.where(flags == 1, 0, flags)
    resync_as_start = np.where(flags == 2, 1, flags)
    with ReferenceBackend(variant) as reference:
        right, *wrong = (
            reference.trace(observations, each).actions for each in (flags, missed, resync_as_start)
        )
    return sum(int((right != other).any(axis=1).sum()) for other in wrong)


def _host_variants(artifact: Artifact) -> dict[str, Artifact]:
    """The same integers behind all of the host's arithmetic.

    That is a normaliser, a time feature, a squash, bounds, and a choice.
    """
    network = artifact.network
    features = artifact.observation.features
    size = artifact.action.size
    shift = np.linspace(-3, 3, features)
    variance = np.exp2(2.0 * np.arange(features, dtype=np.float64)) + 0.3
    # the time feature, 0..1, reaches half the encoder's range
    shift[-1] = 0.5
    variance[-1] = float(network.encoder.limit[-1]) ** -2.0
    plain = ObservationContract(features)
    actions = np.linspace(0.4, 1.7, size)
    normal = ObservationContract(
        features - 1,
        shift,
        variance,
        1e-8,
        float(0.6 * network.encoder.limit.max()),
        TimeFeature(7),
    )
    tanh = ActionContract(size, "tanh", actions, actions / 3)
    clipped = ActionContract(
        size, "none", actions, -actions, -np.full(size, 0.8), np.full(size, 1.1)
    )
    choice = ActionContract(size, "argmax", np.ones(size), np.zeros(size))
    scaled = _scaled(network)
    contracts = {
        WHOLE: (normal, tanh),
        "clipped action": (plain, clipped),
        "choice": (plain, choice),
    }
    return {
        name: dataclasses.replace(artifact, network=scaled, observation=one, action=other)
        for name, (one, other) in contracts.items()
    }


def _scaled(network: Network) -> Network:
    """Row scales under which the decoded numbers are neither all zero nor all at an end."""
    coding = network.spike_coding
    if coding is not None:
        weights = np.full_like(coding.decoder_weights, 0.37)
        coding = dataclasses.replace(coding, decoder_weights=weights)
        return dataclasses.replace(network, spike_coding=coding)
    last = network.layers[-1]
    reach = (
        np.abs(last.weights.astype(np.int64)).sum(1) * 20 + np.abs(last.bias.astype(np.int64)) + 1
    )
    return dataclasses.replace(
        network, layers=(*network.layers[:-1], dataclasses.replace(last, row_scale=1.0 / reach))
    )


def _stream(
    artifact: Artifact, seed: int, decisions: int = DECISIONS
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """A random walk over the encoder's range and beyond, and flags."""
    rng = np.random.default_rng(seed)
    size = artifact.observation.size
    observation = artifact.observation
    limit = artifact.network.encoder.limit[:size].astype(np.float64)
    walk = np.cumsum(rng.normal(scale=0.15, size=(decisions, size)), axis=0) * limit
    flags = rng.choice(3, decisions, p=(0.8, 0.1, 0.1)).astype(np.uint8)
    flags[0] = 1
    return walk * observation.divisor[:size] + observation.shift[:size], flags


def _host(factory: Factory, artifact: Artifact) -> Found:
    """Every number of a trace, actions included, is the reference's."""
    observations, flags = _stream(artifact, 1)
    with ReferenceBackend(artifact) as reference, factory(artifact) as backend:
        result, first = compare(
            reference.trace(observations, flags), backend.trace(observations, flags)
        )
    if first is not None:
        place = f"{first['what']}, decision {first['decision']}, place {first['place']}"
        return [
            f"{place}: expected {first['expected']}, got {first['got']} ({result.mismatches} of"
            f" {result.compared} differ)"
        ], ""
    return [], f"{result.compared} numbers equal"


def _rows_of(factory: Factory) -> int:
    """How many rows the rules use: ROWS, or as many as the backend has."""
    most = getattr(factory, "max_rows", None)
    if most is None:
        return ROWS
    return min(ROWS, most)


def _rows(factory: Factory, artifact: Artifact) -> Found:
    """Rows pause, start and resync each for itself; every action and at the end the census."""
    rows = _rows_of(factory)
    rng = np.random.default_rng(2)
    streams = np.stack([_stream(artifact, seed)[0] for seed in range(rows)], axis=1)
    with ReferenceBackend(artifact, rows) as reference, factory(artifact, rows) as backend:
        for decision, observations in enumerate(streams):
            for name in ("resync", "reset"):
                mask = rng.random(rows) < 0.15
                for one in (reference, backend):
                    getattr(one, name)(mask.copy())
            active = rng.random(rows) < 0.7
            expected, got = (
                one.decide(observations.copy(), active.copy()) for one in (reference, backend)
            )
            problem = _action_problem(expected, got, active, decision)
            if problem:
                return [problem], ""
        expected = reference.census().windows()
        got = backend.census().windows()
    if expected != got:
        return [f"census: expected {expected}, got {got}"], ""
    return [], f"{len(streams)} decisions of {rows} rows equal"


def _action_problem(expected: Float, got: Float, active: NDArray[np.bool_], decision: int) -> str:
    """How actions [rows, act] differ; empty where they do not."""
    if expected.shape != got.shape:
        return f"actions have shape {got.shape}, {expected.shape} expected"
    different = np.argwhere(~((expected == got) | np.isnan(expected) & np.isnan(got)))
    if not len(different):
        return ""
    row, channel = (int(part) for part in different[0])
    state = "active" if active[row] else "not active"
    return (
        f"action of decision {decision}, row {row} ({state}), channel {channel}: expected"
        f" {expected[row, channel]}, got {got[row, channel]}"
    )


def _trace_apart(factory: Factory, artifact: Artifact) -> Found:
    """A trace between two decisions changes neither actions nor census."""
    observations, flags = _stream(artifact, 3)
    with factory(artifact) as backend, ReferenceBackend(artifact) as reference:
        for index, values in enumerate(observations[:8]):
            if index == 4:
                backend.trace(observations, flags)
            if not np.array_equal(backend.decide(values[None]), reference.decide(values[None])):
                after = " after a trace" if index >= 4 else ""
                return [f"decision {index} differs{after}"], ""
        if backend.census().windows() != reference.census().windows():
            return ["the census counts the trace"], ""
        return [], "8 decisions equal"


def _non_finite(factory: Factory, artifact: Artifact) -> Found:
    """Refused with an InputError that names the channel, and nothing has changed then."""
    observations, _ = _stream(artifact, 4)
    problems: list[str] = []
    with factory(artifact) as backend, ReferenceBackend(artifact) as reference:
        for index, values in enumerate(observations[:6]):
            channel = index % len(values)
            for value in (np.nan, np.inf, -np.inf):
                faulty = values.copy()
                faulty[channel] = value
                answer = _answer(lambda faulty=faulty: backend.decide(faulty[None]))
                if not isinstance(answer, InputError) or f"channel {channel}" not in str(answer):
                    problems.append(
                        f"{value} in channel {channel}: an InputError that names the channel was"
                        f" expected, got {answer}"
                    )
            if not np.array_equal(backend.decide(values[None]), reference.decide(values[None])):
                return [*problems, f"decision {index} differs after a refused one"], ""
    return sorted(set(problems)), "refused by channel, nothing changed"


def _refusals(factory: Factory, artifact: Artifact) -> Found:
    """Arrays of another shape or type are refused, and nothing is counted."""
    rows = _rows_of(factory)
    size = artifact.observation.size
    problems = []
    with factory(artifact, rows) as backend:
        good = np.zeros((rows, size))
        numbers: Any = np.ones(rows, np.int64)
        wrong: dict[str, Callable[[], Any]] = {
            "observations of another width": lambda: backend.decide(np.zeros((rows, size + 1))),
            "observations of another number of rows": lambda: backend.decide(
                np.zeros((rows + 1, size))
            ),
            "a mask that is too long for decide": lambda: backend.decide(
                good, np.ones(rows + 1, bool)
            ),
            "a mask of numbers for decide": lambda: backend.decide(good, numbers),
            "a mask that is too long for reset": lambda: backend.reset(np.ones(rows + 1, bool)),
            "a mask of numbers for resync": lambda: backend.resync(numbers),
        }
        answers = {name: _answer(call) for name, call in wrong.items()}
        if backend.census().decisions:
            problems.append("a refused call was counted")
    answers["0 rows"] = _answer(lambda: factory(artifact, 0))
    problems += [
        f"{name}: an InputError was expected, got {answer}"
        for name, answer in answers.items()
        if not isinstance(answer, InputError)
    ]
    return problems, "refused"


def _answer(call: Callable[[], Any]) -> InputError | str:
    """The InputError that a call raises, or in words what came instead."""
    try:
        call()
    except InputError as error:
        return error
    except Exception as error:
        return f"{type(error).__name__} {error}"
    return "an answer"
