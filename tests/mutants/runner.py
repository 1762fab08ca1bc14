"""Apply mutants to copies of the packages, one at a time, and ask the conformance suite about each.

    python tests/mutants/runner.py            tries all, writes outcomes.json and docs/mutants.md
    python tests/mutants/runner.py --page     writes docs/mutants.md from outcomes.json
    python tests/mutants/runner.py --list     prints all: rule, file, before, after, what noticed it

A word after --list prints only the mutants whose rule or file holds it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "mutants")]
    from probe import adopt

    adopt("tests", ROOT / "tests")

from tests.mutants.fast import FAST  # noqa: E402
from tests.mutants.host import HOST  # noqa: E402
from tests.mutants.lava_processes import LAVA  # noqa: E402
from tests.mutants.leaky import LEAKY  # noqa: E402
from tests.mutants.mutant import Mutant  # noqa: E402
from tests.mutants.neurons import NEURONS  # noqa: E402
from tests.mutants.onnx_graphs import ONNX  # noqa: E402
from tests.mutants.spiking import SPIKING  # noqa: E402

MUTANTS: tuple[Mutant, ...] = (*NEURONS, *HOST, *FAST, *LAVA, *ONNX, *SPIKING, *LEAKY)
PARTS = tuple(
    f"{kind}{part}"
    for kind in ("", "lif on ")
    for part in ("reference", "fast", "lava-direct", "exported host", "onnx")
)
PACKAGES = ("toolchain", "export")
PAGE = ROOT / "docs" / "mutants.md"
OUTCOMES = ROOT / "tests" / "mutants" / "outcomes.json"
TIME_LIMIT = 120  # seconds for one mutant
NOTHING = "nothing"
MOST_NAMED = 3  # checks of a line of the page; the rest are counted
HEAD = """# Mutants

A mutant is one wrong reading of the contract: one change of one file. The runner makes it in a
copy of the packages, and the conformance suite (`tests/support/conformance.py`) has to notice.
None may survive.

    python tests/mutants/runner.py                     # try all; write this page and outcomes.json
    python tests/mutants/runner.py --list              # all: rule, file, before, after, noticed by
    python tests/mutants/runner.py --list "fast sdn"   # those whose rule or file holds the words

`make test-slow` tries all, `make test` a few. `tests/mutants/outcomes.json` has the check that
noticed each. The kernels of the fast backend run uncompiled here; the compiled ones are held to the
same oracle in `tests/neurons/test_conformance.py`. How to write a mutant:
[CONTRIBUTING](../CONTRIBUTING.md).

| rules | mutants | part of the suite | noticed by |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: the name of the check that noticed it, or `nothing`."""

    mutant: Mutant
    noticed_by: str

    @property
    def killed(self) -> bool:
        return self.noticed_by != NOTHING


@contextmanager
def copy_of_packages() -> Iterator[Path]:
    """A folder with the packages' sources, to be changed at will."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name).resolve()
        for package in PACKAGES:
            shutil.copytree(
                ROOT / package,
                folder / "spikeport" / package,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        shutil.copy(ROOT / "spikeport" / "__init__.py", folder / "spikeport")
        yield folder


def run_checks(folder: Path, *parts: str) -> str:
    """What the conformance suite says about the copy in `folder`.

    Args:
        folder: The copy.
        parts: Of PARTS, those to run.

    Returns:
        The name of the first check that failed, or NOTHING.

    Raises:
        RuntimeError: The suite could not be run.
    """
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUMBA_DISABLE_JIT": "1",
        "NUMBA_CACHE_DIR": str(folder),
    }
    try:
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "mutants" / "probe.py"), str(folder), *parts],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "the time limit"
    lines = done.stdout.strip().splitlines()
    if done.returncode not in (0, 1) or not lines:
        raise RuntimeError(f"{' '.join(parts)}: {done.stdout}\n{done.stderr}")
    return lines[-1]


