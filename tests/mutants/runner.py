"""Apply mutants to copies of the packages, one at a time, and ask the conformance suite about each.

python tests/mutants/runner.py     tries them all and writes docs/mutants.md
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
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
TABLE = ROOT / "docs" / "mutants.md"
TIME_LIMIT = 120  # seconds for one mutant
NOTHING = "nothing"
HEAD = """# Mutants

Each line is one wrong reading of the contract: the change was made to a copy of the packages, and
the conformance suite (`tests/support/conformance.py`) had to notice. Written by
`python tests/mutants/runner.py`, which tries them all; `make test-slow` does the same and
`make test` tries a few. None of them may survive. The kernels of the fast backend run uncompiled
here; the compiled ones are held to the same oracle in `tests/neurons/test_conformance.py`.

| rule | file | before | after | noticed by |
|---|---|---|---|---|
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

    Raises:
        RuntimeError: It could not say.
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


def described(mutant: Mutant) -> str:
    """A mutant's line of the table, without what noticed it."""
    return f"| {cell(mutant.rule)} | {mutant.file} | {code(mutant.before)} | {code(mutant.after)} |"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def code(text: str) -> str:
    """Source as one table cell."""
    return cell("`" + " ⏎ ".join(line.strip() for line in text.strip("\n").splitlines()) + "`")


def table(outcomes: list[Outcome]) -> str:
    """docs/mutants.md."""
    lines = [f"{described(outcome.mutant)} {outcome.noticed_by} |" for outcome in outcomes]
    return (
        HEAD
        + "\n".join(lines)
        + f"\n\n{len(outcomes)} mutants, {sum(outcome.killed for outcome in outcomes)} noticed.\n"
    )


def main() -> int:
    with copy_of_packages() as folder:
        said = run_checks(folder, *PARTS)
    if said != NOTHING:
        print(f"the packages themselves fail: {said}")
        return 1
    outcomes = try_all(MUTANTS)
    for outcome in outcomes:
        if not outcome.killed:
            mutant = outcome.mutant
            change = f"{mutant.before!r} -> {mutant.after!r}"
            print(f"survived: {mutant.rule}: {mutant.file}: {change}")
    TABLE.write_text(table(outcomes))
    print(f"{len(outcomes)} mutants, {sum(o.killed for o in outcomes)} noticed")
    return 0 if all(outcome.killed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
