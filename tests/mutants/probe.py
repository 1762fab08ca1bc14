"""Run one part of the conformance suite on a (mutated) copy of the packages.

It runs in a process of its own:

    probe.py FOLDER PART...     FOLDER holds the copy; prints what noticed the mutant, or `nothing`

Exit code 0: every check passed; 1: one failed; 2: the copy was not what was tested.
"""

from __future__ import annotations

import sys
import types
import warnings
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def adopt(name: str, folder: Path) -> None:
    """Make `folder` the package `name`: an installed package is called `tests` too."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


def main(folder: Path, parts: list[str]) -> int:
    sys.path[0] = str(folder)  # it was the folder of this script, whose names are too common
    adopt("tests", TESTS)
    warnings.simplefilter("ignore")
    import spikeport.export
    import spikeport.toolchain

    if {
        Path(str(module.__file__)).parents[1] for module in (spikeport.toolchain, spikeport.export)
    } != {folder / "spikeport"}:
        print(f"not the copy: {spikeport.toolchain.__file__}")
        return 2
    import pytest

    from tests.support.conformance import checks

    for part in parts:
        for name, check in checks(part).items():
            try:
                check()
            except pytest.skip.Exception as skipped:
                print(f"not run: {skipped}")
                return 2
            except (AssertionError, pytest.fail.Exception):
                print(name)
                return 1
            except Exception as error:
                print(f"{name} ({type(error).__name__})")
                return 1
    print("nothing")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
