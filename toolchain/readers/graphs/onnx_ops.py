"""ONNX operators by name: how each is run on signals and constants (onnx.ai/onnx/operators)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from spikeport.toolchain.readers.graphs import elementwise, products, structure
from spikeport.toolchain.readers.graphs.machine import Machine
from spikeport.toolchain.readers.graphs.signal import BATCH, Signal, Unsupported

FLOAT_TYPES = (1, 11)  # FLOAT, DOUBLE
INT_TYPES = (2, 3, 4, 5, 6, 7, 12, 13)
RECURRENT = ("LSTM", "GRU", "RNN")
CONTROL = ("If", "Loop", "Scan", "SequenceMap")
CONVOLUTIONS = (
    "Conv",
    "ConvTranspose",
    "ConvInteger",
    "QLinearConv",
    "DeformConv",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
)


@dataclass(frozen=True, eq=False)
class Call:
    """One operator: its inputs (None where left out), attributes, opset version and outputs."""

    machine: Machine
    place: str
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    opset: int
    outputs: int

    def input(self, place: int) -> Any:
        """Return an input, None where it is left out."""
        if place < len(self.inputs):
            return self.inputs[place]
        return None

    def needed(self, place: int) -> Any:
        """Return an input; Unsupported where it is left out."""
        value = self.input(place)
        if value is None:
            raise Unsupported(f"lacks input {place}")
        return value

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute or its default."""
        return self.attributes.get(name, default)

    def setting(self, name: str, place: int) -> Any:
        """Return an attribute of older opsets that became an input."""
        if name in self.attributes:
            return np.asarray(self.attributes[name])
        return self.input(place)


LOGITS = (
    "export the logits before it as the output and give --squash argmax (Stable-Baselines3's PPO:"
    " policy.action_net(policy.mlp_extractor.forward_actor(policy.extract_features(observation))))"
)


def why_unsupported(operator: str) -> str:
    """The reason that a message gives for an operator without an entry."""
    if operator in RECURRENT:
        return "is recurrent; only policies without memory are read"
    if operator in CONTROL:
        return "is control flow"
    if operator in CONVOLUTIONS:
        return "is a convolution or pooling"
    if operator in ("ArgMax", "Softmax", "LogSoftmax", "ReduceLogSumExp", "Multinomial"):
        return f"makes discrete actions, which are not supported in a graph: {LOGITS}"
    return "is not supported"


def _activation(kind: str) -> Callable[[Call], Any]:
    return lambda call: elementwise.activation(call.machine, call.needed(0), kind, call.place)


def _fixed(kind: str, name: str, default: float, wanted: float) -> Callable[[Call], Any]:
    """An activation whose parameter must have the project's value."""

    def run(call: Call) -> Any:
        value = call.attribute(name, default)
        if abs(value - wanted) > 1e-6:
            raise Unsupported(f"has {name} {value:g}, the supported {kind} has {wanted:g}")
        return elementwise.activation(call.machine, call.needed(0), kind, call.place)

    return run


def _gelu(call: Call) -> Any:
    if call.attribute("approximate", b"none") != b"none":
        raise Unsupported("is the tanh approximation, the supported gelu is exact")
    return elementwise.activation(call.machine, call.needed(0), "gelu", call.place)


def _fold(name: str) -> Callable[[Call], Any]:
    return lambda call: elementwise.unary(call.machine, name, call.needed(0), call.place)


def _sum(call: Call) -> Any:
    total = call.needed(0)
    for place in range(1, len(call.inputs)):
        total = elementwise.add(total, call.needed(place))
    return total


def _extreme(low: bool) -> Callable[[Call], Any]:
    """Max raises values to a constant, Min lowers them to one."""

    def run(call: Call) -> Any:
        result = call.needed(0)
        for place in range(1, len(call.inputs)):
            other = call.needed(place)
            if isinstance(result, Signal) and isinstance(other, Signal):
                raise Unsupported("compares two values that depend on the observation")
            value, bound = (result, other) if isinstance(result, Signal) else (other, result)
            result = elementwise.clip(
                call.machine, value, bound if low else None, None if low else bound, call.place
            )
        return result

    return run


def _clip(call: Call) -> Any:
    low = call.setting("min", 1)
    high = call.setting("max", 2)
    if isinstance(low, Signal) or isinstance(high, Signal):
        raise Unsupported("has bounds that depend on the observation")
    return elementwise.clip(call.machine, call.needed(0), low, high, call.place)


def _gemm(call: Call) -> Any:
    a = call.needed(0)
    b = call.needed(1)
    if call.attribute("transA", 0):
        a = structure.transpose(a)
    if call.attribute("transB", 0):
        b = structure.transpose(b)
    factors = (call.attribute("alpha", 1.0), call.attribute("beta", 1.0))
    return products.gemm(call.machine, a, b, call.input(2), *factors)


def _batch_norm(call: Call) -> Any:
    if call.attribute("training_mode", 0):
        raise Unsupported("is in training mode")
    value, scale, bias, mean, variance = (call.needed(place) for place in range(5))
    return elementwise.batch_norm(
        value, scale, bias, mean, variance, call.attribute("epsilon", 1e-5)
    )


def _dropout(call: Call) -> Any:
    training = call.input(2)
    if training is not None and (isinstance(training, Signal) or np.asarray(training).any()):
        raise Unsupported("is in training mode")
    return call.needed(0)


