"""The committed results tables have the rows and columns that benchmarks/results.py writes."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import float_oracle, results
from spikeport import api
from toolchain import gymnasium_bridge
from toolchain.conversion.calibration import from_environment

RATE_ROWS = [case.name for case in results.CASES if case.rate]
ALL_ROWS = [case.name for case in results.CASES]


def committed(name: str) -> list[list[str]]:
    """Cells of the generated table `name`, header first, wherever it stands."""
    texts = [document.read_text() for document in results.DOCUMENTS if results.BEGIN.format(name) in document.read_text()]
    assert len(texts) == 1, f"the table {name} stands in {len(texts)} documents"
    block = texts[0].split(results.BEGIN.format(name))[1].split(results.END.format(name))[0].strip()
    lines = [line for line in block.splitlines() if not set(line) <= set("|- ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    ("name", "columns", "rows"),
    [("sdn", results.SDN_COLUMNS, ALL_ROWS), ("if", results.IF_COLUMNS, RATE_ROWS), ("readme", results.README_COLUMNS, ALL_ROWS)],
)
def test_committed_table(name: str, columns: tuple[str, ...], rows: list[str]) -> None:
    header, *body = committed(name)
    assert header == list(columns)
    assert [row[0] for row in body] == rows
    assert all(len(row) == len(columns) and all(row) for row in body)


def test_if_follows_the_float_equations_on_its_own_numbers() -> None:
    """T = 16, alpha 0 and 0.5: not one action differs from CRPI's float equations on the artifact's own numbers."""
    case = results.CASES[1]
    policy = api.load_policy(results.ROOT / "examples" / "policies" / case.file, env=case.environment)
    env = gymnasium_bridge.make(case.environment, trusted=True)
    states = from_environment(policy, env, 150, 7)
    env.close()
    for alpha in (0.0, 0.5):
        artifact = api.convert(policy, env=case.environment, neuron="if", timesteps=16, alpha=alpha, calibration_steps=500)
        own, weights = results.oracle_errors(artifact, policy, states.observations, states.starts, alpha)
        assert own < 1e-12
        assert 0 < weights < 0.1
    network = float_oracle.of_artifact(artifact)
    assert all(np.array_equal(matrix, np.rint(matrix)) for matrix in network.weights)
