"""The wheel holds every package and every data file, and works without the checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("spikeport", "toolchain", "export", "hardware_profiles")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that the checkout gets no build folder."""
    source = tmp_path_factory.mktemp("source")
    output = tmp_path_factory.mktemp("wheel")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(output),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return next(output.glob("spikeport-*.whl"))


def test_every_file_of_the_packages_is_inside(wheel: Path) -> None:
    files = (
        path
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert {path.relative_to(ROOT).as_posix() for path in files} - inside == set()
    assert any(name.startswith("hardware_profiles/") and name.endswith(".toml") for name in inside)
    assert not any(name.startswith(("tests/", "benchmarks/", "examples/")) for name in inside)


def test_packages_import_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = f"""
import importlib, json, sys
sys.path.insert(0, {str(site)!r})
names = {PACKAGES!r}
print(json.dumps([importlib.import_module(name).__file__ for name in names]))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [Path(file) for file in json.loads(done.stdout)] == [
        site / package / "__init__.py" for package in PACKAGES
    ]
    entry_points = next(site.glob("*.dist-info")) / "entry_points.txt"
    assert "spikeport = spikeport.cli:main" in entry_points.read_text()
