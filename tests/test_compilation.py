"""Machine code on disk is of the sources as they are: of all files that it is made from."""

from __future__ import annotations

import ast
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import CodeType
from typing import Any

import numba
import pytest
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic

from toolchain import compilation
from toolchain.compilation import FILES, ROOT, njit

SOURCES = sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))


def names(code: CodeType) -> set[str]:
    """Globals of a function and of those within it."""
    return set(code.co_names).union(*(names(part) for part in code.co_consts if isinstance(part, CodeType)))


def takes_part(name: str) -> bool:
    """Whether a file has to do with compiled code."""
    return bool({"numba", "toolchain.compilation"} & set(Path(ROOT, name).read_text().split()))


def compiled_in(module: Any) -> set[str]:
    """Names that the module's own compiled functions and intrinsics use."""
    functions = [getattr(value, "py_func", getattr(value, "_defn", None)) for value in vars(module).values() if isinstance(value, (Dispatcher, _Intrinsic))]
    return set().union(*(names(function.__code__) for function in functions if function is not None and function.__module__ == module.__name__))


@pytest.mark.parametrize("name", [name for name in SOURCES if takes_part(name)])
def test_files_of_compiled_code_and_of_its_constants_are_in_the_stamp(name: str) -> None:
    """Whatever a compiled function takes from another file of the toolchain is compiled into it."""
    assert name in FILES
    module = importlib.import_module(f"toolchain.{name.removesuffix('.py').replace('/', '.')}")
    used = compiled_in(module)
    for node in ast.parse(Path(ROOT, name).read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("toolchain.") and used & {alias.asname or alias.name for alias in node.names}:
            assert f"{str(node.module).removeprefix('toolchain.').replace('.', '/')}.py" in FILES, node.module


def test_what_is_compiled_is_found() -> None:
    assert all(map(takes_part, ("training/threads.py", "simulation/fast/plan.py"))) and not takes_part("errors.py")
    assert "portion" in compiled_in(importlib.import_module("toolchain.training.dense_kernels"))
    assert set(FILES) <= set(SOURCES)


def test_a_change_of_one_file_is_noticed_in_all(tmp_path: Path) -> None:
    """In a copy: compiled, read from the cache, and compiled anew once another file of FILES has changed, but not for any other file."""
    shutil.copytree(ROOT, tmp_path / "toolchain", ignore=shutil.ignore_patterns("__pycache__"))
    script = (
        "from toolchain.training.threads import portion; portion(10, 1, 2); "
        "print(*(sum(count.values()) for count in (portion.stats.cache_hits, portion.stats.cache_misses)))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"} | {"PYTHONPATH": str(tmp_path)}

    def hits_and_misses() -> str:
        return subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.strip()

    assert [hits_and_misses(), hits_and_misses()] == ["0 1", "1 0"]
    for name, expected in (("errors.py", "1 0"), ("training/lanes.py", "0 1")):
        with (tmp_path / "toolchain" / name).open("a") as file:
            file.write("# another line\n")
        assert hits_and_misses() == expected, name
    assert hits_and_misses() == "1 0"


def test_a_version_of_numba_without_the_place_caches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere:
        _cache = object()

    def stand_in(cache: bool = False, **options: Any) -> Any:
        return lambda function: Elsewhere() if cache else function

    monkeypatch.setattr(numba, "njit", stand_in)
    assert njit(nogil=True)(abs) is abs
    assert len(compilation.stamp()) == 64
