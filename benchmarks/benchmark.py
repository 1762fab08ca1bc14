"""The benchmark: what one decision costs, on one core, everything side by side in one process.

    python benchmarks/benchmark.py                  tables on stdout, build/benchmark.json
    python benchmarks/benchmark.py --check          and exit code 1 where a target is missed
    python benchmarks/benchmark.py --write-docs     and docs/benchmark.md
    python benchmarks/benchmark.py --quick          seconds instead of minutes, for tests; the
        figures mean little

With SPIKEPORT_POLICIES set, two public policies join the closed loops. docs/benchmark.md says what
is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.one_core import pin  # noqa: E402


@dataclass(frozen=True)
class Extent:
    """How much is run: rounds, roll-outs, decisions of their episodes, calibration."""

    rounds: int
    loop_rounds: int
    loop_lengths: tuple[int, int]  # one episode, many
    calibration_steps: int


FULL = Extent(100, 24, (1000, 200), 10_000)
QUICK = Extent(2, 2, (60, 20), 1000)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = ROOT / "build" / "benchmark.json"
    parser.add_argument(
        "--json",
        type=Path,
        default=default,
        metavar="FILE",
        help="where the result goes (default: build/benchmark.json)",
    )
    parser.add_argument(
        "--write-docs", action="store_true", help="write the tables into docs/benchmark.md"
    )
    parser.add_argument("--check", action="store_true", help="exit code 1 where a target is missed")
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    arguments = parser.parse_args()
    from spikeport.toolchain.errors import SpikeportError

    try:
        return report(arguments)
    except SpikeportError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code


def report(arguments: argparse.Namespace) -> int:
    """Run, write, print. Raises InputError for options that do not go together."""
    from spikeport.toolchain.errors import InputError

    public = public_policies()
    if arguments.write_docs and (arguments.quick or public is None):
        why = "the page holds a full run with the public policies"
        raise InputError(
            "--write-docs",
            "not from this run",
            got="--quick" if arguments.quick else "no SPIKEPORT_POLICIES",
            why=why,
            fix="set it, run in full",
        )
    result = run(QUICK if arguments.quick else FULL, public)
    from benchmarks.report import render, write_document

    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(
        json.dumps(result | {"quick": arguments.quick}, indent=1, allow_nan=False), "utf-8"
    )
    if arguments.write_docs:
        write_document(result)
    print(render(result))
    return int(arguments.check and not all(target["met"] for target in result["targets"]))


def public_policies() -> Path | None:
    """The folder that SPIKEPORT_POLICIES names. Raises InputError where it is none."""
    from spikeport.toolchain.errors import InputError

    value = os.environ.get("SPIKEPORT_POLICIES", "")
    if value and not Path(value).is_dir():
        raise InputError(
            "SPIKEPORT_POLICIES",
            "not a folder",
            got=value,
            fix="unset it, or name the folder of the public policies",
        )
    if value:
        return Path(value)
    return None


def run(extent: Extent, public: Path | None) -> dict[str, Any]:
    """Everything, in this order: pin, import, convert, verify, decisions, closed loops."""
    cores = pin()
    from benchmarks import machine

    machine.require_libraries()
    import torch

    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    from benchmarks import closed_loop, report, rows, targets
    from benchmarks.contenders import all_contenders
    from benchmarks.material import prepare, rate_network
    from benchmarks.method import measure
    from benchmarks.verification import verify

    load = machine.load_average()
    say("convert and record")
    materials = [prepare(subject, extent.calibration_steps) for subject in rows.subjects(public)]
    rate = rate_network(materials[0], extent.calibration_steps)
    with ExitStack() as stack:
        contenders = all_contenders(materials, rate, cores, stack)
        say("verify")
        verify(materials, rate, contenders)
        times, core_share = measure(
            contenders,
            extent.rounds,
            lambda done, total: say(f"decisions, round {done} of {total}", done % 20 == 0),
        )
    times = {row: times[row] for row in rows.decision_rows(public)}
    lengths = dict(zip(closed_loop.EPISODES, extent.loop_lengths, strict=True))
    loops = closed_loop.measure_loops(
        materials,
        extent.loop_rounds,
        lengths,
        lambda done, total: say(f"closed loops, round {done} of {total}", done % 6 == 0),
    )
    method = {
        "rounds": extent.rounds,
        "loop_rounds": extent.loop_rounds,
        "core_share": core_share,
        "policy": materials[0].policy.provenance.file,
    }
    return report.collect(
        times, loops, targets.judge(times, loops), machine.describe(len(cores), load), method
    )


def say(text: str, now: bool = True) -> None:
    if now:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
