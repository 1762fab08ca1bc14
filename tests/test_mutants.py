"""The conformance suite notices wrong readings of the contract (tests/mutants); `docs/mutants.md` lists them all."""

from __future__ import annotations

import pytest

from spikeport.export.lava.lava_import import lava_problem
from spikeport.export.onnx.requirement import onnx_problem
from tests.mutants.mutant import Mutant
from tests.mutants.runner import (
    MUTANTS,
    NOTHING,
    PARTS,
    ROOT,
    TABLE,
    copy_of_packages,
    described,
    run_checks,
    table,
    try_all,
    try_mutant,
)

SAMPLE = (
    "if: fires strictly above theta",
    "windowed: saturates before firing",
    "snm: negative strictly below 0",
    "mt: all that was sent may be taken back",
    "dc: a part of a unit is not enough",
    "carry-over: dv >= -emitted",
    "readout: starts at T * b",
    "sdn: sent once |d| >= trigger",
    "table: a segment holds its start",
    "encode: floor(x / scale + 0.5), not half to even",
    "control: a resync keeps the decision's number",
    "census: synops are payloads times fan-out",
    "exported host: sdn gets q0 - ref0",
    "fast if: hi = theta",
    "fast snm: payloads have a sign",
    "fast dc: c += eout before p is chosen",
    "fast sdn: the multiplier is rounded up",
    "fast: the input is held",
    "lava: weights are 2 w",
    "lava: layer l works in steps l + 1 .. l + T",
    "lava if: the input is latched",
    "lava mt: p units must have been sent, not one",
    "onnx: alpha in 64ths",
    "onnx dc: c += eout",
    "onnx table: a segment holds its start",
    "onnx lif: u goes on after a spike",
    "onnx leaky: resets strictly above theta",
    "onnx scan: the state moves on",
    "lif: decay is towards zero",
    "fast lif: the bias goes one way",
    "lava lif: resets when its window begins",
)
BY_RULE = {mutant.rule: mutant for mutant in MUTANTS}


def missing(part: str) -> str:
    """Why a part of the suite cannot run here; empty where it can."""
    return lava_problem() if part.endswith("lava-direct") else onnx_problem() if part.endswith("onnx") else ""


def test_every_mutant_changes_one_place_and_compiles() -> None:
    assert len(BY_RULE) == len(MUTANTS) >= 500
    for mutant in MUTANTS:
        assert mutant.checks in PARTS
        compile(mutant.apply((ROOT / mutant.file).read_text()), mutant.file, "exec")


def test_a_text_that_has_moved_on_is_told() -> None:
    with pytest.raises(ValueError, match="a.py: 0 times, 1 expected: b"):
        Mutant("rule", "a.py", "b", "c", "fast").apply("d")
    with pytest.raises(ValueError, match="a.py: 2 times, 1 expected: b"):
        Mutant("rule", "a.py", "b", "c", "fast").apply("b b")


def test_the_packages_themselves_pass() -> None:
    parts = [part for part in PARTS if not missing(part)]
    with copy_of_packages() as folder:
        assert run_checks(folder, *parts) == NOTHING


@pytest.mark.parametrize("rule", SAMPLE)
def test_mutant_is_noticed(rule: str) -> None:
    if problem := missing(BY_RULE[rule].checks):
        pytest.skip(problem)
    assert try_mutant(BY_RULE[rule]).killed


def test_the_table_lists_the_mutants() -> None:
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| rule ")]
    assert len(lines) == len(MUTANTS), "python tests/mutants/runner.py"
    for line, mutant in zip(lines, MUTANTS, strict=True):
        noticed_by = line.removeprefix(described(mutant)).strip(" |")
        assert line.startswith(described(mutant)) and noticed_by not in ("", NOTHING), f"{line}: python tests/mutants/runner.py"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_mutant_survives() -> None:
    if problem := "; ".join(filter(None, map(missing, PARTS))):
        pytest.skip(problem)
    outcomes = try_all(MUTANTS)
    assert not [outcome.mutant for outcome in outcomes if not outcome.killed]
    assert TABLE.read_text() == table(outcomes), "python tests/mutants/runner.py writes the table anew"
