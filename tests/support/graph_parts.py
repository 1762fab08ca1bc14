"""Parts of ONNX graphs in the spellings that exporters use, and chains of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.support.graph_files import dense, graph

PARTS: dict[str, list[tuple[Any, ...]]] = {
    "matmul": [("MatMul", "{x},w{n}", "m{n}"), ("Add", "m{n},b{n}", "{y}")],
    "add first": [("MatMul", "{x},w{n}", "m{n}"), ("Add", "b{n},m{n}", "{y}")],
    "gemm": [("Gemm", "{x},w{n},b{n}", "{y}")],
    "gemm scaled": [("Gemm", "{x},w{n},b{n}", "{y}", {"alpha": 0.5, "beta": 1.5})],
    "gemm transposed": [
        ("Transpose", "w{n}", "t{n}", {"perm": [1, 0]}),
        ("Gemm", "{x},t{n},b{n}", "{y}", {"transB": 1}),
    ],
    "gemm of a transpose": [
        ("Transpose", "{x}", "t{n}", {"perm": [1, 0]}),
        ("Gemm", "t{n},w{n},b{n}", "{y}", {"transA": 1}),
    ],
    "two in a row": [
        ("MatMul", "{x},w{n}", "m{n}"),
        ("Mul", "m{n},half", "h{n}"),
        ("Sub", "h{n},b{n}", "{y}"),
    ],
    "reshaped": [
        ("Reshape", "{x},rows", "r{n}"),
        ("MatMul", "r{n},w{n}", "m{n}"),
        ("Identity", "m{n}", "i{n}"),
        ("Add", "i{n},b{n}", "{y}"),
    ],
    "unsqueezed": [
        ("Unsqueeze", "{x},one", "u{n}"),
        ("Squeeze", "u{n},one", "s{n}"),
        ("Gemm", "s{n},w{n},b{n}", "{y}"),
    ],
    "flattened": [
        ("Flatten", "{x}", "f{n}"),
        ("Dropout", "f{n}", "d{n}"),
        ("Cast", "d{n}", "c{n}", {"to": 1}),
        ("Gemm", "c{n},w{n},b{n}", "{y}"),
    ],
}

HIDDEN: dict[str, list[tuple[Any, ...]]] = {
    "relu": [("Relu", "{x}", "{y}")],
    "relu by clip": [("Clip", "{x},zero", "{y}")],
    "relu by max": [("Max", "{x},zero", "{y}")],
    "leaky": [("LeakyRelu", "{x}", "{y}")],
    "elu": [("Elu", "{x}", "{y}")],
    "softplus": [("Softplus", "{x}", "{y}")],
    "swish": [("Sigmoid", "{x}", "hs{n}"), ("Mul", "{x},hs{n}", "{y}")],
    "swish, steeper": [
        ("Mul", "{x},half", "hh{n}"),
        ("Sigmoid", "hh{n}", "hs{n}"),
        ("Mul", "hs{n},{x}", "{y}"),
    ],
    "gelu": [
        ("Div", "{x},root", "hq{n}"),
        ("Erf", "hq{n}", "he{n}"),
        ("Add", "he{n},unit", "hp{n}"),
        ("Mul", "{x},hp{n}", "ho{n}"),
        ("Mul", "ho{n},half", "{y}"),
    ],
    "gelu, half first": [
        ("Div", "{x},root", "hq{n}"),
        ("Erf", "hq{n}", "he{n}"),
        ("Add", "unit,he{n}", "hp{n}"),
        ("Mul", "{x},half", "ho{n}"),
        ("Mul", "hp{n},ho{n}", "{y}"),
    ],
    "tanh, scaled": [("Tanh", "{x}", "ht{n}"), ("Mul", "ht{n},half", "{y}")],
    "sigmoid": [("Sigmoid", "{x}", "{y}")],
}

BEFORE: dict[str, list[tuple[Any, ...]]] = {
    "nothing": [("Identity", "{x}", "{y}")],
    "normalised": [("Sub", "{x},mean", "n0"), ("Div", "n0,std", "{y}")],
    "multiplied": [("Mul", "{x},std", "n0"), ("Add", "n0,mean", "n1"), ("Neg", "n1", "{y}")],
    "clipped": [("Sub", "{x},mean", "n0"), ("Div", "n0,std", "n1"), ("Clip", "n1,low,high", "{y}")],
    "clipped twice": [
        ("Clip", "{x},low,high", "n0"),
        ("Mul", "n0,std", "n1"),
        ("Sub", "n1,mean", "n2"),
        ("Clip", "n2,low,high", "{y}"),
    ],
    "clipped unevenly": [("Clip", "{x},low,unit", "n0"), ("Div", "n0,std", "{y}")],
    "clipped by Min and Max": [("Min", "{x},high", "n0"), ("Max", "low,n0", "{y}")],
    "square root": [
        ("Mul", "std,std", "n0"),
        ("Add", "n0,half", "n1"),
        ("Sqrt", "n1", "n2"),
        ("Reciprocal", "n2", "n3"),
        ("Mul", "{x},n3", "{y}"),
    ],
}

AFTER: dict[str, list[tuple[Any, ...]]] = {
    "raw": [("Identity", "{x}", "{y}")],
    "tanh": [("Tanh", "{x}", "{y}")],
    "scaled tanh": [("Tanh", "{x}", "z0"), ("Mul", "z0,half", "z1"), ("Add", "z1,unit", "{y}")],
    "clip": [("Clip", "{x},low,high", "z0"), ("Div", "z0,minus", "{y}")],
    "clip of clip": [
        ("Clip", "{x},low,high", "z0"),
        ("Mul", "z0,half", "z1"),
        ("Clip", "z1,minus,unit", "{y}"),
    ],
    "clip then tanh": [
        ("Clip", "{x},minus,high", "z0"),
        ("Tanh", "z0", "z1"),
        ("Mul", "z1,minus", "{y}"),
    ],
    "tanh then one-sided clip": [("Tanh", "{x}", "z0"), ("Max", "z0,zero", "{y}")],
    "sigmoid": [("Sigmoid", "{x}", "{y}")],
    "softplus": [("Softplus", "{x}", "{y}")],
}

CONSTANTS: dict[str, Any] = {
    "half": np.array(0.5),
    "unit": np.array(1.0),
    "minus": np.array(-0.8),
    "zero": np.array(0.0),
    "root": np.array(np.sqrt(2.0)),
    "low": np.array(-1.2),
    "high": np.array(1.2),
    "rows": np.array([0, -1]),
    "one": np.array([1]),
}


@st.composite
def graphs(draw: st.DrawFn) -> bytes:
    """Any chain of these parts; widths of 1 to 6."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    nodes: list[tuple[Any, ...]] = []
    value = "obs"
    count = 0

    def append(part: list[tuple[Any, ...]], number: int) -> None:
        nonlocal value, count
        count += 1
        names = {"x": value, "y": f"v{count}", "n": number}
        nodes.extend(
            (operator, reads.format(**names), makes.format(**names), *rest)
            for operator, reads, makes, *rest in part
        )
        value = f"v{count}"

    append(BEFORE[draw(st.sampled_from(sorted(BEFORE)))], 0)
    for number in range(len(sizes) - 1):
        append(PARTS[draw(st.sampled_from(sorted(PARTS)))], number)
        if number < len(sizes) - 2:
            append(HIDDEN[draw(st.sampled_from(sorted(HIDDEN)))], number)
    append(AFTER[draw(st.sampled_from(sorted(AFTER)))], 0)
    nodes.append(("Identity", value, "action"))
    generator = np.random.default_rng(draw(st.integers(0, 2**16)))
    own = {"mean": generator.normal(size=sizes[0]), "std": generator.uniform(0.3, 2.0, sizes[0])}
    return graph(
        nodes,
        dense(draw(st.integers(0, 99)), sizes) | CONSTANTS | own,
        {"obs": ["batch", sizes[0]]},
        {"action": ["batch", sizes[-1]]},
    )
