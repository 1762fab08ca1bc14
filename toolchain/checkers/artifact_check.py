"""`check_artifact`: does a `.spk` file keep its format, its proof and its word?

All violations are named at once.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from spikeport.toolchain.artifact import artifact_file
from spikeport.toolchain.artifact.artifact import PROBE_DECISIONS, Artifact
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.checkers.check_report import Check, CheckReport, run_check
from spikeport.toolchain.conversion.calibration.reset_seeds import CALIBRATION_BASE
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.files.regular_file import open_regular
from spikeport.toolchain.host.host_state import HostState
from spikeport.toolchain.network.integer_network import READOUT
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.reference import ReferenceBackend
from spikeport.toolchain.simulation.verification import compare

Found = tuple[list[str], str]
SYNTHETIC = 32
EPISODE_STARTS = 3


def check_artifact(artifact: Artifact | str | os.PathLike[str]) -> CheckReport:
    """Check an artifact, or a `.spk` file.

    A file that breaks the format is a report with that failure, all violations named. Raises
    InputError only for a path that cannot be read.
    """
    if isinstance(artifact, Artifact):
        return _report(artifact, "artifact", None)
    name = Path(artifact).name
    try:
        with open_regular(artifact) as stream:
            blob = stream.read()
    except OSError as error:
        raise InputError(
            str(artifact),
            f"cannot be read: {error.strerror}",
            fix="give the path of a .spk file",
        ) from None
    try:
        loaded = artifact_file.load(artifact)
    except InputError as error:
        return CheckReport("artifact", name, (Check("format", False, str(error)),))
    return _report(loaded, name, blob)


def _report(loaded: Artifact, name: str, blob: bytes | None) -> CheckReport:
    """All checks of an artifact; `blob` is the file that it was read from."""
    whole = run_check("format and proof", lambda: _proof(loaded, name))
    if not whole.passed:
        return CheckReport("artifact", name, (whole,))
    rules: dict[str, Callable[[], Found]] = {
        "save and load": lambda: _round_trip(loaded, blob),
        "probe": lambda: _probe(loaded),
        "decode": lambda: _decode(loaded),
        "probe runs": lambda: _runs(loaded),
        "calibration": lambda: _calibration(loaded),
        "provenance": lambda: _provenance(loaded),
        "environment": lambda: _environment(loaded),
    }
    return CheckReport(
        "artifact", name, (whole, *(run_check(title, rule) for title, rule in rules.items()))
    )


def _proof(artifact: Artifact, name: str) -> Found:
    bits = [proof.bits for proof in check(artifact, name)]
    return [], (
        f"{artifact.network.neuron}, T = {artifact.network.timesteps}; bits per layer"
        f" {', '.join(map(str, bits))} of 24"
    )


def _round_trip(artifact: Artifact, blob: bytes | None) -> Found:
    with tempfile.TemporaryDirectory(prefix="spikeport-check-") as folder:
        paths = [Path(folder, f"{number}.spk") for number in range(3)]
        artifact_file.save(artifact, paths[0])
        artifact_file.save(artifact, paths[1])
        artifact_file.save(artifact_file.load(paths[0]), paths[2])
        first, second, again = (path.read_bytes() for path in paths)
    problems = []
    if first != second:
        problems.append("saved twice, the bytes differ")
    if first != again:
        problems.append("saved, loaded and saved again, the bytes differ")
    seen = f"{len(first)} bytes, equal each time"
    if blob is not None and blob != first:
        seen += "; the file itself was written by another version"
    return problems, seen


def _probe(artifact: Artifact) -> Found:
    probe = artifact.probe
    problems = []
    starts = int((probe.flags == 1).sum())
    if len(probe.flags) != PROBE_DECISIONS:
        problems.append(f"{len(probe.flags)} observations, {PROBE_DECISIONS} expected")
    if starts < EPISODE_STARTS:
        problems.append(f"{starts} episode starts, {EPISODE_STARTS} or more expected")
    if len(probe.flags) and probe.flags[0] != 1:
        problems.append("its first observation does not start an episode")
    if probe.observations.dtype != np.float64:
        problems.append(f"observations are {probe.observations.dtype}, float64 expected")
    return problems, f"{len(probe.flags)} observations, {starts} episode starts"


def _decode(artifact: Artifact) -> Found:
    """Actions of the largest accumulators, of either sign, and of none."""
    network = artifact.network
    action = artifact.action
    outputs = network.layers[-1].outputs
    if network.layers[-1].neuron == READOUT:
        values = np.array([0, STATE_LIMIT, -STATE_LIMIT])
    else:  # spikes are counted, at most one per timestep
        values = np.array([0, network.timesteps // 2, network.timesteps])
    actions = HostState(artifact, len(values)).decode(
        np.repeat(values[:, None], outputs, axis=1), np.ones(len(values), bool)
    )
    problems = [
        f"decoded from {value} in every neuron it is not finite"
        for value, row in zip(values, actions, strict=True)
        if not np.isfinite(row).all()
    ]
    if (
        action.low is not None
        and action.high is not None
        and not ((actions >= action.low) & (actions <= action.high)).all()
    ):
        problems.append("decoded actions leave the action's bounds")
    return problems, f"finite from {values.min()} to {values.max()}"


def _runs(artifact: Artifact) -> Found:
    """The whole probe on two backends that share no integer code."""
    probe = artifact.probe
    with ReferenceBackend(artifact) as reference, FastBackend(artifact) as fast:
        expected = reference.trace(probe.observations, probe.flags)
        result, first = compare(expected, fast.trace(probe.observations, probe.flags))
    problems = []
    if first is not None:
        problems.append(f"reference and fast differ: {first}")
    if not np.isfinite(expected.actions).all():
        problems.append("an action of the probe is not finite")
    silent = [index for index, layer in enumerate(expected.layers[:-1]) if not layer.payloads.any()]
    if silent:
        problems.append(f"layers {silent} send nothing on the whole probe")
    return problems, (
        f"{result.compared} numbers equal on reference and fast,"
        f" {expected.census.synops_per_decision:.0f} synops per decision"
    )


def _calibration(artifact: Artifact) -> Found:
    calibration = artifact.calibration
    problems = []
    seeds = calibration.get("seeds")
    if not isinstance(seeds, list):
        return ["it lists no seeds, so simulate cannot refuse them"], ""
    if len(set(seeds)) != len(seeds):
        problems.append("seeds are listed twice")
    below = [seed for seed in seeds if not isinstance(seed, int) or seed < CALIBRATION_BASE]
    if below:
        problems.append(f"seeds below {CALIBRATION_BASE}, where simulate's lie: {below[:5]}")
    if (
        artifact.environment is not None
        and not seeds
        and calibration.get("source") == artifact.environment.id
    ):
        problems.append("calibrated in an environment without a seed")
    return problems, (
        f"{calibration.get('steps', 0)} decisions of"
        f" {calibration.get('source', 'an unknown source')}, {len(seeds)} seeds"
    )


def _provenance(artifact: Artifact) -> Found:
    provenance = artifact.provenance
    problems = []
    for name in ("file", "normalizer_file"):
        value = getattr(provenance, name)
        if value != Path(value).name and value:
            problems.append(f"{name} is a path ({value}), a bare name expected")
    for name in ("sha256", "normalizer_sha256"):
        value = getattr(provenance, name)
        if value and (len(value) != 64 or set(value) - set("0123456789abcdef")):
            problems.append(f"{name} is not a SHA-256")
    if not provenance.sha256:
        problems.append("the source file's SHA-256 is missing")
    return problems, f"{provenance.file}, {provenance.format}, {provenance.family}"


def _environment(artifact: Artifact) -> Found:
    record = artifact.environment
    if record is None:
        return [], "none recorded"
    problems = []
    if record.control_period_s is None:
        problems.append("its control period is not recorded, so energy per second cannot be given")
    return problems, f"{record.id}, {record.control_period_s} s per decision"
