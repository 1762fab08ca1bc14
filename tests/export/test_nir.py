"""`--to nir` and back.

Equal artifacts, graphs that nir reads, and what does not fit is refused by name.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeport import api
from spikeport.toolchain.artifact.artifact import Artifact
from spikeport.toolchain.artifact.artifact_file import save
from spikeport.toolchain.environments.environment_record import EnvironmentRecord
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.policies.ann_policy import DenseLayer, Policy
from tests.artifact.test_artifact_file import assert_equal
from tests.support.networks import random_artifact

nir = pytest.importorskip("nir")
h5py = pytest.importorskip("h5py")

from spikeport.export.nir.nir_file import export_nir  # noqa: E402
from spikeport.export.nir.nir_reading import holds_artifact, load_nir  # noqa: E402


def rate_artifact(seed: int = 0, **options: Any) -> Artifact:
    return random_artifact(seed, neuron="if@1", **{"timesteps": 5, "alpha": 32} | options)


def with_everything(seed: int, **options: Any) -> Artifact:
    """An artifact with a source, an environment, a recipe and somebody's extensions."""
    artifact = rate_artifact(seed, **options)
    rng = np.random.default_rng(seed)
    widths = artifact.network.widths
    dense = tuple(
        DenseLayer(
            rng.normal(size=(b, a)).astype(np.float32),
            rng.normal(size=b).astype(np.float32),
            "relu" if index < len(widths) - 2 else "identity",
        )
        for index, (a, b) in enumerate(zip(widths[:-1], widths[1:], strict=True))
    )
    return dataclasses.replace(
        artifact,
        source=Policy(dense, artifact.observation, artifact.action, artifact.provenance),
        environment=EnvironmentRecord(
            "Toy-v0", {"x": [1, None]}, ("TimeLimit",), 0.02, {"numpy": "2"}
        ),
        calibration={"seeds": [1000000], "steps": 7, "alpha": 0.5},
        extensions={"lab": {"who": "\u00e4 / b"}},
    )


@settings(deadline=None, max_examples=10)
@given(
    seed=st.integers(0, 2**32 - 1),
    timesteps=st.integers(2, 20),
    alpha=st.integers(0, 64),
    hidden=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
@pytest.mark.proves(direction="in", format="NIR export")
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    timesteps: int,
    alpha: int,
    hidden: list[int],
    flags: tuple[bool, ...],
) -> None:
    """artifact -> NIR -> artifact.

    Every field and array, and the same `.spk`, byte for byte; also after nir has read and written
    it.
    """
    time, normalised, tanh = flags
    options: dict[str, Any] = {
        "time_feature": time,
        "normalised": normalised,
        "squash": "tanh" if tanh else "none",
        "resync_every": seed % 5,
    }
    artifact = with_everything(
        seed, timesteps=timesteps, alpha=alpha, widths=(4, *hidden, 2), **options
    )
    folder = tmp_path_factory.mktemp("nir")
    export_nir(artifact, folder / "a.nir")
    nir.write(folder / "b.nir", nir.read(folder / "a.nir"))
    save(artifact, folder / "a.spk")
    for name in ("a.nir", "b.nir"):
        assert holds_artifact(folder / name)
        read = load_nir(folder / name)
        assert_equal(artifact, read)
        save(read, folder / "b.spk")
        assert (folder / "a.spk").read_bytes() == (folder / "b.spk").read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["a.nir", "a.spk", "b.nir", "b.spk"]


