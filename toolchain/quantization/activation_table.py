"""Any scalar activation as an integer piecewise-linear map with a proven error bound.

The knots lie where they make the chord's error even: their density follows sqrt|f''|. They are the
same real numbers for every neuron of a layer; each neuron expresses them in its own row units.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from spikeport.toolchain.activations import ACTIVATIONS
from spikeport.toolchain.network.parameters import ActivationTable

Float = NDArray[np.float64]
SEGMENTS = 32
LOWEST = -(2**23)
SAMPLES = 32  # per segment, for the error bound
# Where the curved part of each activation begins and ends; outside it is its asymptote to 1e-4 or
# better.
CURVED = {
    "tanh": (-6.0, 6.0),
    "sigmoid": (-11.0, 11.0),
    "elu": (-10.0, 0.0),
    "silu": (-13.0, 13.0),
    "gelu": (-5.0, 5.0),
    "softplus": (-11.0, 11.0),
    "leaky_relu": (0.0, 0.0),
}


@functools.cache
def knots(activation: str) -> tuple[float, ...]:
    """Real starts of all segments but the first, ascending, at most 31."""
    low, high = CURVED[activation]
    if low == high:
        return (low,)
    x = np.linspace(low, high, 20_001)
    density = np.sqrt(np.abs(np.gradient(ACTIVATIONS[activation].derivative(x), x))) + 1e-3
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return tuple(np.interp(np.linspace(0, cumulative[-1], SEGMENTS - 1), cumulative, x))


def build_table(activation: str, row_scale: Float, unit: Float) -> ActivationTable:
    """The map acc -> round(f(acc * row_scale) / unit) of every neuron.

    `row_scale`, `unit` [neurons].
    """
    f = ACTIVATIONS[activation].value
    inner = np.clip(
        np.rint(_on_integers(activation, unit) / row_scale[:, None]), LOWEST + 1, 2**23 - 1
    )
    start = np.concatenate([np.full((len(unit), 1), float(LOWEST)), inner], axis=1)
    end = np.concatenate([start[:, 1:], np.full((len(unit), 1), 2.0**23)], axis=1)
    at_start = f(start * row_scale[:, None]) / unit[:, None]
    at_end = f(end * row_scale[:, None]) / unit[:, None]
    width = end - start
    slope = np.divide(at_end - at_start, width, out=np.zeros_like(width), where=width > 0)
    shift = np.clip(
        np.floor(np.log2((2**15 - 1) / np.maximum(np.abs(slope).max(1), 2.0**-16))), 1, 31
    )
    multiplier = np.rint(slope * 2.0 ** shift[:, None])
    offset = np.rint(at_start)
    table = ActivationTable(
        start.astype(np.int32),
        multiplier.astype(np.int32),
        offset.astype(np.int32),
        shift.astype(np.int32),
        np.zeros(len(unit)),
    )
    bound = _error_bound(activation, table, end, row_scale, unit)
    return ActivationTable(table.start, table.multiplier, table.offset, table.shift, bound)


def _on_integers(activation: str, unit: Float) -> Float:
    """Knots [neurons, knots], moved a little to where f / unit is next to an integer.

    Offsets then round nothing away. The outermost knots move outwards only, for the asymptotes
    begin there.
    """
    base = np.array(knots(activation))
    if len(base) == 1:
        return np.broadcast_to(base, (len(unit), 1))
    gaps = np.diff(base)
    below = np.concatenate([gaps[:1], gaps])
    above = np.concatenate([gaps, gaps[-1:]])
    share = np.linspace(-0.45, 0.45, 91)
    candidates = base[:, None] + np.where(share < 0, share * below[:, None], share * above[:, None])
    candidates[0], candidates[-1] = (
        np.minimum(candidates[0], base[0]),
        np.maximum(candidates[-1], base[-1]),
    )
    values = ACTIVATIONS[activation].value(candidates) / unit[:, None, None]
    off = np.abs(values - np.rint(values)) + 1e-6 * np.abs(share)
    return np.take_along_axis(
        np.broadcast_to(candidates, off.shape), off.argmin(-1)[..., None], -1
    )[..., 0]


def _error_bound(
    activation: str, table: ActivationTable, end: Float, row_scale: Float, unit: Float
) -> Float:
    """Largest |q - f / unit| over all 24-bit accumulators, per neuron.

    Between two samples a distance h apart, f departs from its chord by at most h^2 max|f''| / 8,
    and the map is linear up to a rounding of 1/2.
    """
    start = table.start.astype(np.float64)
    ramp = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, SAMPLES)])
    even = np.linspace(0.0, 1.0, SAMPLES + 1)
    positions = start[..., None] + (end - start)[..., None] * even  # [neurons, segments, samples]
    positions[:, 0] = end[:, 0, None] - (end - start)[:, 0, None] * ramp[::-1]
    positions[:, -1] = start[:, -1, None] + (end - start)[:, -1, None] * ramp
    x = positions * row_scale[:, None, None]
    line = (
        table.offset[..., None]
        + (positions - start[..., None])
        * (table.multiplier / 2.0 ** table.shift[:, None])[..., None]
    )
    difference = np.abs(line - ACTIVATIONS[activation].value(x) / unit[:, None, None]).max((1, 2))
    spacing = np.diff(x, axis=-1)
    # integral of |f''| where it keeps its sign
    second = np.abs(np.diff(ACTIVATIONS[activation].derivative(x), axis=-1))
    return difference + (spacing * second / 4).max((1, 2)) / unit + 0.5
