"""The machine that a run was made on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from spikeport.toolchain.errors import BackendError

LIBRARIES = ("numpy", "numba", "torch", "onnxruntime", "onnx", "gymnasium", "mujoco", "lava-nc")


def processor() -> str:
    """The CPU's model, and on x86 its family and model number: virtual machines hide the name."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    if "cpu family" in facts and "model" in facts:
        numbers = f", family {facts['cpu family']} model {facts['model']}"
    else:
        numbers = ""
    return facts.get("model name", platform.machine()) + numbers


def load_average() -> float | None:
    """Processes that want a core, averaged over the last minute."""
    if hasattr(os, "getloadavg"):
        return round(os.getloadavg()[0], 2)
    return None


def describe(cores: int, load_before: float | None) -> dict[str, Any]:
    """Facts beside the figures; called at a run's end."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "usable_cores": cores or None,
        "pinned": cores > 0,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "date": today,
        "load_before": load_before,
        "load_after": load_average(),
    }


def missing_libraries() -> list[str]:
    """Libraries of the contenders that are not installed."""
    return [name for name in LIBRARIES if not _installed(name)]


def require_libraries() -> None:
    """Raise BackendError that names every contender's library that is missing."""
    if missing := missing_libraries():
        raise BackendError(
            "benchmark",
            "not installed",
            got=", ".join(missing),
            why="no contender is left out",
            fix="make setup",
        )


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
