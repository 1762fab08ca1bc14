"""`verify`.

A planted difference is found and named, what is missing or compared nothing is never exact.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.errors import BackendError, InputError
from spikeport.toolchain.simulation import verification
from spikeport.toolchain.simulation.backend import LayerTrace, Trace
from spikeport.toolchain.simulation.fast.fast_backend import FastBackend
from spikeport.toolchain.simulation.verification import stream, verify
from tests.support.front_door import TOY_ENV, pendulum, toy
from tests.support.networks import random_artifact


def plant(monkeypatch: pytest.MonkeyPatch, change: Callable[[Trace], Trace]) -> None:
    """Let the fast backend compute something else."""
    honest = FastBackend.trace
    monkeypatch.setattr(
        FastBackend,
        "trace",
        lambda self, observations, flags: change(honest(self, observations, flags)),
    )


def in_layer(
    layer: int, part: str, place: tuple[int, ...], by: int = 1
) -> Callable[[Trace], Trace]:
    def change(trace: Trace) -> Trace:
        values = {
            "payloads": trace.layers[layer].payloads.copy(),
            "states": trace.layers[layer].states.copy(),
        }
        values[part][place] += by
        layers = list(trace.layers)
        layers[layer] = LayerTrace(**values)
        return dataclasses.replace(trace, layers=tuple(layers))

    return change


@pytest.mark.parametrize(
    ("layer", "part", "place"),
    [(0, "payloads", (17, 0, 5)), (1, "states", (255, 0, 63)), (2, "states", (0, 0, 0))],
)
def test_a_planted_integer_is_found_and_named(
    monkeypatch: pytest.MonkeyPatch, layer: int, part: str, place: tuple[int, ...]
) -> None:
    plant(monkeypatch, in_layer(layer, part, place, -3))
    result = verify(pendulum(), backends=["reference", "fast"])
    first = result.first_mismatch
    assert (
        not result.exact
        and result.backends["fast"].mismatches == 1
        and result.backends["reference"].mismatches == 0
    )
    assert first is not None and first["expected"] - first["got"] == 3
    assert (first["backend"], first["decision"], first["what"], first["place"]) == (
        "fast",
        place[0],
        f"layer {layer} {part.rstrip('s')}",
        place[1:],
    )
    assert result.to_json()["exact"] is False and result.to_json()["first_mismatch"] == first


def test_the_first_in_time_is_reported_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    late = in_layer(0, "payloads", (40, 0, 1))
    early = in_layer(2, "states", (7, 0, 0))
    plant(monkeypatch, lambda trace: early(late(trace)))
    result = verify(pendulum(), backends=["fast"])
    assert result.backends["fast"].mismatches == 2 and result.first_mismatch is not None
    assert (result.first_mismatch["decision"], result.first_mismatch["what"]) == (
        7,
        "layer 2 state",
    )


def changed_input(trace: Trace) -> Trace:
    inputs = trace.inputs.copy()
    inputs[3, 2] ^= 1
    return dataclasses.replace(trace, inputs=inputs)


def changed_action(trace: Trace) -> Trace:
    actions = trace.actions.copy()
    actions[3, 0] = np.nextafter(actions[3, 0], np.inf)  # one bit is enough
    return dataclasses.replace(trace, actions=actions)


def changed_census(trace: Trace) -> Trace:
    return dataclasses.replace(
        trace,
        census=dataclasses.replace(
            trace.census, encode_saturations=trace.census.encode_saturations + 1
        ),
    )


@pytest.mark.parametrize(
    ("change", "what", "decision"),
    [
        (changed_input, "input payload", 3),
        (changed_action, "action", 3),
        (changed_census, "census", 255),
    ],
)
def test_everything_is_compared(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Trace], Trace], what: str, decision: int
) -> None:
    plant(monkeypatch, change)
    result = verify(pendulum(), backends=["reference", "fast"])
    assert not result.exact and result.backends["fast"].mismatches == 1
    assert result.first_mismatch is not None and (
        result.first_mismatch["what"],
        result.first_mismatch["decision"],
    ) == (what, decision)


def test_a_trace_of_another_shape_is_an_error_of_the_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant(monkeypatch, lambda trace: dataclasses.replace(trace, inputs=trace.inputs[:-1]))
    with pytest.raises(BackendError, match="input payload has another shape"):
        verify(pendulum(), backends=["fast"])


def test_the_command_prints_the_difference_and_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from pathlib import Path

    from tests.support.front_door import answer, command

    path = Path(str(tmp_path)) / "p.spk"
    spikeport.save(pendulum(), path)
    plant(monkeypatch, in_layer(1, "payloads", (5, 0, 9)))
    facts = answer("verify", path, "--backends", "reference,fast", exit_code=1)
    assert (
        facts["exact"] is False
        and facts["first_mismatch"]["place"] == [0, 9]
        and facts["backends"]["fast"]["mismatches"] == 1
    )
    result = command("verify", path, "--backends", "fast")
    assert (
        result.exit_code == 1
        and result.stdout.startswith("NOT EXACT over 256 decisions")
        and "first mismatch: {'backend': 'fast'" in result.stdout
    )


def test_a_missing_backend_is_listed_and_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lava", None)
    result = verify(pendulum(), decisions=10)
    assert not result.exact and result.first_mismatch is None
    assert [name for name, entry in result.backends.items() if entry.missing] == [
        "lava-direct",
        "lava",
    ]
    assert (
        result.backends["fast"].mismatches == 0
        and result.backends["reference"].compared == result.backends["fast"].compared > 0
    )


def test_the_reference_alone_has_compared_nothing() -> None:
    result = verify(pendulum(), backends=["reference"])
    assert not result.exact and (
        result.backends["reference"].compared,
        result.backends["reference"].mismatches,
    ) == (0, 0)
    assert verify(pendulum(), backends=["fast"]).exact


@pytest.mark.parametrize("decisions", [2, 3, 10, 100, 255, 256, 257, 600])
@pytest.mark.parametrize("artifact", [pendulum, toy], ids=["environment", "recorded"])
def test_two_episode_starts_whatever_the_length(
    artifact: Callable[[], Artifact], decisions: int
) -> None:
    observations, flags = stream(artifact(), decisions, None)
    assert (
        len(observations) == len(flags) == decisions and (flags == 1).sum() >= 2 and flags[0] == 1
    )
    assert ((flags == 2).sum() >= 1) == (
        decisions >= 141
    )  # the resync of the probe's third stretch
    assert np.isfinite(observations).all()
    result = verify(artifact(), backends=["reference", "fast"], decisions=decisions)
    assert result.exact and result.decisions == decisions


def test_an_episode_start_matters_to_the_comparison() -> None:
    """A backend that forgot the second reset would differ.

    The same stream without it gives other integers.
    """
    artifact = pendulum()
    observations, flags = stream(artifact, 10, None)
    without = flags.copy()
    without[1:] = 0
    one, other = (FastBackend(artifact).trace(observations, chosen) for chosen in (flags, without))
    assert not np.array_equal(one.layers[0].payloads, other.layers[0].payloads)


def test_beyond_the_probe_come_states_of_the_environment() -> None:
    artifact = pendulum()
    observations, flags = stream(artifact, 400, None)
    assert (observations[:256] == artifact.probe.observations).all() and flags[256] == 1
    assert len(np.unique(observations[256:], axis=0)) == 144
    # of the pendulum's two joints
    sines = observations[256:, 1:3]
    cosines = observations[256:, 3:5]
    np.testing.assert_allclose(sines**2 + cosines**2, 1.0)


def test_without_an_environment_the_probe_is_repeated_with_noise_or_a_given_one_is_used() -> None:
    artifact = toy()
    observations, flags = stream(artifact, 600, None)
    assert (observations[:256] == artifact.probe.observations).all() and (
        flags[256:512] == artifact.probe.flags
    ).all()
    assert (
        not np.array_equal(observations[:256], observations[256:512])
        and np.abs(observations[:256] - observations[256:512]).max() < 0.5
    )
    _, flags = stream(artifact, 300, TOY_ENV)
    assert (flags[256:] == (np.arange(44) % 30 == 0)).all()  # episodes of 30
    assert (
        verify(artifact, backends=["fast"], decisions=10, environment=TOY_ENV).decisions == 257
    )  # the probe, and one state of the environment


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"backends": ["fast", "fats"]}, "backend: unknown backend .got fats"),
        ({"backends": []}, "--backends: no backend named"),
        (
            {"decisions": 1},
            "--decisions: too few to hold two episode starts .got 1, limit 2 or more",
        ),
        (
            {"decisions": 300, "environment": "HalfCheetah-v5"},
            "environment HalfCheetah-v5: does not fit the policy",
        ),
    ],
)
def test_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        verify(pendulum(), **options)  # type: ignore[arg-type]


def test_progress_names_the_backends_in_turn() -> None:
    seen: list[str] = []
    verify(pendulum(), backends=["reference", "fast"], decisions=4, progress=seen.append)
    assert seen == ["reference", "fast"]


@pytest.mark.parametrize(
    "kind",
    [
        {"neuron": "if@1", "timesteps": 5, "alpha": 19},
        {"activation": "tanh", "time_feature": True, "normalised": True},
    ],
    ids=str,
)
def test_random_networks(kind: dict[str, object]) -> None:
    result = verification.verify(
        random_artifact(4, **kind), backends=["reference", "fast"], decisions=50
    )  # type: ignore[arg-type]
    assert result.exact and result.decisions == 50


@pytest.mark.parametrize(
    ("names", "fix"),
    [
        (["reference", "fast", "lava-direct", "lava", "onnx"], "reference,fast,lava-direct,lava"),
        (["onnx"], "reference,fast"),
    ],
)
def test_backends_without_the_neuron_are_named_before_anything_runs(
    names: list[str], fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spikeport.toolchain.simulation.onnx import OnnxBackend

    monkeypatch.setattr(OnnxBackend, "counterparts", ("if@1", "readout@1"))
    started: list[str] = []
    with pytest.raises(InputError) as caught:
        verify(random_artifact(0), backends=names, progress=started.append)
    text = (
        "--backends: have no counterpart for the artifact's neurons (got onnx: sdn@1). Fix:"
        f" --backends {fix}."
    )
    assert str(caught.value) == text and not started
