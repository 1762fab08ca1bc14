"""Artifacts that break a rule are refused, and never written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import save
from spikeport.toolchain.artifact.check import check
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.parameters import Dynamics
from spikeport.toolchain.network.synapses import Dense
from tests.support.artifact_edits import WHOLE, encoder, in_layer, ints, part, ranges, small, time
from tests.support.networks import random_artifact

NAN = np.nan
INF = np.inf
FAR = (5e-324, 9e-61, 1.1e30, 1e300, 1e308)  # scales that no policy has

RULES: list[tuple[Callable[[Artifact], Artifact], str]] = [
    (in_layer(0, threshold=ints(0, 5)), "layer 0: thresholds must be 1..8388607"),
    (in_layer(0, threshold=ints(5, 2**23)), "layer 0: thresholds must be 1..8388607"),
    (
        in_layer(0, row_scale=np.array([NAN, 1.0])),
        r"layer 0: row scales and units must be within 1e-60\.\.1e30",
    ),
    (
        in_layer(1, row_scale=np.array([INF])),
        r"layer 1: row scales and units must be within 1e-60\.\.1e30",
    ),
    (
        in_layer(1, row_scale=np.array([-1.0])),
        r"layer 1: row scales and units must be within 1e-60\.\.1e30",
    ),
    (
        in_layer(0, unit=np.array([0.0, 1.0])),
        r"layer 0: row scales and units must be within 1e-60\.\.1e30",
    ),
    *(
        (
            in_layer(0, row_scale=np.array([1.0, scale])),
            r"layer 0: row scales and units must be within 1e-60\.\.1e30",
        )
        for scale in FAR
    ),
    *(
        (
            in_layer(0, unit=np.array([1.0, scale])),
            r"layer 0: row scales and units must be within 1e-60\.\.1e30",
        )
        for scale in FAR
    ),
    *(
        (
            encoder(scale=np.array([1.0, 1.0, scale])),
            r"encoder scales must be within 1e-60\.\.1e30, limits 1\.\.8388607",
        )
        for scale in FAR
    ),
    (
        in_layer(0, payload_low=ints(1, 0)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_high=ints(0, 3)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_high=ints(2**23, 1)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_low=ints(-(2**23), 0)),
        "layer 0: payload ranges must include 0 and 1 within 24 bits",
    ),
    (
        in_layer(0, payload_high=ints(2**22, 1), synapses=Dense(np.full((2, 3), 100, np.int8))),
        r"layer 1: 1 rows' \w+ sum may reach \d+, limit 8388607",
    ),
    (
        in_layer(0, bias=ints(2**23, 0)),
        r"layer 0: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    (
        in_layer(0, synapses=Dense(np.full((2, 3), -128, np.int8))),
        "layer 0: weights must be symmetric, -127..127",
    ),
    (
        in_layer(0, synapses=Dense(np.zeros((2, 4), np.int8))),
        r"layer 0: weights of shape \(2, 4\) where 3 inputs arrive",
    ),
    (
        in_layer(0, synapses=Dense(np.zeros((0, 3), np.int8))),
        r"layer 0: weights of shape \(0, 3\) where 3 inputs arrive",
    ),
    (in_layer(0, bias=np.zeros(3, np.int32)), r"layer 0: bias has shape \(3,\) for 2 rows"),
    (
        in_layer(0, hold_input=True),
        "layer 0: hold_input belongs to the first layer of a rate network and to no other",
    ),
    (in_layer(0, trigger=0), "layer 0: trigger 0, 1..8388607 expected"),
    (in_layer(0, activation="tanh"), "layer 0: activation tanh needs table"),
    (in_layer(0, neuron="if@1"), r"layer 0: the payload of if@1 is within 0\.\.1"),
    (
        in_layer(0, neuron="lif@2"),
        (
            "layer 0: unknown neuron 'lif@2', known are sdn@1, if@1, snm@1, mt@1, dc@1, lif@1,"
            " leaky@1, readout@1"
        ),
    ),
    (
        in_layer(0, neuron="lif@1"),
        "layer 0: neuron lif@1 without a spike coding, which belongs to lif@1 and to no other",
    ),
    (in_layer(0, dynamics=Dynamics(4095, 0)), "layer 0: dynamics belong to lif@1, not to sdn@1"),
    (
        in_layer(1, neuron="sdn@1"),
        "layer 1: neuron sdn@1 in this place; the last layer, and only it, is readout@1",
    ),
    (
        encoder(scale=np.array([0.0, 1.0, 1.0])),
        r"encoder scales must be within 1e-60\.\.1e30, limits 1..8388607",
    ),
    (encoder(scale=np.array([NAN, 1.0, 1.0])), r"encoder scales must be within 1e-60\.\.1e30"),
    (encoder(scale=np.ones(4)), r"encoder has shapes \(4,\), \(3,\) for 3 features"),
    (encoder(limit=ints(0, 1, 1)), "limits 1..8388607"),
    (encoder(limit=ints(2**23, 1, 1)), "limits 1..8388607"),
    (encoder(limit=ints(2**22, 2**22, 2**22)), "layer 0: 2 rows' synaptic sum may reach"),
    (part("observation", mean=np.array([NAN, 0, 0]), variance=np.ones(3)), "shift must be finite"),
    (
        part("observation", mean=np.zeros(3), variance=np.array([0.0, 1, 1])),
        "divisor must be finite and positive",
    ),
    (
        part("observation", mean=np.zeros(3), variance=np.array([INF, 1, 1])),
        "divisor must be finite and positive",
    ),
    (
        part("observation", mean=np.zeros(3), variance=np.array([-1.0, 1, 1])),
        "divisor must be finite and positive",
    ),
    (
        part("observation", mean=np.zeros(3), variance=np.ones(3), epsilon=-2.0),
        "divisor must be finite and positive",
    ),
    (part("action", scale=np.array([NAN])), "action scale must be finite"),
    (part("action", offset=np.array([INF])), "action offset must be finite"),
    (part("action", low=np.array([0.0])), "an action that is clipped needs low and high"),
    (part("action", high=np.array([0.0])), "an action that is clipped needs low and high"),
    (
        part("action", low=np.array([NAN]), high=np.array([0.0])),
        "action bounds must be numbers, low not above high",
    ),
    (
        part("action", low=np.array([1.0]), high=np.array([0.0])),
        "action bounds must be numbers, low not above high",
    ),
    (
        part("probe", observations=np.full((12, 3), NAN)),
        "probe must be finite, with flags 0..2 and two episode starts or more",
    ),
    (
        part("probe", flags=np.full(12, 3, np.uint8)),
        "probe must be finite, with flags 0..2 and two episode starts or more",
    ),
    (
        part("probe", flags=np.zeros(12, np.uint8)),
        "probe must be finite, with flags 0..2 and two episode starts or more",
    ),
    (
        part("probe", flags=np.zeros(11, np.uint8)),
        r"probe has shapes \(12, 3\), \(11,\) for 3 channels",
    ),
    (
        lambda a: dataclasses.replace(a, network=dataclasses.replace(a.network, layers=())),
        "the network has no layer",
    ),
    (
        lambda a: dataclasses.replace(a, extensions={"x": float("nan")}),
        "cannot be written as JSON: Out of range float values",
    ),
    (
        lambda a: dataclasses.replace(a, extensions={"x": np.float32(1)}),
        "cannot be written as JSON: Object of type float32",
    ),
]


@pytest.mark.parametrize(("change", "text"), RULES)
def test_artifacts_that_break_a_rule_are_never_written(
    tmp_path: Path, change: Callable[[Artifact], Artifact], text: str
) -> None:
    with pytest.raises(InputError, match=f"^a.spk: .*{text}"):
        save(change(small(3)), tmp_path / "a.spk")
    assert not list(tmp_path.iterdir())


RATE: dict[str, dict[str, Any]] = {
    "snm@1": {"timesteps": 3},
    "mt@1": {"timesteps": 2},
    "dc@1": {"timesteps": 4},
}

LARGEST_LAMBDA = (2**23 - 1) // (
    8 * 4 * (12 + 6 + 4 + 3)
)  # of dc with T = 4: c <= 8 lambda T (D + D/2 + D/3 + D/4)

RATE_RULES: list[tuple[str, Callable[[Artifact], Artifact], str]] = [
    *(
        ("dc@1", time(timesteps), f"layer 0: dc@1 has 2, 3, 4, 5, 6, 8 timesteps, not {timesteps}")
        for timesteps in (1, 7, 9, 16)
    ),
    *(
        (
            neuron,
            in_layer(0, hold_input=neuron == "dc@1"),
            "layer 0: hold_input belongs to the first layer of a rate network",
        )
        for neuron in RATE
    ),
    *(
        (
            neuron,
            in_layer(1, hold_input=True),
            "layer 1: hold_input belongs to the first layer of a rate network",
        )
        for neuron in RATE
    ),
    *(
        ("snm@1", in_layer(0, **payloads), r"the payload of snm@1 is within -1\.\.1")
        for payloads in ranges(1)
    ),
    *(
        (neuron, in_layer(0, **payloads), rf"the payload of {neuron} is within -8\.\.8")
        for neuron in ("mt@1", "dc@1")
        for payloads in ranges(8)
    ),
    *(
        (neuron, in_layer(0, threshold=ints(5, 0)), "layer 0: thresholds must be 1..")
        for neuron in RATE
    ),
    ("snm@1", in_layer(0, threshold=ints(2**23, 5)), "layer 0: thresholds must be 1..8388607"),
    *(
        (neuron, in_layer(0, threshold=ints(2**20, 5)), "layer 0: thresholds must be 1..1048575")
        for neuron in ("mt@1", "dc@1")
    ),
    (
        "dc@1",
        in_layer(0, threshold=ints(LARGEST_LAMBDA + 1, 5)),
        r"layer 0: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    (
        "dc@1",
        in_layer(0, bias=ints(700_000, 0)),
        r"layer 0: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    (
        "dc@1",
        in_layer(1, bias=ints(700_000)),
        r"layer 1: 1 rows' accumulator sum may reach \d+, limit 8388607",
    ),
    *(
        (
            neuron,
            in_layer(0, activation="identity"),
            f"layer 0: {neuron} carries relu only, not identity",
        )
        for neuron in RATE
    ),
    *(
        (
            neuron,
            in_layer(1, neuron=neuron),
            f"layer 1: neuron {neuron} in this place; the last layer, and only it, is readout@1",
        )
        for neuron in RATE
    ),
]


@pytest.mark.parametrize(("neuron", "change", "text"), RATE_RULES)
def test_rate_networks_that_break_a_rule_are_never_written(
    tmp_path: Path, neuron: str, change: Callable[[Artifact], Artifact], text: str
) -> None:
    artifact = small(3, neuron=neuron, **RATE[neuron])
    check(artifact, "unchanged")
    with pytest.raises(InputError, match=f"^a.spk: .*{text}"):
        save(change(artifact), tmp_path / "a.spk")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", ["sdn@1", "if@1", "mt@1", "dc@1"])
def test_one_network_has_one_kind_of_hidden_neuron(other: str) -> None:
    artifact = random_artifact(0, neuron="snm@1", widths=(3, 2, 2, 1), timesteps=4)
    with pytest.raises(
        InputError,
        match=f"layer 1: neuron {other} beside snm@1: one network has one kind of hidden neuron",
    ):
        check(in_layer(1, neuron=other)(artifact), "here")


def test_the_largest_lambda_is_allowed() -> None:
    check(
        in_layer(0, threshold=ints(LARGEST_LAMBDA, 5))(small(3, neuron="dc@1", timesteps=4)), "here"
    )
    check(in_layer(0, threshold=ints(2**20 - 1, 5))(small(3, neuron="mt@1", timesteps=4)), "here")


def test_all_violations_are_told_at_once() -> None:
    broken = in_layer(0, row_scale=np.zeros(2), trigger=0)(
        part("action", scale=np.array([NAN]))(small())
    )
    with pytest.raises(
        InputError,
        match=(
            "^here: 3 problems: layer 0: row scales.*; layer 0: trigger 0.*; action scale must be"
            f" finite. {WHOLE}"
        ),
    ):
        check(broken, "here")
