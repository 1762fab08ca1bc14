"""NIR graphs of somebody else's.

Read as declared, equal to another simulator's run, and refused where something is open.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikeport
from spikeport.toolchain.errors import InputError
from spikeport.toolchain.network.codes import ENCODER_THRESHOLD
from spikeport.toolchain.policies.spiking_policy import SpikingPolicy
from spikeport.toolchain.readers.load import load_policy
from spikeport.toolchain.readers.nir.nir_policy import DECLARED
from tests.support.front_door import answer, command

nir = pytest.importorskip("nir")

DT = 1e-4
SIDECAR: dict[str, Any] = {
    "timesteps": 5,
    "encoder": "rate",
    "observation": "none",
    "nir": {
        "dt": DT,
        "integration": "euler",
        "reset": "zero",
        "state": "reset",
        "layer_delay": 0,
        "update_order": "current_first",
    },
}
WIDTHS = (3, 8, 4)


def neuron(kind: str, count: int, **changes: Any) -> Any:
    ones = np.ones(count)
    values: dict[str, Any] = {"r": 4 * ones, "v_threshold": 0.5 * ones, "v_reset": 0 * ones}
    if kind != "IF":
        values |= {"v_leak": 0 * ones}
    if kind == "LIF":
        values |= {"tau": 4 * DT * ones}
    elif kind == "CubaLIF":
        values |= {"tau_mem": 4 * DT * ones, "tau_syn": 2 * DT * ones, "w_in": 2 * ones}
    else:
        values["r"] = ones / DT
    return getattr(nir, kind)(**values | changes)


def dense(rng: np.random.Generator, inputs: int, outputs: int) -> Any:
    return nir.Affine(rng.normal(size=(outputs, inputs)), 0.1 * rng.normal(size=outputs))


def chain(kind: str, seed: int = 0, **changes: Any) -> dict[str, Any]:
    """Two dense layers with neurons; `changes` alter the second neurons' parameters."""
    rng = np.random.default_rng(seed)
    nodes = {
        "a": dense(rng, *WIDTHS[:2]),
        "n": neuron(kind, WIDTHS[1]),
        "b": dense(rng, *WIDTHS[1:]),
        "m": neuron(kind, WIDTHS[2], **changes),
    }
    return (
        {"in": nir.Input(np.array([WIDTHS[0]]))}
        | nodes
        | {"out": nir.Output(np.array([WIDTHS[2]]))}
    )


def written(
    folder: Path,
    nodes: dict[str, Any],
    edges: list[tuple[str, str]] | None = None,
    sidecar: Any = SIDECAR,
    name: str = "x",
) -> Path:
    names = list(nodes)
    if edges is None:
        edges = list(zip(names[:-1], names[1:], strict=True))
    else:
        edges = edges
    nir.write(folder / f"{name}.nir", nir.NIRGraph(nodes, edges, type_check=False))
    if sidecar is not None:
        (folder / f"{name}.spikeport.json").write_text(json.dumps(sidecar))
    return folder / f"{name}.nir"


def read(path: Path, **options: Any) -> SpikingPolicy:
    policy = load_policy(path, **{"squash": "none"} | options)
    assert isinstance(policy, SpikingPolicy)
    return policy


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
@pytest.mark.proves(direction="in", format="NIR graph")
def test_counts_equal_snntorch(tmp_path: Path, kind: str) -> None:
    """The policy's spike counts are those of snnTorch's importer on the same encoder spikes."""
    snntorch = pytest.importorskip("snntorch")
    torch = pytest.importorskip("torch")
    import_nir = pytest.importorskip("snntorch.import_nir")
    pytest.importorskip("nirtorch")
    path = written(tmp_path, chain(kind, 3))
    policy = read(path)
    module = import_nir.import_from_nir(nir.read(path))
    neurons = [
        part for part in module.modules() if isinstance(part, snntorch.Leaky | snntorch.Synaptic)
    ]
    rng = np.random.default_rng(0)
    total = 0
    for rates in rng.random((30, WIDTHS[0])).astype(np.float32):
        for part in neurons:
            part.init_hidden = True
            part.reset_mem()
        v = np.zeros_like(rates)
        count = np.zeros(WIDTHS[2])
        for _ in range(policy.timesteps):
            v += rates
            spikes = (v > np.float32(ENCODER_THRESHOLD)).astype(np.float32)
            v -= np.float32(ENCODER_THRESHOLD) * spikes
            with torch.no_grad():
                count += module(torch.tensor(spikes)[None])[0].numpy()[0]
        assert np.array_equal(policy.counts(rates[None])[-1][0], count)
        total += int(count.sum())
    assert total > 100


