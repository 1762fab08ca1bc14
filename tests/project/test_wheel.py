"""The wheel holds every package and every data file, and works without the checkout."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("toolchain", "export", "hardware_profiles")  # folders here, spikeport.NAME when installed
PACKAGES = ("spikeport", *(f"spikeport.{room}" for room in ROOMS))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy, so that the checkout gets no build folder."""
    source = tmp_path_factory.mktemp("source")
    output = tmp_path_factory.mktemp("wheel")
    for package in ("spikeport", *ROOMS):
        shutil.copytree(
            ROOT / package,
            source / package,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__"),
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
    expected = {
        f"{prefix}{path.relative_to(ROOT).as_posix()}"
        for prefix, folder in (("", "spikeport"), *(("spikeport/", room) for room in ROOMS))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    assert expected - inside == set()
    assert any(name.startswith("spikeport/hardware_profiles/loihi") for name in inside)
    tops = {name.split("/")[0] for name in inside}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"spikeport"}


def test_nothing_imports_by_the_old_names() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.split()
    assert len(names) > 300, "not a checkout with git"
    old = re.compile(rf"^\s*(from|import) ({'|'.join(ROOMS)})\b", re.MULTILINE)
    files = [ROOT / name for name in names]
    assert [str(path) for path in files if path.is_file() and old.search(path.read_text())] == []


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
        site / package.replace(".", "/") / "__init__.py" for package in PACKAGES
    ]
    entry_points = next(site.glob("*.dist-info")) / "entry_points.txt"
    assert "spikeport = spikeport.cli:main" in entry_points.read_text()
