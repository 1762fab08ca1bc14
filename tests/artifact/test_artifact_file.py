"""Artifacts on disk: what is written comes back, anything else is refused with a reason."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import is_artifact, load, save
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy
from tests.support import spk_files
from tests.support.networks import random_artifact
from tests.support.strategies import Shape, build, shapes


def small(seed: int = 0, **options: Any) -> Artifact:
    return random_artifact(seed, widths=options.pop("widths", (3, 2, 1)), **options)


def assert_equal(one: Any, two: Any, where: str = "artifact") -> None:
    """Field by field, arrays with their types."""
    if isinstance(one, np.ndarray):
        assert one.dtype == two.dtype and np.array_equal(one, two), where
    elif dataclasses.is_dataclass(one):
        assert type(one) is type(two), where
        for field in dataclasses.fields(one):
            assert_equal(
                getattr(one, field.name), getattr(two, field.name), f"{where}.{field.name}"
            )
    elif isinstance(one, tuple):
        assert len(one) == len(two), where
        for index, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_equal(a, b, f"{where}[{index}]")
    else:
        assert one == two, where


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None, max_examples=120)
@given(
    shape=shapes(),
    seed=st.integers(0, 2**32 - 1),
    source=st.booleans(),
    extensions=st.dictionaries(st.text(max_size=8), JSON, max_size=3),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    shape: Shape,
    seed: int,
    source: bool,
    extensions: dict[str, Any],
) -> None:
    """Every field and array of any artifact comes back, and the same artifact is the same bytes."""
    artifact = dataclasses.replace(build(shape, seed), extensions=extensions)
    if source:
        rng = np.random.default_rng(seed)
        dense = [
            DenseLayer(
                rng.normal(size=(b, a)).astype(np.float32),
                rng.normal(size=b).astype(np.float32),
                "elu",
            )
            for a, b in zip(shape.widths[:-1], shape.widths[1:], strict=True)
        ]
        artifact = dataclasses.replace(
            artifact,
            source=Policy(tuple(dense), artifact.observation, artifact.action, artifact.provenance),
        )
    path = tmp_path_factory.mktemp("spk") / "a.spk"
    save(artifact, path)
    blob = path.read_bytes()
    loaded = load(path)
    assert_equal(loaded, artifact)
    save(loaded, path)
    assert path.read_bytes() == blob
    assert is_artifact(path)


@settings(deadline=None, max_examples=30)
@given(shape=shapes(), seed=st.integers(0, 2**32 - 1))
def test_a_reader_and_a_writer_made_from_the_format_page_agree(
    tmp_path_factory: pytest.TempPathFactory, shape: Shape, seed: int
) -> None:
    path = tmp_path_factory.mktemp("spk") / "a.spk"
    save(build(shape, seed), path)
    assert spk_files.encoded(spk_files.read(path)) == path.read_bytes()


def test_source_environment_and_extensions_come_back(tmp_path: Path) -> None:
    artifact = small()
    dense = (
        DenseLayer(np.ones((2, 3), np.float32), np.zeros(2, np.float32), "relu"),
        DenseLayer(np.ones((1, 2), np.float32), np.zeros(1, np.float32)),
    )
    artifact = dataclasses.replace(
        artifact,
        source=Policy(dense, artifact.observation, artifact.action, artifact.provenance),
        environment=EnvironmentRecord("Hopper-v5", {"a": 1}, ("W",), 0.008, {"mujoco": "4"}),
        extensions={"theirs": [1, {"b": None}]},
    )
    save(artifact, tmp_path / "a.spk")
    assert_equal(load(tmp_path / "a.spk"), artifact)
    save(artifact, tmp_path / "b.spk")
    assert (tmp_path / "a.spk").read_bytes() == (tmp_path / "b.spk").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.spk", "b.spk"]


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Edit the description and give it a right checksum, as somebody with a hex editor and patience
    would.
    """
    parts = spk_files.read(path)
    change(parts.description)
    path.write_bytes(spk_files.encoded(parts))