def test_declared_semantics_set_the_decays(tmp_path: Path) -> None:
    for name, declared, kept in (("e", "euler", 1 - 1 / 4), ("x", "exponential", np.exp(-1 / 4))):
        sidecar = SIDECAR | {"nir": SIDECAR["nir"] | {"integration": declared}}
        policy = read(written(tmp_path, chain("LIF"), sidecar=sidecar, name=name))
        first = policy.layers[0]
        assert policy.timesteps == 5 and first.threshold == 1.0 and first.current_keep == 0.0
        assert first.voltage_keep == pytest.approx(kept)
        weight = np.random.default_rng(0).normal(size=(8, 3))
        np.testing.assert_allclose(first.weight, weight * (1 - kept) * 4 / 0.5, rtol=1e-5)


def test_integrate_and_fire_and_linear(tmp_path: Path) -> None:
    nodes = chain("IF")
    weight = nodes["b"].weight
    nodes["b"] = nir.Linear(weight)
    nodes = (
        dict(list(nodes.items())[:3])
        | {"flat": nir.Flatten({"input": np.array([8])}, 0)}
        | dict(list(nodes.items())[3:])
    )
    policy = read(written(tmp_path, nodes))
    assert [layer.voltage_keep for layer in policy.layers] == [1.0, 1.0] and not policy.layers[
        1
    ].bias.any()
    np.testing.assert_allclose(policy.layers[1].weight, weight / 0.5, rtol=1e-5)


def test_decoder_of_one_group_per_action(tmp_path: Path) -> None:
    nodes = chain("LIF")
    weight = np.array([[1.0, 2, 0, 0], [0, 0, 3, 4]])
    nodes.pop("out")
    nodes |= {"d": nir.Affine(weight, np.array([5.0, 6.0])), "out": nir.Output(np.array([2]))}
    policy = read(written(tmp_path, nodes), squash="tanh", action_limit=2.0)
    assert (
        policy.decoder_weight.tolist() == [[1, 2], [3, 4]]
        and policy.decoder_bias.tolist() == [5, 6]
        and policy.action.scale.tolist() == [2, 2]
    )
    nodes["d"] = nir.Affine(weight + 1, np.zeros(2))
    with pytest.raises(
        InputError,
        match=(
            r"d reads the same neurons for several actions \(got weight \(2, 4\), limit one group"
        ),
    ):
        read(written(tmp_path, nodes))


def test_nothing_declared_is_all_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        load_policy(written(tmp_path, chain("CubaLIF"), sidecar=None))
    text = str(error.value)
    assert "10 problems" in text and "x.spikeport.json" in text
    for name in (
        "timesteps",
        "encoder",
        "observation",
        "nir.dt",
        *(f"nir.{key}" for key in DECLARED),
    ):
        assert f"{name} is not declared" in text
    assert "the squash behind the output is not said" in text
    with pytest.raises(InputError, match="9 problems"):
        load_policy(written(tmp_path, chain("LIF"), sidecar=None))


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            {"nir": {"reset": "subtract"}},
            r"nir\.reset is subtract, which no integer neuron runs; zero can be",
        ),
        (
            {"nir": {"layer_delay": 1}},
            r"nir\.layer_delay is 1, which no integer neuron runs; 0 can be",
        ),
        ({"nir": {"layer_delay": False}}, r"nir\.layer_delay is False"),
        ({"nir": {"state": "kept"}}, r"nir\.state is kept"),
        ({"nir": {"dt": -1}}, r"nir\.dt is -1, a positive number expected"),
        (
            {"nir": {"integrator": "euler"}},
            r"unknown nir key 'integrator' did you mean 'integration'\?",
        ),
        (
            {"encoder": "population"},
            r"encoder population, observation none: a graph takes rate-coded",
        ),
        ({"nir": 3}, r"x\.spikeport\.json: nir is a int, an object expected"),
    ],
)
def test_what_cannot_be_run_as_declared(
    tmp_path: Path, facts: dict[str, Any], message: str
) -> None:
    sidecar = SIDECAR | {
        name: SIDECAR[name] | value if isinstance(value, dict) else value
        for name, value in facts.items()
    }
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, chain("LIF"), sidecar=sidecar))


