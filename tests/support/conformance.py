"""The conformance suite: what every backend must compute, case by case, against the oracle.

`CASES` reach every rule of contract sections 1-3 (tests/neurons/test_conformance.py counts). The
checks take a backend's name, so that the same ones hold backends together and find mutants
(tests/mutants).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spikeport.export.host_description import describe_host
from spikeport.export.lava.host import Host
from spikeport.export.lava.network_description import describe
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import ActionContract, ObservationContract
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.integer_network import READOUT, Encoder, Layer, Network
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.neurons import SPIKES
from spikeport.toolchain.simulation.backend import Backend, Trace
from spikeport.toolchain.simulation.backends import backend_class
from spikeport.toolchain.simulation.census import Census
from spikeport.toolchain.simulation.fast.neurons.sigma_delta import magic
from tests.golden.golden import saturating
from tests.support.oracle import Oracle
from tests.support.spiking_networks import SpikingShape, build_spiking, spiking_stream
from tests.support.spiking_oracle import SpikingOracle
from tests.support.strategies import Shape, build, stream

Stream = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Case:
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
    """An artifact whose observations are the integers that the network gets, and whose actions are
    the readout's sums.
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
        "weights": one[None].astype(np.int8),
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
    network = Network(Encoder(np.ones(1), 5 * one), (hidden, readout), timesteps=1)
    values = [0, 1, 2, 1, 0, 2, 3, 1, 0, 1, -1, -2, -3, -4, -2, -1, 0, -3, -1, 0, 1, -1, 1]
    return Case(
        around(network), np.array(values, np.float64)[:, None], np.zeros(len(values), np.int64)
    )


def membranes(neuron: str) -> Case:
    """Inputs drive membranes to both ends of 24 bits and, with another timestep, over thresholds
    while clipped.
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
    for neuron in SPIKES
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
    return MAKERS[name]()


def difference(expected: Trace, got: Trace) -> str:
    """What differs first in time, in words; empty where both traces are equal to the last bit."""
    parts = [
        ("input payloads", expected.inputs, got.inputs),
        ("actions", expected.actions, got.actions),
    ]
    for index, (ours, theirs) in enumerate(zip(expected.layers, got.layers, strict=True)):
        parts += [
            (f"payloads of layer {index}", ours.payloads, theirs.payloads),
            (f"states of layer {index}", ours.states, theirs.states),
        ]
    found = []
    for what, ours, theirs in parts:
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            return f"{what}: {theirs.dtype} {theirs.shape} for {ours.dtype} {ours.shape}"
        places = np.argwhere(ours != theirs)
        if len(places):
            place = tuple(places[0].tolist())
            found.append((place[0], f"{what} at {place}: {theirs[place]} for {ours[place]}"))
    if not found and expected.census.windows() != got.census.windows():
        return f"census: {got.census} for {expected.census}"
    if found:
        return min(found)[1]
    return ""


def open_or_skip(name: str, artifact: Artifact, rows: int = 1) -> Backend:
    """A backend, or pytest's skip with the reason why it cannot run here."""
    kind = backend_class(name)
    if missing := kind.missing():
        pytest.skip(f"{name}: {missing}")
    return kind(artifact, rows)


def check_trace(backend: str, name: str) -> None:
    """A stream equals the oracle's: input payloads, every payload and state, actions, census."""
    wanted = case(name)
    with open_or_skip(backend, wanted.artifact) as opened:
        got = opened.trace(wanted.observations, wanted.flags)
    found = difference(wanted.expected, got)
    assert not found, f"{backend}, {name}: {found}"
    check_idle(backend, wanted, got.census)