def try_mutant(mutant: Mutant) -> Outcome:
    """Change a copy, look whether it still compiles, run the part of the suite that must notice."""
    with copy_of_packages() as folder:
        file = folder / "spikeport" / mutant.file
        source = mutant.apply(file.read_text())
        compile(source, mutant.file, "exec")
        file.write_text(source)
        return Outcome(mutant, run_checks(folder, mutant.checks))


def try_all(chosen: Iterable[Mutant], processes: int = 2) -> list[Outcome]:
    """Outcomes in the order given."""
    with ThreadPoolExecutor(processes) as pool:
        return list(pool.map(try_mutant, chosen))


def recorded() -> dict[str, str]:
    """What noticed each mutant when all were last tried, by rule."""
    return json.loads(OUTCOMES.read_text())


def outcomes_file(noticed: Mapping[str, str]) -> str:
    """outcomes.json: a line for each rule."""
    return json.dumps(noticed, indent=0, ensure_ascii=False) + "\n"


def page(noticed: Mapping[str, str]) -> str:
    """docs/mutants.md: a line for the rules that share the words before the colon.

    Args:
        noticed: The name of the check that noticed each mutant, by rule.
    """
    families: dict[tuple[str, str], Counter[str]] = {}
    for mutant in MUTANTS:
        family = (mutant.rule.partition(":")[0], mutant.checks)
        families.setdefault(family, Counter())[noticed[mutant.rule]] += 1
    lines = []
    for (name, part), checks in families.items():
        named = checks.most_common(MOST_NAMED)
        cells = [f"{check}: {count}" for check, count in named]
        others = checks.total() - sum(count for _, count in named)
        if others:
            cells.append(f"others: {others}")
        lines.append(f"| {name} | {checks.total()} | {part} | {'; '.join(cells)} |\n")
    killed = sum(check != NOTHING for check in noticed.values())
    return f"{HEAD}{''.join(lines)}\n{len(MUTANTS)} mutants, {killed} noticed.\n"


def described(mutant: Mutant, noticed_by: str) -> str:
    """A mutant in full, for the terminal."""
    lines = [f"{mutant.rule}\n  {mutant.file}, noticed by: {noticed_by}"]
    for sign, text in (("-", mutant.before), ("+", mutant.after)):
        lines += [f"  {sign} {line}" for line in text.strip("\n").splitlines()]
    return "\n".join(lines)


def print_list(word: str) -> None:
    """Print the mutants whose rule or file holds `word`."""
    noticed = recorded()
    for mutant in MUTANTS:
        if word in mutant.rule or word in mutant.file:
            print(described(mutant, noticed.get(mutant.rule, "not tried yet")))


def try_and_write() -> int:
    """Try all, write what came of it; returns the exit code."""
    with copy_of_packages() as folder:
        said = run_checks(folder, *PARTS)
    if said != NOTHING:
        print(f"the packages themselves fail: {said}")
        return 1
    outcomes = try_all(MUTANTS)
    noticed = {outcome.mutant.rule: outcome.noticed_by for outcome in outcomes}
    for outcome in outcomes:
        if not outcome.killed:
            print(f"survived: {described(outcome.mutant, NOTHING)}")
    OUTCOMES.write_text(outcomes_file(noticed))
    PAGE.write_text(page(noticed))
    print(f"{len(outcomes)} mutants, {sum(outcome.killed for outcome in outcomes)} noticed")
    return int(not all(outcome.killed for outcome in outcomes))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", nargs="?", const="", metavar="WORDS", help="print the mutants")
    parser.add_argument("--page", action="store_true", help="write docs/mutants.md anew")
    given = parser.parse_args()
    if given.list is not None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `--list | head` ends quietly
        print_list(given.list)
        return 0
    if given.page:
        PAGE.write_text(page(recorded()))
        return 0
    return try_and_write()


if __name__ == "__main__":
    sys.exit(main())
