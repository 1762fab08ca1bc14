"""The committed tables have the rows and columns that their programs write.

The integers follow the float equations.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import fidelity, fidelity_document, float_oracle, policies, results
from spikeport import api
from spikeport.toolchain.conversion.calibration.states import from_environment
from spikeport.toolchain.environments import gymnasium_bridge

OWN = [case.name for case in policies.found() if not case.public]
RECORD = (fidelity_document.DOCUMENT,)


def committed(name: str) -> list[list[str]]:
    """Cells of the generated table `name`, header first, wherever it stands."""
    record = name in ("summary", "oracle")
    begin, end = (
        (fidelity_document.BEGIN, fidelity_document.END) if record else (results.BEGIN, results.END)
    )
    texts = [
        text
        for document in (RECORD if record else results.DOCUMENTS)
        if begin.format(name) in (text := document.read_text())
    ]
    assert len(texts) == 1, f"the table {name} stands in {len(texts)} documents"
    block = texts[0].split(begin.format(name))[1].split(end.format(name))[0].strip()
    lines = [line for line in block.splitlines() if not set(line) <= set("|- ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("sdn", results.SDN_COLUMNS),
        ("rate", results.RATE_COLUMNS),
        ("readme", results.README_COLUMNS),
    ],
)
def test_committed_table(name: str, columns: tuple[str, ...]) -> None:
    header, *body = committed(name)
    assert header == list(columns)
    assert [row[0] for row in body if row[0].endswith("(ours)")] == OWN
    assert all(len(row) == len(columns) and all(row) for row in body)


def test_committed_table_of_record() -> None:
    header, *body = committed("summary")
    assert header == list(fidelity_document.SUMMARY_COLUMNS)
    assert [tuple(row[:2]) for row in body] == [
        ("sdn", "1"),
        *((neuron, str(timesteps)) for neuron, timesteps in fidelity.CELLS),
    ]
    header, *body = committed("oracle")
    assert header == list(fidelity_document.ORACLE_COLUMNS)
    cells = [f"{neuron} T={timesteps}" for neuron, timesteps in fidelity.ORACLE_CELLS]
    assert [row[1] for row in body] == cells * (len(body) // len(cells))
    assert {row[0] for row in body} >= set(OWN)


@pytest.mark.parametrize(
    ("neuron", "timesteps", "alpha"),
    [
        ("if", 16, 0.0),
        ("if", 16, 0.5),
        ("snm", 8, 0.5),
        ("mt", 4, 0.25),
        ("dc", 4, 0.0),
        ("dc", 2, 0.5),
    ],
)
def test_neurons_follow_the_float_equations_on_their_own_numbers(
    neuron: str, timesteps: int, alpha: float
) -> None:
    """Hardly an action differs from the papers' float equations.

    Only where the rounding of alpha's residual meets a threshold.
    """
    case = next(case for case in policies.found() if "Pendulum" in case.name)
    policy = case.load()
    env = gymnasium_bridge.make(case.environment, trusted=True)
    states = from_environment(policy, env, 150, 7)
    env.close()
    artifact = api.convert(
        policy,
        env=case.environment,
        neuron=neuron,
        timesteps=timesteps,
        alpha=alpha,
        calibration_steps=500,
    )
    own, weights = fidelity.oracle_errors(artifact, policy, states)
    assert own < 1e-3
    assert own < weights < 0.1
    network = float_oracle.FloatNetwork.of_artifact(artifact)
    assert all(np.array_equal(matrix, np.rint(matrix)) for matrix in network.weights)
