"""A stranger's installed package adds a backend and a format by entry points; nothing here changes.

The package is a module and its metadata in a folder on the path, as pip would have left them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import spikeport
from tests.support.front_door import ROOT, toy

MODULE = """
import json
from spikeport.export.exporter import carries
from spikeport.toolchain.simulation.reference import ReferenceBackend


class ToyBackend(ReferenceBackend):
    name = "toy"


@carries(("sdn@1", "readout@1"))
def export_toy(artifact, path, trace):
    path.write_text(json.dumps([layer.weights.tolist() for layer in artifact.network.layers]))
"""
ENTRY_POINTS = """
[spikeport.backends]
toy = toy_spikeport:ToyBackend
raising = toy_spikeport_raising:Backend
broken = toy_spikeport:NoSuchBackend
fast = toy_spikeport:ToyBackend

[spikeport.exporters]
toy = toy_spikeport:export_toy
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the package."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "toy_spikeport.py").write_text(MODULE)
    (folder / "toy_spikeport_raising.py").write_text("raise ValueError('no such chip')")
    metadata = folder / "toy_spikeport-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-spikeport\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    spikeport.save(toy(), folder / "toy.spk")
    return folder


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where the package is installed."""
    return subprocess.run(
        [sys.executable, "-m", "spikeport.cli", *arguments],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(installed)))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_help_names_what_the_package_adds(installed: Path) -> None:
    assert "lava, onnx, toy, raising, broken." in " ".join(
        run(installed, "simulate", "--help").stdout.split()
    )
    assert "lava|netx|nir|onnx|toy" in run(installed, "export", "--help").stdout


def test_its_backend_is_exact_and_certified(installed: Path) -> None:
    done = run(installed, "verify", "toy.spk", "--backends", "reference,fast,toy", "--json")
    facts = json.loads(done.stdout)
    assert (done.returncode, facts["exact"]) == (0, True)
    assert facts["backends"]["toy"]["mismatches"] == 0 < facts["backends"]["toy"]["compared"]
    checked = run(installed, "check", "--backend-class", "toy_spikeport:ToyBackend")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_its_format_is_written(installed: Path) -> None:
    done = run(installed, "export", "toy.spk", "--to", "toy", "-o", "weights.json")
    assert done.returncode == 0, done.stderr
    written = json.loads((installed / "weights.json").read_text())
    assert written == [layer.weights.tolist() for layer in toy().network.layers]


def test_the_support_table_has_rows_for_both(installed: Path) -> None:
    script = (
        "from tests.support.ways import IN, ON, OUT, cells\n"
        "print(sorted({(way, name) for way, name, _ in cells() if name in ('toy', 'fast')}))"
    )
    before = (
        "import sys, types\nsys.modules['tests'] = types.ModuleType('tests')\n"
        f"sys.modules['tests'].__path__ = [{str(ROOT / 'tests')!r}]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", before + script],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(installed)))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("'toy'") == 2 and done.stdout.count("'fast'") == 1


@pytest.mark.parametrize(
    ("name", "reason"), [("broken", "NoSuchBackend"), ("raising", "no such chip")]
)
def test_an_entry_point_that_cannot_be_imported_is_told(
    installed: Path, name: str, reason: str
) -> None:
    done = run(installed, "verify", "toy.spk", "--backends", f"reference,{name}")
    assert done.returncode == 2, done.stderr
    assert f"{name} is named by an installed package and cannot be imported" in done.stderr
    assert f"repair or uninstall the package that adds {name}" in done.stderr
    assert reason in done.stderr and "Traceback" not in done.stderr


def test_what_the_project_ships_is_never_replaced(installed: Path) -> None:
    script = "from spikeport.toolchain import plugins; print(plugins.places('backends')['fast'])"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(installed)))},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip().endswith("fast_backend:FastBackend")
