"""What this computer has for Spikeport, what is missing, and the command that fixes it.

Nothing heavy is imported: versions come from the installed metadata, modules are located, not run.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from spikeport.export.lava import lava_import
from spikeport.export.onnx.requirement import REQUIREMENTS as ONNX

MINIMUM_PYTHON = (3, 11)
LAVA_DL = "lava-dl==0.6.0"


@dataclass(frozen=True)
class Check:
    """One thing that was looked for.

    `fix` is the exact command that mends it, empty where all is well.
    """

    name: str
    ok: bool
    found: str
    needed_for: str
    fix: str


@dataclass(frozen=True)
class Package:
    """A distribution as pip knows it (`requirement`.

    Name and lower bound) and the module it provides.
    """

    requirement: str
    module: str
    needed_for: str

    @property
    def name(self) -> str:
        """The distribution's name, without extras and bound."""
        return re.split(r"[\[>=]", self.requirement)[0]


PACKAGES = (
    Package("numpy>=1.26", "numpy", "everything"),
    Package("scipy>=1.11", "scipy", "statistics of returns"),
    Package("numba>=0.60", "numba", "the fast backend"),
    Package("safetensors>=0.4", "safetensors", "reading and writing artifacts"),
    Package("gymnasium[mujoco]>=1.0", "gymnasium", "convert --env and simulate"),
    Package("mujoco>=3.2", "mujoco", "convert --env and simulate"),
    Package("threadpoolctl>=3.1", "threadpoolctl", "convert --env and simulate"),
    Package("optuna>=4.2", "optuna", "tune"),
    Package("torch>=2.6", "torch", "reading checkpoints"),
    Package("stable-baselines3>=2.4", "stable_baselines3", "training the example policies"),
    Package("sb3-contrib>=2.4", "sb3_contrib", "training TQC and TRPO policies"),
    Package(ONNX["onnx"], "onnx", "reading ONNX policies, export --to onnx and the onnx backend"),
    Package(ONNX["onnxruntime"], "onnxruntime", "the onnx backend"),
    Package("nir>=1.0.8", "nir", "reading NIR graphs, export --to nir"),
)


def diagnose() -> list[Check]:
    """Every check, the mandatory ones first. Never raises for something missing or broken."""
    return [
        _python(),
        *map(_package, PACKAGES),
        _lava(),
        _lava_dl(),
        _fork(),
        _numba_cache(),
        _gpu(),
    ]


def render(checks: list[Check]) -> str:
    """The checks as a table, each problem followed by its fix."""
    name, found = (
        max((len(getattr(check, column)) for check in checks), default=0)
        for column in ("name", "found")
    )
    lines = []
    for check in checks:
        lines.append(
            f"{'ok' if check.ok else '--'}  {check.name:{name}}  {check.found:{found}} "
            f" {check.needed_for}"
        )
        if not check.ok:
            lines.append(f"    fix: {check.fix}")
    missing = sum(not check.ok for check in checks)
    lines.append(
        f"{missing} of {len(checks)} checks failed"
        if missing
        else f"all {len(checks)} checks passed"
    )
    return "\n".join(lines)


def _check(name: str, problem: str, found: str, needed_for: str, fix: str) -> Check:
    """A check that is well exactly where `problem` is empty."""
    return Check(name, not problem, problem or found, needed_for, fix if problem else "")


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < MINIMUM_PYTHON:
        problem = f"{found}, older than {'.'.join(map(str, MINIMUM_PYTHON))}"
    else:
        problem = ""
    return _check("python", problem, found, "everything", "make setup PYTHON=python3.12")


def _package(package: Package) -> Check:
    """Installed, locatable and new enough."""
    version = _version(package.name)
    problem = _trouble(package.name, _locatable(package.module))
    minimum = package.requirement.partition(">=")[2]
    if not problem and _release(version) < _release(minimum):
        problem = f"{version}, older than {minimum}"
    fix = _pip("--force-reinstall" if version else "--upgrade", package.requirement)
    return _check(package.name, problem, version, package.needed_for, fix)


