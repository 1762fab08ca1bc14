"""PyTorch's operators by name, as torch.export programs and TorchScript call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from spikeport.toolchain.readers.graphs import elementwise, products, structure
from spikeport.toolchain.readers.graphs.machine import Machine
from spikeport.toolchain.readers.graphs.number_types import cast
from spikeport.toolchain.readers.graphs.signal import BATCH, Signal, Unsupported

Run = Callable[..., Any]
_CELLS = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_RECURRENT = (*_CELLS, *(f"{name}_cell" for name in _CELLS))


def call_aten(
    machine: Machine, place: str, name: str, positional: Sequence[Any], named: Mapping[str, Any]
) -> Any:
    """Run an operator on values and numbers.

    Args:
        machine: Notes problems.
        place: Of the call, for problems.
        name: Without namespace, overload and the underscore of in-place forms.
        positional: Arguments in order.
        named: Arguments by name.

    Returns:
        Its result; UNKNOWN, the problem noted, for an operator or parameters that are not known.
    """
    found = OPERATORS.get(name)
    if found is None:
        if name in _RECURRENT:
            why = "is recurrent; only policies without memory are read"
        elif "conv" in name:
            why = "is a convolution"
        else:
            why = "is not supported"
        return machine.problem(f"{place}: {name} {why}")
    parameters, run = found
    keys = list(named)

    def bound(*values: Any) -> Any:
        arguments = dict(zip(parameters, values[: len(positional)], strict=False))
        arguments |= dict(zip(keys, values[len(positional) :], strict=True))
        extra = [key for key in arguments if key not in parameters]
        if extra or len(positional) > len(parameters):
            raise Unsupported(
                f"has parameters that are not known ({', '.join(extra) or len(positional)})"
            )
        return run(machine, place, arguments)

    return machine.run(place, name, bound, *positional, *named.values())


def _with(function: Callable[..., Any], *names: str) -> Run:
    """Call a function with the arguments of these names, without those that are missing."""
    return lambda machine, place, given: function(*(given[name] for name in names if name in given))


def _scaled_add(sign: float, swapped: bool = False) -> Run:
    def run(machine: Machine, place: str, given: dict[str, Any]) -> Any:
        one, other = (given["other"], given["self"]) if swapped else (given["self"], given["other"])
        return elementwise.add(one, other, sign * _number(given.get("alpha", 1)))

    return run


def _activation(kind: str) -> Run:
    return lambda machine, place, given: elementwise.activation(machine, given["self"], kind, place)


def _fixed(kind: str, **wanted: float) -> Run:
    """An activation whose parameters must have the project's values."""

    def run(machine: Machine, place: str, given: dict[str, Any]) -> Any:
        for name, value in wanted.items():
            got = _number(given.get(name, value))
            if abs(got - value) > 1e-6:
                raise Unsupported(f"has {name} {got:g}, the supported {kind} has {value:g}")
        return elementwise.activation(machine, given["self"], kind, place)

    return run


