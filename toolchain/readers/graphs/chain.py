"""From the action's signal back to the observation: the normaliser, dense layers and the squash."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.readers.graphs.signal import (
    Affine,
    Observation,
    Signal,
    Stage,
    Unsupported,
)

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Chain:
    """Layers, normaliser and action of a policy, in float64.

    `layers` are (weight [out, in], bias [out], activation). `mean`, `divisor` and `clip` are the
    normaliser, None without one. The action is squash(y) * scale + offset, clipped to `low` and
    `high` where these are given.
    """

    layers: tuple[tuple[Float, Float, str], ...]
    mean: Float | None
    divisor: Float | None
    clip: float | None
    squash: str
    scale: Float
    offset: Float
    low: Float | None
    high: Float | None


def unroll(action: Signal) -> Chain:
    """The chain that ends in `action`; Unsupported, naming the place, where it is none."""
    size = action.width
    _refuse_functions(action)
    action, low, high = _clipped(_lined_up(action))
    squash = "none"
    scale = np.ones(size)
    offset = np.zeros(size)
    base = action.base
    if isinstance(base, Stage) and base.kind in ("tanh", "sigmoid") and action.elementwise:
        squash = "tanh"
        scale = action.affine.gain
        offset = action.affine.offset
        before = base.before
        if base.kind == "sigmoid":  # 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2
            scale, offset, before = scale / 2, offset + scale / 2, before.scaled(np.full(size, 0.5))
        if not scale.all():
            raise Unsupported(
                f"{base.place}: the action's scale is zero in channel"
                f" {int(np.argmin(np.abs(scale)))}"
            )
        sign = np.sign(scale)
        before, inner_low, inner_high = _clipped(
            _lined_up(before.scaled(sign) if (sign < 0).any() else before)
        )
        scale = np.abs(scale)
        ends = [np.tanh(end) * scale + offset for end in (inner_low, inner_high)]
        bounded = np.isfinite([inner_low, inner_high])
        low, high = _both(
            np.where(bounded[0], ends[0], -np.inf), np.where(bounded[1], ends[1], np.inf), low, high
        )
        # A bound on one side alone: the other is tanh's own.
        one_sided = np.isfinite(low) != np.isfinite(high)
        low = np.where(one_sided & np.isinf(low), offset - scale, low)
        high = np.where(one_sided & np.isinf(high), offset + scale, high)
        action = before
    if np.isfinite(low).any() or np.isfinite(high).any():
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise Unsupported("the action is clipped in some channels or on one side only")
        if not (low < high).all():
            raise Unsupported(
                f"the action's bounds leave no range (low {low.min():g}, high {high.max():g})"
            )
    if np.isfinite(low).all():
        bounds = (low, high)
    else:
        bounds = (None, None)
    layers, mean, divisor, clip = _layers(action)
    return Chain(layers, mean, divisor, clip, squash, scale, offset, *bounds)


def _refuse_functions(action: Signal) -> None:
    """Unsupported with every function on the way that is no activation."""
    found = []
    signal = action
    while isinstance(signal.base, Stage):
        stage = signal.base
        if stage.kind != "clip" and stage.kind not in ACTIVATIONS:
            if " " in stage.kind:
                why = ""
            else:
                why = f" is not an activation that is supported ({', '.join(ACTIVATIONS)})"
            found.append(f"{stage.place}: {stage.kind}{why}")
        signal = stage.before
    if found:
        raise Unsupported("; ".join(reversed(found)))


def _lined_up(signal: Signal) -> Signal:
    """A selection of an elementwise stage as that stage of the selection: entry i from entry i."""
    base = signal.base
    affine = signal.affine
    if not isinstance(base, Stage) or affine.weight is not None or signal.elementwise:
        return signal
    low, high = (bound[affine.index] if bound.size else bound for bound in (base.low, base.high))
    before = base.before.taken(affine.index, (signal.width,))
    return Signal(
        Stage(base.kind, before, base.place, low, high),
        Affine(affine.offset, affine.gain, np.arange(signal.width)),
        signal.shape,
    )


def _clipped(signal: Signal) -> tuple[Signal, Float, Float]:
    """The signal inside all clips around it, and the bounds that these make together."""
    low = np.full(signal.width, -np.inf)
    high = np.full(signal.width, np.inf)
    while (
        isinstance(signal.base, Stage)
        and signal.base.kind == "clip"
        and signal.elementwise
        and not _from_observation(signal.base.before)
    ):
        stage = signal.base
        affine = signal.affine
        ends = stage.low * affine.gain + affine.offset, stage.high * affine.gain + affine.offset
        if not affine.gain.all():
            raise Unsupported(f"{stage.place}: clips an action that is then multiplied by zero")
        low, high = _both(np.minimum(*ends), np.maximum(*ends), low, high)
        if (affine.gain != 1).any():
            before = stage.before.scaled(affine.gain)
        else:
            before = stage.before
        signal = _lined_up(before.shifted(affine.offset) if affine.offset.any() else before)
    return signal, low, high


def _from_observation(signal: Signal) -> bool:
    """Tell whether only selections, scales, offsets and clips stand before a signal."""
    while (
        isinstance(signal.base, Stage)
        and signal.base.kind == "clip"
        and signal.affine.weight is None
    ):
        signal = signal.base.before
    return isinstance(signal.base, Observation) and signal.affine.weight is None


def _both(inner_low: Float, inner_high: Float, low: Float, high: Float) -> tuple[Float, Float]:
    """Bounds of a value clipped to the inner ones and then to the others."""
    return np.clip(inner_low, low, high), np.clip(inner_high, low, high)


def _layers(
    last: Signal,
) -> tuple[tuple[tuple[Float, Float, str], ...], Float | None, Float | None, float | None]:
    layers: list[tuple[Float, Float, str]] = []
    activation = "identity"
    signal = last
    while True:
        base = signal.base
        width = base.width
        if width is None:
            raise Unsupported(
                "the file does not say how wide the observation is and nothing in it tells"
            )
        if isinstance(base, Observation) or (
            base.kind == "clip" and _from_observation(base.before)
        ):
            if not layers and signal.affine.weight is None:
                raise Unsupported("there is no dense layer between observation and action")
            weight, bias, normalizer = _first(signal, base)
            layers.append((weight, bias, activation))
            return tuple(reversed(layers)), *normalizer
        if (
            base.kind == "clip"
            and not np.isfinite(base.low).any()
            and not np.isfinite(base.high).any()
        ):
            inner = base.before
            signal = inner.mapped(signal.affine.dense(width), signal.shape).shifted(
                signal.affine.offset
            )
            continue
        if base.kind == "clip" and not base.low.any() and np.isposinf(base.high).all():
            kind = "relu"
        else:
            kind = base.kind
        if kind not in ACTIVATIONS:
            raise Unsupported(
                f"{base.place}: a clip to {base.low.flat[0]:g} and {base.high.flat[0]:g} between"
                " layers is not supported"
            )
        layers.append((signal.affine.dense(width), signal.affine.offset, activation))
        activation = kind
        signal = base.before


def _first(
    signal: Signal, base: Observation | Stage
) -> tuple[Float, Float, tuple[Float | None, Float | None, float | None]]:
    """Return the first layer on the observation's channels in their order, and its normaliser."""
    weight = signal.affine.dense(base.width or 1)
    bias = signal.affine.offset
    if isinstance(base, Observation):
        return weight, bias, (None, None, None)
    inner, low, high = _one_clip(base)
    affine = inner.affine
    width = inner.base.width or 1
    gain = affine.gain
    offset = affine.offset
    index = affine.index
    if (constant := low == high).any():  # two clips that leave one value
        bias = bias + weight[:, constant] @ low[constant]
        weight = np.where(constant, 0.0, weight)
        reach = float(np.abs(high[~constant]).max(initial=0.0)) or 1.0
        low = np.where(constant, -reach, low)
        high = np.where(constant, reach, high)
    finite = np.isfinite(low) & np.isfinite(high)
    distinct = len(set(index.tolist())) == len(index) and gain.all()
    middle = np.zeros(len(gain))
    half = np.ones(len(gain))
    if not finite.any() and not (np.isfinite(low) | np.isfinite(high)).any():
        if not distinct or (not offset.any() and (gain == 1).all()):
            return _spread(weight * gain, index, width), bias + weight @ offset, (None, None, None)
        clip = None
    elif not finite.all() or not distinct or not (low < high).all():
        raise Unsupported(
            f"{base.place}: the observation's clip has no two bounds in every channel, or a channel"
            " is used twice"
        )
    elif (low == -high).all() and (high == high[0]).all():
        clip = float(high[0])
    else:  # clip(u, low, high) = middle + half * clip((u - middle) / half, -1, 1)
        middle = (low + high) / 2
        half = (high - low) / 2
        clip = 1.0
    bias = bias + weight @ middle
    weight = weight * half * np.sign(gain)
    gain = gain / half
    offset = (offset - middle) / half
    mean = np.zeros(width)
    divisor = np.ones(width)
    mean[index] = -offset / gain
    divisor[index] = 1.0 / np.abs(gain)
    return _spread(weight, index, width), bias, (mean + 0.0, divisor, clip)


def _one_clip(base: Stage) -> tuple[Signal, Float, Float]:
    """Return the signal before a clip, and its ends [n]; a clip of a clip becomes one."""
    inner = base.before
    low = base.low
    high = base.high
    while isinstance(inner.base, Stage):
        stage = inner.base
        affine = inner.affine
        picked_low = stage.low[affine.index]
        picked_high = stage.high[affine.index]
        ends = (
            np.where(affine.gain == 0, affine.offset, picked_low * affine.gain + affine.offset),
            picked_high * affine.gain + affine.offset,
        )
        low, high = _both(np.fmin(*ends), np.fmax(*ends), low, high)
        taken = stage.before.taken(affine.index, inner.shape)
        inner = taken.scaled(affine.gain).shifted(affine.offset)
    return inner, low, high


def _spread(weight: Float, index: NDArray[np.int64], width: int) -> Float:
    """Columns in the order of the observation's channels; unused ones are zero."""
    if len(index) == width and (index == np.arange(width)).all():
        return weight
    spread = np.zeros((len(weight), width))
    np.add.at(spread.T, index, weight.T)
    return spread