def test_equal_artifacts_are_equal_files(tmp_path: Path) -> None:
    for name in "ab":
        export_nir(with_everything(3), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_without_source(tmp_path: Path) -> None:
    artifact = with_everything(1).without_source()
    export_nir(artifact, tmp_path / "a.nir")
    assert_equal(artifact, load_nir(tmp_path / "a.nir"))


@pytest.mark.proves(direction="out", format="nir")
def test_graph_as_nir_reads_it(tmp_path: Path) -> None:
    """A chain of Affine and IF with thresholds 1.

    The parameters are the integers over theta, or times the row's scale.
    """
    artifact = rate_artifact(2, widths=(5, 9, 7, 3))
    export_nir(artifact, tmp_path / "a.nir")
    graph = nir.read(tmp_path / "a.nir")
    chain = ["input", "affine_0", "if_0", "affine_1", "if_1", "affine_2", "output"]
    assert sorted(graph.nodes) == sorted(chain) and sorted(graph.edges) == sorted(
        zip(chain[:-1], chain[1:], strict=True)
    )
    first, second, last = artifact.network.layers
    for name, layer, unit in (
        ("0", first, 1 / first.threshold),
        ("1", second, 1 / second.threshold),
        ("2", last, last.row_scale),
    ):
        if name == "0":
            columns = artifact.network.encoder.scale
        else:
            columns = 1.0
        weight = graph.nodes[f"affine_{name}"].weight
        assert weight.dtype == np.float32
        np.testing.assert_allclose(weight / unit[:, None] * columns, layer.weights, atol=1e-4)
        np.testing.assert_allclose(graph.nodes[f"affine_{name}"].bias / unit, layer.bias, rtol=1e-6)
    for name, layer in (("if_0", first), ("if_1", second)):
        node = graph.nodes[name]
        assert isinstance(node, nir.IF) and node.v_threshold.shape == (layer.outputs,)
        assert (node.v_threshold == 1).all() and (node.r == 1).all() and (node.v_reset == 0).all()


def test_contract_says_what_nodes_cannot(tmp_path: Path) -> None:
    artifact = rate_artifact(2, timesteps=6, alpha=19, resync_every=7)
    export_nir(artifact, tmp_path / "a.nir")
    contract = json.loads(nir.read(tmp_path / "a.nir").metadata["spikeport"]["contract"])
    time = contract["time"]
    membrane = contract["membrane"]
    assert (
        time["timesteps_per_decision"],
        time["layer_delay"],
        time["chip_layer_delay"],
        time["chip_steps_per_decision"],
    ) == (6, 0, 1, 9)
    assert (time["dt"], time["resync_every"]) == (1.0, 7)
    assert (membrane["reset"], membrane["reset_delay"], membrane["fires"], membrane["v_init"]) == (
        "subtract",
        0,
        "v > theta",
        "theta // 2",
    )
    assert (
        membrane["update_order"] == ["integrate", "saturate", "compare", "reset"]
        and membrane["carry_over"]["alpha"] == 19
    )
    assert contract["readout"]["divisor"] == 6 and contract["readout"]["squash"] == "tanh"
    assert contract["integers"]["state_bits"] == 24 and contract["neuron"] == "if@1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"neuron": "sdn@1"},
            (
                r"--to nir: NIR has no node for sdn@1 \(limit if@1, lif@1\)\. its .* Fix: --to lava"
                r" or --to onnx or convert with --neuron if"
            ),
        ),
        ({"neuron": "snm@1", "timesteps": 4}, r"NIR has no node for snm@1"),
        ({"neuron": "mt@1", "timesteps": 4}, r"NIR has no node for mt@1"),
        ({"neuron": "dc@1", "timesteps": 4}, r"NIR has no node for dc@1"),
        (
            {"neuron": "if@1", "timesteps": 4, "widths": (3, 2)},
            r"a policy without hidden layers has no neuron to write",
        ),
    ],
)
def test_neurons_without_node_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        api.export(random_artifact(0, **options), "nir", tmp_path / "a.nir")
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.nir").write_text("mine")
    with pytest.raises(
        InputError,
        match=(
            r"a\.nir: exists already\. an export never overwrites anything\. Fix: give -o a path"
            r" that does not exist\."
        ),
    ):
        export_nir(rate_artifact(), tmp_path / "a.nir")
    assert (tmp_path / "a.nir").read_text() == "mine"
    with pytest.raises(
        InputError, match=r"gone/a\.nir: cannot be written: its folder does not exist"
    ):
        export_nir(rate_artifact(), tmp_path / "gone" / "a.nir")


def edited(file: Path, change: Any) -> Path:
    with h5py.File(file, "r+") as opened:
        change(opened)
    return file


def replace(group: Any, name: str, value: Any) -> None:
    del group[name]
    group[name] = value


def scale_weight(file: Any) -> None:
    values = file["node/nodes/affine_1/weight"][()]
    values[0, 0] += 1
    replace(file["node/nodes/affine_1"], "weight", values)


