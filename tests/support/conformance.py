"""The conformance suite: what every backend must compute, case by case, against the oracle.

The checks take a backend's name, so that the same ones hold backends together and find mutants
(tests/mutants). The cases are in conformance_cases.py.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
import pytest

from spikeport.export.host_description import describe_host
from spikeport.export.lava.host import Host
from spikeport.export.lava.network_description import describe
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.parameters import STATE_LIMIT
from spikeport.toolchain.simulation.backend import Backend, Trace
from spikeport.toolchain.simulation.backends import backend_class
from spikeport.toolchain.simulation.census import Census
from spikeport.toolchain.simulation.fast.neurons.sigma_delta import magic
from tests.support.conformance_cases import CASES, PAUSED, SPIKING, Case, case, oracle_of, stream_of


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
    """Activity outside windows equals the oracle's.

    Computed, it does to the last spike. On Lava it is observed, where the first decision's start
    and the last one's end are cut differently: by no more than every neuron spiking in each of
    those L steps.
    """
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
    """The fast relu divides exactly.

    It divides n = 2 acc + theta, 0 <= n < 2^26, by 2 theta with one product and one shift.
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
    """All checks of a backend, or of `exported host`, by name.

    They are the quick ones that need no hypothesis. `lif on BACKEND` are those of spiking networks,
    the plain part has the others.
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
