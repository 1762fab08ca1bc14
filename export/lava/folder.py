"""`--to lava`: a folder that runs with lava-nc and numpy alone and checks itself.

run.py              replays the recorded probe in Lava's runtime; exit code 0 when every integer
                    is equal
network.json, .npz  the network and the host's contracts: JSON and arrays, nothing else
probe.npz           observations, encoded inputs, and what the reference computed from them
spiking_policy/     constant code, the same for every policy: Lava processes, builder,
                    supervised runtime
"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.export.exporter import ProbeTrace, TraceOfProbe, carries
from spikeport.export.host_description import describe_host
from spikeport.export.lava.host import Host
from spikeport.export.lava.network_description import NEURONS, describe
from spikeport.export.lava.readme import readme
from spikeport.export.lava.replay import encoded
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import CheckFailed, InputError
from spikeport.toolchain.files.atomic import canonical_json

PACKAGE = "spiking_policy"
CODE = (
    "__init__",
    "client",
    "host",
    "lava_import",
    "messages",
    "network",
    "policy",
    "replay",
    "spiking_network",
    "supervisor",
    "window",
    "worker",
)
PROCESSES = (
    "source",
    "spike_source",
    "recorder",
    "integrate_and_fire",
    "leaky",
    "signed_memory",
    "multi_threshold",
    "differential_coding",
    "sigma_delta",
    "readout",
)
RUN = f'''\
"""Replay the recorded probe in Lava's runtime: exit code 0 equal, 1 different, 2 not run."""

import sys

from {PACKAGE}.replay import main

if __name__ == "__main__":
    sys.exit(main())
'''


@carries(NEURONS)
def export_lava(artifact: Artifact, path: str | os.PathLike[str], trace: TraceOfProbe) -> None:
    """Write the folder `path`, which appears whole or not at all.

    Args:
        artifact: What is written.
        path: The folder; it must be absent or empty.
        trace: Runs the reference on the artifact's probe.

    Raises:
        InputError: For a path that cannot be used.
        NotCarried: For a neuron that has no Lava process.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(
            str(path),
            "is not an empty folder",
            why="an export never overwrites anything",
            fix="give -o a path that does not exist",
        )
    description, arrays = describe(artifact.network)
    facts, contracts = describe_host(artifact)
    description |= {"host": facts}
    host = Host(description, arrays | contracts)
    probe = record_probe(artifact, host, trace())
    temporary = target.parent / f".{target.name}-{secrets.token_hex(4)}"
    try:
        temporary.mkdir()
        copy_code(temporary)
        (temporary / "network.json").write_text(canonical_json(description) + "\n")
        for name, values in (("network", arrays | contracts), ("probe", probe)):
            content: dict[str, Any] = {**values}
            np.savez_compressed(temporary / f"{name}.npz", **content)
        (temporary / "README.md").write_text(readme(artifact))
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(
            str(path),
            f"cannot be written: {error.strerror}",
            fix="give -o a path in an existing folder that you may write to",
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def record_probe(artifact: Artifact, host: Host, trace: ProbeTrace) -> dict[str, NDArray[Any]]:
    """The probe's inputs and what the reference computes from them, in the narrowest integers.

    Raises CheckFailed where the exported host encodes another network's inputs.
    """
    probe = artifact.probe
    code = artifact.network.code
    observed = {"observations": probe.observations, "flags": probe.flags}
    inputs, control = encoded(host, observed)
    if not np.array_equal(inputs, trace.inputs):
        raise CheckFailed(
            "export lava",
            "host.py encodes the probe differently than the reference",
            why="the folder would not be the artifact",
            fix="report this",
        )
    last = trace.layers[-1]
    sending = trace.layers[:-1] if code.has_readout else trace.layers
    computed = {
        "inputs": inputs,
        "control": control,
        "readout": code.read_out(last.payloads, last.states).astype(np.int32),
        "actions": trace.actions,
    }
    payloads = {f"payloads.{index}": narrow(layer.payloads) for index, layer in enumerate(sending)}
    return observed | computed | payloads


def narrow(values: NDArray[np.int32]) -> NDArray[Any]:
    """The same integers in the smallest signed type."""
    largest = int(np.abs(values.astype(np.int64)).max(initial=0))
    for kind in (np.int8, np.int16):
        if largest <= np.iinfo(kind).max:
            return values.astype(kind)
    return values.astype(np.int32)


def copy_code(folder: Path) -> None:
    """Write run.py and the package beside it, whose files are this package's own, byte for byte."""
    here = Path(__file__).parent
    package = folder / PACKAGE
    (folder / "run.py").write_text(RUN)
    package.mkdir()
    for name in CODE:
        shutil.copyfile(here / f"{name}.py", package / f"{name}.py")
    for name in ("", *PROCESSES):
        (package / "processes" / name).mkdir()
        shutil.copyfile(
            here / "processes" / name / "__init__.py", package / "processes" / name / "__init__.py"
        )
    for name in PROCESSES:
        shutil.copyfile(
            here / "processes" / name / "process.py", package / "processes" / name / "process.py"
        )