def _lava() -> Check:
    """The one version whose sources `lava_import` knows, and what it imports."""
    version = _version("lava-nc")
    expected = lava_import.REQUIREMENT.partition("==")[2]
    problem = lava_import.lava_problem() or (
        "" if version == expected else f"{version or 'unknown version'} instead of {expected}"
    )
    return _check(
        "lava-nc",
        problem,
        version,
        "the lava backends and their exports",
        lava_import.install_command(),
    )


def _lava_dl() -> Check:
    """lava-dl's reader of exported networks.

    Its version bounds exclude every supported Python, like lava-nc's.
    """
    problem = _trouble("lava-dl", lava_import.find_in_lava("lib/dl/netx") is not None) or _trouble(
        "h5py", _locatable("h5py")
    )
    fix = f"{_pip('h5py')} && {_pip('--no-deps', '--ignore-requires-python', LAVA_DL)}"
    return _check(
        "lava-dl",
        problem,
        _version("lava-dl"),
        "running netx exports (h5py: writing and reading netx)",
        fix,
    )


def _fork() -> Check:
    methods = multiprocessing.get_all_start_methods()
    if "fork" in methods:
        problem = ""
    else:
        problem = f"only {', '.join(methods)}"
    return _check(
        "fork",
        problem,
        "available",
        "the lava backend (Lava starts its processes by fork)",
        "wsl --install  # then install Spikeport inside Linux",
    )


def _numba_cache() -> Check:
    """Look for a place where compiled kernels can be kept.

    NUMBA_CACHE_DIR, else beside the source, else the user's cache.
    """
    beside = [
        Path(__file__).resolve().parents[1] / "toolchain",
        Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")),
    ]
    if os.environ.get("NUMBA_CACHE_DIR"):
        folders = [Path(os.environ["NUMBA_CACHE_DIR"])]
    else:
        folders = beside
    writable = next((str(folder) for folder in folders if _writable(folder)), "")
    if writable:
        problem = ""
    else:
        problem = f"not writable: {', '.join(map(str, folders))}"
    return _check(
        "numba cache",
        problem,
        writable,
        "a fast start of the fast backend",
        'export NUMBA_CACHE_DIR="$(mktemp -d)"',
    )


def _gpu() -> Check:
    """Optional: nothing that Spikeport runs needs one, so this is never a problem."""
    found = "none"
    tool = shutil.which("nvidia-smi")
    if tool:
        try:
            answer = subprocess.run(
                [tool, "--query-gpu=name", "--format=csv,noheader"],
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
            if answer.returncode == 0:
                found = ", ".join(answer.stdout.split("\n")).strip(", ")
            else:
                found = "none that answers"
        except (OSError, subprocess.TimeoutExpired):
            found = "none that answers"
    return Check("GPU", True, found or "none", "nothing (optional, speeds up training)", "")


def _version(distribution: str) -> str:
    """The installed version; empty where the distribution or its metadata is missing."""
    try:
        found = metadata.distribution(distribution).metadata
        if "Version" in found:
            return found["Version"]
        return ""
    except (metadata.PackageNotFoundError, OSError):
        return ""


def _trouble(distribution: str, located: bool) -> str:
    """Say what is wrong with an installed distribution whose module was `located` or not.

    The empty string says that nothing is.
    """
    version = _version(distribution)
    if version and located:
        return ""
    if not version and not located:
        return f"{distribution} is missing"
    if version:
        return f"damaged: {distribution} {version} without its module"
    return f"damaged: {distribution} without its metadata"


def _locatable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def _release(version: str) -> tuple[int, ...]:
    """`2.13.0+cpu` -> (2, 13, 0)."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    if numbers:
        return tuple(map(int, numbers.group().split(".")))
    return ()


def _writable(folder: Path) -> bool:
    """Whether `folder` can be written, or created where it does not exist."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), Path.cwd())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _pip(*arguments: str) -> str:
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.join(arguments)}"
