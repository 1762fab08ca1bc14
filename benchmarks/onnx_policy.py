"""The source ANN in onnxruntime, one thread.

The fastest ordinary way to run the original policy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, checker, helper, numpy_helper

from spikeport.toolchain.policies.ann_policy import Policy

Single = NDArray[np.float32]


def model(policy: Policy) -> bytes:
    """The ANN with tanh and action scale as an ONNX graph:

    `x` [n, features] to `action` [n, act], float32.
    """
    nodes = []
    constants = []
    value = "x"
    for index, layer in enumerate(policy.layers):
        constants += [
            numpy_helper.from_array(layer.weight, f"weight{index}"),
            numpy_helper.from_array(layer.bias, f"bias{index}"),
        ]
        nodes.append(
            helper.make_node(
                "Gemm", [value, f"weight{index}", f"bias{index}"], [f"pre{index}"], transB=1
            )
        )
        value = f"pre{index}"
        if layer.activation == "relu":
            nodes.append(helper.make_node("Relu", [value], [f"post{index}"]))
            value = f"post{index}"
    constants.append(numpy_helper.from_array(policy.action.scale.astype(np.float32), "scale"))
    nodes += [
        helper.make_node("Tanh", [value], ["squashed"]),
        helper.make_node("Mul", ["squashed", "scale"], ["action"]),
    ]
    sizes = (("x", policy.observation.features), ("action", policy.action.size))
    x, action = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in sizes
    )
    made = helper.make_model(
        helper.make_graph(nodes, "policy", [x], [action], constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    checker.check_model(made)
    return made.SerializeToString()


def session(policy: Policy) -> Any:
    """A session of one thread with all of onnxruntime's optimisations."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(model(policy), options, providers=["CPUExecutionProvider"])


def runner(policy: Policy) -> Callable[[Single], Single]:
    """`session.run`, the call that everybody writes."""
    run = session(policy).run
    names = ["action"]
    return lambda x: run(names, {"x": x})[0]


def bound_runner(policy: Policy) -> Callable[[Single], Single]:
    """Batch 1 with input and output bound to fixed buffers, which saves onnxruntime's handling of
    arrays.
    """
    made = session(policy)
    source = np.zeros((1, policy.observation.features), np.float32)
    sink = np.zeros((1, policy.action.size), np.float32)
    binding = made.io_binding()
    binding.bind_input("x", "cpu", 0, np.float32, source.shape, source.ctypes.data)
    binding.bind_output("action", "cpu", 0, np.float32, sink.shape, sink.ctypes.data)
    run = made.run_with_iobinding

    def decide(x: Single) -> Single:
        source[:] = x
        run(binding)
        return sink

    return decide
