"""Replay the recorded probe in Lava's real runtime and compare it, integer by integer."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .client import TIME_LIMIT, LavaClient, LavaFailure
from .host import Host
from .lava_import import install_command, lava_problem
from .messages import Arrays
from .policy import FOLDER, read_arrays, read_network

EXACT = 0
DIFFERENT = 1
NOT_RUN = 2


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0 everything is equal, 1 something differs, 2 it could not be run."""
    parser = argparse.ArgumentParser(prog="run.py", description=__doc__)
    parser.add_argument(
        "--time-limit",
        type=float,
        default=TIME_LIMIT,
        metavar="SECONDS",
        help="for Lava's start and for each chunk of decisions (default %(default)g)",
    )
    options = parser.parse_args(arguments)
    if problem := lava_problem():
        print(f"run.py: {problem}. Fix: `{install_command()}`.", file=sys.stderr)
        return NOT_RUN
    try:
        return replay(FOLDER, options.time_limit)
    except LavaFailure as failure:
        print(f"run.py: {failure}", file=sys.stderr)
        return NOT_RUN


def replay(folder: Path, time_limit: float) -> int:
    """Run the probe and print, layer by layer, whether it is equal to the recorded integers."""
    description, arrays = read_network(folder)
    probe = read_arrays(folder / "probe.npz")
    begin = time.monotonic()
    client = LavaClient(description, arrays, time_limit)
    try:
        recording = client.run(probe["inputs"], probe["control"])
    finally:
        client.close()
    seconds = time.monotonic() - begin
    decisions = len(probe["control"])
    layers = len(recording.states)
    steps = decisions * (int(description["timesteps"]) + layers)
    print(f"{decisions} decisions, {steps} steps of Lava's runtime, {seconds:.1f} s")
    host = Host(description, arrays)
    inputs, control = encoded(host, probe)
    verdicts = [
        compare("inputs encoded by host.py", inputs, probe["inputs"]),
        compare("control words of host.py", control, probe["control"]),
    ]
    for index in [index for index in range(layers) if f"payloads.{index}" in probe]:
        verdicts.append(
            compare(
                f"payloads of layer {index}", recording.payloads[index], probe[f"payloads.{index}"]
            )
        )
    coding = str(description["coding"])
    decoded = "accumulators of the readout"
    if coding == "spikes":
        decoded = "spike counts of the last layer"
    verdicts.append(compare(decoded, recording.readout(coding), probe["readout"]))
    verdicts.append(
        compare_actions(
            np.stack([host.decode(accumulator) for accumulator in probe["readout"]]),
            probe["actions"],
        )
    )
    print(
        "exact"
        if all(verdicts)
        else (
            "DIFFERENT: network.npz, probe.npz or the code was changed, or Lava computes something"
            " else"
        )
    )
    if all(verdicts):
        return EXACT
    return DIFFERENT


def encoded(host: Host, probe: Arrays) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """What host.py makes of the probe's observations.

    Returns:
        Payloads of the input [decisions, features] and control words [decisions].
    """
    payloads = []
    control = []
    for observation, flag in zip(probe["observations"], probe["flags"], strict=True):
        if flag == 1:
            host.reset()
        elif flag == 2:
            host.resync()
        row, word = host.encode(observation)
        payloads.append(row)
        control.append(word)
    return np.stack(payloads), np.array(control, np.int32)


def compare(what: str, got: NDArray[np.integer], expected: NDArray[np.integer]) -> bool:
    """Print whether two integer arrays are equal, or where they differ first."""
    if got.shape != expected.shape:
        print(f"  {what}: DIFFERENT shapes (got {got.shape}, recorded {expected.shape})")
        return False
    wrong = np.argwhere(got != expected)
    if not len(wrong):
        print(f"  {what}: {got.size} integers equal, {np.count_nonzero(expected)} of them not zero")
        return True
    place = tuple(int(index) for index in wrong[0])
    print(
        f"  {what}: {len(wrong)} of {got.size} integers DIFFER, first at {place} (got {got[place]},"
        f" recorded {expected[place]})"
    )
    return False


def compare_actions(got: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    """Print whether host.py decodes the recorded readouts to the recorded actions.

    Another machine's tanh may differ in the last bits.
    """
    worst = float(np.max(np.abs(got - expected) / np.maximum(np.abs(expected), 1.0)))
    print(
        f"  actions decoded by host.py: {'equal' if worst < 1e-12 else 'DIFFERENT'}, largest"
        f" difference {worst:g}"
    )
    return worst < 1e-12