def _gelu(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    if given.get("approximate", "none") != "none":
        raise Unsupported("is the tanh approximation, the supported gelu is exact")
    return elementwise.activation(machine, given["self"], "gelu", place)


def _clip(low: str | float | None, high: str | float | None) -> Run:
    """A clip whose bounds are parameters of that name, or fixed."""

    def run(machine: Machine, place: str, given: dict[str, Any]) -> Any:
        value = given["self"]
        bounds = [given.get(bound) if isinstance(bound, str) else bound for bound in (low, high)]
        for number, bound in enumerate(bounds):
            if isinstance(bound, Signal):
                if isinstance(value, Signal):
                    raise Unsupported("compares two values that depend on the observation")
                value, bounds[number] = bound, value
        return elementwise.clip(machine, value, bounds[0], bounds[1], place)

    return run


def _divide(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    if given.get("rounding_mode") is not None:
        raise Unsupported("rounds")
    return elementwise.divide(given["self"], given["other"])


def _fold(name: str) -> Run:
    return lambda machine, place, given: elementwise.unary(machine, name, given["self"], place)


def _addmm(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    alpha, beta = (_number(given.get(name, 1)) for name in ("alpha", "beta"))
    return products.gemm(machine, given["mat1"], given["mat2"], given["self"], alpha, beta)


def _linear(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    return products.linear(machine, given["input"], given["weight"], given.get("bias"))


def _swap(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    rank = len(given["self"].shape)
    order = list(range(rank))
    one, other = (_whole(given[name]) % max(rank, 1) for name in ("dim0", "dim1"))
    order[one], order[other] = order[other], order[one]
    return structure.transpose(given["self"], order)


def _dropout(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    if given.get("train", True) is not False:
        raise Unsupported("is in training mode; save the policy after eval()")
    return given["input"]


def _batch_norm(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    if given.get("training", True) is not False:
        raise Unsupported("is in training mode; save the policy after eval()")
    return elementwise.batch_norm(
        given["input"],
        given.get("weight"),
        given.get("bias"),
        given.get("running_mean"),
        given.get("running_var"),
        _number(given.get("eps", 1e-5)),
    )


def _flatten(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    return structure.flatten(
        given["self"], _whole(given.get("start_dim", 0)), _whole(given.get("end_dim", -1))
    )


def _squeeze(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    """Drop axes of size 1, as torch does: axes of other sizes stay as they are.

    A batch axis is named only where it is 1.
    """
    value = given["self"]
    chosen = given.get("dim")
    if chosen is None:
        return structure.squeeze(value)
    axes = [axis % max(len(value.shape), 1) for axis in structure.whole_numbers(chosen)]
    kept = [axis for axis in axes if axis < len(value.shape) and value.shape[axis] in (1, BATCH)]
    if kept:
        return structure.squeeze(value, kept)
    return value


def _slice(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    start = given.get("start")
    end = given.get("end")
    step = _whole(given.get("step", 1))
    if step < 1:
        raise Unsupported(f"has step {step}")
    place_ = slice(
        None if start is None else _whole(start), None if end is None else _whole(end), step
    )
    return structure.select(given["self"], _whole(given.get("dim", 0)), place_)


def _narrow(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    start = _whole(given["start"])
    return structure.select(
        given["self"], _whole(given["dim"]), slice(start, start + _whole(given["length"]))
    )


def _split(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    value = given["self"]
    axis = _whole(given.get("dim", 0))
    sizes = structure.whole_numbers(given["split_size"])
    if len(sizes) == 1 and np.ndim(given["split_size"]) == 0:
        sizes = _parts(value.shape[axis], sizes[0])
    return structure.split(value, axis, sizes)


def _chunk(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    value = given["self"]
    axis = _whole(given.get("dim", 0))
    chunks = _whole(given["chunks"])
    return structure.split(
        value, axis, _parts(value.shape[axis], -(-value.shape[axis] // max(chunks, 1)))
    )


def _parts(length: int, size: int) -> list[int]:
    if length < 1 or size < 1 or length / size > 64:
        raise Unsupported(f"into parts of {size}")
    return [min(size, length - start) for start in range(0, length, size)]


def _size(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    if "dim" not in given:
        return [int(size) for size in structure.sizes_of(given["self"])]
    size = int(given["self"].shape[_whole(given["dim"])])
    if size < 0 and size != BATCH:
        raise Unsupported(structure.UNKNOWN_WIDTH)
    return size


def _full(number: float | None) -> Run:
    return lambda machine, place, given: structure.full(
        given["size"], float(number if number is not None else _number(given["fill_value"]))
    )


def _like(number: float) -> Run:
    return lambda machine, place, given: structure.full(structure.sizes_of(given["self"]), number)


def _power(machine: Machine, place: str, given: dict[str, Any]) -> Any:
    return elementwise.power(given["self"], given["other"])


def _number(value: Any) -> float:
    if isinstance(value, (list, Signal)) or value is None or np.size(value) != 1:
        raise Unsupported("needs a number")
    return float(np.asarray(value).reshape(()))


def _whole(value: Any) -> int:
    (number,) = structure.whole_numbers(value)
    return number


def _table(rows: dict[str, tuple[str, Run]]) -> dict[str, tuple[tuple[str, ...], Run]]:
    return {
        name: (tuple(parameters.split()), run)
        for names, (parameters, run) in rows.items()
        for name in names.split()
    }


_SAME = _with(lambda value: value, "self")
# Parameter names in their order, as in the schemas of aten (native_functions.yaml).
OPERATORS = _table(
    {
        "linear": ("input weight bias", _linear),
        "addmm": ("self mat1 mat2 beta alpha", _addmm),
        "matmul mm mv": (
            "self other",
            lambda machine, place, given: products.matmul(machine, given["self"], given["other"]),
        ),
        "t numpy_T": ("self", _with(structure.transpose, "self")),
        "transpose swapaxes": ("self dim0 dim1", _swap),
        "permute": ("self dims", _with(structure.transpose, "self", "dims")),
        "add": ("self other alpha", _scaled_add(1.0)),
        "sub subtract": ("self other alpha", _scaled_add(-1.0)),
        "rsub": ("self other alpha", _scaled_add(-1.0, swapped=True)),
        "mul multiply": (
            "self other",
            lambda machine, place, given: elementwise.multiply(
                machine, given["self"], given["other"]
            ),
        ),
        "div divide true_divide": ("self other rounding_mode", _divide),
        "pow": ("self other", _power),
        "neg": ("self", _with(elementwise.negate, "self")),
        "sqrt": ("self", _fold("sqrt")),
        "rsqrt": ("self", _fold("rsqrt")),
        "reciprocal": ("self", _fold("reciprocal")),
        "exp": ("self", _fold("exp")),
        "log": ("self", _fold("log")),
        "abs": ("self", _fold("abs")),
        "relu": ("self", _activation("relu")),
        "tanh": ("self", _activation("tanh")),
        "sigmoid": ("self", _activation("sigmoid")),
        "silu": ("self", _activation("silu")),
        "erf": ("self", _activation("erf")),
        "gelu": ("self approximate", _gelu),
        "elu": (
            "self alpha scale input_scale",
            _fixed("elu", alpha=1.0, scale=1.0, input_scale=1.0),
        ),
        "celu": ("self alpha", _fixed("elu", alpha=1.0)),
        "leaky_relu": ("self negative_slope", _fixed("leaky_relu", negative_slope=0.01)),
        "softplus": ("self beta threshold", _fixed("softplus", beta=1.0, threshold=20.0)),
        "clamp clip": ("self min max", _clip("min", "max")),
        "clamp_min": ("self min", _clip("min", None)),
        "clamp_max": ("self max", _clip(None, "max")),
        "maximum": ("self other", _clip("other", None)),
        "minimum": ("self other", _clip(None, "other")),
        "hardtanh": (
            "self min_val max_val",
            lambda machine, place, given: _clip("min", "max")(machine, place, _hardtanh(given)),
        ),
        "relu6": ("self", _clip(0.0, 6.0)),
        "batch_norm": (
            "input weight bias running_mean running_var training momentum eps cudnn_enabled",
            _batch_norm,
        ),
        "dropout": ("input p train", _dropout),
        "flatten": ("self start_dim end_dim", _flatten),
        "reshape view _unsafe_view": (
            "self shape size",
            lambda machine, place, given: structure.reshape(
                given["self"],
                given["shape"] if "shape" in given else given["size"],
                zero_copies=False,
            ),
        ),
        "squeeze": ("self dim", _squeeze),
        "unsqueeze": ("self dim", _with(structure.unsqueeze, "self", "dim")),
        "cat concat concatenate": (
            "tensors dim",
            lambda machine, place, given: structure.concatenate(
                given["tensors"], _whole(given.get("dim", 0))
            ),
        ),
        "slice": ("self dim start end step", _slice),
        "select": (
            "self dim index",
            lambda machine, place, given: structure.select(
                given["self"], _whole(given["dim"]), _whole(given["index"])
            ),
        ),
        "narrow": ("self dim start length", _narrow),
        "split split_with_sizes": ("self split_size dim", _split),
        "chunk": ("self chunks dim", _chunk),
        "expand": ("self size implicit", _with(structure.expand, "self", "size")),
        "size sym_size": ("self dim", _size),
        "dim": ("self", lambda machine, place, given: len(given["self"].shape)),
        "to _to_copy": (
            "self a b c d e dtype layout device pin_memory non_blocking copy memory_format",
            cast,
        ),
        "float double contiguous clone detach alias lift_fresh lift_fresh_copy cpu type_as": (
            "self other memory_format",
            _SAME,
        ),
        "full": ("size fill_value dtype layout device pin_memory", _full(None)),
        "zeros": ("size dtype layout device pin_memory", _full(0.0)),
        "ones": ("size dtype layout device pin_memory", _full(1.0)),
        "ones_like": ("self dtype layout device pin_memory memory_format", _like(1.0)),
        "zeros_like": ("self dtype layout device pin_memory memory_format", _like(0.0)),
        "broadcast_tensors": ("tensors", _with(structure.broadcast, "tensors")),
        "scalar_tensor tensor": (
            "self dtype layout device pin_memory requires_grad",
            lambda machine, place, given: np.asarray(given["self"]),
        ),
    }
)


def _hardtanh(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "self": given["self"],
        "min": given.get("min_val", -1.0),
        "max": given.get("max_val", 1.0),
    }