CHAIN = [("in", "a"), ("a", "n"), ("n", "b"), ("b", "m"), ("m", "out")]
EDGES = {
    "recurrent": ([*CHAIN, ("n", "n")], r"n feeds 2 nodes; n is fed by 2 nodes"),
    "branch": ([*CHAIN, ("n", "out")], r"n feeds 2 nodes; out is fed by 2 nodes"),
    "cycle": (
        [("in", "a"), ("a", "out"), ("n", "b"), ("b", "m"), ("m", "n")],
        r"not a chain from Input to Output \(got b, m, n not on it\)",
    ),
    "endless": (
        [("in", "a"), ("a", "n"), ("n", "b"), ("b", "m"), ("m", "a")],
        r"a is fed by 2 nodes",
    ),
    "loose": (CHAIN[:-1], r"not a chain from Input to Output \(got out not on it\)"),
    "unknown": ([*CHAIN[:-1], ("m", "ghost")], r"an edge leads to ghost, which is no node"),
    "twice": ([*CHAIN, CHAIN[0]], r"the edge in -> a stands there 2 times"),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_that_are_no_chain(tmp_path: Path, name: str) -> None:
    edges, message = EDGES[name]
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, chain("LIF"), edges))


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("LIF", {"v_reset": np.full(4, 0.1)}, r"m \(LIF\): v_reset is not zero"),
        (
            "LIF",
            {"v_leak": np.ones(4), "v_threshold": np.array([1, 0, -1, 1.0])},
            r"2 problems: m \(LIF\): v_leak is not zero; .* 2 thresholds are not",
        ),
        (
            "LIF",
            {"tau": np.array([4, 4, 4, 5]) * DT},
            r"m \(LIF\): tau differs from neuron to neuron",
        ),
        ("LIF", {"tau": np.full(4, DT / 2)}, r"m \(LIF\): tau has values at or below dt"),
        ("LIF", {"r": np.full(4, np.nan)}, r"m \(LIF\): r has non-finite values"),
        ("CubaLIF", {"tau_syn": np.array([2, 3, 2, 2]) * DT}, r"m \(CubaLIF\): tau_syn differs"),
    ],
)
def test_parameters_that_lif_has_not(
    tmp_path: Path, kind: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, chain(kind, **changes)))


def test_nodes_that_are_not_read(tmp_path: Path) -> None:
    nodes = chain("LIF")
    nodes["n"], nodes["m"] = nir.Threshold(np.ones(8)), nir.CubaLI(*[np.ones(4)] * 4)
    with pytest.raises(
        InputError, match=r"2 problems: m is CubaLI; n is Threshold\. only Input, Output, Affine"
    ):
        read(written(tmp_path, nodes))


def test_shapes_and_order(tmp_path: Path) -> None:
    nodes = chain("LIF")
    nodes["b"] = nir.Affine(np.ones((4, 7)), np.ones(4))
    with pytest.raises(InputError, match=r"b takes 7 inputs where 8 arrive"):
        read(written(tmp_path, nodes))
    nodes = chain("LIF")
    nodes["n"] = nir.Affine(np.ones((8, 8)), np.ones(8))
    with pytest.raises(
        InputError,
        match=r"2 problems: n \(Affine\) follows a \(Affine\); b \(Affine\) follows n \(Affine\)",
    ):
        read(written(tmp_path, nodes))
    nodes = chain("LIF")
    nodes["b"] = nir.Affine(np.ones((4, 8)), np.ones(3))
    with pytest.raises(
        InputError,
        match=(
            r"b \(Affine\): weight has shape \(4, 8\), bias \(3,\); \(out, in\) and \(out\)"
            r" expected"
        ),
    ):
        read(written(tmp_path, nodes))


@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF"])
def test_converts_and_goes_out_again(tmp_path: Path, kind: str) -> None:
    """convert, then the integers on two backends; what NIR can express comes back out."""
    said = answer(
        "convert", written(tmp_path, chain(kind)), "-o", tmp_path / "x.spk", "--squash", "none"
    )
    assert (
        said["output"] == "x.spk" and spikeport.load(tmp_path / "x.spk").network.neuron == "lif@1"
    )
    assert answer("verify", tmp_path / "x.spk", "--backends", "reference,fast", "--decisions", 64)[
        "exact"
    ]
    result = command("export", tmp_path / "x.spk", "--to", "nir", "-o", tmp_path / "y.nir")
    assert result.exit_code == (2 if kind == "IF" else 0) and (
        "its membrane does not decay" in result.stderr
    ) == (kind == "IF")


def test_other_options(tmp_path: Path) -> None:
    path = written(tmp_path, chain("LIF"))
    with pytest.raises(InputError, match="a spiking checkpoint has neurons, no activation"):
        read(path, activation="relu")
    with pytest.raises(InputError, match="takes rates, no normalised observation"):
        read(path, normalizer="n.pkl")
