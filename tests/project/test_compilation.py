"""Machine code on disk is of the sources as they are: of all files that it is made from."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import numba
import pytest
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic

from spikeport.toolchain import compilation
from spikeport.toolchain.compilation import FILES, ROOT, njit


def names(code: CodeType) -> set[str]:
    """Globals of a function and of those within it."""
    return set(code.co_names).union(
        *(names(part) for part in code.co_consts if isinstance(part, CodeType))
    )


def own(module: Any) -> list[Any]:
    """The module's own functions that are compiled, intrinsics too."""
    functions = [
        getattr(value, "py_func", getattr(value, "_defn", None))
        for value in vars(module).values()
        if isinstance(value, (Dispatcher, _Intrinsic))
    ]
    return [
        function
        for function in functions
        if function is not None and function.__module__ == module.__name__
    ]


def file(module: str) -> str:
    return f"{module.removeprefix('spikeport.toolchain.').replace('.', '/')}.py"


def test_files_of_compiled_code_and_of_its_constants_are_in_the_stamp() -> None:
    """Every module is looked at.

    Whatever a compiled function takes from another file of the toolchain is compiled into it.
    """
    found = dict[str, set[str]]()
    for place in pkgutil.walk_packages([str(ROOT)], "spikeport.toolchain."):
        module = importlib.import_module(place.name)
        functions = own(module)
        if not functions:
            continue
        used = set[str]().union(*(names(function.__code__) for function in functions))
        found[file(place.name)] = {
            file(node.module)
            for node in ast.parse(inspect.getsource(module)).body
            if isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith("spikeport.toolchain.")
            if used & {alias.asname or alias.name for alias in node.names}
        }
    assert {
        "training/layers/lanes.py",
        "training/layers/threads.py",
        "simulation/fast/neurons/leaky_integrate_and_fire.py",
        "simulation/fast/plan.py",
    } <= set(found)
    assert {"training/layers/lanes.py", "training/layers/threads.py"} <= found[
        "training/layers/spiking_forward_kernels.py"
    ]
    assert set(found).union(*found.values()) <= set(FILES)
    assert all((ROOT / name).is_file() for name in FILES)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """run(script, exit code) in a copy of the toolchain at tmp_path, with a cache of its own."""
    package = tmp_path / "spikeport"
    shutil.copytree(ROOT, package / "toolchain", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT.parent / "__init__.py", package)
    (package / "export").mkdir()
    (package / "export" / "__init__.py").touch()
    environment = {
        name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"
    } | {"PYTHONPATH": str(tmp_path)}

    def answer(script: str, code: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout.strip()

    return answer


def test_a_change_of_one_file_is_noticed_in_all(tmp_path: Path, run: Callable[..., str]) -> None:
    """Compiled, read from the cache, and compiled anew once another file of FILES has changed, but
    not for any other file.
    """
    hits_and_misses = (
        "from spikeport.toolchain.training.layers.threads import portion; portion(10, 1, 2);"
        " print(*(sum(count.values()) for count in (portion.stats.cache_hits,"
        " portion.stats.cache_misses)))"
    )
    assert [run(hits_and_misses), run(hits_and_misses)] == ["0 1", "1 0"]
    for name, expected in (("errors.py", "1 0"), ("training/layers/lanes.py", "0 1")):
        with (tmp_path / "spikeport" / "toolchain" / name).open("a") as file:
            file.write("# another line\n")
        assert run(hits_and_misses) == expected, name
    assert run(hits_and_misses) == "1 0"


def test_who_is_killed_while_it_stores_leaves_no_stale_code(
    tmp_path: Path, run: Callable[..., str]
) -> None:
    """numba writes the index before the machine code.

    Between the two, the new index must not lead to the code of before.
    """
    ask = (
        "from spikeport.toolchain.training.layers.threads import portion; print(*portion(10, 1, 2))"
    )
    killed = (
        "import os; from numba.core.caching import IndexDataCacheFile as F; F._save_data = lambda"
        f" *_: os._exit(9); {ask}"
    )
    assert [run(ask), run(ask)] == ["5 10", "5 10"]
    changed = tmp_path / "spikeport" / "toolchain" / "training" / "layers" / "threads.py"
    text = changed.read_text()
    assert text.count("    return size * part // parts, ") == 1
    changed.write_text(
        text.replace(
            "    return size * part // parts, ", "    return 1000 + size * part // parts, "
        )
    )
    run(killed, code=9)
    assert [run(ask), run(ask)] == ["1005 10", "1005 10"]


def test_another_kind_of_cache_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Elsewhere:
        _cache = object()

    def stand_in(cache: bool = False, **options: Any) -> Any:
        return lambda function: Elsewhere() if cache else function

    monkeypatch.setattr(numba, "njit", stand_in)
    assert njit(nogil=True)(abs) is abs
    assert len(compilation.stamp()) == 64