def test_unknown_keys_are_kept_as_extensions(tmp_path: Path) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    rewritten(path, lambda description: description.update(from_the_future={"x": 1}))
    artifact = load(path)
    assert artifact.extensions == {"from_the_future": {"x": 1}}
    save(artifact, path)
    assert load(path).extensions == {"from_the_future": {"x": 1}}


def set_in(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(description: dict[str, Any]) -> None:
        place: Any = description
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


ENVIRONMENT = {
    "id": "os:Env-v0",
    "kwargs": {},
    "wrappers": [],
    "control_period_s": None,
    "versions": {},
}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            set_in("environment", value=ENVIRONMENT),
            "environment id 'os:Env-v0' carries a colon, which would import code",
        ),
        (
            set_in("version", value="2.0"),
            r"format version is not readable here \(got 2.0, limit 1.0 to 1.2\).*spikeport convert",
        ),
        (set_in("version", value="1.3"), "format version is not readable here"),
        (set_in("version", value=1), "damaged description"),
        (set_in("timesteps", value=4), "sdn@1 has one timestep, not 4"),
        (set_in("timesteps", value=10**9), "must be in 1..1024"),
        (set_in("timesteps", value="1"), "'1' is not an integer in range"),
        (set_in("alpha", value=65), "alpha 65/64"),
        (set_in("layers", 0, "neuron", value="sdn@9"), "unknown neuron 'sdn@9'"),
        (set_in("layers", 0, "neuron", value="readout@1"), "neuron readout@1 in this place"),
        (set_in("layers", 0, "hold_input", value=True), "hold_input belongs to"),
        (set_in("layers", 0, "trigger", value=0), "trigger 0"),
        (set_in("layers", 0, "activation", value="tanh"), "activation tanh needs table"),
        (set_in("layers", 0, "table", value=True), "array layers.0.table.start is missing"),
        (set_in("layers", value=[]), "unknown arrays|no layer"),
        (set_in("source_macs", value=0), "multiply-adds are 0"),
        (
            set_in("calibration", "seeds", value=["x"]),
            "calibration seeds is not a list of whole numbers",
        ),
        (
            set_in("calibration", "measured_action_error", value="x"),
            "calibration measured_action_error is not a number",
        ),
        (set_in("observation", "clip", value="inf"), "'inf' is not a finite number"),
        (set_in("observation", "size", value=2), "does not fit|for 2"),
        (set_in("action", "squash", value="sin"), "unknown squash"),
        (set_in("provenance", "more", value=1), "unknown keys more in provenance"),
        (
            lambda description: description.pop("memory"),
            "does not fit the format: KeyError 'memory'",
        ),
        (
            set_in("layers", 0, "more", value=1),
            (
                r"unknown keys more in layer 0 \(limit neuron, activation, trigger, hold_input,"
                r" table, dynamics, leak_shift\)"
            ),
        ),
        (set_in("observation", "more", value=1), "unknown keys more in observation"),
        (set_in("action", "more", value=1), "unknown keys more in action"),
        (
            set_in("environment", value=ENVIRONMENT | {"more": 1}),
            "unknown keys more in environment",
        ),
        (
            set_in("environment", value=ENVIRONMENT | {"id": "Env-v0", "control_period_s": 0}),
            "the control period is 0.0 s, 1e-06..1e.06 expected",
        ),
        *(
            (
                set_in(
                    "environment", value=ENVIRONMENT | {"id": "Env-v0", "control_period_s": period}
                ),
                f"the control period is {text} s, 1e-06..1e.06 expected",
            )
            for period, text in (
                (1e-320, "1e-320"),
                (9e-7, "9e-07"),
                (1.1e6, "1100000.0"),
                (1e308, "1e.308"),
            )
        ),
        (
            set_in("observation", "time_feature", value={"max_steps": 0, "test_mode": False}),
            "the time feature counts 0 steps, at least 1 expected",
        ),
        (set_in("observation", "clip", value=0), "the observation's clip is 0.0, above 0 expected"),
        (
            set_in("observation", "clip", value=-1.5),
            "the observation's clip is -1.5, above 0 expected",
        ),
        (
            set_in("observation", "epsilon", value=float("nan")),
            "damaged description: NaN is not a number of JSON",
        ),
        (
            set_in("calibration", "ratio", value=float("inf")),
            "damaged description: Infinity is not a number of JSON",
        ),
        (set_in("observation", "size", value=-1), "-1 observation channels"),
        (set_in("observation", "size", value=2**50), "for 1125899906842624 channels"),
        (
            set_in("observation", "size", value=2**60),
            "1152921504606846976 is not an integer in range",
        ),
        (set_in("action", "size", value=-1), "scale does not fit the action"),
        (set_in("observation", "names", value="abc"), "'abc' is not a list of texts"),
        (set_in("provenance", "file", value=7), "is not a list of texts"),
        (set_in("timesteps", value=True), "True is not an integer in range"),
        (set_in("resync_every", value=-1), "resync_every -1 must be in"),
        (set_in("layers", 0, "trigger", value=2**23), "trigger 8388608, 1..8388607 expected"),
        (set_in("layers", 0, "activation", value="sine"), "unknown activation 'sine'"),
        (set_in("version", value="1.0.0"), "format version is not readable here"),
        (set_in("version", value="1.-1"), "format version is not readable here"),
        (set_in("version", value=" 1.0"), "format version is not readable here"),
        (set_in("version", value="0.9"), "format version is not readable here"),
        (set_in("version", value="one"), "damaged description: invalid literal"),
        (set_in("source", value=["relu", "identity"]), "array source.0.weight is missing"),
        (set_in("calibration", value=[1]), "does not fit the format: TypeError"),
        (set_in("extensions", value=[1]), "does not fit the format: TypeError"),
        (lambda description: description.clear(), "damaged description: 'version'"),
    ],
)
def test_edited_descriptions_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], text: str
) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    rewritten(path, change)
    with pytest.raises(InputError, match=text):
        load(path)


