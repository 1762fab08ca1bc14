"""The policies that the tables run over: our own, and every public checkpoint under
SPIKEPORT_POLICIES.

A checkpoint is found by trying: a file whose path names an environment (`TD3_Hopper-v4_actor`,
`ppo-HalfCheetah-v3/...`) and that the readers accept. Where Gymnasium gave an environment up (-v3),
the newest version whose shapes fit is taken.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from spikeport import api
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import Policy

ROOT = Path(__file__).parent.parent
VARIABLE = "SPIKEPORT_POLICIES"
OWN = ROOT / "examples" / "policies"
ENVIRONMENT = re.compile(r"([A-Z][A-Za-z0-9]*)-v(\d+)")
OTHER_FILES = {".md", ".json", ".yml", ".yaml", ".txt", ".csv", ".pkl", ".p", ".npy", ".npz"}


@dataclass(frozen=True)
class Case:
    """A policy and its environment; `public` ones lie under SPIKEPORT_POLICIES."""

    name: str
    file: Path
    environment: str
    public: bool
    rate: bool  # ReLU, so that rate neurons carry it
    wide: bool  # two hidden layers of 256 and observations that are not normalised

    def load(self) -> Policy:
        return api.load_policy(self.file, env=self.environment)


@functools.cache
def found() -> tuple[Case, ...]:
    """Ours first, then the public ones in the order of their paths.

    What was passed over is said on stderr.
    """
    folder = os.environ.get(VARIABLE, "")
    return (
        *_in_folder(OWN, public=False),
        *(_in_folder(Path(folder), public=True) if folder else ()),
    )


def _in_folder(folder: Path, public: bool) -> list[Case]:
    cases = []
    for path in sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in OTHER_FILES and path.name != "LICENSE"
    ):
        named = ENVIRONMENT.search(path.name) or ENVIRONMENT.search(str(path.relative_to(folder)))
        if named is None:
            case = None
        else:
            case = _read(path, folder, named, public)
        if case is None:
            print(f"{path.relative_to(folder)}: passed over", file=sys.stderr)
        else:
            cases.append(case)
    return cases


def _read(path: Path, folder: Path, named: re.Match[str], public: bool) -> Case | None:
    for environment in dict.fromkeys((named[0], f"{named[1]}-v5", f"{named[1]}-v4")):
        try:
            policy = api.load_policy(path, env=environment)
        except InputError as refused:
            reason: object = refused
            continue
        if not isinstance(policy, Policy):
            reason = "a spiking network (benchmarks/spiking_policies.py)"
            break
        activations = {layer.activation for layer in policy.layers[:-1]}
        rate = activations <= {"relu"}
        wide = (
            rate
            and policy.observation.mean is None
            and [layer.outputs for layer in policy.layers[:-1]] == [256, 256]
        )
        algorithm = re.split(
            r"[-_]",
            str(path.relative_to(folder).parent if path.name.startswith(named[0]) else path.name),
            maxsplit=1,
        )[0].split("/")[-1]
        if rate:
            note = ""
        else:
            note = f" ({', '.join(sorted(activations))})"
        return Case(
            f"{algorithm.upper()} {environment}{note}" + ("" if public else " (ours)"),
            path,
            environment,
            public,
            rate,
            wide,
        )
    print(f"{path.relative_to(folder)}: {reason}", file=sys.stderr)
    return None
