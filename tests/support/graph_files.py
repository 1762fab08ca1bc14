"""Policies as graphs, written by exporters and by hand, and what those graphs compute."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikeport.toolchain.policies.ann_policy import Policy
from tests.support.policy_files import zip_bytes

OPSET = 17


def actor(
    activation: Any,
    *,
    out: str = "tanh",
    clip: float = 0.0,
    sizes: Sequence[int] = (4, 8, 6, 2),
    seed: int = 0,
) -> Any:
    """A torch module.

    Normaliser, dense layers, and an output of one of the forms tanh, clip, gsde, sigmoid, relu,
    raw.
    """
    import torch

    from tests.support.graph_actor import Actor

    generator = torch.Generator().manual_seed(seed)
    layers: list[Any] = []
    for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
        layer = torch.nn.Linear(inputs, outputs)
        with torch.no_grad():
            layer.weight.copy_(
                torch.randn(outputs, inputs, generator=generator) * 1.3 / inputs**0.5
            )
            layer.bias.copy_(torch.randn(outputs, generator=generator) * 0.3)
        layers += [layer, activation]
    return Actor(
        torch.nn.Sequential(*layers[:-1]), sizes[0], sizes[-1], out, clip, generator
    ).eval()


def exported(module: Any, size: int, path: Path, **arguments: Any) -> Path:
    """The module as torch.onnx.export (the one by TorchScript) writes it, the batch left open."""
    import torch

    names: dict[str, Any] = {
        "input_names": ["obs"],
        "dynamic_axes": {"obs": {0: "batch"}},
    } | arguments
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (torch.zeros(1, size),), str(path), dynamo=False, opset_version=OPSET, **names
        )
    return path


def scripted(module: Any, size: int, path: Path, form: str) -> Path:
    """The module saved: `trace`, `script`, `export`, `export any batch`, `export decomposed`."""
    import torch

    example = torch.zeros(3, size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if form in ("trace", "script"):
            torch.jit.save(
                torch.jit.trace(module, example) if form == "trace" else torch.jit.script(module),
                str(path),
            )
            return path
        if form == "export any batch":
            shapes = ({0: torch.export.Dim("batch")},)
        else:
            shapes = None
        program = torch.export.export(module, (example,), dynamic_shapes=shapes)
        stream = io.BytesIO()
        torch.export.save(
            program.run_decompositions() if form == "export decomposed" else program, stream
        )
    path.write_bytes(stream.getvalue())
    return path


def computed(path: Path, observations: np.ndarray, output: int = 0) -> np.ndarray:
    """What onnxruntime says the file computes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: observations.astype(np.float32)})[
        output
    ]


def graph(
    nodes: Sequence[Sequence[Any]],
    weights: Mapping[str, Any],
    inputs: Mapping[str, Sequence[Any]] | None = None,
    outputs: Mapping[str, Sequence[Any]] | None = None,
    opset: int = OPSET,
    domains: Sequence[str] = (),
) -> bytes:
    """An ONNX file of nodes (operator, inputs, outputs, attributes).

    Float arrays become float32 weights.
    """
    from onnx import TensorProto, helper, numpy_helper

    made = []
    for operator, reads, makes, *rest in nodes:
        if rest:
            attributes = dict(rest[0])
        else:
            attributes = {}
        made.append(helper.make_node(operator, reads.split(","), makes.split(","), **attributes))
    tensors = []
    for name, value in weights.items():
        values = np.asarray(value)
        tensors.append(
            numpy_helper.from_array(
                values.astype(np.float32) if values.dtype.kind == "f" else values, name
            )
        )
    ends = [
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
            for name, shape in group.items()
        ]
        for group in (inputs or {"obs": ["batch", 4]}, outputs or {"action": ["batch", 2]})
    ]
    imports = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(domain, 1) for domain in domains),
    ]
    model = helper.make_model(
        helper.make_graph(made, "policy", *ends, tensors), opset_imports=imports, ir_version=8
    )
    return model.SerializeToString()


def dense(seed: int = 0, sizes: Sequence[int] = (4, 5, 2)) -> dict[str, Any]:
    """Weights w0, b0, w1, b1, ... of matrices [in, out]."""
    generator = np.random.default_rng(seed)
    found = {}
    for number, (inputs, outputs) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        found[f"w{number}"] = generator.normal(size=(inputs, outputs)) / inputs**0.5
        found[f"b{number}"] = generator.normal(scale=0.3, size=outputs)
    return found


def small_onnx() -> bytes:
    """A plain policy 4-5-2 with MatMul and Add, normalised, tanh behind it."""
    nodes = [
        ("Sub", "obs,mean", "a"),
        ("Div", "a,std", "b"),
        ("Clip", "b,low,high", "c"),
        ("MatMul", "c,w0", "d"),
        ("Add", "d,b0", "e"),
        ("Relu", "e", "f"),
        ("Gemm", "f,w1,b1", "g"),
        ("Tanh", "g", "action"),
    ]
    normalizer = {
        "mean": np.arange(4.0),
        "std": np.arange(1.0, 5.0),
        "low": np.array(-5.0),
        "high": np.array(5.0),
    }
    return graph(nodes, dense() | normalizer)


def repacked(path: Path, change: Mapping[str, bytes]) -> bytes:
    """The zip at `path` with some members replaced.

    Their names are given without the top folder.
    """
    import zipfile

    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    top = next(iter(contents)).split("/")[0]
    return zip_bytes(contents | {f"{top}/{name}": data for name, data in change.items()})


OBSERVATIONS = np.random.default_rng(3).normal(scale=2.0, size=(64, 4)).astype(np.float32)


def agree(policy: Policy, wanted: np.ndarray, observations: np.ndarray = OBSERVATIONS) -> None:
    """float32 precision: a few units in the last place of the largest action."""
    np.testing.assert_allclose(
        policy.act(observations), wanted, rtol=0, atol=3e-6 * max(1.0, float(np.abs(wanted).max()))
    )
