"""What a graph's value is as a function of the observation: an affine map of a base.

A base is the observation or an elementwise function (an activation, a clip) of another signal.
Affine operations in a row so become one map, computed in float64, and a feed-forward policy becomes
a chain of bases.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Index = NDArray[np.int64]
BATCH = -(2**40)  # the axis, and where a graph asks for it the size, of the batch
UNSIZED = -1  # an axis whose size the file does not say
WEIGHT_LIMIT = 2**24  # entries of one weight matrix
WORK_LIMIT = 2**31  # multiplications to merge two affine operations


class Unsupported(Exception):
    """An operation that a policy's chain of layers cannot hold; the message says why.

    `like` is a signal of the result's shape, where it is known: graphs compute values that only
    their shape is used of.
    """

    def __init__(self, message: str, like: Signal | None = None) -> None:
        super().__init__(message)
        self.like = like


class WidthNeeded(Exception):
    """An operation told how wide an input is, which the file does not say.

    `name` has `width` features.
    """

    def __init__(self, name: str, width: int) -> None:
        super().__init__(name, width)
        self.name = name
        self.width = width


@dataclass(frozen=True, eq=False)
class Observation:
    """What goes in, [width]; None where the file does not say.

    `name` is an input's, empty for all together.
    """

    width: int | None
    name: str = ""


@dataclass(frozen=True, eq=False)
class Stage:
    """An elementwise function of a signal: kind(before).

    The kind is an activation of toolchain.activations, `erf`, or `clip` to [low, high], each [n]. A
    clip without finite bounds is the identity and marks where the normaliser ends. `place` says
    which node.
    """

    kind: str
    before: Signal
    place: str
    low: Float = field(default_factory=lambda: np.zeros(0))
    high: Float = field(default_factory=lambda: np.zeros(0))

    @property
    def width(self) -> int:
        """Entries, as many as before it."""
        return self.before.width


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine map of a base: weight @ base + offset, all [n].

    Where weight is None it is gain * base[index] + offset.
    """

    offset: Float
    gain: Float = field(default_factory=lambda: np.zeros(0))
    index: Index = field(default_factory=lambda: np.zeros(0, np.int64))
    weight: Float | None = None

    def scaled(self, factor: Float) -> Affine:
        """Return the map times a factor [n]."""
        if self.weight is not None:
            return Affine(self.offset * factor, weight=self.weight * factor[:, None])
        return Affine(self.offset * factor, self.gain * factor, self.index)

    def taken(self, rows: Index) -> Affine:
        """Return the map of these entries."""
        if self.weight is not None:
            return Affine(self.offset[rows], weight=self.weight[rows])
        return Affine(self.offset[rows], self.gain[rows], self.index[rows])

    def dense(self, width: int) -> Float:
        """Return the weight matrix [n, width]."""
        if self.weight is not None:
            return self.weight
        weight = np.zeros(checked_size(len(self.index), width))
        weight[np.arange(len(self.index)), self.index] = self.gain
        return weight


@dataclass(frozen=True, eq=False)
class Signal:
    """An affine map of a base.

    Its entries in C order fill the axes of `shape`, one of which may be BATCH.
    """

    base: Observation | Stage
    affine: Affine
    shape: tuple[int, ...]

    @property
    def width(self) -> int:
        """Entries, the batch counted as 1."""
        return len(self.affine.offset)

    @property
    def root(self) -> Observation:
        """The observation that it depends on."""
        base = self.base
        while isinstance(base, Stage):
            base = base.before.base
        return base

    @property
    def unsized(self) -> bool:
        """Whether the width of the input is not known yet.

        One entry then stands for all of them.
        """
        return self.root.width is None

    @property
    def elementwise(self) -> bool:
        """Whether entry i depends on entry i of the base alone."""
        return (
            self.affine.weight is None
            and self.width == self.base.width
            and bool((self.affine.index == np.arange(self.width)).all())
        )

    def shaped(self, shape: tuple[int, ...]) -> Signal:
        """Return the signal with other axes."""
        return replace(self, shape=shape)

    def scaled(self, factor: Float) -> Signal:
        """Return the signal times a factor [n]."""
        return replace(self, affine=self.affine.scaled(factor))

    def shifted(self, amount: Float) -> Signal:
        """Return the signal plus an amount [n]."""
        return replace(self, affine=replace(self.affine, offset=self.affine.offset + amount))

    def taken(self, rows: Index, shape: tuple[int, ...]) -> Signal:
        """Return the signal of these entries in a shape."""
        return Signal(self.base, self.affine.taken(rows), shape)

    def mapped(self, weight: Float, shape: tuple[int, ...]) -> Signal:
        """Return weight @ signal in a shape; the weight is [m, n]."""
        base_width = self.base.width or 1
        checked_size(weight.shape[0], base_width)
        checked_work(
            weight.shape[0], self.width, base_width if self.affine.weight is not None else 1
        )
        if self.affine.weight is not None:
            product = weight @ self.affine.weight
        elif self.elementwise:
            product = weight * self.affine.gain
        else:
            product = np.zeros((weight.shape[0], base_width))
            np.add.at(product.T, self.affine.index, (weight * self.affine.gain).T)
        return Signal(self.base, Affine(weight @ self.affine.offset, weight=product), shape)


def checked_size(rows: int, columns: int) -> tuple[int, int]:
    """The shape of a weight matrix; Unsupported where it would take all memory."""
    if rows * columns > WEIGHT_LIMIT:
        raise Unsupported(
            f"needs a weight matrix of {rows} x {columns}, the limit is {WEIGHT_LIMIT} entries"
        )
    return rows, columns


def checked_work(rows: int, inner: int, columns: int) -> None:
    """Raise Unsupported for a product of matrices that would take all day.

    Args:
        rows: Of the first.
        inner: Columns of the first, rows of the second.
        columns: Of the second.
    """
    if rows * inner * columns > WORK_LIMIT:
        raise Unsupported(
            f"needs a product of matrices of {rows} x {inner} x {columns}, the limit is"
            f" {WORK_LIMIT} multiplications"
        )


def whole(base: Observation | Stage, shape: tuple[int, ...]) -> Signal:
    """The base itself as a signal (one entry stands for all while the width is not known)."""
    if base.width is None:
        width = 1
    else:
        width = base.width
    return Signal(base, Affine(np.zeros(width), np.ones(width), np.arange(width)), shape)


def is_multiple(one: Signal, other: Signal) -> float | None:
    """The number r with one = r * other to float32 precision, None where there is none."""
    if one.base is not other.base or one.width != other.width:
        return None
    parts = [(one.affine.offset, other.affine.offset)]
    if one.affine.weight is None and other.affine.weight is None:
        if not (one.affine.index == other.affine.index).all():
            return None
        parts.append((one.affine.gain, other.affine.gain))
    elif one.affine.weight is not None and other.affine.weight is not None:
        parts.append((one.affine.weight, other.affine.weight))
    else:
        return None
    top, at = max(
        ((np.abs(part[1]).max(initial=0.0), number) for number, part in enumerate(parts)),
        key=lambda item: item[0],
    )
    if top == 0:
        return None
    place = np.unravel_index(np.abs(parts[at][1]).argmax(), parts[at][1].shape)
    ratio = float(parts[at][0][place] / parts[at][1][place])
    fits = all(
        np.allclose(mine, ratio * theirs, rtol=1e-6, atol=1e-6 * abs(ratio) * top)
        for mine, theirs in parts
    )
    if fits and np.isfinite(ratio) and ratio != 0:
        return ratio
    return None
