"""Operations that move entries: reshapes, concatenation and selection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.readers.graphs import join
from spikeport.toolchain.readers.graphs.elementwise import ENTRY_LIMIT, Operand, shown
from spikeport.toolchain.readers.graphs.signal import (
    BATCH,
    UNSIZED,
    Signal,
    Unsupported,
    WidthNeeded,
)

UNKNOWN_WIDTH = "needs the width of the input, which the file does not say"


def whole_numbers(value: Any) -> list[int]:
    """A constant as a list of integers: axes, sizes, indices."""
    if isinstance(value, Signal):
        raise Unsupported("depends on the observation where a constant is needed")
    values = np.atleast_1d(np.asarray(value))
    if values.dtype.kind not in "iu" or values.ndim != 1 or values.size > 64:
        raise Unsupported("needs a short list of integers")
    return [int(item) for item in values]


def reshape(value: Operand, target: Any, zero_copies: bool = True) -> Operand:
    """Return a value with other axes.

    Args:
        value: A signal or a constant.
        target: The sizes: -1 is inferred, BATCH the batch.
        zero_copies: Whether 0 stands for the size that the axis had.
    """
    if np.size(target):
        sizes = whole_numbers(target)
    else:
        sizes = []
    if not isinstance(value, Signal):
        shape = np.shape(value)
        return np.reshape(
            value,
            [
                shape[place] if size == 0 and zero_copies else size
                for place, size in enumerate(sizes)
            ],
        )
    if zero_copies:
        sizes = [
            value.shape[place] if size == 0 and place < len(value.shape) else size
            for place, size in enumerate(sizes)
        ]
    if value.unsized:
        if (
            value.shape == (BATCH, UNSIZED)
            and len(sizes) == 2
            and sizes[1] == -1
            and sizes[0] in (BATCH, 1)
        ):
            return value
        if (
            value.shape == (BATCH, UNSIZED)
            and len(sizes) == 2
            and sizes[0] in (-1, 1, BATCH)
            and sizes[1] > 0
        ):
            raise WidthNeeded(value.root.name, sizes[1])
        raise Unsupported(UNKNOWN_WIDTH)
    return value.shaped(_resolved(sizes, value))


def _resolved(sizes: list[int], value: Signal) -> tuple[int, ...]:
    """The new shape of a signal, which must keep its entries and their order."""
    if BATCH in value.shape and sizes:
        if BATCH in sizes:
            place = sizes.index(BATCH)
        else:
            place = 0
        rest = _inferred([*sizes[:place], *sizes[place + 1 :]], value.width)
        if rest is not None and (place == 0 or all(size == 1 for size in sizes[:place])):
            return (*rest[:place], BATCH, *rest[place:])
    found = _inferred(sizes, value.width)
    if found is None:
        raise Unsupported(
            f"to {shown(tuple(sizes))} of a value of shape {shown(value.shape)} mixes batch and"
            " features"
        )
    return found


def _inferred(sizes: Sequence[int], width: int) -> tuple[int, ...] | None:
    """The sizes, one -1 filled in, where they hold `width` entries."""
    known = math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or any(size < 1 and size != -1 for size in sizes):
        return None
    if -1 in sizes:
        if known and width % known == 0:
            return tuple(width // known if size == -1 else size for size in sizes)
        return None
    if known == width:
        return tuple(sizes)
    return None


def flatten(value: Operand, first: int, last: int = -1) -> Operand:
    """Return a value with some axes as one.

    Args:
        value: A signal or a constant.
        first: The first of these axes.
        last: The last of them.
    """
    shape = tuple(value.shape)
    first, last = (_axis(place, max(len(shape), 1)) for place in (first, last))
    if not shape:
        return reshape(value, [1])
    inner = shape[first : last + 1]
    if BATCH in inner or UNSIZED in inner:
        merged = -1
    else:
        merged = math.prod(inner)
    if inner.count(BATCH) and all(size in (1, BATCH) for size in inner):
        merged = BATCH
    if isinstance(value, Signal) and value.unsized and inner == (UNSIZED,):
        return value
    return reshape(value, [*shape[:first], merged, *shape[last + 1 :]], zero_copies=False)


def flatten_to_matrix(value: Operand, axis: int) -> Operand:
    """ONNX Flatten: axes before `axis` as rows, the others as columns."""
    shape = tuple(value.shape)
    if axis < 0:
        axis = axis + len(shape)
    if not 0 <= axis <= len(shape):
        raise Unsupported(f"has axis {axis} of a value of shape {shown(shape)}")
    if isinstance(value, Signal):
        if BATCH in shape[axis:] or any(size not in (1, BATCH) for size in shape[:axis]):
            raise Unsupported(
                f"at axis {axis} of a value of shape {shown(shape)} mixes batch and features"
            )
        return value.shaped(
            (BATCH if BATCH in shape else 1, UNSIZED if value.unsized else value.width)
        )
    return np.reshape(value, (math.prod(shape[:axis]), -1) if np.size(value) else (0, 0))


def squeeze(value: Operand, axes: Any = None) -> Operand:
    """Without the axes of size 1 (those given, or all); the batch counts as 1 where it is named."""
    shape = tuple(value.shape)
    if axes is not None:
        chosen = [_axis(axis, len(shape)) for axis in whole_numbers(axes)]
    else:
        chosen = [place for place, size in enumerate(shape) if size == 1]
    if any(shape[place] not in (1, BATCH) for place in chosen):
        raise Unsupported(f"of axes {chosen} of a value of shape {shown(shape)}")
    kept = tuple(size for place, size in enumerate(shape) if place not in chosen)
    if isinstance(value, Signal):
        return value.shaped(kept)
    return np.reshape(value, kept)


def unsqueeze(value: Operand, axes: Any) -> Operand:
    """Return a value with more axes of size 1."""
    shape = tuple(value.shape)
    places = whole_numbers(axes)
    rank = len(shape) + len(places)
    places = sorted(_axis(place, rank) for place in places)
    sizes = iter(shape)
    grown = tuple(1 if place in places else next(sizes) for place in range(rank))
    if isinstance(value, Signal):
        return value.shaped(grown)
    return np.reshape(value, grown)


def transpose(value: Operand, order: Sequence[int] | None = None) -> Operand:
    """Return a value with its axes in another order, reversed by default."""
    rank = len(value.shape)
    if order is not None:
        order = [_axis(place, rank) for place in order]
    else:
        order = list(range(rank))[::-1]
    if sorted(order) != list(range(rank)):
        raise Unsupported(f"with the order {order} of a value of shape {shown(tuple(value.shape))}")
    if not isinstance(value, Signal):
        return np.transpose(value, order)
    shape = tuple(value.shape[place] for place in order)
    if value.unsized:
        return value.shaped(shape)
    return value.taken(np.transpose(_entries(value), order).ravel(), shape)


def concatenate(values: Sequence[Operand], axis: int) -> Operand:
    """Return values in a row along an axis."""
    if not any(isinstance(value, Signal) for value in values):
        if sum(math.prod(value.shape) for value in values) > ENTRY_LIMIT:
            raise Unsupported(f"makes a constant of more than {ENTRY_LIMIT} entries")
        return np.concatenate([np.asarray(value) for value in values], axis)
    signals = [value for value in values if isinstance(value, Signal)]
    if any(signal.unsized for signal in signals):
        raise Unsupported(UNKNOWN_WIDTH)
    if len(signals) < len(values):
        raise Unsupported("appends constants to the observation")
    axis = _axis(axis, len(signals[0].shape))
    others = {signal.shape[:axis] + signal.shape[axis + 1 :] for signal in signals}
    if len(others) > 1 or any(signal.shape[axis] == BATCH for signal in signals):
        raise Unsupported(
            f"of values of shapes {' and '.join(shown(signal.shape) for signal in signals[:4])}"
            f" along axis {axis}"
        )
    places = []
    start = 0
    for signal in signals:
        places.append(_entries(signal) + start)
        start += signal.width
    joined = join.join(signals)
    order = np.concatenate(places, axis)
    first = signals[0].shape
    shape = (*first[:axis], sum(signal.shape[axis] for signal in signals), *first[axis + 1 :])
    if (order.ravel() == np.arange(start)).all():
        return joined.shaped(shape)
    return joined.taken(order.ravel(), shape)


def select(value: Operand, axis: int, places: slice | NDArray[np.int64] | int) -> Operand:
    """Return some entries along an axis.

    Args:
        value: A signal or a constant.
        axis: May be negative.
        places: A number drops the axis, a slice or an array keeps it.
    """
    shape = tuple(value.shape)
    axis = _axis(axis, len(shape))
    if not isinstance(value, Signal):
        return np.asarray(value)[(slice(None),) * axis + (places,)]
    whole_axis = (
        isinstance(places, slice)
        and (places.start or 0) == 0
        and places.step in (None, 1)
        and (places.stop is None or places.stop >= 2**31 - 1)
    )
    if whole_axis:
        return value
    if shape[axis] == BATCH:
        if isinstance(places, int) and places in (0, -1):
            return value.shaped(shape[:axis] + shape[axis + 1 :])
        raise Unsupported("selects among the rows of a batch")
    if value.unsized:
        raise Unsupported(UNKNOWN_WIDTH)
    chosen = _entries(value)[(slice(None),) * axis + (places,)]
    if chosen.size == 0 or chosen.size > join.WIDTH_LIMIT:
        raise Unsupported(f"selects {chosen.size} entries")
    sizes = list(chosen.shape)
    if BATCH in shape:
        sizes[shape.index(BATCH) - (isinstance(places, int) and axis < shape.index(BATCH))] = BATCH
    return value.taken(chosen.ravel(), tuple(sizes))


def split(value: Operand, axis: int, sizes: Sequence[int]) -> list[Operand]:
    """Return parts of these sizes along an axis."""
    axis = _axis(axis, len(value.shape))
    if sum(sizes) != value.shape[axis] or any(size < 1 for size in sizes) or len(sizes) > 64:
        raise Unsupported(f"into {list(sizes)[:8]} of a value of shape {shown(tuple(value.shape))}")
    starts = np.cumsum([0, *sizes])
    return [
        select(value, axis, slice(int(start), int(start) + size))
        for start, size in zip(starts, sizes, strict=False)
    ]


def expand(value: Operand, target: Any) -> Operand:
    """Return a value broadcast to a shape; -1 keeps an axis."""
    sizes = whole_numbers(target)
    if isinstance(value, Signal):
        wanted = [
            mine if size in (-1, 1) else size
            for size, mine in zip(sizes[-len(value.shape) :], value.shape, strict=False)
        ]
        if len(sizes) == len(value.shape) and tuple(wanted) == value.shape:
            return value
        raise Unsupported(f"to {shown(tuple(sizes))} of a value of shape {shown(value.shape)}")
    if BATCH in sizes:
        sizes = [1 if size == BATCH else size for size in sizes]
    shape = np.broadcast_shapes(np.shape(value), tuple(1 if size == -1 else size for size in sizes))
    if math.prod(shape) > ENTRY_LIMIT:
        raise Unsupported(
            f"makes a constant of {math.prod(shape)} entries, the limit is {ENTRY_LIMIT}"
        )
    return np.broadcast_to(value, shape)


def broadcast(values: Sequence[Operand]) -> list[Operand]:
    """Signals, which must have one shape already, as they are; constants in the shape of all."""
    if len({tuple(value.shape) for value in values}) == 1:
        return list(values)
    signals = [value.shape for value in values if isinstance(value, Signal)]
    if len(set(signals)) > 1:
        raise Unsupported(f"of shapes {' and '.join(shown(shape) for shape in signals[:4])}")
    shapes = [tuple(1 if size == BATCH else size for size in value.shape) for value in values]
    shape = np.broadcast_shapes(*shapes)
    if signals and shape != tuple(1 if size == BATCH else size for size in signals[0]):
        raise Unsupported(f"of shapes {' and '.join(map(shown, shapes[:4]))}")
    return [
        value if isinstance(value, Signal) else expand(value, np.array(shape)) for value in values
    ]


def full(sizes: Any, number: Any) -> NDArray[Any]:
    """A constant of the given sizes; the batch counts as 1."""
    if np.size(sizes):
        shape = tuple(1 if size == BATCH else size for size in whole_numbers(sizes))
    else:
        shape = ()
    if any(size < 0 for size in shape) or math.prod(shape) > ENTRY_LIMIT:
        raise Unsupported(
            f"makes a constant of shape {shown(shape)}, the limit is {ENTRY_LIMIT} entries"
        )
    return np.full(shape, number)


def sizes_of(value: Operand) -> NDArray[np.int64]:
    """Return a value's shape; Unsupported where the file does not say it."""
    if isinstance(value, Signal) and value.unsized:
        raise Unsupported(UNKNOWN_WIDTH)
    return np.array(value.shape, np.int64)


def _entries(signal: Signal) -> NDArray[np.int64]:
    """The number of each entry, in the signal's axes with the batch as 1."""
    return np.arange(signal.width).reshape([1 if size == BATCH else size for size in signal.shape])


def _axis(place: int, rank: int) -> int:
    if not -rank <= place < max(rank, 1):
        raise Unsupported(f"names axis {place} of {rank}")
    if rank:
        return place % rank
    return 0
