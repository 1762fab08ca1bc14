"""The cases of the conformance suite: networks and streams that reach every rule.

`CASES` reach every rule of contract sections 1-3 (tests/neurons/test_conformance.py counts).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.network.integer_network import READOUT, Encoder, Layer, Network
from spikeport.toolchain.network.synapses import Dense
from spikeport.toolchain.neurons import network_of
from spikeport.toolchain.simulation.backend import Trace
from tests.golden.golden import saturating
from tests.support.layer_integers import WINDOWED
from tests.support.oracle import Oracle
from tests.support.spiking_networks import SpikingShape, build_spiking, spiking_stream
from tests.support.spiking_oracle import SpikingOracle
from tests.support.strategies import Shape, build, stream

Stream = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Case:
    """An artifact, a stream for it, and what the oracle makes of them."""

    artifact: Artifact
    observations: NDArray[np.float64]
    flags: NDArray[np.int64]

    @functools.cached_property
    def oracle(self) -> Oracle | SpikingOracle:
        """After the stream; its `events` say what the case reached."""
        oracle = oracle_of(self.artifact)
        self.__dict__["expected"] = oracle.trace(self.observations, self.flags)
        return oracle

    @functools.cached_property
    def expected(self) -> Trace:
        return self.oracle and self.__dict__["expected"]


def oracle_of(artifact: Artifact) -> Oracle | SpikingOracle:
    """At rest."""
    if artifact.network.spike_coding is None:
        return Oracle(artifact)
    return SpikingOracle(artifact)


def stream_of(artifact: Artifact, seed: int, decisions: int) -> Stream:
    """Observations and flags that suit the artifact's encoder."""
    return (stream if artifact.network.spike_coding is None else spiking_stream)(
        artifact, seed, decisions
    )


def made_spiking(shape: SpikingShape, seed: int, decisions: int = 16) -> Case:
    """A random case of lif."""
    artifact = build_spiking(shape, seed)
    return Case(artifact, *spiking_stream(artifact, seed, decisions))


def made(shape: Shape, seed: int, decisions: int = 16) -> Case:
    """A random case."""
    artifact = build(shape, seed)
    return Case(artifact, *stream(artifact, seed, decisions))


def around(network: Network) -> Artifact:
    """An artifact around a network, with contracts that change no number.

    Its observations are the integers that the network gets, its actions the readout's sums.
    """
    features = network.widths[0]
    actions = network.widths[-1]
    contracts = {
        "observation": ObservationContract(features),
        "action": ActionContract(actions, "none", np.ones(actions), np.zeros(actions)),
    }
    return dataclasses.replace(
        build(Shape(widths=(features, actions)), 0), network=network, **contracts
    )


def ramp() -> Case:
    """One identity neuron that repeats its input.

    What a trigger of 2 lets through and what the range -3..2 cuts.
    """
    one = np.ones(1, np.int32)
    nothing = np.zeros(1, np.int32)
    arrays: dict[str, Any] = {
        "synapses": Dense(one[None].astype(np.int8)),
        "bias": nothing,
        "row_scale": np.ones(1),
        "unit": np.ones(1),
    }
    hidden = Layer(
        "sdn@1",
        **arrays,
        threshold=one,
        payload_low=-3 * one,
        payload_high=2 * one,
        activation="identity",
        trigger=2,
    )
    readout = Layer(
        READOUT,
        **arrays,
        threshold=nothing,
        payload_low=nothing,
        payload_high=one,
        activation="identity",
    )
    network = network_of(Encoder(np.ones(1), 5 * one), (hidden, readout), timesteps=1)
    values = [0, 1, 2, 1, 0, 2, 3, 1, 0, 1, -1, -2, -3, -4, -2, -1, 0, -3, -1, 0, 1, -1, 1]
    return Case(
        around(network), np.array(values, np.float64)[:, None], np.zeros(len(values), np.int64)
    )


def membranes(neuron: str) -> Case:
    """Inputs that drive membranes to both ends of 24 bits.

    With another timestep they pass thresholds while clipped.
    """
    network = saturating(neuron)
    limits = network.encoder.limit.astype(np.float64)
    values = [
        (1, 1),
        (1, -1),
        (1, 1),
        (0, 0),
        (-1, 1),
        (0, 0),
        (-1, -1),
        (0.5, -0.25),
        (1, 1),
        (-0.3, 1),
    ]
    return Case(
        around(network), np.array(values) * limits, np.array([1, 0, 0, 0, 0, 0, 0, 0, 2, 0])
    )


