"""Policies and recordings with numbers far from 1.

Converted or refused with the cause, and never a raw warning of NumPy.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.neurons.proof import prove
from tests.support.front_door import recorded
from tests.support.policy_files import state_dict, torch_bytes, write

NAMES = ("0", "2", "4")


def convert(
    folder: Path, factors: dict[str, float], observations: np.ndarray, neuron: str = "sdn"
) -> spikeport.Artifact:
    tensors = state_dict((5, 24, 16, 2), NAMES)
    for key, factor in factors.items():
        tensors[key] = tensors[key] * np.float32(factor)
    path = write(folder / "policy.pt", torch_bytes(tensors))
    policy = spikeport.load_policy(
        path, activation="relu", squash="tanh", action_low=-1.0, action_high=1.0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return spikeport.convert(policy, observations=observations, neuron=neuron)


@pytest.mark.parametrize("neuron", ["sdn", "if", "dc"])
@pytest.mark.parametrize("factor", [0.0, 1e-20, 1e-42])
def test_weights_that_are_or_nearly_are_zero(tmp_path: Path, neuron: str, factor: float) -> None:
    """Of one layer, of one layer with its biases, or of all."""
    layers = [{f"{name}.weight": factor} for name in NAMES] + [
        {f"{name}.weight": factor, f"{name}.bias": factor} for name in NAMES
    ]
    for factors in [*layers, {key: factor for one in layers for key in one}]:
        artifact = convert(tmp_path, factors, recorded(5), neuron)
        assert artifact.calibration["measured_action_error"] < 1e-3 or factors.keys() <= {
            "0.weight",
            "2.weight",
        }
        assert artifact.calibration["measured_action_error"] < 0.2
        prove(artifact.network)


@pytest.mark.parametrize("magnitude", [1e31, 1e40, 1e300])
def test_observations_that_are_too_large(tmp_path: Path, magnitude: float) -> None:
    observations = recorded(5)
    observations[77, 2] = -magnitude
    with pytest.raises(
        InputError,
        match=(
            r"^--observations: the observations are too large \(got 1e\+\d+, limit 1e\+30\).*Fix:"
            r" record the env"
        ),
    ):
        convert(tmp_path, {}, observations)


def test_a_product_that_float32_does_not_hold_names_both_sides(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=(
            r"^policy\.pt: layer 0 overflows float32 on the calibration states .*either the"
            r" observations or the weights"
        ),
    ):
        convert(tmp_path, {"0.weight": 1e20}, recorded(5) * 1e20)
