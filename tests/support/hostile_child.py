"""Damage files and read them, in a process of its own with two GiB of address space.

FOLDER/KIND holds the honest files; which file is damaged how follows from seed, kind and number
alone.
"""

from __future__ import annotations

import faulthandler
import json
import mmap
import os
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.commands.command_options import read_array
from spikeport.hardware_profiles import parse_profile
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import load
from spikeport.toolchain.conversion.calibration.states import from_arrays
from spikeport.toolchain.environments.environment_record import EnvironmentFacts
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files import hdf5 as hdf5_content
from spikeport.toolchain.readers.load import load_policy
from tests.support.hostile_seeds import KINDS, Kind

MEMORY = 2 * 2**30
HANGS = 60.0
LONGEST = 6000
STARTS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "subprocess.Popen",
    "socket.connect",
    "pty.spawn",
)
CHANGES = (
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.truncate",
    "shutil.rmtree",
    "ctypes.dlopen",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
watching = False
seen = list[str]()
# shared with forked processes
parent = os.getpid()
seen_in_children = mmap.mmap(-1, 1)


def own_fork() -> bool:
    """HDF5 files are read in a forked process of their own; this canary goes on watching there."""
    frame: Any = sys._getframe()
    while frame is not None and frame.f_code is not hdf5_content._apart.__code__:
        frame = frame.f_back
    return frame is not None


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """The canary: what no reader does."""
    if not watching or event == "os.fork" and own_fork():
        return
    if (
        event in STARTS
        or event in CHANGES
        or event == "open"
        and isinstance(arguments[2], int)
        and arguments[2] & WRITING
    ):
        seen.append(f"{event} {arguments!a}"[:200])
        if os.getpid() != parent:
            seen_in_children[0] = 1


def read(kind: Kind, folder: Path) -> None:
    """Read the kind's file; what comes back must be usable."""
    path = folder / (kind.opened or kind.target)
    if kind.reader == "artifact":
        found: Any = load(path)
        assert isinstance(found, Artifact)
    elif kind.reader == "nir":
        from spikeport.export.nir.nir_reading import load_nir

        assert isinstance(load_nir(path), Artifact)
    elif kind.reader == "profile":
        parse_profile(path.read_bytes().decode(errors="replace"), path.name)
    elif kind.reader == "observations":
        from_arrays(np.asarray(read_array(path, "--observations")), None, 2)
    else:
        if kind.actions is None:
            bound = None
        else:
            bound = np.ones(kind.actions)
        facts = EnvironmentFacts("E-v1", None, 100, None if bound is None else -bound, bound)
        options = dict(kind.options) | (
            {"normalizer": folder / kind.options["normalizer"]}
            if "normalizer" in kind.options
            else {}
        )
        policy = load_policy(path, environment=facts, **options)
        actions = policy.act(np.zeros((2, policy.observation.size)))
        assert actions.shape == (2, policy.action.channels)


def outcome(kind: Kind, folder: Path) -> tuple[str, float]:
    """`read`, `refused`, or what broke; and the seconds of processor time.

    What waits for ever is ended, with where it was.
    """
    faulthandler.dump_traceback_later(HANGS, exit=True)
    start = time.process_time()
    try:
        read(kind, folder)
        said = "read"
    except InputError as error:
        text = str(error)
        if len(text) < LONGEST and error.where and str(folder) not in text:
            said = "refused"
        else:
            said = f"a bad message: {text[:300]}"
    except BaseException as error:  # the sweep reports everything else
        said = f"{type(error).__name__}: {str(error)[:300]}"
    seconds = time.process_time() - start
    faulthandler.cancel_dump_traceback_later()
    return said, seconds


def main(place: str, seed: int, count: int, names: list[str]) -> None:
    """Print one JSON object.

    Per kind how many were read and refused, the slowest, what broke; and what was started or
    written.
    """
    global watching
    folder = Path(place)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    honest = {
        name: outcome(KINDS[name], folder / name)[0] for name in names
    }  # imports what it needs
    result: dict[str, Any] = {
        name: {"honest": honest[name], "read": 0, "refused": 0, "slowest": 0.0, "broken": []}
        for name in names
    }
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.addaudithook(watch)
    total = sum(KINDS[name].weight for name in names)
    for name in names:
        kind = KINDS[name]
        own = folder / name
        found = result[name]
        target = own / kind.target
        index = list(KINDS).index(name)
        data = target.read_bytes()
        for number in range(-(-count * kind.weight // total)):
            change = kind.changes[number % len(kind.changes)]
            target.write_bytes(change(data, np.random.default_rng((seed, index, number))))
            print(f"{name} {number}", file=sys.stderr)
            watching = True
            said, seconds = outcome(kind, own)
            watching = False
            found["slowest"] = max(found["slowest"], seconds)
            if said in ("read", "refused"):
                found[said] += 1
            else:
                found["broken"].append(f"{number}: {said}")
        target.write_bytes(data)
    print(
        json.dumps(
            {
                "kinds": result,
                "seen": seen + ["in a child"] * seen_in_children[0],
                "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            }
        )
    )
