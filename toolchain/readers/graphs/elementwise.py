"""Operations on each entry by itself: arithmetic with constants, clips, activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.readers.graphs import join
from spikeport.toolchain.readers.graphs.machine import Machine
from spikeport.toolchain.readers.graphs.signal import (
    BATCH,
    UNSIZED,
    Signal,
    Stage,
    Unsupported,
    WidthNeeded,
    is_multiple,
    whole,
)

Array = NDArray[Any]
Operand = Array | Signal
ENTRY_LIMIT = 2**23  # entries of one constant
SQRT2 = float(np.sqrt(2.0))
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.true_divide,
    "pow": np.power,
}
_UNARY: dict[str, Callable[[Any], Any]] = {
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "reciprocal": lambda x: 1.0 / x,
    "exp": np.exp,
    "log": np.log,
    "abs": np.abs,
}


def add(one: Operand, other: Operand, factor: float = 1.0) -> Operand:
    """Return one + factor * other.

    Args:
        one: A signal or a constant.
        other: A signal or a constant.
        factor: Of `other`.
    """
    if not isinstance(other, Signal):
        other = np.asarray(other) * (factor if factor != 1.0 else 1)
        if not isinstance(one, Signal):
            return _fold("add", one, other)
        return _shifted(one, other)
    if factor != 1.0:
        other = other.scaled(np.full(other.width, factor))
    if not isinstance(one, Signal):
        return _shifted(other, one)
    return join.add(*_same_shape(one, other))


def subtract(one: Operand, other: Operand, factor: float = 1.0) -> Operand:
    """Return one - factor * other.

    Args:
        one: A signal or a constant.
        other: A signal or a constant.
        factor: Of `other`.
    """
    return add(one, other, -factor)


def multiply(machine: Machine, one: Operand, other: Operand) -> Operand:
    """Return one * other.

    Of two signals only x * sigmoid(x) and x * (1 + erf(x / sqrt 2)), which are silu and gelu.

    Args:
        machine: Makes the stages.
        one: A signal or a constant.
        other: A signal or a constant.
    """
    if isinstance(one, Signal) and isinstance(other, Signal):
        return _product(machine, *_same_shape(one, other))
    if isinstance(one, Signal):
        return _scaled(one, other)
    if isinstance(other, Signal):
        return _scaled(other, one)
    return _fold("mul", one, other)


def divide(one: Operand, other: Operand, whole_numbers: bool = False) -> Operand:
    """Return one / other, by constants.

    Args:
        one: A signal or a constant.
        other: A constant.
        whole_numbers: Whether integers are divided without the fraction, as ONNX divides them.
    """
    if isinstance(other, Signal):
        raise Unsupported("divides by a value that depends on the observation")
    if isinstance(one, Signal):
        if (np.asarray(other) == 0).any():
            raise Unsupported("divides by zero")
        return _scaled(one, other, np.true_divide)
    if whole_numbers and np.asarray(one).dtype.kind == np.asarray(other).dtype.kind == "i":
        return _fold("div", one, other).astype(np.int64)
    return _fold("div", one, other)


def power(one: Operand, other: Operand) -> Operand:
    """Return one ** other, of constants."""
    if isinstance(one, Signal) and not isinstance(other, Signal) and (np.asarray(other) == 1).all():
        return one
    if isinstance(one, Signal) or isinstance(other, Signal):
        raise Unsupported("of a value that depends on the observation is not supported")
    return _fold("pow", one, other)


def unary(machine: Machine, name: str, value: Operand, place: str) -> Operand:
    """Apply a function of _UNARY.

    Of a signal it becomes a stage, refused where the action depends on it: exporters keep a
    standard deviation's exp for its shape alone.

    Args:
        machine: Makes the stage.
        name: Of the function.
        value: A signal or a constant.
        place: Of the call, for problems.
    """
    if isinstance(value, Signal):
        return whole(machine.stage(name, value, place), value.shape)
    values = np.asarray(value)
    return np.asarray(_UNARY[name](values if name == "abs" else values.astype(np.float64)))


def negate(value: Operand) -> Operand:
    """Return -value."""
    if isinstance(value, Signal):
        return value.scaled(np.full(value.width, -1.0))
    return np.negative(value)


def activation(machine: Machine, value: Operand, kind: str, place: str) -> Operand:
    """Apply an activation.

    Args:
        machine: Makes the stage.
        value: A signal or a constant.
        kind: One of toolchain.activations, or `erf`.
        place: Of the call, for problems.
    """
    if not isinstance(value, Signal):
        values = np.asarray(value, np.float64)
        return np.asarray(erf(values) if kind == "erf" else ACTIVATIONS[kind].value(values))
    return whole(machine.stage(kind, value, place), value.shape)


def clip(machine: Machine, value: Operand, low: Any, high: Any, place: str) -> Operand:
    """Return min(max(value, low), high).

    Args:
        machine: Makes the stage.
        value: A signal or a constant.
        low: A constant; None for none.
        high: A constant; None for none.
        place: Of the call, for problems.
    """
    low, high = (
        np.asarray(default if bound is None else bound, np.float64)
        for bound, default in ((low, -np.inf), (high, np.inf))
    )
    if not isinstance(value, Signal):
        _room(np.shape(value), low.shape, high.shape)
        return np.minimum(np.maximum(value, low), high)
    aligned, low = _aligned(value, low)
    _, high = _aligned(value, high)
    if np.isnan([low, high]).any() or not (low <= high).all():
        raise Unsupported(f"has bounds that no value fits ({low.flat[0]:g} to {high.flat[0]:g})")
    return whole(machine.stage("clip", aligned, place, low, high), aligned.shape)


def batch_norm(
    value: Operand, scale: Any, bias: Any, mean: Any, variance: Any, epsilon: float
) -> Operand:
    """Return (value - mean) / sqrt(variance + epsilon) * scale + bias along axis 1.

    Args:
        value: A signal or a constant.
        scale: A constant [features], or None.
        bias: A constant [features], or None.
        mean: A constant [features].
        variance: A constant [features].
        epsilon: Added to the variance.
    """
    if (
        any(isinstance(part, Signal) for part in (scale, bias, mean, variance))
        or mean is None
        or variance is None
    ):
        raise Unsupported("needs fixed statistics")
    if (
        isinstance(value, Signal)
        and len(value.shape) > 2
        and any(size != 1 for size in value.shape[2:])
    ):
        raise Unsupported("is known for flat features alone")
    factor = (1.0 if scale is None else np.asarray(scale, np.float64)) / np.sqrt(
        np.asarray(variance, np.float64) + epsilon
    )
    value = multiply_constant(add(value, mean, -1.0), factor)
    if bias is None:
        return value
    return add(value, bias)


def multiply_constant(value: Operand, factor: Any) -> Operand:
    """Return value * factor, of a constant factor."""
    if isinstance(value, Signal):
        return _scaled(value, factor)
    return _fold("mul", value, factor)


def _fold(name: str, one: Any, other: Any) -> Array:
    one = np.asarray(one)
    other = np.asarray(other)
    _room(one.shape, other.shape)
    if name == "pow" and one.dtype.kind == "i" and (other < 0).any():
        one = one.astype(np.float64)
    return np.asarray(_BINARY[name](one, other))


def _room(*shapes: tuple[int, ...]) -> None:
    size = int(np.prod([float(size) for size in np.broadcast_shapes(*shapes)]))
    if size > ENTRY_LIMIT:
        raise Unsupported(f"makes a constant of {size} entries, the limit is {ENTRY_LIMIT}")


def _aligned(signal: Signal, constant: Any) -> tuple[Signal, NDArray[np.float64]]:
    """Return a signal and a constant [n] along its entries.

    The signal has more leading axes where the constant has more.
    """
    values = np.asarray(constant, np.float64)
    if values.ndim > len(signal.shape):
        if any(size != 1 for size in values.shape[: values.ndim - len(signal.shape)]):
            raise Unsupported(_misfit(values, signal))
        signal = signal.shaped((1,) * (values.ndim - len(signal.shape)) + signal.shape)
    if signal.unsized:
        if values.size > 1:
            raise WidthNeeded(signal.root.name, values.shape[-1])
        return signal, values.reshape(1)
    dims = tuple(1 if size == BATCH else size for size in signal.shape)
    try:
        return signal, np.broadcast_to(values, dims).ravel()
    except ValueError:
        raise Unsupported(_misfit(values, signal)) from None


def _misfit(values: Array, signal: Signal) -> str:
    return (
        f"has a constant of shape {shown(values.shape)} for a value of shape {shown(signal.shape)}"
    )


def shown(shape: tuple[int, ...]) -> str:
    """Return a shape as a message shows it."""
    named = {BATCH: "batch", UNSIZED: "?"}
    return f"[{', '.join(named.get(size, str(size)) for size in shape)}]"


def _shifted(signal: Signal, constant: Any) -> Signal:
    signal, amount = _aligned(signal, constant)
    return signal.shifted(amount)


def _scaled(
    signal: Signal, constant: Any, operation: Callable[[Any, Any], Any] = np.multiply
) -> Signal:
    signal, factor = _aligned(signal, constant)
    return signal.scaled(np.asarray(factor) if operation is np.multiply else 1.0 / factor)


def _same_shape(one: Signal, other: Signal) -> tuple[Signal, Signal]:
    rank = max(len(one.shape), len(other.shape))
    one, other = (
        signal.shaped((1,) * (rank - len(signal.shape)) + signal.shape) for signal in (one, other)
    )
    if one.shape != other.shape:
        raise Unsupported(f"broadcasts {shown(one.shape)} with {shown(other.shape)}")
    return one, other


def _product(machine: Machine, one: Signal, other: Signal) -> Signal:
    """Return x * sigmoid(k x) = silu(k x) / k or x * (1 + erf(x / sqrt 2)) = 2 gelu(x)."""
    for gate, value in ((one, other), (other, one)):
        stage = gate.base
        if (
            not isinstance(stage, Stage)
            or stage.kind not in ("sigmoid", "erf")
            or not gate.elementwise
        ):
            continue
        ratio = is_multiple(value, stage.before)  # value = ratio * stage.before
        gain = gate.affine.gain
        offset = gate.affine.offset
        if ratio is None:
            continue
        if stage.kind == "sigmoid" and not offset.any():
            return whole(machine.stage("silu", stage.before, stage.place), one.shape).scaled(
                gain * ratio
            )
        if stage.kind == "erf" and np.allclose(gain, offset, rtol=1e-6):
            gelu = machine.stage(
                "gelu", stage.before.scaled(np.full(stage.width, SQRT2)), stage.place
            )
            return whole(gelu, one.shape).scaled(gain * 2.0 * ratio / SQRT2)
    raise Unsupported(
        "multiplies two values that depend on the observation, other than x * sigmoid(x) and x * (1"
        " + erf(x / sqrt 2))",
        one,
    )
