"""Lava imports and runs on this Python, and the process is afterwards what it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spikeport.export.lava import lava_import

ROOT = Path(__file__).resolve().parents[2]
needs_lava = pytest.mark.skipif(
    not lava_import.lava_available(),
    reason=f"{lava_import.lava_problem()}: `{lava_import.install_command()}`",
)

IMPORT = """
import multiprocessing, sys
from spikeport.export.lava.lava_import import import_lava, lava_available
{before}
hooks, path_hooks = list(sys.meta_path), list(sys.path_hooks)
assert lava_available() and "lava" not in sys.modules
assert import_lava() is import_lava() is sys.modules["lava"]
assert sys.meta_path == hooks and sys.path_hooks == path_hooks
assert multiprocessing.get_start_method(allow_none=True) == {expected!r}
"""

RUN = """
import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF
source = RingBuffer(data=np.array([[1, 0, 0, 0]]))
dense = Dense(weights=np.array([[100]]))
neuron = LIF(shape=(1,), du=4095, dv=0, vth=1000)
source.s_out.connect(dense.s_in)
dense.a_out.connect(neuron.a_in)
try:
    neuron.run(condition=RunSteps(4), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    assert neuron.v.get().tolist() == [100 * 64], neuron.v.get()
finally:
    neuron.stop()
assert multiprocessing.get_start_method(allow_none=True) == {expected!r}
"""


def python(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter at the root of the checkout; a hanging Lava is killed."""
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@needs_lava
@pytest.mark.parametrize("method", [None, "spawn", "fork", "forkserver"])
def test_start_method_survives_import_and_run(method: str | None) -> None:
    if method:
        before = f"multiprocessing.set_start_method({method!r})"
    else:
        before = ""
    done = python((IMPORT + RUN).format(before=before, expected=method))
    assert done.returncode == 0, done.stderr


@needs_lava
def test_start_method_can_be_chosen_afterwards() -> None:
    code = IMPORT.format(before="", expected=None) + "multiprocessing.set_start_method('spawn')"
    done = python(code)
    assert done.returncode == 0, done.stderr


@needs_lava
def test_byte_encoder_hashes_as_it_compares() -> None:
    code = (
        IMPORT.format(before="", expected=None)
        + "from lava.magma.compiler.var_model import ByteEncoder as B\nassert hash(B()) =="
        " hash(B()) and B() == B()"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr


@needs_lava
def test_another_lava_is_named(tmp_path: Path) -> None:
    package = tmp_path / "lava" / "magma" / "compiler"
    package.mkdir(parents=True)
    (package / "var_model.py").write_text("class ByteEncoder: ...\n")
    done = python(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from spikeport.export.lava.lava_import import import_lava\nimport_lava()"
    )
    assert (
        "ImportError: lava.magma.compiler.var_model: another lava-nc than expected" in done.stderr
    )
    assert lava_import.REQUIREMENT in done.stderr


def test_standard_library_alone_says_what_to_install() -> None:
    """-S leaves out site-packages.

    No Lava, no numpy, no Spikeport; the file is loaded as an export's copy would be.
    """
    code = (
        "import sys; sys.path.insert(0, 'export/lava')\nimport lava_import\nassert not"
        " lava_import.lava_available()\nlava_import.import_lava()"
    )
    done = python(code, "-S")
    assert "ImportError: lava: lava-nc is not installed" in done.stderr
    assert "-m pip install --no-deps --ignore-requires-python lava-nc==0.10.0`" in done.stderr


def test_missing_needs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lava_import, "find_in_lava", lambda path: Path(path))
    monkeypatch.setattr(lava_import, "NEEDS", {"numpy": "numpy", "asteval": "no_such_module"})
    assert (
        lava_import.lava_problem()
        == "lava-nc needs packages that are not installed (got no asteval)"
    )
    with pytest.raises(ImportError, match="got no asteval"):
        lava_import.import_lava()