def _cast(call: Call) -> Any:
    value = call.needed(0)
    to = call.attribute("to")
    if isinstance(value, Signal):
        if to not in FLOAT_TYPES:
            raise Unsupported(
                f"of a value that depends on the observation to type {to}, float32 and float64 are"
                " supported"
            )
        return value
    if to in FLOAT_TYPES:
        return np.asarray(value, np.float64)
    if to in INT_TYPES:
        return np.asarray(value).astype(np.int64)
    if to == 9:
        return np.asarray(value).astype(bool)
    raise Unsupported(f"to type {to} is not supported")


def _constant(call: Call) -> Any:
    if len(call.attributes) != 1 or "sparse_value" in call.attributes:
        raise Unsupported("is sparse or has no single value")
    (value,) = call.attributes.values()
    if isinstance(value, (bytes, str)) or (
        isinstance(value, list) and any(isinstance(item, bytes) for item in value)
    ):
        raise Unsupported("holds text")
    values = np.asarray(value)
    if values.dtype.kind in "fiu":
        return values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
    return values


def _constant_of_shape(call: Call) -> Any:
    value = np.atleast_1d(np.asarray(call.attribute("value", np.zeros(1))))
    return structure.full(call.needed(0), value[0])


def _gather(call: Call) -> Any:
    places = call.needed(1)
    if isinstance(places, Signal):
        raise Unsupported("selects by a value that depends on the observation")
    places = np.asarray(places)
    return structure.select(
        call.needed(0), call.attribute("axis", 0), int(places) if places.ndim == 0 else places
    )


def _slice(call: Call) -> Any:
    value = call.needed(0)
    starts, ends = (
        structure.whole_numbers(call.setting(name, place))
        for name, place in (("starts", 1), ("ends", 2))
    )
    axes = call.setting("axes", 3)
    steps = call.input(4)
    if axes is not None:
        axes = structure.whole_numbers(axes)
    else:
        axes = list(range(len(starts)))
    if steps is not None:
        steps = structure.whole_numbers(steps)
    else:
        steps = [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 1:
            raise Unsupported(f"has step {step}")
        value = structure.select(value, axis, slice(start, end, step))
    return value


def _split(call: Call) -> Any:
    value = call.needed(0)
    axis = call.attribute("axis", 0)
    sizes = call.setting("split", 1)
    if sizes is None:
        length = value.shape[axis]
        parts = call.outputs
        if length < 0:
            raise Unsupported("splits a batch")
        step = -(-length // parts)
        sizes = [min(step, length - step * part) for part in range(parts)]
    return structure.split(
        value, axis, sizes if isinstance(sizes, list) else structure.whole_numbers(sizes)
    )


def _expand(call: Call) -> Any:
    return structure.expand(call.needed(0), call.needed(1))


def _shape(call: Call) -> Any:
    return structure.sizes_of(call.needed(0))[
        call.attribute("start", 0) : call.attribute("end", None)
    ]


def _reshape(call: Call) -> Any:
    target = call.setting("shape", 1)
    if (
        target is not None
        and not isinstance(target, Signal)
        and np.size(target) > 1
        and (np.asarray(target) < -1).any()
        and BATCH not in np.asarray(target)
    ):
        raise Unsupported("computes its shape from the size of the batch")
    return structure.reshape(call.needed(0), target, zero_copies=not call.attribute("allowzero", 0))


OPERATORS: dict[str, Callable[[Call], Any]] = {
    "Add": lambda call: elementwise.add(call.needed(0), call.needed(1)),
    "Sub": lambda call: elementwise.subtract(call.needed(0), call.needed(1)),
    "Mul": lambda call: elementwise.multiply(call.machine, call.needed(0), call.needed(1)),
    "Div": lambda call: elementwise.divide(call.needed(0), call.needed(1), whole_numbers=True),
    "Pow": lambda call: elementwise.power(call.needed(0), call.needed(1)),
    "Sum": _sum,
    "Max": _extreme(True),
    "Min": _extreme(False),
    "Neg": lambda call: elementwise.negate(call.needed(0)),
    "Sqrt": _fold("sqrt"),
    "Reciprocal": _fold("reciprocal"),
    "Exp": _fold("exp"),
    "Log": _fold("log"),
    "Abs": _fold("abs"),
    "Relu": _activation("relu"),
    "Tanh": _activation("tanh"),
    "Sigmoid": _activation("sigmoid"),
    "Softplus": _activation("softplus"),
    "Erf": _activation("erf"),
    "Gelu": _gelu,
    "Elu": _fixed("elu", "alpha", 1.0, 1.0),
    "Celu": _fixed("elu", "alpha", 1.0, 1.0),
    "LeakyRelu": _fixed("leaky_relu", "alpha", 0.01, 0.01),
    "Swish": _fixed("silu", "alpha", 1.0, 1.0),
    "Clip": _clip,
    "MatMul": lambda call: products.matmul(call.machine, call.needed(0), call.needed(1)),
    "Gemm": _gemm,
    "BatchNormalization": _batch_norm,
    "Dropout": _dropout,
    "Identity": lambda call: call.needed(0),
    "Cast": _cast,
    "CastLike": lambda call: call.needed(0),
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Flatten": lambda call: structure.flatten_to_matrix(call.needed(0), call.attribute("axis", 1)),
    "Reshape": _reshape,
    "Squeeze": lambda call: structure.squeeze(call.needed(0), call.setting("axes", 1)),
    "Unsqueeze": lambda call: structure.unsqueeze(call.needed(0), call.setting("axes", 1)),
    "Transpose": lambda call: structure.transpose(call.needed(0), call.attribute("perm")),
    "Concat": lambda call: structure.concatenate(call.inputs, call.attribute("axis", 0)),
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Expand": _expand,
    "Shape": _shape,
}
