"""ONNX graphs put together from parts act as onnxruntime says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.graph_files import OBSERVATIONS, agree, computed, dense, graph
from tests.support.graph_parts import AFTER, BEFORE, CONSTANTS, HIDDEN, PARTS, graphs
from tests.support.policy_files import write

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("torch")


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=graphs(), seed=st.integers(0, 2**16))
@pytest.mark.proves(direction="in", format="ONNX")
def test_any_chain_acts_as_onnxruntime_says(tmp_path: Path, data: bytes, seed: int) -> None:
    path = write(tmp_path / "g.onnx", data)
    policy = load_policy(path)
    observations = (
        np.random.default_rng(seed)
        .normal(scale=2.0, size=(16, policy.observation.size))
        .astype(np.float32)
    )
    agree(policy, computed(path, observations), observations)


def test_every_part_is_read(tmp_path: Path) -> None:
    """The table above with each entry in turn, so that none depends on luck."""
    for group in ("before", "dense", "hidden", "after"):
        table = {"before": BEFORE, "dense": PARTS, "hidden": HIDDEN, "after": AFTER}[group]
        for name in table:
            chosen = {"before": "nothing", "dense": "gemm", "hidden": "relu", "after": "raw"} | {
                group: name
            }
            steps = [
                BEFORE[chosen["before"]],
                PARTS[chosen["dense"]],
                HIDDEN[chosen["hidden"]],
                PARTS["gemm"],
                AFTER[chosen["after"]],
            ]
            nodes: list[tuple[Any, ...]] = []
            for place, part in enumerate(steps):
                names = {
                    "x": "obs" if place == 0 else f"v{place - 1}",
                    "y": f"v{place}" if place < 4 else "action",
                    "n": place // 3,
                }
                nodes.extend(
                    (operator, reads.format(**names), makes.format(**names), *rest)
                    for operator, reads, makes, *rest in part
                )
            own = {"mean": np.array([0.5, -1.0, 0.1, 2.0]), "std": np.array([0.5, 1.0, 2.0, 0.3])}
            path = write(tmp_path / "g.onnx", graph(nodes, dense() | CONSTANTS | own))
            agree(load_policy(path), computed(path, OBSERVATIONS))


def test_several_inputs_in_their_order(tmp_path: Path) -> None:
    """Each part normalised by itself, concatenated in another order than the file lists them."""
    import onnxruntime

    nodes = [
        ("Sub", "b,mean", "n"),
        ("Clip", "n,low,high", "c"),
        ("Concat", "c,a", "x", {"axis": -1}),
        ("Gemm", "x,w0,b0", "h"),
        ("Tanh", "h", "t"),
        ("Gemm", "t,w1,b1", "action"),
    ]
    wide = CONSTANTS | {"mean": np.array([0.5, -0.5, 1.0])}
    clipped = write(
        tmp_path / "g.onnx", graph(nodes, dense() | wide, {"a": ["n", 1], "b": ["n", 3]})
    )
    with pytest.raises(
        InputError, match="the observation's clip has no two bounds in every channel"
    ):
        load_policy(clipped)
    nodes[1] = ("Identity", "n", "c")
    path = write(tmp_path / "g.onnx", graph(nodes, dense() | wide, {"a": ["n", 1], "b": ["n", 3]}))
    policy = load_policy(path)
    assert "the observation is the inputs a, b in this order" in policy.provenance.assumptions
    wanted = onnxruntime.InferenceSession(str(path)).run(
        None, {"a": OBSERVATIONS[:, :1], "b": OBSERVATIONS[:, 1:]}
    )[0]
    agree(policy, wanted)


def test_parallel_branches_become_one_layer(tmp_path: Path) -> None:
    nodes = [
        ("Gemm", "obs,w0,b0", "p"),
        ("Relu", "p", "q"),
        ("Gemm", "obs,w0", "r"),
        ("Relu", "r", "s"),
        ("Concat", "q,s", "t", {"axis": 1}),
        ("Slice", "t,one,end,one", "u"),
        ("MatMul", "u,big", "action"),
    ]
    weights = (
        dense()
        | CONSTANTS
        | {
            "big": np.random.default_rng(0).normal(size=(9, 2)),
            "end": np.array([10]),
        }
    )
    path = write(tmp_path / "g.onnx", graph(nodes, weights))
    policy = load_policy(path)
    assert [(layer.inputs, layer.outputs) for layer in policy.layers] == [(4, 10), (10, 2)]
    agree(policy, computed(path, OBSERVATIONS))


def test_only_what_the_action_needs_is_read(tmp_path: Path) -> None:
    """A value head with an operator that no policy has, beside an output called actions.

    A shape taken from a standard deviation.
    """
    nodes = [
        ("Gemm", "obs,w0,b0", "h"),
        ("Relu", "h", "r"),
        ("Gemm", "r,w1,b1", "m"),
        ("Exp", "r", "s"),
        ("MatMul", "s,w1", "d"),
        ("Add", "m,d", "noisy"),
        ("Shape", "noisy", "k"),
        ("Expand", "m,k", "actions"),
        ("Softmax", "h", "value"),
    ]
    path = write(
        tmp_path / "g.onnx", graph(nodes, dense(), outputs={"value": ["n", 5], "actions": ["n", 2]})
    )
    policy = load_policy(path)
    assert (
        "output actions is the deterministic action, value, actions are there"
        in policy.provenance.assumptions
    )
    agree(policy, computed(path, OBSERVATIONS, 1))
    with pytest.raises(
        InputError,
        match=r"^g\.onnx: node 8: Softmax makes discrete actions, which are not supported",
    ):
        load_policy(path, action_output="value")
    with pytest.raises(
        InputError, match=r"no such output \(got --action-output mu, limit value, actions\)"
    ):
        load_policy(path, action_output="mu")
