"""`check_artifact`: what is right passes, every kind of fault is found."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.network.synapses import Dense
from tests.support.check_reports import failed
from tests.support.front_door import answer, pendulum, toy


def test_an_artifact_passes(tmp_path: Path) -> None:
    for artifact in (pendulum(), toy()):
        report = spikeport.check_artifact(artifact)
        assert report.passed, str(report)
        assert [check.name for check in report.checks] == [
            *(
                "format and proof",
                "save and load",
                "probe",
                "decode",
                "probe runs",
                "calibration",
                "provenance",
                "environment",
            )
        ]
    spikeport.save(pendulum(), tmp_path / "p.spk")
    facts = answer("check", tmp_path / "p.spk")
    assert facts["kind"] == "artifact" and facts["passed"] and facts["subject"] == "p.spk"


def replaced(part: str, **changes: Any) -> Callable[[Artifact], Artifact]:
    def change(artifact: Artifact) -> Artifact:
        contents: dict[str, Any] = {part: dataclasses.replace(getattr(artifact, part), **changes)}
        return dataclasses.replace(artifact, **contents)

    return change


def several(artifact: Artifact) -> Artifact:
    probe = dataclasses.replace(
        artifact.probe,
        observations=artifact.probe.observations[:200],
        flags=np.r_[0, 1, 1, np.zeros(197, int)].astype(np.uint8),
    )
    provenance = dataclasses.replace(artifact.provenance, file="/home/me/td3.zip", sha256="abc")
    calibration = artifact.calibration | {"seeds": [7, 7]}
    return dataclasses.replace(
        artifact, probe=probe, provenance=provenance, calibration=calibration
    )


ARTIFACTS: list[tuple[Callable[[Artifact], Artifact], dict[str, str]]] = [
    (
        several,
        {
            "probe": (
                r"200 observations, 256 expected; 2 episode starts, 3 or more expected; its first"
                r" observation does not start an episode"
            ),
            "calibration": (
                r"seeds are listed twice; seeds below 1000000, where simulate's lie: \[7, 7\]"
            ),
            "provenance": (
                r"file is a path \(/home/me/td3\.zip\), a bare name expected; sha256 is not a"
                r" SHA-256"
            ),
        },
    ),
    (
        lambda a: dataclasses.replace(a, calibration={"source": a.environment.id}),
        {"calibration": "it lists no seeds"},
    ),  # type: ignore[union-attr]
    (
        lambda a: dataclasses.replace(a, calibration=a.calibration | {"seeds": []}),
        {"calibration": "calibrated in an environment without a seed"},
    ),
    (replaced("provenance", sha256=""), {"provenance": "the source file's SHA-256 is missing"}),
    (
        replaced("environment", control_period_s=None),
        {"environment": "its control period is not recorded"},
    ),
    (
        replaced("action", scale=np.array([1e308]), offset=np.array([1e308])),
        {"decode": r"decoded from 8388607 in every neuron it is not finite"},
    ),
    (replaced("network", alpha=99), {"format and proof": "alpha 99/64"}),
]


@pytest.mark.parametrize(("change", "told"), ARTIFACTS)
def test_artifacts_that_break_their_word(
    change: Callable[[Artifact], Artifact], told: dict[str, str]
) -> None:
    report = spikeport.check_artifact(change(pendulum()))
    assert failed(report).keys() - {"probe runs"} == told.keys(), str(report)
    for name, text in told.items():
        assert re.search(text, failed(report)[name]), str(report)


def test_a_silent_network_is_told() -> None:
    layers = list(pendulum().network.layers)
    layers[0] = dataclasses.replace(
        layers[0],
        synapses=Dense(np.zeros_like(layers[0].weights)),
        bias=np.zeros_like(layers[0].bias),
    )
    silent = dataclasses.replace(
        pendulum(), network=dataclasses.replace(pendulum().network, layers=tuple(layers))
    )
    assert (
        "layers [0] send nothing on the whole probe"
        in failed(spikeport.check_artifact(silent))["probe runs"]
    )
