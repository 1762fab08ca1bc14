"""What the ONNX export and the backend `onnx` need, and the command that installs it."""

from __future__ import annotations

import importlib.util
import shlex
import sys

REQUIREMENTS = {"onnx": "onnx>=1.16", "onnxruntime": "onnxruntime>=1.18"}


def onnx_problem(*modules: str) -> str:
    """Which of `modules` (all of REQUIREMENTS if none are named) is missing; or empty."""
    missing = [name for name in modules or REQUIREMENTS if not _locatable(name)]
    if not missing:
        return ""
    verb = "is" if len(missing) == 1 else "are"
    return f"{' and '.join(missing)} {verb} not installed"


def install_command() -> str:
    """The command that installs them into this Python."""
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.join(REQUIREMENTS.values())}"


def _locatable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