RATE = Shape("if@1", (4, 6, 5, 2))
LEAKY = Shape("leaky@1", (4, 6, 5, 2))
SIGNED, GRADED, DIFFERENTIAL = (
    dataclasses.replace(RATE, neuron=neuron, late=True) for neuron in ("snm@1", "mt@1", "dc@1")
)
MADE: dict[str, tuple[Shape, int]] = {
    "sdn relu": (Shape(widths=(5, 9, 7, 3), normaliser="clipped"), 1),
    "sdn relu, tiny": (Shape(widths=(3, 5, 5, 2), size="tiny", trigger=2), 2),
    "sdn relu, huge": (Shape(widths=(3, 5, 4, 2), size="huge"), 3),
    "sdn identity, tiny": (
        Shape(
            widths=(3, 5, 5, 2),
            activations=("identity",),
            size="tiny",
            trigger=2,
            squash="none",
            clip_action=True,
        ),
        4,
    ),
    "sdn identity, huge": (
        Shape(widths=(3, 5, 2), activations=("identity",), size="huge", trigger=5),
        5,
    ),
    "sdn table": (Shape(widths=(4, 6, 5, 2), activations=("tanh",), max_steps=7), 6),
    "sdn table, tiny": (Shape(widths=(3, 6, 6, 2), activations=("tanh",), size="tiny"), 7),
    "sdn table, huge": (Shape(widths=(3, 5, 2), activations=("tanh",), size="huge"), 8),
    "sdn, three activations": (
        Shape(
            widths=(4, 5, 5, 4, 2),
            activations=("relu", "tanh", "identity"),
            max_steps=-1,
            clip_action=True,
        ),
        11,
    ),
    "sdn, resync every 3": (Shape(widths=(4, 6, 2), resync_every=3, normaliser="plain"), 10),
    "sdn, no hidden layer": (Shape(widths=(4, 2), squash="none"), 11),
    "if, one timestep": (dataclasses.replace(RATE, alpha=64), 12),
    "if, tiny": (dataclasses.replace(RATE, timesteps=7, alpha=32, size="tiny"), 13),
    "if, tiny, no residual": (dataclasses.replace(RATE, timesteps=4, size="tiny"), 14),
    "if, huge": (dataclasses.replace(RATE, timesteps=6, alpha=64, size="huge"), 15),
    "if, usual": (
        dataclasses.replace(RATE, timesteps=12, alpha=19, normaliser="clipped", max_steps=7),
        16,
    ),
    "if, four layers": (
        Shape(
            "if@1",
            (4, 5, 5, 4, 2),
            timesteps=4,
            alpha=63,
            max_steps=-1,
            squash="none",
            clip_action=True,
        ),
        15,
    ),
    "if, resync every 2": (dataclasses.replace(RATE, timesteps=3, alpha=64, resync_every=2), 18),
    "if, no hidden layer": (Shape("if@1", (4, 2), timesteps=3), 19),
    "if, late inhibition": (dataclasses.replace(RATE, timesteps=8, alpha=32, late=True), 40),
    "snm, one timestep": (dataclasses.replace(SIGNED, alpha=64), 12),
    "snm, tiny": (dataclasses.replace(SIGNED, timesteps=8, alpha=64, size="tiny"), 3),
    "snm, tiny, no residual": (dataclasses.replace(SIGNED, timesteps=4, size="tiny"), 14),
    "snm, huge": (dataclasses.replace(SIGNED, timesteps=12, alpha=64, size="huge"), 5),
    "snm, usual": (
        dataclasses.replace(SIGNED, timesteps=8, alpha=19, normaliser="clipped", max_steps=7),
        8,
    ),
    "snm, four layers": (
        dataclasses.replace(SIGNED, widths=(3, 7, 7, 5, 2), timesteps=8, alpha=32),
        2,
    ),
    "snm, resync every 2": (dataclasses.replace(SIGNED, timesteps=3, alpha=63, resync_every=2), 18),
    "snm, no hidden layer": (Shape("snm@1", (4, 2), timesteps=3), 19),
    "mt, one timestep": (dataclasses.replace(GRADED, alpha=64), 12),
    "mt, tiny": (
        dataclasses.replace(GRADED, widths=(3, 7, 7, 5, 2), timesteps=12, alpha=64, size="tiny"),
        184,
    ),
    "mt, tiny, no residual": (dataclasses.replace(GRADED, timesteps=4, size="tiny"), 14),
    "mt, huge": (dataclasses.replace(GRADED, timesteps=6, alpha=32, size="huge"), 151),
    "mt, four layers": (
        dataclasses.replace(GRADED, widths=(3, 7, 7, 5, 2), timesteps=8, alpha=19),
        55,
    ),
    "mt, usual": (
        dataclasses.replace(
            GRADED, timesteps=4, alpha=63, normaliser="plain", squash="none", clip_action=True
        ),
        9,
    ),
    "mt, resync every 3": (
        dataclasses.replace(GRADED, timesteps=2, alpha=64, resync_every=3, max_steps=5),
        20,
    ),
    "mt, no hidden layer": (Shape("mt@1", (4, 2), timesteps=2), 21),
    "dc, T = 2": (dataclasses.replace(DIFFERENTIAL, timesteps=2, alpha=63, resync_every=2), 22),
    "dc, T = 3, tiny": (
        dataclasses.replace(
            DIFFERENTIAL, widths=(3, 7, 7, 5, 2), timesteps=3, alpha=64, size="tiny"
        ),
        18,
    ),
    "dc, T = 4": (
        dataclasses.replace(DIFFERENTIAL, timesteps=4, alpha=19, normaliser="clipped", max_steps=7),
        23,
    ),
    "dc, T = 4, no residual": (
        dataclasses.replace(
            DIFFERENTIAL, timesteps=4, size="tiny", squash="none", clip_action=True
        ),
        24,
    ),
    "dc, T = 5, tiny": (dataclasses.replace(DIFFERENTIAL, timesteps=5, alpha=32, size="tiny"), 25),
    "dc, T = 6, huge": (dataclasses.replace(DIFFERENTIAL, timesteps=6, alpha=64, size="huge"), 26),
    "dc, T = 8": (dataclasses.replace(DIFFERENTIAL, timesteps=8, alpha=64), 198),
    "dc, T = 8, four layers": (
        dataclasses.replace(
            DIFFERENTIAL, widths=(3, 7, 7, 5, 2), timesteps=8, alpha=32, size="tiny"
        ),
        27,
    ),
    "leaky, tiny": (dataclasses.replace(LEAKY, size="tiny"), 29),
    "leaky, usual": (dataclasses.replace(LEAKY, normaliser="clipped", max_steps=7), 30),
    "leaky, huge": (
        dataclasses.replace(
            LEAKY, widths=(3, 7, 7, 5, 2), size="huge", squash="none", clip_action=True
        ),
        31,
    ),
    "leaky, resync every 3": (dataclasses.replace(LEAKY, resync_every=3), 32),
    "dc, no hidden layer": (Shape("dc@1", (4, 2), timesteps=4), 28),
}
CHOICES: dict[str, tuple[Shape, int]] = {
    "sdn, one choice of four": (Shape(widths=(3, 5, 4), size="tiny", squash="argmax"), 41),
    "if, one choice of three": (
        dataclasses.replace(RATE, widths=(3, 6, 3), timesteps=3, squash="argmax", size="tiny"),
        42,
    ),
}
MAKERS: dict[str, Callable[[], Case]] = {
    name: functools.partial(made, *arguments) for name, arguments in MADE.items()
}
MAKERS |= {"a ramp and a trigger": ramp}
MAKERS |= {
    f"{neuron.split('@')[0]}, membranes at both ends": functools.partial(membranes, neuron)
    for neuron in WINDOWED
}
MAKERS |= {name: functools.partial(made, *arguments) for name, arguments in CHOICES.items()}
SPIKING: dict[str, tuple[SpikingShape, int]] = {
    "lif, usual": (SpikingShape(normaliser="clipped", max_steps=5), 1),
    "lif, one timestep": (SpikingShape(timesteps=1, in_current=False), 2),
    "lif, tiny": (SpikingShape(size="tiny", in_current=False, population=0, timesteps=7), 3),
    "lif, tiny, bias in the current": (
        SpikingShape(size="tiny", timesteps=6, squash="none", clip_action=True),
        4,
    ),
    "lif, huge": (
        SpikingShape(features=4, population=0, size="huge", in_current=False, timesteps=12),
        5,
    ),
    "lif, huge, bias in the current": (SpikingShape(size="huge", hidden=(9, 9, 9), timesteps=9), 6),
    "lif, rate, no hidden layer": (
        SpikingShape(hidden=(), population=0, readers=1, squash="none"),
        7,
    ),
    "lif, four layers": (
        SpikingShape(
            features=4, hidden=(7, 7, 7), in_current=False, transform="tanh", max_steps=-1
        ),
        8,
    ),
    "lif, a long window": (SpikingShape(size="tiny", hidden=(5, 4), timesteps=36), 9),
}
MAKERS |= {name: functools.partial(made_spiking, *arguments) for name, arguments in SPIKING.items()}
MAKERS |= {
    f"{kind}, a long window": functools.partial(
        made, Shape(f"{kind}@1", (3, 5, 4, 2), timesteps=36, alpha=32), 50
    )
    for kind in ("if", "snm", "mt")
}
CASES = tuple(MAKERS)
PAUSED = (
    *(
        "sdn, three activations",
        "sdn, resync every 3",
        "if, huge",
        "if, four layers",
        "if, no hidden layer",
        "if, resync every 2",
    ),
    *(
        "snm, huge",
        "snm, four layers",
        "mt, tiny",
        "mt, resync every 3",
        "dc, T = 2",
        "dc, T = 3, tiny",
        "dc, T = 6, huge",
        "dc, no hidden layer",
    ),
    *("leaky, tiny", "leaky, resync every 3"),
    *("lif, tiny", "lif, four layers", "lif, huge, bias in the current"),
)


@functools.cache
def case(name: str) -> Case:
    """A case by its name, made once."""
    return MAKERS[name]()
