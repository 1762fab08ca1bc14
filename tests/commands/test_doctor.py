"""The doctor finds what is missing or damaged, never crashes and imports nothing heavy."""

from __future__ import annotations

import configparser
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from spikeport.commands import installation as doctor
from spikeport.export.lava import lava_import

ROOT = Path(__file__).resolve().parents[2]
NAMES = (
    "python numpy scipy numba safetensors gymnasium mujoco threadpoolctl optuna torch"
    " stable-baselines3 sb3-contrib onnx onnxruntime nir lava-nc lava-dl fork"
)


def found(name: str) -> doctor.Check:
    return next(check for check in doctor.diagnose() if check.name == name)


def test_every_check_is_there_and_says_how_to_mend() -> None:
    checks = doctor.diagnose()
    assert [check.name for check in checks] == [*NAMES.split(), "numba cache", "GPU"]
    assert all(check.found and check.needed_for for check in checks)
    assert all(check.ok is not bool(check.fix) for check in checks)


def alone(code: str, *options: str) -> str:
    """The output of `code` in a fresh interpreter in which `spikeport` is a bare package.

    What the doctor imports, not what the public API does.
    """
    bare = (
        "import sys, types; package = types.ModuleType('spikeport'); package.__path__ ="
        " ['spikeport']; sys.modules['spikeport'] = package\n"
    )
    return subprocess.run(
        [sys.executable, *options, "-c", bare + code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_nothing_heavy_is_imported() -> None:
    heavy = {"numpy", "numba", "torch", "mujoco", "gymnasium", "onnx", "lava"}
    assert (
        alone(
            "from spikeport.commands import installation; installation.diagnose();"
            f" print({heavy} & set(sys.modules))"
        ).strip()
        == "set()"
    )


def test_nothing_installed() -> None:
    """-S leaves out site-packages."""
    text = alone(
        "from spikeport.commands import installation as doctor;"
        " print(doctor.render(doctor.diagnose()))",
        "-S",
    )
    assert "--  numpy" in text and "numpy is missing" in text
    assert f"fix: {lava_import.install_command()}" in text
    assert "16 of 20 checks failed" in text


def test_outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor, "_version", lambda name: "0.9.1" if name == "numpy" else "99.0+local"
    )
    check = found("numpy")
    assert not check.ok and check.found == "0.9.1, older than 1.26"
    assert check.fix.endswith("-m pip install --force-reinstall 'numpy>=1.26'")
    assert found("torch").ok
    assert found("lava-nc").found == "99.0+local instead of 0.10.0"


def test_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata without a module, and a folder of metadata with nothing in it."""
    (tmp_path / "gone-1.0.dist-info").mkdir()
    (tmp_path / "gone-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n"
    )
    (tmp_path / "empty-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    packages = (
        doctor.Package("gone>=1.0", "no_such_module", "a test"),
        doctor.Package("empty>=1.0", "no_such_module", "a test"),
    )
    monkeypatch.setattr(doctor, "PACKAGES", packages)
    assert found("gone").found == "damaged: gone 1.0 without its module"
    assert found("empty").found == "empty is missing"


def test_package_without_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module put into sys.modules by hand has no spec, and find_spec raises."""
    monkeypatch.setitem(sys.modules, "onnx", type(sys)("onnx"))
    sys.modules["onnx"].__spec__ = None
    assert not found("onnx").ok


def test_unwritable_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "cache"))
    check = found("numba cache")
    assert not check.ok and "NUMBA_CACHE_DIR" in check.fix
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "not" / "yet"))
    assert found("numba cache").ok


def test_gpu_is_never_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for tool in (None, "/no/such/tool", "/bin/false"):
        monkeypatch.setattr(doctor.shutil, "which", lambda name, tool=tool: tool)
        assert found("GPU").ok


def test_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    check = found("fork")
    assert not check.ok and check.found == "only spawn"


def test_requirements_are_those_of_the_metadata() -> None:
    """One list of requirements for pip, one for the doctor: they agree, and the pins fit Lava's."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    extras = config["options.extras_require"]
    texts = [
        config["options"]["install_requires"],
        *(extras[name] for name in ("torch", "sb3", "onnx", "nir")),
    ]
    declared = [line for text in texts for line in text.split()]
    assert {package.requirement for package in doctor.PACKAGES} == set(declared) - {
        "tqdm>=4.60",
        "click>=8.1",
    }
    pins = (ROOT / "constraints.txt").read_text().split()
    assert lava_import.REQUIREMENT in pins and doctor.LAVA_DL in pins
    lava_needs = {line.partition(">")[0] for line in extras["lava"].split()} | {"numpy", "scipy"}
    assert lava_needs == {*lava_import.NEEDS, "h5py"}


def test_this_environment_is_complete() -> None:
    """`make setup` installs everything; a check that fails here fails for every user."""
    if not metadata.packages_distributions().get("lava"):
        pytest.skip("not an environment that `make setup` made: Lava is not installed")
    assert [check.name for check in doctor.diagnose() if not check.ok] == []
