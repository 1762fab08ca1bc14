"""`--to onnx`: places, failures, missing packages and what the export imports."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import spikeport
from spikeport.export.onnx import model as model_file
from spikeport.export.onnx.model import export_onnx, onnx_model, serialised
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.simulation.backends import open_backend
from tests.support.front_door import done, refusal
from tests.support.networks import random_artifact
from tests.support.onnx_exports import DOCUMENT


def test_paths_that_cannot_be_used(tmp_path: Path) -> None:
    artifact = random_artifact(0)
    (tmp_path / "mine").write_text("keep")
    (tmp_path / "empty").touch()
    with pytest.raises(
        InputError,
        match=(
            "mine: is there already. an export never overwrites anything. Fix: give -o a path that"
            " does not exist"
        ),
    ):
        export_onnx(artifact, tmp_path / "mine")
    for place, reason in (
        (tmp_path, "it is a folder"),
        (tmp_path / "absent" / "p.onnx", "its folder does not exist"),
    ):
        with pytest.raises(InputError, match=f"cannot be written: {reason}"):
            export_onnx(artifact, place)
    assert (tmp_path / "mine").read_text() == "keep" and {
        path.name for path in tmp_path.iterdir()
    } == {"mine", "empty"}
    export_onnx(artifact, tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == serialised(onnx_model(artifact))


def test_a_failure_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_file.Path, "write_bytes", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        export_onnx(random_artifact(0), tmp_path / "p.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named with the command that installs it; without onnxruntime the export still writes."""
    artifact = random_artifact(0)
    spikeport.save(artifact, tmp_path / "p.spk")
    monkeypatch.setitem(sys.modules, package, None)
    told = f"{package} is not installed"
    install = "pip install 'onnx>=1.16' 'onnxruntime>=1.18'"
    with pytest.raises(
        BackendError,
        match=(
            f"^backend onnx: {told}. onnxruntime runs the exported graph. Fix:"
            f" `.*{re.escape(install)}`.$"
        ),
    ):
        open_backend("onnx", artifact)
    entry = spikeport.verify(artifact, backends=["reference", "onnx"], decisions=10)
    assert (
        not entry.exact
        and entry.backends["onnx"].missing.startswith(f"{told}; ")
        and entry.backends["onnx"].missing.endswith(install)
    )
    assert refusal("verify", tmp_path / "p.spk", "--backends", " ").count("onnx")
    if package == "onnx":
        text = refusal("export", tmp_path / "p.spk", "--to", "onnx", "-o", tmp_path / "p.onnx")
        assert (
            text.startswith(f"BackendError: onnx: {told}. it writes the graph. Fix: `")
            and install in text
            and not (tmp_path / "p.onnx").exists()
        )
    else:
        done("export", tmp_path / "p.spk", "--to", "onnx", "-o", tmp_path / "p.onnx")


def test_export_knows_no_simulation() -> None:
    import subprocess

    code = (
        "import sys; import spikeport.export.onnx.model; print([name for name in sys.modules if"
        " name.startswith('spikeport.toolchain.simulation')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=DOCUMENT.parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"