def check_idle(backend: str, wanted: Case, got: Census) -> None:
    """Activity outside windows: computed to the last spike, or on Lava observed, where the first
    decision's start and the last one's end are cut differently: by no more than every neuron
    spiking in each of those L steps."""
    expected = wanted.expected.census
    if not backend.startswith("lava"):
        assert (got.idle_spikes, got.idle_synops) == (expected.idle_spikes, expected.idle_synops)
        return
    layers = wanted.artifact.network.layers
    spikes, synops = (
        len(layers) * sum(counts)
        for counts in (
            [layer.outputs for layer in layers],
            [int(layer.fan_out.sum()) for layer in layers[1:]],
        )
    )
    assert (
        abs(got.idle_spikes - expected.idle_spikes) <= spikes
        and abs(got.idle_synops - expected.idle_synops) <= synops
    )
    if wanted.artifact.network.spike_coding is None:
        assert got.idle_spikes == got.idle_synops == 0


def check_rows(backend: str, artifact: Artifact, rows: int, seed: int, decisions: int = 14) -> None:
    """`decide` on rows that pause, start and resync each for itself equals one oracle per row.

    The census is their sum.
    """
    rng = np.random.default_rng(seed)
    oracles = [oracle_of(artifact) for _ in range(rows)]
    observations = np.stack(
        [stream_of(artifact, seed + row, decisions)[0] for row in range(rows)], axis=1
    )
    pending = np.ones(rows, np.int64)
    with open_or_skip(backend, artifact, rows) as opened:
        for decision, values in enumerate(observations):
            for flag, announce in ((2, opened.resync), (1, opened.reset)):
                mask = rng.random(rows) < 0.15
                if mask.all() and rows > 1:
                    announce()
                elif mask.any():
                    announce(mask)
                pending[mask] = np.where(pending[mask] == 1, 1, flag)
            active = rng.random(rows) < 0.7
            actions = opened.decide(values, None if active.all() else active)
            for row, oracle in enumerate(oracles):
                wanted = np.full(artifact.action.channels, np.nan)
                if active[row]:
                    wanted = np.array(oracle.decide(values[row], int(pending[row]))[3])
                    pending[row] = 0
                assert np.array_equal(actions[row], wanted, equal_nan=True), (
                    f"{backend}: decision {decision}, row {row}: {actions[row]} for {wanted}"
                )
        summed = total([oracle.census() for oracle in oracles])
        counted = opened.census()
    if backend.startswith("lava"):  # idle activity is observed there, see `check_idle`
        counted = counted.windows()
        summed = summed.windows()
    assert counted == summed, f"{backend}: {counted} for {summed}"


def total(parts: list[Census]) -> Census:
    """The census of several environments together."""
    layers = [
        dataclasses.replace(
            same[0],
            **{
                name: sum(getattr(layer, name) for layer in same)
                for name in ("messages_in", "synops", "spikes", "neuron_updates", "saturations")
            },
        )
        for same in zip(*(part.layers for part in parts), strict=True)
    ]
    whole = {
        name: sum(getattr(part, name) for part in parts)
        for name in ("decisions", "encode_saturations", "idle_spikes", "idle_synops")
    }
    return dataclasses.replace(parts[0], layers=tuple(layers), **whole)


def check_refusal(backend: str, artifact: Artifact, rows: int) -> None:
    """A non-finite channel is refused by name, whatever row it is in, and changes nothing."""
    # of each row's next decision
    size = artifact.observation.size
    numbers = np.zeros(rows, np.int64)
    observations, _ = stream_of(artifact, 3, 6)
    with (
        open_or_skip(backend, artifact, rows) as opened,
        open_or_skip(backend, artifact, rows) as undisturbed,
    ):
        for decision, values in enumerate(observations):
            batch = np.tile(values, (rows, 1)) * np.linspace(1, 0.5, rows)[:, None]
            for value in (np.nan, np.inf, -np.inf):
                row = (decision + 1) % rows
                channel = decision % size
                faulty = batch.copy()
                faulty[row, channel] = value
                place = f"observation of decision {numbers[row]}" + (
                    f", row {row}" if rows > 1 else ""
                )
                with pytest.raises(InputError) as refused:
                    opened.decide(faulty)
                assert str(refused.value).startswith(
                    f"{place}: channel {channel} is not finite (got {value}, limit finite numbers)."
                )
                if rows > 1:  # a row that is not active may hold anything
                    others = np.arange(rows) != row
                    before = opened.census().decisions
                    first = opened.decide(faulty, others)
                    assert (
                        np.isnan(first[row]).all()
                        and opened.census().decisions == before + rows - 1
                    )
                    np.testing.assert_array_equal(first, undisturbed.decide(batch, others))
                    numbers[others] += 1
            numbers += 1
            np.testing.assert_array_equal(opened.decide(batch), undisturbed.decide(batch))
        assert opened.census() == undisturbed.census()


