"""The hostile sweep: damaged files of every format are read or refused with a clear error.

The formats are those of tests/support/hostile_seeds.py. No other exception, no crash, no file over
ten seconds, no more than 2 GiB of address space, nothing started or written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile_seeds import KINDS

for package in ("torch", "stable_baselines3", "onnx", "h5py", "nir", "snntorch", "safetensors"):
    pytest.importorskip(package)

ROOT = Path(__file__).resolve().parents[2]
SEED = 2026
SAMPLE = 400
ALL = 10_000
PARTS = 4
# lava-dl installs a package `tests`, which would shadow this folder.
CHILD = f"""
import sys, types
sys.modules["tests"] = types.ModuleType("tests")
sys.modules["tests"].__path__ = [{str(ROOT / "tests")!r}]
from tests.support.hostile_child import main
from tests.support.hostile_seeds import KINDS
main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:] or list(KINDS))
"""
HONEST_REFUSALS = {name for name in KINDS if name.startswith("payload")}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The honest files of every kind."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, kind in KINDS.items():
        (folder / name).mkdir()
        kind.make(folder / name)
        assert (folder / name / kind.target).is_file() and (
            folder / name / (kind.opened or kind.target)
        ).is_file(), name
    return folder


def sweep(folder: Path, seed: int, count: int, *names: str) -> dict[str, Any]:
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [sys.executable, "-c", CHILD, str(folder), str(seed), str(count), *names]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=1500,
        env=environment,
        cwd=ROOT,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout)
    assert found["seen"] == [], found["seen"][:5]
    assert not list(folder.rglob("mark"))
    for name, kind in found["kinds"].items():
        assert kind["honest"] == ("refused" if name in HONEST_REFUSALS else "read"), (
            name,
            kind["honest"],
        )
        assert kind["broken"] == [], (name, kind["broken"][:5])
        assert kind["slowest"] < 10, (name, kind["slowest"])
    return found


def test_a_sample(seeds: Path) -> None:
    found = sweep(seeds, SEED, SAMPLE)
    total = {
        outcome: sum(kind[outcome] for kind in found["kinds"].values())
        for outcome in ("read", "refused")
    }
    assert set(found["kinds"]) == set(KINDS) and sum(total.values()) >= SAMPLE
    assert (
        total["refused"] > SAMPLE // 2 and total["read"] > 10
    )  # the damage bites, and not everything is refused


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_ten_thousand_files(seeds: Path, part: int) -> None:
    found = sweep(seeds, SEED + 1 + part, ALL // PARTS)
    for name, kind in found["kinds"].items():
        assert kind["refused"] > (kind["read"] + kind["refused"]) // 20, name
