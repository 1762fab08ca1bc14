"""Several signals as one: concatenated, or added."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spikeport.toolchain.readers.graphs.signal import (
    Affine,
    Observation,
    Signal,
    Stage,
    Unsupported,
    checked_size,
)

DIFFERENT = (
    "joins values of different depth or activation (a skip connection), a policy is one chain of"
    " layers"
)
WIDTH_LIMIT = 2**20


def join(parts: Sequence[Signal]) -> Signal:
    """The entries of all parts in a row, as a flat signal.

    Parts with different bases are joined where these are the same kind of function: the parallel
    branches of a network become one wider layer. Unsupported otherwise.
    """
    width = sum(part.width for part in parts)
    if width > WIDTH_LIMIT:
        raise Unsupported(f"joins {width} values, the limit is {WIDTH_LIMIT}")
    bases = list({id(part.base): part.base for part in parts}.values())
    if len(bases) == 1:
        return Signal(
            bases[0], _stacked([part.affine for part in parts], bases[0].width or 1), (width,)
        )
    stages = [_as_stage(base, bases) for base in bases]
    kinds = {stage.kind for stage in stages}
    if len(kinds) > 1:
        raise Unsupported(DIFFERENT)
    before = join([stage.before for stage in stages])
    low, high = (
        np.concatenate([getattr(stage, name) for stage in stages]) for name in ("low", "high")
    )
    base = Stage(stages[0].kind, before, stages[0].place, low, high)
    start = dict[int, int]()
    affines = []
    position = 0
    for old, stage in zip(bases, stages, strict=True):
        start[id(old)] = position
        position += stage.width
    for part in parts:
        affines.append(_moved(part.affine, start[id(part.base)], base.width))
    return Signal(base, _stacked(affines, base.width), (width,))


def add(one: Signal, other: Signal) -> Signal:
    """Return one + other, of the same width; Unsupported where they do not share their base."""
    if one.base is not other.base:
        raise Unsupported(DIFFERENT, one)
    a = one.affine
    b = other.affine
    if a.weight is None and b.weight is None and (a.index == b.index).all():
        return Signal(one.base, Affine(a.offset + b.offset, a.gain + b.gain, a.index), one.shape)
    width = one.base.width or 1
    return Signal(
        one.base, Affine(a.offset + b.offset, weight=a.dense(width) + b.dense(width)), one.shape
    )


def _as_stage(base: Observation | Stage, bases: Sequence[Observation | Stage]) -> Stage:
    """The base as a stage.

    Beside a clipped part of the observation an unclipped one has infinite bounds.
    """
    if isinstance(base, Stage):
        return base
    if base.width is None or not all(
        isinstance(other, Observation) or other.kind == "clip" for other in bases
    ):
        raise Unsupported(DIFFERENT)
    width = base.width
    whole = Signal(base, Affine(np.zeros(width), np.ones(width), np.arange(width)), (width,))
    return Stage("clip", whole, "", np.full(width, -np.inf), np.full(width, np.inf))


def _moved(affine: Affine, start: int, width: int) -> Affine:
    """The same map of a base that now begins at `start` of a wider one."""
    if affine.weight is None:
        return Affine(affine.offset, affine.gain, affine.index + start)
    weight = np.zeros(checked_size(len(affine.offset), width))
    weight[:, start : start + affine.weight.shape[1]] = affine.weight
    return Affine(affine.offset, weight=weight)


def _stacked(affines: Sequence[Affine], width: int) -> Affine:
    offset = np.concatenate([affine.offset for affine in affines])
    if all(affine.weight is None for affine in affines):
        gain, index = (
            np.concatenate([getattr(affine, name) for affine in affines])
            for name in ("gain", "index")
        )
        return Affine(offset, gain, index)
    checked_size(len(offset), width)
    return Affine(offset, weight=np.concatenate([affine.dense(width) for affine in affines]))