def check_exported_host(name: str) -> None:
    """The host that an export carries along encodes and decodes the oracle's integers and bits."""
    wanted = case(name)
    facts, arrays = describe_host(wanted.artifact)
    host = Host(describe(wanted.artifact.network)[0] | {"host": facts}, arrays)
    control = []
    for index, (observation, flag) in enumerate(
        zip(wanted.observations, wanted.flags, strict=True)
    ):
        if flag:
            (host.reset if flag == 1 else host.resync)()
        payloads, word = host.encode(observation)
        control.append(word)
        last = wanted.expected.layers[-1]
        action = host.decode(
            last.states[index, -1]
            if wanted.artifact.network.spike_coding is None
            else last.payloads[index].sum(0)
        )
        assert np.array_equal(payloads, wanted.expected.inputs[index]), (
            f"decision {index}: {payloads} for {wanted.expected.inputs[index]}"
        )
        assert np.array_equal(action, wanted.expected.actions[index]), (
            f"decision {index}: {action} for {wanted.expected.actions[index]}"
        )
    assert control == [2 if starts else 1 for starts in wanted.oracle.started]


def check_division() -> None:
    """The fast relu divides n = 2 acc + theta, 0 <= n < 2^26, by 2 theta with one product and one
    shift.
    """
    rng = np.random.default_rng(0)
    near_powers = [2**k + d for k in range(23) for d in (-1, 0, 1)]
    thetas = np.unique(
        np.clip(
            [*near_powers, *rng.integers(1, STATE_LIMIT + 1, 4000), *range(1, 500), STATE_LIMIT],
            1,
            STATE_LIMIT,
        )
    )
    magics, shifts = (np.array(part, np.uint64)[:, None] for part in magic(thetas))
    divisors = 2 * thetas[:, None]
    quotients = np.concatenate(
        [
            rng.integers(0, 2**26 // divisors + 1, (len(thetas), 200)),
            2**26 // divisors - [[0, 1, 2]],
        ],
        axis=1,
    )
    n = np.clip(np.stack([quotients * divisors + d for d in (-1, 0, 1)]), 0, 2**26 - 1)
    assert magics.max() < 2**31
    np.testing.assert_array_equal((n.astype(np.uint64) * magics) >> shifts, n // divisors)


def checks(part: str) -> dict[str, Callable[[], None]]:
    """All checks of a backend, or of `exported host`, by name: the quick ones that need no
    hypothesis.

    `lif on BACKEND` are those of spiking networks, the plain part has the others.
    """
    spiking = part.startswith("lif on ")
    part = part.removeprefix("lif on ")
    cases = tuple(name for name in CASES if (name in SPIKING) == spiking)
    if part == "exported host":
        return {name: functools.partial(check_exported_host, name) for name in cases}
    if part.startswith("lava"):
        rows = 1
    else:
        rows = 3
    found: dict[str, Callable[[], None]] = {
        name: functools.partial(check_trace, part, name) for name in cases
    }
    if spiking:
        for name in PAUSED:
            if name in SPIKING:
                found[f"rows of {name}"] = functools.partial(
                    check_rows, part, case(name).artifact, rows, 5, decisions=20
                )
        return found
    for name in (name for name in PAUSED if name not in SPIKING):
        found[f"rows of {name}"] = functools.partial(
            check_rows, part, case(name).artifact, rows, 5, decisions=40
        )
    found["a refused observation"] = functools.partial(
        check_refusal, part, case("sdn, resync every 3").artifact, rows
    )
    return found | ({"division by multiplication": check_division} if part == "fast" else {})
