"""Write docs/support.md from what every way in, out and through just said.

    python tests/support/support_matrix.py [--write]

Without --write nothing is written; the exit code says whether the committed page is what comes out
now.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if "tests" not in sys.modules or ROOT / "tests" not in map(
    Path, sys.modules["tests"].__path__
):  # lava-dl installs a package `tests`
    sys.path.insert(0, str(ROOT))
    sys.modules["tests"] = types.ModuleType("tests")
    sys.modules["tests"].__path__ = [str(ROOT / "tests")]

from tests.support.ways import IN, NEURONS, ON, OUT, YES, cells, outcome, proofs  # noqa: E402

PAGE = ROOT / "docs" / "support.md"
HEAD = """# What goes with what

Written by `python tests/support/support_matrix.py --write`, which tries every format and every
backend; `tests/project/test_support.py` tries them again and fails where this page says anything
else. `yes` in the first table: a small checkpoint of the format was read, converted with the neuron
and decided; in the second: the export was written; in the third: the integers that Lava's runtime
recorded, on every neuron and timestep. RSL-RL's and rl_games's small checkpoints have elu units,
the libraries' default. A number is a refusal; its words, with what to do instead, stand below. The
last column names the tests that prove a row in depth.
"""
TITLES = {IN: "Formats in", OUT: "Formats out", ON: "Backends"}
Outcomes = dict[tuple[str, str, str], str]


def document(outcomes: Outcomes) -> str:
    """The page for the outcomes of all cells."""
    reasons = list(dict.fromkeys(said for said in outcomes.values() if said != YES))
    parts = [HEAD]
    tests = proofs()
    for direction, title in TITLES.items():
        names = list(dict.fromkeys(name for way, name, _ in outcomes if way == direction))
        parts.append(
            f"## {title}\n\n| | {' | '.join(NEURONS)} | tests |\n|---|{'---|' * len(NEURONS)}---|"
        )
        for name in names:
            row = [
                (
                    said
                    if (said := outcomes[direction, name, neuron]) == YES
                    else f"[{reasons.index(said) + 1}]"
                )
                for neuron in NEURONS
            ]
            proof = ", ".join(f"`{test}`" for test in tests.get((direction, name), []))
            parts.append(f"| {name} | {' | '.join(row)} | {proof} |")
        parts.append("")
    parts.append("## Refusals\n")
    parts += [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join(parts) + "\n"


def stated(text: str) -> Outcomes:
    """The outcomes that a page states, refusals in words."""
    before, _, after = text.partition("## Refusals\n")
    reasons = {
        line.split(". ", 1)[0]: line.split(". ", 1)[1]
        for line in after.splitlines()
        if line[:1].isdigit()
    }
    found: Outcomes = {}
    for direction, title in TITLES.items():
        rows = before.partition(f"## {title}\n")[2].partition("\n## ")[0].splitlines()
        for line in rows:
            entries = [entry.strip() for entry in line.strip("|").split("|")]
            if line.startswith("|") and entries[0] and not entries[0].startswith("-"):
                for neuron, said in zip(NEURONS, entries[1 : len(NEURONS) + 1], strict=True):
                    if said == YES:
                        found[direction, entries[0], neuron] = said
                    else:
                        found[direction, entries[0], neuron] = reasons[said.strip("[]")]
    return found


def main(arguments: list[str]) -> int:
    text = document({cell: outcome(*cell) for cell in cells()})
    if "--write" in arguments:
        PAGE.write_text(text)
        return 0
    same = PAGE.is_file() and PAGE.read_text() == text
    print(
        "up to date"
        if same
        else "docs/support.md is stale: python tests/support/support_matrix.py --write"
    )
    if same:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
