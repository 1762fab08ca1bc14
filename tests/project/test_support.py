"""docs/support.md says what comes out when every format and backend is tried, nothing else."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest

for package in (
    "torch",
    "stable_baselines3",
    "onnx",
    "onnxruntime",
    "h5py",
    "nir",
    "snntorch",
    "safetensors",
):
    pytest.importorskip(package)

from spikeport.toolchain.simulation.backends import backend_class  # noqa: E402
from tests.support.support_matrix import PAGE, document, stated  # noqa: E402
from tests.support.ways import IN, ON, OUT, YES, cells, outcome, proofs  # noqa: E402

TESTS = Path(__file__).resolve().parents[1]
TEXT = PAGE.read_text()
STATED = stated(TEXT)
STALE = "python tests/support/support_matrix.py --write"


def tried(cell: tuple[str, str, str]) -> object:
    return pytest.param(
        *cell, id=" ".join(cell), marks=[pytest.mark.slow] if cell[:2] == (ON, "lava") else []
    )


@pytest.mark.parametrize(("direction", "name", "neuron"), [tried(cell) for cell in cells()])
def test_a_cell_says_what_the_page_says(direction: str, name: str, neuron: str) -> None:
    if direction == ON and backend_class(name).missing():
        pytest.skip(backend_class(name).missing())
    assert STATED[direction, name, neuron] == outcome(direction, name, neuron), STALE


def test_the_page_has_these_cells_and_no_others() -> None:
    assert list(STATED) == cells(), STALE
    assert document(STATED) == TEXT, STALE


def test_refusals_name_a_way_out() -> None:
    refusals = {said for said in STATED.values() if said != YES}
    assert refusals
    for said in refusals:
        assert " Fix: " in said, said


def test_every_row_has_a_test_of_its_own() -> None:
    rows = {(direction, name) for direction, name, _ in cells()}
    assert rows - set(proofs()) == set() and set(proofs()) - rows == set()


@pytest.mark.parametrize("direction", [IN, OUT, ON])
def test_the_tests_that_are_named_exist(direction: str) -> None:
    for (way, _), tests in proofs().items():
        for test in tests if way == direction else []:
            file, name = test.split("::")
            path = next(TESTS.rglob(file)).relative_to(TESTS)
            module = importlib.import_module(f"tests.{path.parent.name}.{path.stem}")
            assert inspect.isfunction(getattr(module, name))
