"""Import Intel's Lava on Python 3.11 and newer, and leave the process as it was.

lava-nc 0.10.0 was released for Python 3.10. Six of its modules are read with one line changed, in
memory, while `import_lava` runs; no installed file is edited and the import hook is gone
afterwards:

* `var_model` uses instances of the dataclass `ByteEncoder` as defaults, which newer dataclasses
  refuse because it is not hashable. It becomes hashable. It only addresses registers of real chips.
* `multiprocessing` calls `set_start_method("fork")` for the whole process, which overrides the
  application's choice, or raises where the application chose first. Lava needs fork, so its own
  processes, queues and semaphores come from a private fork context instead.

This file needs the standard library only: exported networks carry a copy of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import shlex
import sys
import threading
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

REQUIREMENT = "lava-nc==0.10.0"
NEEDS = {
    "numpy": "numpy",
    "scipy": "scipy",
    "networkx": "networkx",
    "asteval": "asteval",
    "scikit-learn": "sklearn",
}
"""What lava-nc imports: distribution -> module."""

_FORK = "__import__('multiprocessing').get_context('fork')"
_HASHABLE = {
    "lava.magma.compiler.var_model": {
        "@dataclass\nclass ByteEncoder": "@dataclass(unsafe_hash=True)\nclass ByteEncoder"
    }
}
_PRIVATE_FORK = {
    "lava.magma.runtime.message_infrastructure.multiprocessing": {
        "import multiprocessing as mp": f"mp = {_FORK}",
        "mp.set_start_method('fork')": "pass",
    },
    "lava.magma.runtime.message_infrastructure.shared_memory_manager": {
        "managers.SharedMemoryManager()": f"managers.SharedMemoryManager(ctx={_FORK})"
    },
    "lava.magma.runtime.runtime": {"from multiprocessing import Queue": f"Queue = {_FORK}.Queue"},
    "lava.magma.compiler.builders.channel_builder": {
        "from multiprocessing import Queue": f"Queue = {_FORK}.Queue"
    },
    "lava.magma.compiler.channels.pypychannel": {
        "from multiprocessing import Semaphore": f"Semaphore = {_FORK}.Semaphore"
    },
    "lava.magma.compiler.channels.watchdog": {
        "from multiprocessing import Process, Event, Queue, Manager": (
            f"_fork = {_FORK}; Process, Event, Queue, Manager = _fork.Process, _fork.Event,"
            " _fork.Queue, _fork.Manager"
        )
    },
}
_CHANGES = _HASHABLE | (_PRIVATE_FORK if "fork" in multiprocessing.get_all_start_methods() else {})

_lock = threading.Lock()


def install_command() -> str:
    """The command that installs lava-nc into this Python, against its own bounds (below 3.11)."""
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    return f"{pip} {' '.join(NEEDS)} && {pip} --no-deps --ignore-requires-python {REQUIREMENT}"


def lava_available() -> bool:
    """Whether lava-nc and what it imports are installed. Imports none of them."""
    return not lava_problem()


def lava_problem() -> str:
    """What keeps Lava from being imported, or the empty string."""
    if find_in_lava("magma/compiler/var_model.py") is None:
        return "lava-nc is not installed"
    missing = [name for name, module in NEEDS.items() if importlib.util.find_spec(module) is None]
    if missing:
        return f"lava-nc needs packages that are not installed (got no {', '.join(missing)})"
    return ""


def find_in_lava(path: str) -> Path | None:
    """Where a path lies under `lava`, which lava-nc and lava-dl share, or None."""
    spec = importlib.util.find_spec("lava")
    folders = spec.submodule_search_locations if spec else None
    places = [Path(folder, path) for folder in folders or ()]
    return next((place for place in places if place.exists()), None)


def import_lava() -> ModuleType:
    """Make `lava` importable and return it; calling it again changes nothing.

    The multiprocessing start method stays what it was, set or unset. Raises ImportError, with the
    command that helps, where lava-nc or a package it needs is missing, or another lava-nc is
    installed.
    """
    if problem := lava_problem():
        raise ImportError(
            f"lava: {problem}. Lava runs the exported network. Fix: `{install_command()}`.",
            name="lava",
        )
    with _lock:
        finder = _ChangingFinder()
        sys.meta_path.insert(0, finder)
        try:
            for name in _CHANGES:
                importlib.import_module(name)
        finally:
            sys.meta_path.remove(finder)
    return importlib.import_module("lava")


class _ChangingLoader(SourceFileLoader):
    """Compiles a module from its changed source; the bytecode cache is neither read nor written."""

    def get_code(self, fullname: str) -> CodeType:
        """The code of `fullname`, with the line numbers of the file."""
        source = self.get_source(fullname) or ""
        for old, new in _CHANGES[fullname].items():
            if old not in source:
                problem = (
                    f"another lava-nc than expected is installed (got no line {old!r}, limit"
                    f" {REQUIREMENT})"
                )
                raise ImportError(
                    f"{fullname}: {problem}. Fix: `{install_command()}`.", name=fullname
                )
            source = source.replace(old, new, 1)
        return self.source_to_code(source.encode(), self.path)


class _ChangingFinder(MetaPathFinder):
    """Finds the modules of `_CHANGES` where Python would, and gives them a `_ChangingLoader`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for every other module."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname in _CHANGES else None
        if spec is not None and spec.origin is not None:
            spec.loader = _ChangingLoader(fullname, spec.origin)
        return spec
