"""The conformance suite notices wrong readings of the contract (tests/mutants).

`python tests/mutants/runner.py --list` prints them all; outcomes.json has what noticed each.
"""

from __future__ import annotations

import ast
import io
import tokenize

import pytest

from spikeport.export.lava.lava_import import lava_problem
from spikeport.export.onnx.requirement import onnx_problem
from tests.mutants.mutant import Mutant, inside
from tests.mutants.places import PLACES
from tests.mutants.runner import (
    MUTANTS,
    NOTHING,
    OUTCOMES,
    PAGE,
    PARTS,
    ROOT,
    copy_of_packages,
    outcomes_file,
    page,
    print_list,
    recorded,
    run_checks,
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
    if part.endswith("lava-direct"):
        return lava_problem()
    if part.endswith("onnx"):
        return onnx_problem()
    return ""


def test_every_mutant_changes_one_place_and_compiles() -> None:
    assert len(BY_RULE) == len(MUTANTS) >= 500
    for mutant in MUTANTS:
        assert mutant.checks in PARTS
        compile(mutant.apply((ROOT / mutant.file).read_text()), mutant.file, "exec")


def test_a_text_that_has_moved_on_is_told() -> None:
    with pytest.raises(ValueError, match="a.py: 0 times, 1 expected: b"):
        Mutant("rule", "a.py", "b", "c", "fast").apply("d")
    with pytest.raises(ValueError, match="a.py: 2 times, 1 expected: b"):
        Mutant("rule", "a.py", "b", "c", "fast").apply("b + b")


def rewrapped(source: str) -> str:
    """A source with a comment and a new line at every bracket and comma, and with other quotes."""
    lines = source.splitlines(keepends=True)
    depth = 0
    changes: list[tuple[int, int, int, str]] = []
    for each in tokenize.generate_tokens(io.StringIO(source).readline):
        row, column = each.start
        text = each.string
        if each.type == tokenize.OP and text in "([{":
            depth += 1
        elif each.type == tokenize.OP and text in ")]}":
            depth -= 1
        if each.type == tokenize.OP and depth > 0 and text in "([{,":
            changes.append((row - 1, column, column + 1, f"{text}  # a comment\n  "))
        elif each.type == tokenize.STRING and text[0] == '"' and not set("'\\\n") & set(text):
            if not text.startswith('"""'):
                changes.append((row - 1, column, column + len(text), f"'{text[1:-1]}'"))
    for row, start, end, text in reversed(changes):
        lines[row] = lines[row][:start] + text + lines[row][end:]
    return "".join(lines)


@pytest.mark.parametrize("file", PLACES.values())
def test_the_layout_of_a_file_does_not_matter(file: str) -> None:
    source = (ROOT / file).read_text()
    other = rewrapped(source)
    unparsed = ast.unparse(ast.parse(source))
    assert other != source
    assert ast.dump(ast.parse(other)) == ast.dump(ast.parse(source))
    for mutant in MUTANTS:
        if mutant.file == file:
            mutated = mutant.apply(source)
            assert ast.unparse(ast.parse(mutated)) != unparsed
            assert mutant.apply(other) == mutated
            assert mutant.apply(unparsed) == mutated


@pytest.mark.parametrize(
    "before, source",
    [
        ("f(a, b)", "x = f(\n    a,  # first\n    b,\n)\n"),
        ("f(\n    a,\n    b,\n)", "x = f(a, b)\n"),
        ('state["v"] + 2**24', "x = (\n    state['v']\n    + 2 ** 24\n)\n"),
        ("'a b'", 'x = f("a " "b")\n'),
        ("f'a{b}'", 'x = f"a{b}"\n'),
        ("0x10", "x = 16\n"),
        ("return a, b", "def f():\n  return (a, b)\n"),
        ("return (a, b)", "def f():\n  return a, b\n"),
        ("a, b = b, a", "(a, b) = (b, a)\n"),
        ("return a,", "def f():\n  return a, b\n"),
        ("b, c)", "x = f(a)(b,\n c)\n"),
        ("a:\n    b\n", "if a:\n  # why\n\n  b # so\nelse:\n  c\n"),
    ],
)
def test_a_fragment_is_found_in_any_layout(before: str, source: str) -> None:
    assert Mutant("rule", "a.py", before, before, "fast").apply(source)
    with pytest.raises(ValueError, match="a.py: 0 times, 1 expected"):
        Mutant("rule", "a.py", "other " + before, "", "fast").apply(source)


@pytest.mark.parametrize("before", ["f(b, a)", "f(a)", "a\nb", "F(a, b)", "f[a, b]"])
def test_another_text_is_not_found(before: str) -> None:
    with pytest.raises(ValueError, match="a.py: 0 times, 1 expected"):
        Mutant("rule", "a.py", before, "", "fast").apply("x = f(a, b)\n")


@pytest.mark.parametrize(
    "before, after, expected",
    [
        (
            "        b = 1\n",
            "        if d:\n            b = 2\n",
            "if d:\n        b = 2\n    c = 3",
        ),
        ("b = 1\n", "b = 1\n                b = 2\n", "b = 1\n    b = 2\n    c = 3"),
        ("= 1\n", "= 1\n        b = 2\n", "b = 1\n    b = 2\n    c = 3"),
        ("b = 1", "if d:\n    b = 2", "if d:\n        b = 2\n    c = 3"),
        ("= 1\n        c = 3", "= 3\n        c = 1", "b = 3\n    c = 1"),
        ("b = 1\n  c", "if d:\n    b = 1\n  c", "if d:\n      b = 1\n    c = 3"),
        (" + e", "", "b = 1\n    c = 3\nf = d"),
    ],
)
def test_lines_are_indented_as_those_they_replace(before: str, after: str, expected: str) -> None:
    source = "if a:\n  b = 1\n  c = 3\nf = d + e"
    mutated = Mutant("rule", "a.py", before, after, "fast").apply(source)
    assert mutated.startswith(f"if a:\n    {expected}\n")
    ast.parse(mutated)


def test_a_change_inside_a_block() -> None:
    block = "        a = 1\n        b = f(a, a)\n"
    assert inside("rule", block, "f(a,a)", "a") == ("rule", block, "        a = 1\n        b = a\n")
    with pytest.raises(ValueError, match="rule: 3 times in its block, 1 expected: a"):
        inside("rule", block, "a", "c")
    with pytest.raises(ValueError, match="rule: 0 times in its block, 1 expected: c"):
        inside("rule", block, "c", "a")


def test_the_packages_themselves_pass() -> None:
    parts = [part for part in PARTS if not missing(part)]
    with copy_of_packages() as folder:
        assert run_checks(folder, *parts) == NOTHING


@pytest.mark.parametrize("rule", SAMPLE)
def test_mutant_is_noticed(rule: str) -> None:
    if problem := missing(BY_RULE[rule].checks):
        pytest.skip(problem)
    assert try_mutant(BY_RULE[rule]).killed


def test_every_mutant_has_its_outcome() -> None:
    noticed = recorded()
    stale = "python tests/mutants/runner.py"
    assert list(noticed) == [mutant.rule for mutant in MUTANTS], stale
    assert {check for check in noticed.values() if check in ("", NOTHING)} == set(), stale
    assert OUTCOMES.read_text() == outcomes_file(noticed), stale
    assert PAGE.read_text() == page(noticed), f"{stale} --page"


def test_the_list_has_every_mutant_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    print_list("")
    printed = capsys.readouterr().out
    assert printed.count("noticed by: ") == len(MUTANTS) and "not tried yet" not in printed
    print_list("fast sdn")
    printed = capsys.readouterr().out
    assert "  toolchain/simulation/fast/" in printed and "\n  - " in printed and "\n  + " in printed
    assert printed.count("noticed by: ") == sum("fast sdn" in mutant.rule for mutant in MUTANTS)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_mutant_survives() -> None:
    if problem := "; ".join(filter(None, map(missing, PARTS))):
        pytest.skip(problem)
    outcomes = try_all(MUTANTS)
    assert not [outcome.mutant for outcome in outcomes if not outcome.killed]
    noticed = {outcome.mutant.rule: outcome.noticed_by for outcome in outcomes}
    assert OUTCOMES.read_text() == outcomes_file(noticed), (
        "python tests/mutants/runner.py writes what notices each anew"
    )
