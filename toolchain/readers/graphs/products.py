"""Matrix products of a signal and constants: the layers of a policy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.readers.graphs.elementwise import Operand, add, shown
from spikeport.toolchain.readers.graphs.machine import Machine
from spikeport.toolchain.readers.graphs.signal import (
    BATCH,
    Observation,
    Signal,
    Unsupported,
    WidthNeeded,
    checked_work,
    whole,
)


def matmul(machine: Machine, one: Operand, other: Operand) -> Operand:
    """Return the matrix product of a signal and a constant matrix, on either side.

    Args:
        machine: Makes the normaliser's stage.
        one: A signal or a constant.
        other: A signal or a constant.
    """
    one = _normalized(machine, one)
    other = _normalized(machine, other)
    if isinstance(one, Signal) and isinstance(other, Signal):
        raise Unsupported(
            "multiplies two values that depend on the observation (as attention does)"
        )
    if not isinstance(one, Signal) and not isinstance(other, Signal):
        a = np.asarray(one, np.float64)
        b = np.asarray(other, np.float64)
        if a.ndim == 0 or b.ndim == 0 or a.ndim > 2 or b.ndim > 2:
            raise Unsupported("of constants is known for matrices alone")
        checked_work(
            a.size // a.shape[-1] if a.size else 0,
            a.shape[-1],
            b.size // b.shape[0] if b.size else 0,
        )
        return a @ b
    if isinstance(one, Signal):
        weight = _matrix(other)
        shape = one.shape
        if one.unsized:
            raise WidthNeeded(one.root.name, weight.shape[0])
        _contracted(shape[-1:], shape[:-1], weight.shape[0], one)
        return one.mapped(
            weight.T, (*shape[:-1], weight.shape[1]) if len(other.shape) > 1 else shape[:-1]
        )
    assert isinstance(other, Signal)
    weight = _matrix(one, column=False)
    shape = other.shape
    if other.unsized:
        raise WidthNeeded(other.root.name, weight.shape[1])
    if len(shape) == 1:
        _contracted(shape, (), weight.shape[1], other)
        return other.mapped(weight, (weight.shape[0],))
    _contracted(shape[-2:-1], (*shape[:-2], shape[-1]), weight.shape[1], other)
    return other.mapped(weight, (*shape[:-2], weight.shape[0], shape[-1]))


def linear(machine: Machine, value: Operand, weight: Any, bias: Any = None) -> Operand:
    """Return value @ weight.T + bias.

    Args:
        machine: Makes the normaliser's stage.
        value: A signal or a constant.
        weight: A constant [out, in].
        bias: A constant [out], or None.
    """
    if isinstance(weight, Signal) or isinstance(bias, Signal):
        raise Unsupported("has weights that depend on the observation")
    result = matmul(machine, value, np.transpose(weight))
    if bias is None:
        return result
    return add(result, bias)


def gemm(
    machine: Machine, a: Operand, b: Operand, c: Any, alpha: float = 1.0, beta: float = 1.0
) -> Operand:
    """Return alpha * A B + beta * C.

    Args:
        machine: Makes the normaliser's stage.
        a: A signal or a constant.
        b: A signal or a constant.
        c: A constant, or None.
        alpha: Of the product.
        beta: Of C.
    """
    result = matmul(machine, a, b)
    if alpha != 1.0:
        if isinstance(result, Signal):
            result = result.scaled(np.full(result.width, alpha))
        else:
            result = result * alpha
    if c is None:
        return result
    return add(result, c, beta)


def _normalized(machine: Machine, value: Operand) -> Operand:
    """A scaled or shifted observation as a stage of its own.

    What the first dense layer sees is the normaliser's.
    """
    if (
        not isinstance(value, Signal)
        or not isinstance(value.base, Observation)
        or value.unsized
        or value.affine.weight is not None
    ):
        return value
    if (value.affine.gain == 1).all() and not value.affine.offset.any():
        return value
    return whole(
        machine.stage(
            "clip", value, "", np.full(value.width, -np.inf), np.full(value.width, np.inf)
        ),
        value.shape,
    )


def _matrix(value: Any, column: bool = True) -> NDArray[np.float64]:
    weight = np.asarray(value, np.float64)
    while weight.ndim > 2 and weight.shape[0] == 1:
        weight = weight[0]
    if weight.ndim == 1:
        if column:
            weight = weight[:, None]
        else:
            weight = weight[None]
    if weight.ndim != 2 or 0 in weight.shape:
        raise Unsupported(f"has a weight of shape {shown(weight.shape)}, a matrix is needed")
    return weight


def _contracted(
    axis: tuple[int, ...], others: tuple[int, ...], inputs: int, signal: Signal
) -> None:
    if axis != (inputs,) or any(size not in (1, BATCH) for size in others):
        raise Unsupported(f"takes {inputs} inputs from a value of shape {shown(signal.shape)}")