def flip_integer(file: Any) -> None:
    arrays = file["node/metadata/spikeport/arrays"]
    values = arrays["layers.0.weights"][()]
    values[0, 0] ^= 1
    replace(arrays, "layers.0.weights", values)


def delayed_reset(file: Any) -> None:
    entry = file["node/metadata/spikeport"]
    replace(
        entry,
        "contract",
        entry["contract"][()].decode().replace('"reset_delay":0', '"reset_delay":1'),
    )


EDITS = {
    "a weight": (
        scale_weight,
        (
            r"a\.nir: affine_1\.weight differs from its integers in 1 of 63 numbers\. the graph was"
            r" edited .* remove the metadata"
        ),
    ),
    "an integer": (flip_integer, r"a\.nir: checksum does not match its content"),
    "the contract": (delayed_reset, r"a\.nir: the contract differs in membrane\."),
    "no JSON": (
        lambda f: replace(f["node/metadata/spikeport"], "contract", "{"),
        r"the contract differs in all of it: it is not JSON",
    ),
    "threshold": (
        lambda f: replace(f["node/nodes/if_0"], "v_threshold", np.full(9, 2, np.float32)),
        r"if_0\.v_threshold differs from its integers in 9 of 9",
    ),
    "a node's type": (
        lambda f: replace(f["node/nodes/if_0"], "type", "LIF"),
        r"a\.nir: node if_0 is not IF\.",
    ),
    "a node more": (
        lambda f: f["node/nodes"].create_group("x"),
        r"a\.nir: node x is not the artifact's\.",
    ),
    "an end": (
        lambda f: replace(f["node/nodes/output"], "shape", np.array([4])),
        r"node output is not Output of 3 channels",
    ),
    "a cycle": (
        lambda f: f["node/edges"].__setitem__((0, 0), "if_1"),
        r"a\.nir: the edges are not one chain from input to output",
    ),
    "version": (
        lambda f: replace(f["node/metadata/spikeport"], "version", "9.0"),
        r"written by another version \(got spikeport-nir 9\.0, limit .* 1\.0\)",
    ),
    "no checksum": (
        lambda f: f["node/metadata/spikeport"].pop("sha256"),
        r"a\.nir: metadata spikeport/sha256 is missing or no text",
    ),
    "no arrays": (
        lambda f: f["node/metadata/spikeport"].pop("arrays"),
        r"metadata spikeport/arrays is missing",
    ),
    "an array": (
        lambda f: f["node/metadata/spikeport/arrays"].pop("layers.1.bias"),
        r"checksum does not match",
    ),
    "stranger": (
        lambda f: f["node"].pop("metadata"),
        r"a\.nir: holds no artifact: Spikeport did not write it .* Fix: `spikeport convert FILE`",
    ),
    "no graph": (
        lambda f: replace(f["node"], "type", "IF"),
        r"a\.nir: an HDF5 file, but no NIR graph in it \(got entries node, version",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_graph_is_refused(tmp_path: Path, name: str) -> None:
    change, message = EDITS[name]
    export_nir(rate_artifact(1, widths=(5, 9, 7, 3)), tmp_path / "a.nir")
    with pytest.raises(InputError, match=message):
        load_nir(edited(tmp_path / "a.nir", change))


def test_all_differences_at_once(tmp_path: Path) -> None:
    export_nir(rate_artifact(1, widths=(5, 9, 7, 3)), tmp_path / "a.nir")
    for name in ("a weight", "a cycle", "the contract"):
        edited(tmp_path / "a.nir", EDITS[name][0])
    with pytest.raises(InputError) as error:
        load_nir(tmp_path / "a.nir")
    assert re.search(
        r"3 problems: affine_1\.weight .*; the edges .*; the contract", str(error.value)
    )


def test_what_is_no_nir(tmp_path: Path) -> None:
    save(rate_artifact(), tmp_path / "a.spk")
    assert not holds_artifact(tmp_path / "a.spk") and not holds_artifact(tmp_path / "gone")
    with pytest.raises(InputError, match=r"a\.spk: not an HDF5 file, so not NIR"):
        load_nir(tmp_path / "a.spk")
