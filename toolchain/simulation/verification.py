"""`verify`: the same integers on every backend, every neuron, every timestep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact, Probe
from spikeport.toolchain.environments.gymnasium_bridge import flat, quiet, typed_action
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.simulation.backend import Backend, Trace
from spikeport.toolchain.simulation.backends import BACKENDS, backend_class, open_backend
from spikeport.toolchain.simulation.closed_loop import environment_of

REFERENCE = "reference"


@dataclass(frozen=True)
class BackendResult:
    """What comparing a backend with the reference found.

    Attributes:
        mismatches: Integers and actions that differed.
        compared: How many were compared.
        missing: Why the backend could not run; empty where it did.
    """

    mismatches: int
    compared: int
    missing: str = ""

    def to_json(self) -> dict[str, Any]:
        """The counts, and `missing` where there is a reason."""
        facts: dict[str, Any] = {"mismatches": self.mismatches, "compared": self.compared}
        if self.missing:
            facts["missing"] = self.missing
        return facts


@dataclass(frozen=True)
class Verification:
    """Equality of the requested backends with the reference over one stream of decisions."""

    decisions: int
    backends: dict[str, BackendResult]
    first_mismatch: dict[str, Any] | None = None

    @property
    def exact(self) -> bool:
        """Whether every requested backend ran, compared something and never differed."""
        return bool(self.backends) and all(
            result.compared > 0 and result.mismatches == 0 and not result.missing
            for result in self.backends.values()
        )

    def to_json(self) -> dict[str, Any]:
        """The fields of contract section 8."""
        return {
            "exact": self.exact,
            "decisions": self.decisions,
            "backends": {name: result.to_json() for name, result in self.backends.items()},
            "first_mismatch": self.first_mismatch,
        }


def verify(
    artifact: Artifact,
    *,
    backends: Sequence[str] = BACKENDS,
    decisions: int = 256,
    environment: str | None = None,
    progress: Callable[[str], None] = lambda backend: None,
) -> Verification:
    """Trace one stream of decisions on every backend and compare each integer.

    The stream is the artifact's probe and, beyond its length, states of the environment. It always
    holds two episode starts or more, and the whole probe a resync too.

    Args:
        artifact: What to execute.
        backends: Their names. One that is not installed is reported as missing, and the result is
            not exact.
        decisions: The length of the stream.
        environment: Gymnasium id; None takes the artifact's own.
        progress: Called with the name of each backend before it runs.

    Returns:
        What was compared, and the first difference in time.

    Raises:
        InputError: For unknown names and backends without the artifact's neurons.
        BackendError: For a backend that dies.
    """
    if decisions < 2:
        raise InputError(
            "--decisions",
            "too few to hold two episode starts",
            got=decisions,
            limit="2 or more",
            fix="--decisions 256",
        )
    classes = _classes(artifact, backends)
    observations, flags = stream(artifact, decisions, environment)
    progress(REFERENCE)
    with open_backend(REFERENCE, artifact) as reference:
        expected = reference.trace(observations, flags)
    results: dict[str, BackendResult] = {}
    first = None
    for name, kind in classes.items():
        if name == REFERENCE:
            continue
        progress(name)
        if missing := kind.missing():
            results[name] = BackendResult(0, 0, missing)
            continue
        with kind(artifact) as backend:
            results[name], difference = compare(expected, backend.trace(observations, flags))
        if difference is not None and first is None:
            first = {"backend": name} | difference
    if REFERENCE in classes:
        # what the others were held to; alone it has been compared with nothing
        compared = max((result.compared for result in results.values()), default=0)
        results = {REFERENCE: BackendResult(0, compared)} | results
    return Verification(len(observations), results, first)


def _classes(artifact: Artifact, backends: Sequence[str]) -> dict[str, type[Backend]]:
    """The backends' classes; all of them run the artifact's neurons."""
    if not backends:
        raise InputError(
            "--backends",
            "no backend named",
            limit=", ".join(BACKENDS),
            fix="--backends reference,fast",
        )
    classes = {name: backend_class(name) for name in backends}
    foreign = {name: kind.foreign(artifact.network) for name, kind in classes.items()}
    listed = [f"{name}: {', '.join(neurons)}" for name, neurons in foreign.items() if neurons]
    if listed:
        able = ",".join(name for name, neurons in foreign.items() if not neurons)
        raise InputError(
            "--backends",
            "have no counterpart for the artifact's neurons",
            got="; ".join(listed),
            fix=f"--backends {able or 'reference,fast'}",
        )
    return classes


def stream(
    artifact: Artifact, decisions: int, environment: str | None
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Observations and flags to verify on.

    The probe is shortened so that two episode starts are kept, or lengthened in the environment;
    without one it is repeated with a little noise.
    """
    probe = artifact.probe
    second = int(np.flatnonzero(probe.flags == 1)[1])
    if decisions <= len(probe.flags) and environment is None:
        first = min(decisions // 2, second)
        keep = np.r_[0:first, second : min(second + decisions - first, len(probe.flags))]
        return probe.observations[keep], probe.flags[keep]
    if environment is None and artifact.environment is None:
        return _repeated(probe, decisions)
    missing = max(decisions - len(probe.flags), 1)
    states, starts = _closed_loop_states(artifact, missing, environment)
    return np.concatenate([probe.observations, states]), np.concatenate([probe.flags, starts])


def _repeated(probe: Probe, decisions: int) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """The probe as it is, then again and again with noise."""
    length = len(probe.flags)
    repeats = -(-decisions // length)
    # the last 32 decisions of a probe are synthetic
    recorded = probe.observations[: length - 32 if length > 32 else None]
    noise = np.random.default_rng(0).normal(
        scale=0.01, size=(decisions, probe.observations.shape[1])
    ) * recorded.std(0)
    noise[:length] = 0.0
    observations = np.tile(probe.observations, (repeats, 1))[:decisions] + noise
    return observations, np.tile(probe.flags, repeats)[:decisions]


def _closed_loop_states(
    artifact: Artifact, decisions: int, environment: str | None
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    make_env, _ = environment_of(artifact, environment)
    env = make_env(None)
    states = np.zeros((decisions, artifact.observation.size))
    starts = np.zeros(decisions, np.uint8)
    over = True
    episode = 0
    observation = None
    try:
        with quiet(), open_backend("fast", artifact) as actor:
            for index in range(decisions):
                if over:
                    observation, _ = env.reset(seed=episode)
                    episode += 1
                    actor.reset()
                    starts[index] = 1
                states[index] = flat(observation)
                action = actor.decide(states[index : index + 1])[0]
                observation, _, terminated, truncated, _ = env.step(
                    typed_action(action, env.action_space)
                )
                over = terminated or truncated
    finally:
        env.close()
    return states, starts


def compare(expected: Trace, got: Trace) -> tuple[BackendResult, dict[str, Any] | None]:
    """Count the differences between two traces of one stream.

    Returns:
        The counts, and the first difference in time, None where all is equal.

    Raises:
        BackendError: For a trace of another shape.
    """
    parts: list[tuple[str, NDArray[Any], NDArray[Any]]] = [
        ("input payload", expected.inputs, got.inputs)
    ]
    for index, (ours, theirs) in enumerate(zip(expected.layers, got.layers, strict=True)):
        parts += [
            (f"layer {index} payload", ours.payloads, theirs.payloads),
            (f"layer {index} state", ours.states, theirs.states),
        ]
    parts.append(("action", expected.actions, got.actions))
    mismatches = 0
    compared = 0
    earliest = None
    for what, ours, theirs in parts:
        if ours.shape != theirs.shape:
            raise BackendError(
                "verify",
                f"{what} has another shape",
                got=theirs.shape,
                limit=ours.shape,
                fix="report this backend",
            )
        different = np.argwhere(ours != theirs)
        mismatches += len(different)
        compared += ours.size
        if len(different) and (earliest is None or different[0][0] < earliest["decision"]):
            place = tuple(int(i) for i in different[0])
            earliest = {
                "decision": place[0],
                "what": what,
                "place": place[1:],
                "expected": ours[place].item(),
                "got": theirs[place].item(),
            }
    compared += 1
    if expected.census.windows() != got.census.windows():
        mismatches += 1
        earliest = earliest or {
            "decision": len(expected.inputs) - 1,
            "what": "census",
            "place": (),
            "expected": str(expected.census),
            "got": str(got.census),
        }
    return BackendResult(mismatches, compared), earliest