def test_the_format_page_names_what_a_file_holds(tmp_path: Path) -> None:
    artifact = random_artifact(
        0, activation="tanh", time_feature=True, normalised=True, squash="none"
    )
    dense = tuple(
        DenseLayer(
            np.zeros((layer.outputs, layer.inputs), np.float32), np.zeros(layer.outputs, np.float32)
        )
        for layer in artifact.network.layers
    )
    artifact = dataclasses.replace(
        artifact,
        source=Policy(dense, artifact.observation, artifact.action, artifact.provenance),
        environment=EnvironmentRecord("Hopper-v5"),
    )
    save(artifact, tmp_path / "a.spk")
    parts = spk_files.read(tmp_path / "a.spk")
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    for name in parts.arrays:
        family, _, last = re.sub(r"\.\d+\.", ".{l}.", name).rpartition(".")
        assert f"`{family}.{last}`" in page or (f"`{family}." in page and f"`.{last}`" in page), (
            name
        )
    for name, entry in parts.description.items():
        assert f"`{name}`" in page, name
        objects = []
        if name == "layers":
            objects = entry
        elif name in ("observation", "action", "provenance", "environment"):
            objects = [entry]
        for facts in objects:
            listed = re.search(rf"`{name}` \| [^\n]*?`{{([^}}]*)}}`", page)
            assert listed and set(listed[1].split(", ")) == set(facts), name


def test_older_minor_versions_load(tmp_path: Path) -> None:
    path = tmp_path / "a.spk"
    save(small(), path)
    rewritten(path, set_in("version", value="1.0"))
    assert load(path).action.squash == small().action.squash
