"""What conversion writes, case by case, as hashes.

    python tests/support/artifact_bytes.py [NAME ...]

It is behind tests/artifact/test_artifact_bytes.py. The exit code says whether the cases still give
what tests/golden/artifact_bytes.json records. With --write what comes out is recorded, with
--write-files the small files in tests/golden/spk are written anew. The cases of public policies
need the variable SPIKEPORT_POLICIES; --write keeps their records where it is unset.

artifact_hashes.py says what is hashed, artifact_cases.py has the cases.

All cases run in one process with the variables of `pinned`: BLAS, NumPy, PyTorch and oneDNN take
the kernels of a processor with AVX2 even where there is AVX-512, on one thread, so that sums are
summed alike on all such machines. numba keeps its own: without fastmath LLVM reorders no sum. The
cases `shipped/pendulum` hold the states of MuJoCo, so those of another release of it may differ.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if "tests" not in sys.modules or ROOT / "tests" not in map(Path, sys.modules["tests"].__path__):
    sys.path.insert(0, str(ROOT))  # lava-dl installs a package `tests`
    sys.modules["tests"] = types.ModuleType("tests")
    sys.modules["tests"].__path__ = [str(ROOT / "tests")]

import spikeport  # noqa: E402
from tests.support.artifact_cases import SMALL_FILES, cases  # noqa: E402
from tests.support.artifact_conversions import ann  # noqa: E402
from tests.support.artifact_hashes import Hashes, hashes, version, written  # noqa: E402

GOLDEN = ROOT / "tests" / "golden" / "artifact_bytes.json"
SPK = ROOT / "tests" / "golden" / "spk"
PINNED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_CBWR": "COMPATIBLE",  # the one mode that MKL has on processors of every maker
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}
BEYOND_AVX2 = ("AVX512", "X86_V4")
Recorded = dict[str, Any]  # "format" of the files, "cases" by name


# --- one process with pinned kernels ------------------------------------------------------------


def pinned() -> dict[str, str]:
    """The variables for a process whose floating point does not depend on the machine."""
    from numpy._core import _multiarray_umath as kernels

    found = kernels.__cpu_features__
    dispatched = [name for name in kernels.__cpu_dispatch__ if name.startswith(BEYOND_AVX2)]
    off = " ".join(name for name in dispatched if found[name])
    numpy_off = {"NPY_DISABLE_CPU_FEATURES": off} if off else {}
    python = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default::ImportWarning"}
    return {**os.environ, **PINNED, **numpy_off, **python}


def run_pinned(names: Iterable[str], seconds: float = 1200) -> Recorded:
    """The hashes of these cases and the format that is written, from a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "hashes.json"
        _child(["--child", str(answer), *names], folder, seconds)
        return json.loads(answer.read_text())


def write_files() -> dict[str, Hashes]:
    """Write the small files anew, in a process of their own; what is recorded of them."""
    SPK.mkdir(exist_ok=True)
    _child(["--child-files", str(SPK)], str(SPK), 600)
    blobs = {name: (SPK / name).read_bytes() for name in SMALL_FILES}
    return {name: {"format": version(blob), **hashes(blob)} for name, blob in blobs.items()}


def _child(arguments: list[str], folder: str, seconds: float) -> None:
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    done = subprocess.run(
        command,
        env=pinned(),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the conversions ended with {done.returncode}:\n{done.stderr}")
    if "NPY_DISABLE_CPU_FEATURES" in done.stderr:
        raise RuntimeError(f"NumPy's kernels are not pinned:\n{done.stderr}")
    print(done.stderr, file=sys.stderr)


def check_kernels() -> None:
    """Raise RuntimeError where this process sums with other kernels than it should."""
    import scipy.linalg  # noqa: F401 - loads its own BLAS
    from numpy._core import _multiarray_umath as kernels
    from threadpoolctl import threadpool_info

    libraries = [one for one in threadpool_info() if one["internal_api"] == "openblas"]
    names = [f"{one['prefix']} {one['architecture']}" for one in libraries]
    wrong = [name for name in names if not name.endswith(PINNED["OPENBLAS_CORETYPE"])]
    dispatched = [name for name in kernels.__cpu_dispatch__ if name.startswith(BEYOND_AVX2)]
    wrong += [name for name in dispatched if kernels.__cpu_features__[name]]
    if wrong:
        raise RuntimeError(f"kernels that are not pinned: {', '.join(wrong)}")


# --- the command --------------------------------------------------------------------------------


def answer_child(path: Path, names: list[str]) -> None:
    """In the pinned process: convert, hash, write the answer."""
    check_kernels()
    table = cases()
    found: dict[str, Hashes] = {}
    for name in names:
        began = time.monotonic()
        try:
            found[name] = table[name].hashes()
        except spikeport.SpikeportError as error:
            found[name] = {"refused": str(error)}
        print(f"{time.monotonic() - began:6.2f} s  {name}", file=sys.stderr)
    written_now = version(written(ann("relu-tiny")))
    path.write_text(json.dumps({"format": written_now, "cases": found}))


def answer_files(folder: Path) -> None:
    """In the pinned process: write the small files."""
    check_kernels()
    for name, make in SMALL_FILES.items():
        spikeport.save(make(), folder / name)


def recorded() -> Recorded:
    """What tests/golden/artifact_bytes.json holds."""
    return json.loads(GOLDEN.read_text())


def differences(wanted: Recorded, found: Recorded) -> list[str]:
    """The cases of `found` that are not as recorded, and which of their hashes differ."""
    same_format = wanted["format"] == found["format"]
    lines = []
    for name, now in found["cases"].items():
        then = wanted["cases"].get(name, {})
        compared = {*then, *now} - (set() if same_format else {"file"})
        different = sorted(part for part in compared if then.get(part) != now.get(part))
        if different:
            lines.append(f"{name}: {', '.join(different)} {now.get('refused', '')}".rstrip())
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="record what comes out now")
    parser.add_argument("--write-files", action="store_true", help="and write the small files")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child-files", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", help="cases; all that can run where none is named")
    asked = parser.parse_args()
    if asked.child is not None:
        answer_child(asked.child, asked.names)
        return 0
    if asked.child_files is not None:
        answer_files(asked.child_files)
        return 0
    wanted: Recorded = {"format": "", "cases": {}, "files": {}}
    if GOLDEN.exists():
        wanted = recorded()
    have_public = bool(os.environ.get("SPIKEPORT_POLICIES"))
    table = cases()
    names = asked.names or [name for name in table if have_public or not table[name].public]
    found = run_pinned(names)
    different = differences(wanted, found)
    print("\n".join([f"{len(different)} of {len(names)} cases differ", *different]))
    if asked.write:
        merged = wanted["cases"] | found["cases"]
        wanted["cases"] = {name: merged[name] for name in table if name in merged}
        wanted["format"] = found["format"]
    if asked.write_files:
        wanted["files"] = write_files()
    if asked.write or asked.write_files:
        GOLDEN.write_text(json.dumps(wanted, indent=1) + "\n")
        return 0
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
