"""Damaged and hostile graphs.

An InputError that names the place, in time, within memory, nothing executed.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeport.toolchain.errors import InputError
from spikeport.toolchain.readers.load import load_policy
from tests.support.graph_files import dense, graph, small_onnx
from tests.support.policy_files import write
from tests.support.refusals import SECONDS

onnx = pytest.importorskip("onnx")
GEMM = ("Gemm", "obs,w0,b0", "h")
LAST = ("Gemm", "r,w1,b1", "action")


def refusal(path: Path, **options: Any) -> str:
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        load_policy(path, **options)
    assert time.perf_counter() - start < SECONDS
    assert (
        caught.value.where.startswith(path.name)
        and caught.value.fix
        and str(path.parent) not in str(caught.value)
    )
    assert len(str(caught.value)) < 5000
    return str(caught.value)


def edited(change: Any, data: bytes | None = None) -> bytes:
    model = onnx.load_model_from_string(small_onnx() if data is None else data)
    change(model)
    return model.SerializeToString()


UNSUPPORTED: list[tuple[str, list[tuple[Any, ...]], str]] = [
    (
        "recurrent",
        [
            ("LSTM", "obs,w0,w0", "h", {"hidden_size": 3}),
            ("GRU", "h,w0,w0", "action", {"hidden_size": 3}),
        ],
        r"2 problems: node 0: LSTM is recurrent; only policies without memory are read;"
        r" node 1: GRU is recurrent",
    ),
    (
        "convolution",
        [("Conv", "obs,w0", "h"), ("MaxPool", "h", "action", {"kernel_shape": [2]})],
        r"node 0: Conv is a convolution or pooling.*node 1: MaxPool",
    ),
    (
        "discrete",
        [GEMM, ("ArgMax", "h", "action")],
        r"node 1: ArgMax makes discrete actions, which are not supported",
    ),
    (
        "custom domain",
        [("Secret", "obs", "action", {"domain": "com.example"})],
        r"node 0: Secret of the domain com\.example is not a standard operator",
    ),
    (
        "elu",
        [GEMM, ("Elu", "h", "r", {"alpha": 0.5}), LAST],
        r"node 1: Elu has alpha 0\.5, the supported elu has 1",
    ),
    (
        "leaky",
        [GEMM, ("LeakyRelu", "h", "r", {"alpha": 0.2}), LAST],
        r"node 1: LeakyRelu has alpha 0\.2, the supported leaky_relu has 0\.01",
    ),
    (
        "clip between",
        [GEMM, ("Clip", "h,zero,one", "r"), LAST],
        r"node 1: a clip to 0 and 1 between layers is not supported",
    ),
    (
        "skip",
        [
            ("Gemm", "obs,square", "h"),
            ("Relu", "h", "s"),
            ("Add", "s,obs", "r"),
            ("Gemm", "r,square", "action"),
        ],
        r"node 2: Add joins values",
    ),
    (
        "product",
        [GEMM, ("Relu", "h", "s"), ("Mul", "s,h", "r"), LAST],
        r"node 2: Mul multiplies two values that depend on the observation",
    ),
    (
        "attention",
        [("Gemm", "obs,square", "h"), ("MatMul", "h,obs", "action")],
        r"MatMul multiplies two values.*\(as attention does\)",
    ),
    (
        "exp",
        [GEMM, ("Exp", "h", "r"), LAST],
        r"node 1: exp is not an activation that is supported \(identity, relu",
    ),
    (
        "division by zero",
        [("Div", "obs,zero", "x"), ("Gemm", "x,w0,b0", "r"), LAST],
        r"node 0: Div divides by zero",
    ),
    (
        "half precision",
        [
            ("Cast", "obs", "x", {"to": 10}),
            ("Cast", "x", "y", {"to": 1}),
            ("Gemm", "y,w0", "r"),
            LAST,
        ],
        r"node 0: Cast of a .* to type 10",
    ),
    (
        "one-sided action",
        [GEMM, ("Relu", "h", "r"), ("Gemm", "r,w1,b1", "m"), ("Min", "m,one", "action")],
        r"clipped in some channels or on one side only",
    ),
    (
        "mixed batch",
        [("Reshape", "obs,flat", "x"), ("Gemm", "x,w0", "r"), LAST],
        r"node 0: Reshape to \[2, 7\] of a value of shape \[batch, 4\] mixes batch",
    ),
    (
        "no layer",
        [("Neg", "obs", "action")],
        r"there is no dense layer between observation and action",
    ),
    (
        "constant action",
        [("Identity", "zero", "action")],
        r"the action does not depend on the observation",
    ),
]


@pytest.mark.parametrize(
    ("nodes", "text"), [case[1:] for case in UNSUPPORTED], ids=[case[0] for case in UNSUPPORTED]
)
def test_unsupported_graphs_are_refused_by_name(
    tmp_path: Path, nodes: list[tuple[Any, ...]], text: str
) -> None:
    weights = dense() | {
        "zero": np.array(0.0),
        "one": np.array(1.0),
        "square": np.eye(4),
        "flat": np.array([2, 7]),
    }
    assert re.search(
        text, refusal(write(tmp_path / "g.onnx", graph(nodes, weights, domains=("com.example",))))
    )


def test_control_flow_is_named(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    branch = helper.make_graph(
        [helper.make_node("Identity", ["obs"], ["out"])],
        "b",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    nodes = [GEMM, ("If", "yes", "action", {"then_branch": branch, "else_branch": branch})]
    assert "node 1: If is control flow" in refusal(
        write(tmp_path / "g.onnx", graph(nodes, dense() | {"yes": np.array(True)}))
    )


def huge(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [2**31 - 1, 2**31 - 1]


def negative(model: Any) -> None:
    model.graph.initializer[0].dims[:] = [-4, -5]


def cyclic(model: Any) -> None:
    model.graph.node[0].input[0] = "g"


def repeated(model: Any) -> None:
    model.graph.node[1].output[0] = "a"


def opset(number: int) -> Any:
    return lambda model: setattr(model.opset_import[0], "version", number)


def no_opset(model: Any) -> None:
    del model.opset_import[:]


def unknown_width(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "n"


def negative_width(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = -4


def wide(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 2**40


def integer_input(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.INT64


def text_weights(model: Any) -> None:
    model.graph.initializer[0].data_type = onnx.TensorProto.STRING


def bomb(model: Any) -> None:
    """A few bytes that ask for a terabyte."""
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2**20, 2**20]), "big"))
    model.graph.node.insert(0, onnx.helper.make_node("ConstantOfShape", ["big"], ["bomb"]))
    model.graph.node.insert(1, onnx.helper.make_node("Add", ["obs", "bomb"], ["boom"]))
    model.graph.node[2].input[0] = "boom"


def outer(model: Any) -> None:
    """A product of a column and a row that would have 2**50 entries."""
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 5), np.float32), "row"))
    for number in range(40):
        if number == 0:
            reads = "row"
        else:
            reads = f"wide{number - 1}"
        model.graph.node.insert(
            number, onnx.helper.make_node("Concat", [reads, reads], [f"wide{number}"], axis=1)
        )
    model.graph.node[40].input[1] = "wide39"


def long(model: Any) -> None:
    for number in range(6000):
        model.graph.node.append(
            onnx.helper.make_node(
                "Identity", ["action" if number == 0 else f"i{number - 1}"], [f"i{number}"]
            )
        )
    model.graph.output[0].name = "i5999"


def doubled(model: Any) -> None:
    """A signal joined with itself, again and again."""
    for number in range(40):
        if number == 0:
            reads = "obs"
        else:
            reads = f"c{number - 1}"
        model.graph.node.insert(
            number, onnx.helper.make_node("Concat", [reads, reads], [f"c{number}"], axis=1)
        )
    model.graph.node[40].input[0] = "c39"


DAMAGED = [
    (huge, r"its shape \[2147483647, 2147483647\] is not possible|not a valid ONNX model"),
    (negative, r"not possible|not a valid ONNX model"),
    (
        cyclic,
        "not a valid ONNX model. ValidationError: Nodes in a graph must be topologically sorted",
    ),
    (repeated, "static assignment"),
    (opset(999), r"the opset of the ONNX file is not supported \(got 999"),
    (opset(3), r"\(got 3, limit one of 7 to"),
    (opset(-1), r"\(got -1"),
    (no_opset, r"\(got none"),
    (unknown_width, "input obs does not say how wide it is"),
    (negative_width, "does not say how wide"),
    (wide, "input obs has 1099511627776 features"),
    (integer_input, "input obs is not a tensor of float32"),
    (text_weights, "type STRING|not a valid"),
    (bomb, r"ConstantOfShape makes a constant of shape \[1048576, 1048576\]"),
    (outer, "Concat makes a constant of more than|too much memory"),
    (long, "too many operations"),
    (doubled, "Concat joins 2097152 values"),
]


@pytest.mark.parametrize(
    ("change", "text"), DAMAGED, ids=[getattr(case[0], "__name__", "opset") for case in DAMAGED]
)
def test_damaged_models(tmp_path: Path, change: Any, text: str) -> None:
    assert re.search(text, refusal(write(tmp_path / "g.onnx", edited(change))))


def test_cut_and_strange_files(tmp_path: Path) -> None:
    data = small_onnx()
    for length in (3, 10, len(data) // 2, len(data) - 1):
        assert re.search(
            "the ONNX file is damaged|opset|not a valid|unknown content",
            refusal(write(tmp_path / "g.onnx", data[:length])),
        )
    assert "unknown content" in refusal(write(tmp_path / "g.onnx", b"not a graph at all"))
    nested = b""
    for _ in range(3000):  # graph within graph within graph
        nested = b"\x3a" + varint(len(nested)) + nested
    assert re.search("damaged|opset", refusal(write(tmp_path / "g.onnx", b"\x08\x08" + nested)))


def varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found = found + bytes([number & 127 | 128])
        number = number >> 7
    return found + bytes([number])


@pytest.mark.parametrize(
    "location",
    [
        "/etc/hostname",
        "../secret.bin",
        "a/../../secret.bin",
        "link.bin",
        "folder",
        "absent.bin",
        "",
        "C:\\x",
        "pipe",
    ],
)
def test_external_data_outside_the_folder(tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    os.mkfifo(folder / "pipe")

    def change(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.append(onnx.StringStringEntryProto(key="location", value=location))

    text = refusal(write(folder / "g.onnx", edited(change)))
    assert "external data of w0" in text and "regular files in the folder of the ONNX file" in text


def test_external_data_that_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(80))
    for offset, length in (("0", "79"), ("4", "80"), ("-4", "80"), ("x", "80"), ("9" * 30, "80")):

        def change(model: Any, offset: str = offset, length: str = length) -> None:
            tensor = model.graph.initializer[0]
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            for key, value in (("location", "w.bin"), ("offset", offset), ("length", length)):
                tensor.external_data.append(onnx.StringStringEntryProto(key=key, value=value))

        assert "external data of w0" in refusal(write(tmp_path / "g.onnx", edited(change)))


def test_onnx_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "g.onnx", small_onnx())
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "Fix: pip install onnx" in refusal(path)
