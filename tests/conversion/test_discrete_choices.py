"""The choice itself: ties, contract, errors and chatter of discrete actions."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.contracts import ActionContract
from spikeport.toolchain.conversion.calibration.signal_statistics import (
    centred,
    logit_gradient,
    unit,
)
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.rollout import Chatter
from tests.support.strategies import Shape, build


def test_the_lowest_of_equal_choices() -> None:
    contract = ActionContract(3, "argmax", np.ones(3), np.zeros(3))
    outputs = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [-1.0, -1.0, -1.0], [0.0, 0.0, 1e-300]])
    assert contract.apply(outputs).tolist() == [[0.0], [1.0], [0.0], [2.0]]
    artifact = build(Shape(widths=(2, 3), squash="argmax"), 0)
    backend = FastBackend(artifact)
    for accumulators, choice in (
        ([5, 5, 5], 0),
        ([0, 0, 0], 0),
        ([-3, 2, 1], 1),
        ([-9, -9, -8], 2),
    ):
        scale = dataclasses.replace(artifact.network.layers[-1], row_scale=np.ones(3))
        host = spikeport_host(
            dataclasses.replace(
                artifact, network=dataclasses.replace(artifact.network, layers=(scale,))
            )
        )
        assert host.decode(np.array([accumulators]), np.ones(1, bool)).tolist() == [[float(choice)]]
    assert backend.decide(np.zeros((1, 2))).shape == (1, 1)


def spikeport_host(artifact: Artifact) -> Any:
    from spikeport.toolchain.host.host_state import HostState

    return HostState(artifact, 1)


@pytest.mark.parametrize(
    "change",
    [{"scale": np.full(2, 2.0)}, {"offset": np.ones(2)}, {"low": -np.ones(2), "high": np.ones(2)}],
)
def test_a_choice_has_no_scale_and_no_bounds(change: dict[str, Any]) -> None:
    with pytest.raises(
        InputError,
        match=r"^action contract: a discrete action has scale 1, offset 0 and no bounds.*Fix:",
    ):
        ActionContract(
            **{"size": 2, "squash": "argmax", "scale": np.ones(2), "offset": np.zeros(2)} | change
        )


def test_errors_of_a_choice_are_those_of_differences() -> None:
    """What all outputs share changes no choice; one unit is the RMS of the rest."""
    outputs = np.random.default_rng(0).normal(size=(500, 3)) * 4 + 90
    assert (
        unit(outputs) == pytest.approx(float(centred(outputs).std()), rel=0.01)
        and unit(np.full((4, 2), 7.0)) == 1.0
    )
    assert np.allclose(centred(outputs + 1000), centred(outputs)) and np.allclose(
        centred(outputs).sum(1), 0
    )
    gradient = logit_gradient(outputs)
    step = 1e-3 * np.random.default_rng(1).normal(size=3)
    moved = (centred(outputs + step) - centred(outputs)) / unit(outputs)
    assert np.allclose(np.einsum("nkj,j->nk", gradient, step), moved)


def test_chatter_of_a_choice_counts_changes() -> None:
    chatter = Chatter(discrete=True)
    for number in (0.0, 5.0, 5.0, 2.0, 2.0):
        chatter.add(np.array([[number]]))
    assert chatter.mean() == 0.5
