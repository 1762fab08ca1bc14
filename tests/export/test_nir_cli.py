"""`export --to nir`, and `convert` and `inspect` of the file that it wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

import spikeport
from spikeport.toolchain.artifact.artifact_file import save
from tests.artifact.test_artifact_file import assert_equal
from tests.export.test_nir import with_everything
from tests.support.front_door import answer, command, done

pytest.importorskip("nir")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(with_everything(4), tmp_path / "a.spk")
    done("export", tmp_path / "a.spk", "--to", "nir", "-o", tmp_path / "a.nir")
    return tmp_path


def test_there_and_back(folder: Path) -> None:
    said = answer("convert", folder / "a.nir", "-o", folder / "b.spk")
    assert (
        said["output"] == "b.spk"
        and (folder / "a.spk").read_bytes() == (folder / "b.spk").read_bytes()
    )
    assert_equal(spikeport.load(folder / "a.spk"), spikeport.load_nir(folder / "a.nir"))
    shown = answer("inspect", folder / "a.nir")
    assert shown == answer("inspect", folder / "a.spk")


def test_options_are_not_dropped(folder: Path) -> None:
    result = command(
        "convert", folder / "a.nir", "-o", folder / "b.spk", "--neuron", "sdn", "--no-source"
    )
    wanted = (
        "InputError: a.nir: holds a finished artifact, which is given back as it is (got --neuron,"
        " --no-source, limit -o and --json alone)."
    )
    assert (
        result.exit_code == 2
        and result.stderr.startswith(wanted)
        and not (folder / "b.spk").exists()
    )


def test_export_overwrites_nothing(folder: Path) -> None:
    result = command("export", folder / "a.spk", "--to", "nir", "-o", folder / "a.nir")
    assert result.exit_code == 2 and "a.nir: exists already" in result.stderr


def test_nir_of_nobody(folder: Path) -> None:
    (folder / "c.nir").write_bytes((folder / "a.nir").read_bytes()[:3000])
    result = command("convert", folder / "c.nir", "-o", folder / "b.spk", "--env", "Toy-v0")
    assert result.exit_code == 2 and result.stderr.startswith(
        "InputError: c.nir: the HDF5 file is damaged."
    )
