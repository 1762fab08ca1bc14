"""What Lava's real runtime computed, recorded, against the backends that need no Lava
(tests/golden/record.py).
"""

from __future__ import annotations

import numpy as np
import pytest

from spikeport.toolchain.checkers import golden
from spikeport.toolchain.simulation.backends import open_backend
from spikeport.toolchain.simulation.reference import ReferenceBackend

CASES = golden.names()


def test_every_rule_is_recorded() -> None:
    assert len(CASES) == 45
    recorded = {name: golden.read(name).recorded for name in CASES}
    assert {
        timesteps for name in CASES if (timesteps := golden.read(name).artifact.network.timesteps)
    } == {1, 2, 4, 5, 8}
    for name, arrays in recorded.items():
        hidden = [
            arrays[key]
            for key in arrays
            if key.startswith("payloads.") and f"payloads.{int(key.split('.')[1]) + 1}" in arrays
        ]
        assert all(np.count_nonzero(payloads) for payloads in hidden), (
            f"a layer of {name} is silent"
        )
        assert {1, 2} == set(arrays["control"].tolist())
    for name in ("if-t8", "snm-t8", "mt-t8", "dc-t4"):
        saturating = recorded[f"{name}-saturating"]
        assert (
            saturating["saturations"][:, 0].any() and saturating["states.0"].min() == -(2**23) + 1
        )
    for name in ("snm-t8", "mt-t4", "dc-t2", "dc-t4", "dc-t8"):
        spoken = [
            arrays
            for alpha in (0, 64)
            for key, arrays in recorded[f"{name}-a{alpha}"].items()
            if key.startswith("payloads.")
        ]
        assert min(payloads.min() for payloads in spoken) < 0, f"{name}: nothing is taken back"


@pytest.mark.parametrize("backend", ["reference", "fast", "onnx"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.proves(direction="backend", format=["reference", "fast", "onnx"])
def test_backend_computes_what_lava_did(name: str, backend: str) -> None:
    case = golden.read(name)
    with open_backend(backend, case.artifact) as opened:
        trace = opened.trace(case.observations, case.flags)
    np.testing.assert_array_equal(trace.inputs, case.recorded["inputs"])
    for index, layer in enumerate(trace.layers):
        np.testing.assert_array_equal(
            layer.payloads, case.recorded[f"payloads.{index}"], f"payloads of layer {index}"
        )
        np.testing.assert_array_equal(
            layer.states, case.recorded[f"states.{index}"], f"states of layer {index}"
        )
    saturations = [layer.saturations for layer in trace.census.layers]
    assert saturations == case.recorded["saturations"].sum(axis=0).tolist()


@pytest.mark.parametrize("name", CASES)
def test_control_words_and_saturations_decision_by_decision(name: str) -> None:
    case = golden.read(name)
    backend = ReferenceBackend(case.artifact)
    for inputs, control, saturations in zip(
        case.recorded["inputs"], case.recorded["control"], case.recorded["saturations"], strict=True
    ):
        window = backend.run_window(inputs[None].astype(np.int64), np.array([control], np.int64))
        assert window.saturations.tolist() == saturations.tolist()
