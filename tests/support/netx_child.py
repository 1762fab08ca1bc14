"""Run lava-dl in a process of its own.

It is killed with all that it started when it takes too long.

python netx_child.py FOLDER    runs what it finds in FOLDER:
    slayer.json        [{file, widths, seed, ...}, ...]; slayer blocks, written to `file` by their
        own export_hdf5; their spikes for
                       columns_<file>.npy [decisions, channels, T] go to slayer_<file>.npy
    jobs.json          [{file, interval, offset}, ...]; columns_<i>.npy [channels, steps] ->
        spikes_<i>.npy [outputs, steps]
    matrices.npz       weight matrices -> effective.npz, those with which a Dense of netx sums
        spikes
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 100


@dataclass(frozen=True, eq=False)
class Job:
    """A netx file, the arguments of its Network and the input [channels, steps]."""

    file: Path
    interval: int | None
    offset: int
    columns: np.ndarray


def run_netx(folder: Path, jobs: Sequence[Job]) -> list[np.ndarray]:
    """The output spikes [outputs, steps] of each job.

    Matrices.npz in the folder is answered, too.
    """
    for index, job in enumerate(jobs):
        np.save(folder / f"columns_{index}.npy", job.columns)
    listed = [
        {"file": str(job.file), "interval": job.interval, "offset": job.offset} for job in jobs
    ]
    (folder / "jobs.json").write_text(json.dumps(listed))
    supervised([str(Path(__file__)), str(folder)], folder)
    return [np.load(folder / f"spikes_{index}.npy") for index in range(len(jobs))]


def supervised(arguments: Sequence[str], folder: Path) -> str:
    """A Python program's output; its whole process group is killed at the end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (folder / "log.txt").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = child.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
    text = (folder / "log.txt").read_text()
    assert code == 0, text[-4000:]
    return text


def import_netx(slayer: bool = False) -> None:
    """lava-dl on this Python: `import_lava`, and stand-ins for what is not needed.

    Its object detection needs torchvision and is replaced. Without `slayer` that is replaced, too,
    as it needs PyTorch and netx uses it for resonators alone.
    """
    from spikeport.export.lava.lava_import import import_lava

    import_lava()
    if slayer:
        parts = ["lava.lib.dl.slayer.object_detection"]
    else:
        parts = [f"lava.lib.dl.{name}" for name in ("slayer", "slayer.neuron", "slayer.neuron.rf")]
    for name in parts:
        module = types.ModuleType(name)
        module.__path__ = []
        module.__file__ = __file__
        module.neuron_params = None  # pyright: ignore
        sys.modules[name] = module
    if not slayer:
        sequential = types.ModuleType("lava.lib.dl.netx.sequential_modules")
        sequential.__file__ = __file__
        sys.modules[sequential.__name__] = sequential


def run_jobs(folder: Path) -> None:
    """Run the jobs of jobs.json."""
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    for index, job in enumerate(json.loads((folder / "jobs.json").read_text())):
        columns = np.load(folder / f"columns_{index}.npy")
        network = netx.hdf5.Network(
            net_config=job["file"], reset_interval=job["interval"], reset_offset=job["offset"]
        )
        source = Source(data=columns)
        sink = Sink(shape=network.out.shape, buffer=columns.shape[1])
        source.s_out.connect(network.inp)
        network.out.connect(sink.a_in)
        network.run(
            condition=RunSteps(columns.shape[1]), run_cfg=Loihi2SimCfg(select_tag="fixed_pt")
        )
        np.save(folder / f"spikes_{index}.npy", sink.data.get().astype(np.int64))
        network.stop()


def run_slayer(folder: Path) -> None:
    """Write the networks of slayer.json and record their spikes."""
    import h5py
    import torch
    from lava.lib.dl import slayer

    for spec in json.loads((folder / "slayer.json").read_text()):
        torch.manual_seed(spec["seed"])
        neuron = {name: spec[name] for name in ("threshold", "current_decay", "voltage_decay")}
        pairs = list(zip(spec["widths"][:-1], spec["widths"][1:], strict=True))
        blocks = [
            slayer.block.cuba.Dense(
                neuron,
                a,
                b,
                weight_norm=spec["weight_norm"],
                delay=spec["delay"],
                delay_shift=spec["shift"],
            )
            for a, b in pairs
        ]
        for block in blocks:
            block.synapse.weight.data.mul_(spec["gain"])
            if spec["weight_norm"]:
                block.synapse.weight_g.data.mul_(spec["gain"])
        if spec["affine"]:
            blocks.append(
                slayer.block.cuba.Affine(
                    neuron, spec["widths"][-1], 2, dynamics=spec["affine"] == "dynamics"
                )
            )
        signal = torch.FloatTensor(np.load(folder / f"columns_{spec['file']}.npy"))
        with torch.no_grad():
            for block in blocks[: len(pairs)]:
                signal = block(signal)
            if spec["affine"]:
                blocks[-1](signal)
        np.save(folder / f"slayer_{spec['file']}.npy", signal.numpy().astype(np.int64))
        torch.save(
            torch.nn.ModuleDict({"blocks": torch.nn.ModuleList(blocks)}).state_dict(),
            folder / f"{spec['file']}.pt",
        )
        with h5py.File(folder / spec["file"], "w") as file:
            for index, block in enumerate(blocks):
                block.export_hdf5(file.create_group(f"layer/{index}"))


def run_matrices(folder: Path) -> None:
    """Write the weights with which netx sums spikes."""
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    found = {}
    for name, weights in np.load(folder / "matrices.npz").items():
        made, bits, exponent, _ = optimize_weight_bits(weights.copy())
        mode = determine_sign_mode(made)
        found[name] = np.right_shift(
            truncate_weights(clip_weights(made, mode, num_bits=8), mode, bits), -exponent
        )
    np.savez(folder / "effective.npz", **found)


def main(folder: Path) -> None:
    import_netx(slayer=(folder / "slayer.json").exists())
    for name, run in (
        ("slayer.json", run_slayer),
        ("jobs.json", run_jobs),
        ("matrices.npz", run_matrices),
    ):
        if (folder / name).exists():
            run(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
