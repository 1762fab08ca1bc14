"""Nothing is timed before it is shown to compute the same: equal integers, equal actions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.material import Material
from benchmarks.method import Contender
from benchmarks.rows import ANN, EAGER, ENVIRONMENT, FAST, RATE, SDN, TUNED, Row
from benchmarks.torch_networks import EagerNetwork, TunedNetwork
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import CheckFailed
from spikeport.toolchain.simulation.backend import Trace
from spikeport.toolchain.simulation.backends import open_backend

FIRST = 5  # decisions compared of every contender
# tolerances: torch's tanh is not the host's, the ANN runs in float32
TORCH_TANH = 1e-12
SINGLE = 1e-5


def verify(materials: Sequence[Material], rate: Artifact, contenders: Sequence[Contender]) -> None:
    """Raise CheckFailed where a contender does not compute what it claims."""
    observations = materials[0].stream.observations
    traces = {
        name: reference_trace(name, artifact, observations)
        for name, artifact in ((SDN, materials[0].sdn), (RATE, rate))
    }
    for program in (EagerNetwork(rate).eval(), TunedNetwork(rate, 1)):
        same_spikes(program, traces[RATE], observations)
    same_actions(contenders, materials[0])


def reference_trace(name: str, artifact: Artifact, observations: NDArray[np.float64]) -> Trace:
    """The reference's integers on the whole stream, after comparing `fast` with them."""
    flags = np.zeros(len(observations), np.int64)
    with open_backend("reference", artifact) as slow, open_backend("fast", artifact) as fast:
        expected = slow.trace(observations, flags)
        got = fast.trace(observations, flags)
    for index, (a, b) in enumerate(zip(expected.layers, got.layers, strict=True)):
        if not (np.array_equal(a.payloads, b.payloads) and np.array_equal(a.states, b.states)):
            raise CheckFailed(
                f"benchmark, {name}",
                f"`fast` differs from the reference in layer {index}",
                fix="spikeport verify",
            )
    return expected


def same_spikes(
    program: EagerNetwork | TunedNetwork, expected: Trace, observations: NDArray[np.float64]
) -> None:
    """Spike counts of every neuron and the readout of every decision of the stream, equal."""
    counts = [layer.payloads.sum(1) for layer in expected.layers[:-1]]
    readout = expected.layers[-1].states[:, -1]
    for decision in range(len(observations)):
        program(observations[decision : decision + 1])
        got = [
            *(count[0] for count in program.spike_counts()),
            program.accumulator[0].double().numpy(),
        ]
        want = [*(count[decision] for count in counts), readout[decision]]
        if not all(np.array_equal(a, b) for a, b in zip(got, want, strict=True)):
            raise CheckFailed(
                f"benchmark, {type(program).__name__}",
                "spikes or readout differ from the reference",
                got=f"decision {decision}",
            )


def same_actions(contenders: Sequence[Contender], material: Material) -> None:
    """The first actions of every contender against `fast`, of the ANN against the policy."""
    by_row = {contender.row: contender for contender in contenders}
    for contender in contenders:
        row = contender.row
        if row.runs == ENVIRONMENT:
            continue
        if row.network == ANN:
            inputs = [np.asarray(values, np.float64) for values in contender.inputs[:FIRST]]
            expected = [material.policy.act(values) for values in inputs]
            tolerance = SINGLE
        else:
            expected = first_actions(by_row[Row(FAST, row.network, row.batch)])
            if row.runs in (EAGER, TUNED):
                tolerance = TORCH_TANH
            else:
                tolerance = 0.0
        worst = max(
            float(np.abs(a - b).max())
            for a, b in zip(first_actions(contender), expected, strict=True)
        )
        if not worst <= tolerance:
            raise CheckFailed(
                f"benchmark, {row}", "its first actions differ", got=worst, limit=tolerance
            )


def first_actions(contender: Contender) -> list[NDArray[np.float64]]:
    contender.restart()
    return [np.array(contender.decide(values), np.float64) for values in contender.inputs[:FIRST]]
