"""Record the golden vectors anew from Lava's real runtime.

    python tests/golden/record.py [--check]

With --check nothing is written; the exit code says whether Lava still computes what is recorded.
The recording never comes from any backend of ours: a mistake there would be recorded as the truth.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT),
    str(ROOT / "tests"),
    str(ROOT / "tests" / "golden"),
]  # lava-dl installs a package `tests`

from golden import saturating  # noqa: E402
from networks import leaky_artifact, random_artifact  # noqa: E402
from spiking_networks import SpikingShape, build_spiking  # noqa: E402

from spikeport.export.host_description import describe_host  # noqa: E402
from spikeport.export.lava.client import LavaClient  # noqa: E402
from spikeport.export.lava.host import Host  # noqa: E402
from spikeport.export.lava.network_description import describe  # noqa: E402
from spikeport.export.lava.replay import encoded  # noqa: E402
from spikeport.toolchain.checkers.golden import (  # noqa: E402
    FOLDER,
    artifact_of,
    names,
    network_arrays,
    read,
)
from spikeport.toolchain.network.integer_network import (  # noqa: E402
    READOUT,
    Encoder,
    Layer,
    Network,
)
from spikeport.toolchain.network.synapses import Dense  # noqa: E402
from spikeport.toolchain.neurons import network_of  # noqa: E402
from spikeport.toolchain.neurons.proof import prove  # noqa: E402

DECISIONS = 24
ONE = (4, 2)
TWO = (4, 6, 2)
THREE = (4, 6, 5, 2)
FOUR = (4, 5, 4, 3, 2)


def triggered(network: Network) -> Network:
    """The same with a trigger of 3 in every hidden layer."""
    layers = [
        layer if layer.neuron == READOUT else dataclasses.replace(layer, trigger=3)
        for layer in network.layers
    ]
    return dataclasses.replace(network, layers=tuple(layers))


def back_to_zero() -> Network:
    """Identity neurons that repeat small inputs, each with offsets of its own.

    A trigger of 2 holds changes back, but not the one to zero.
    """
    inputs = 4
    offsets = np.arange(-2, 3)
    weights = np.kron(np.eye(inputs), np.ones((len(offsets), 1))).astype(np.int8)
    bias = np.tile(offsets, inputs).astype(np.int32)
    unit = np.ones(len(bias))
    one = np.ones(len(bias), np.int32)
    hidden = Layer(
        "sdn@1",
        Dense(weights),
        bias,
        unit,
        one,
        -4 * one,
        3 * one,
        unit,
        activation="identity",
        trigger=2,
    )
    readout = Layer(
        READOUT,
        Dense(weights.T.copy()),
        one[:4],
        unit[:4],
        0 * one[:4],
        0 * one[:4],
        one[:4],
        unit[:4],
        activation="identity",
    )
    return network_of(Encoder(unit[:4], 4 * one[:4]), (hidden, readout), timesteps=1)


def rate(
    seed: int, widths: tuple[int, ...], timesteps: int, alpha: int = 0, kind: str = "if"
) -> Callable[[], Network]:
    """What makes a rate network of these widths."""
    return lambda: (
        random_artifact(
            seed, neuron=f"{kind}@1", widths=widths, timesteps=timesteps, alpha=alpha
        ).network
    )


def change(
    seed: int, widths: tuple[int, ...], activation: str = "relu", resync_every: int = 0
) -> Callable[[], Network]:
    """What makes a network of sdn of these widths."""
    return lambda: (
        random_artifact(
            seed, widths=widths, activation=activation, resync_every=resync_every
        ).network
    )


def leaky(seed: int, timesteps: int, in_current: bool, **more: Any) -> Callable[[], Network]:
    """What makes a network of lif with rate-coded observations."""
    shape = SpikingShape(
        features=4, population=0, readers=1, timesteps=timesteps, in_current=in_current, **more
    )
    return lambda: build_spiking(shape, seed).network


CASES: dict[str, Callable[[], Network]] = {
    **{f"if-t1-a{alpha}": rate(10 + alpha, TWO, 1, alpha) for alpha in (0, 32, 64)},
    **{f"if-t5-a{alpha}": rate(20 + alpha, THREE, 5, alpha) for alpha in (0, 32, 64)},
    **{f"if-t8-a{alpha}": rate(104, FOUR, 8, alpha) for alpha in (0, 32, 64)},
    "if-t5-no-hidden-layer": rate(40, ONE, 5),
    "if-t8-saturating": saturating,
    **{f"snm-t1-a{alpha}": rate(10 + alpha, TWO, 1, alpha, "snm") for alpha in (0, 64)},
    **{f"snm-t8-a{alpha}": rate(142, FOUR, 8, alpha, "snm") for alpha in (0, 32, 64)},
    **{f"mt-t1-a{alpha}": rate(10 + alpha, TWO, 1, alpha, "mt") for alpha in (0, 64)},
    **{f"mt-t4-a{alpha}": rate(123, FOUR, 4, alpha, "mt") for alpha in (0, 64)},
    **{
        f"dc-t{timesteps}-a{alpha}": rate(seed, FOUR, timesteps, alpha, "dc")
        for timesteps, seed in ((2, 184), (4, 207), (8, 138))
        for alpha in (0, 64)
    },
    "snm-t8-saturating": lambda: saturating("snm@1"),
    "mt-t8-saturating": lambda: saturating("mt@1"),
    "dc-t4-saturating": lambda: saturating("dc@1"),
    "sdn-no-hidden-layer": change(50, ONE),
    "sdn-relu": change(51, TWO),
    "sdn-identity": change(62, THREE, "identity"),
    "sdn-table": change(53, THREE, "tanh"),
    "sdn-trigger": lambda: triggered(change(64, FOUR)()),
    "sdn-trigger-zero": back_to_zero,
    "sdn-resync-every-5": change(111, FOUR, resync_every=5),
    "lif-t1-voltage": leaky(2, 1, False, hidden=(6,)),
    "lif-t5-voltage": leaky(8, 5, False),
    "lif-t5-current": leaky(1, 5, True),
    "lif-t8-tiny": leaky(3, 8, False, size="tiny"),
    "lif-t8-huge-current": leaky(6, 8, True, size="huge", hidden=(9, 9)),
    "leaky-shift-0": lambda: leaky_artifact(3, FOUR).network,
    "leaky-shift-3": lambda: leaky_artifact(4, THREE, 3).network,
    "leaky-integrating": lambda: leaky_artifact(5, THREE, integrating=True).network,
    "lif-no-hidden-layer": leaky(7, 4, True, hidden=()),
}


def record(name: str) -> dict[str, NDArray[Any]]:
    """Network, stimulus and Lava's recording of one case."""
    network = CASES[name]()
    prove(network)
    arrays = network_arrays(network)
    artifact = artifact_of(arrays)
    rng = np.random.default_rng(sum(name.encode()))
    limit = network.encoder.limit
    walk = np.cumsum(
        rng.normal(scale=0.35, size=(DECISIONS, len(limit))) * (rng.random((DECISIONS, 1)) < 0.8),
        axis=0,
    )
    # About a third is beyond the encoder's range.
    observations = np.rint(walk * limit).astype(np.int32)
    flags = rng.choice(3, DECISIONS, p=(0.8, 0.1, 0.1)).astype(np.uint8)
    flags[[0, 7, 15]] = 1, 1, 2
    stimulus: dict[str, NDArray[Any]] = {"observations": observations, "flags": flags}
    facts, contracts = describe_host(artifact)
    description, parts = describe(artifact.network)
    inputs, control = encoded(Host(description | {"host": facts}, contracts), stimulus)
    client = LavaClient(description, parts)
    try:
        recording = client.run(inputs, control)
    finally:
        client.close()
    outputs: dict[str, NDArray[Any]] = {
        "inputs": inputs,
        "control": control.astype(np.uint8),
        "saturations": recording.saturations.astype(np.int32),
    }
    for index, (payloads, states) in enumerate(
        zip(recording.payloads, recording.states, strict=True)
    ):
        outputs |= {f"payloads.{index}": payloads, f"states.{index}": states}
    return arrays | stimulus | outputs


def main(arguments: list[str]) -> int:
    """Record or check every case; the exit code says whether all is well."""
    checking = "--check" in arguments
    wrong = [name for name in names() if checking and name not in CASES]
    for name in CASES:
        arrays = record(name)
        if checking:
            before = read(name).recorded
            if before.keys() != arrays.keys() or any(
                not np.array_equal(before[key], arrays[key]) for key in arrays
            ):
                wrong.append(name)
        else:
            np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
            print(f"{name}: {(FOLDER / f'{name}.npz').stat().st_size} bytes")
    if wrong:
        print(f"differ from what is recorded: {', '.join(wrong)}")
        return 1
    print("all equal" if checking else "recorded")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
