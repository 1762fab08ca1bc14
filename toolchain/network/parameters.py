"""Parameters of neurons beyond threshold and bias: tables, leaks, dynamics, and their limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STATE_LIMIT = 2**23 - 1  # 24-bit signed state and synaptic sums
MAX_SEGMENTS = 32  # of a piecewise-linear activation
LARGEST_THRESHOLD = 2**17 - 1  # vth of a stock LIF
LARGEST_MANTISSA = 4095  # bias_mant, 13 bits
LARGEST_EXPONENT = 7  # bias_exp, 3 bits
LARGEST_WEIGHT_EXPONENT = 7
ACT_SHIFT = 6  # u and v are kept in 1/64 of the units of weights and threshold

Int = NDArray[np.int32]
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ActivationTable:
    """An integer piecewise-linear activation, one row per neuron, K <= 32 segments.

    q = offset[j, k] + (((acc - start[j, k]) * multiplier[j, k] + 2^(shift[j] - 1)) >> shift[j]),
    k the last segment with start[j, k] <= acc; start[j, 0] = -2^23, shift >= 1, |multiplier| <
    2^15. `error_bound` [neurons] bounds |q - f(acc * row_scale) / unit| before clipping, over the
    whole 24-bit range.
    """

    start: Int
    multiplier: Int
    offset: Int
    shift: Int
    error_bound: Float

    def __call__(self, accumulator: NDArray[np.int64]) -> NDArray[np.int64]:
        """Q before clipping for accumulators [..., neurons]."""
        segment = (accumulator[..., None] >= self.start).sum(-1) - 1
        neuron = np.broadcast_to(np.arange(self.start.shape[0]), segment.shape)
        start, multiplier, offset = (
            table[neuron, segment].astype(np.int64)
            for table in (self.start, self.multiplier, self.offset)
        )
        shift = self.shift.astype(np.int64)
        return offset + (
            ((accumulator - start) * multiplier + (np.int64(1) << (shift - 1))) >> shift
        )


@dataclass(frozen=True, eq=False)
class Leak:
    """Decay of the membranes of leaky@1, and their resolution.

    keep [neurons] of 4096 is what a membrane keeps per timestep; its unit is 1 / 2^shift of the
    weights'.
    """

    keep: Int
    shift: int = 0


@dataclass(frozen=True)
class Dynamics:
    """Decays of a layer of `lif@1` in Lava's numbers, and where its bias goes.

    u keeps (4095 - current_decay) / 4096 of itself per timestep, v (4096 - voltage_decay) / 4096.
    Weights count 2^weight_exponent each. The bias is added to v, in 1/64 (at most 13 bits times a
    power of two up to 2^7, as bias_mant and bias_exp are), or, with `bias_in_current`, it is the
    weight of a synapse from a neuron that always spikes.
    """

    current_decay: int
    voltage_decay: int
    weight_exponent: int = 0
    bias_in_current: bool = False


def decay(value: NDArray[np.int64], kept: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Kept / 4096 of `value`, rounded towards zero."""
    return np.sign(value) * (np.abs(value) * kept >> 12)


def bias_exponent(bias: NDArray[np.integer]) -> int:
    """The smallest exponent 0..7 with which every bias is mantissa << exponent; -1 for none.

    The mantissa has 13 bits.
    """
    values = bias.astype(np.int64)
    for exponent in range(LARGEST_EXPONENT + 1):
        mantissa = values >> exponent
        if (mantissa << exponent == values).all() and (np.abs(mantissa) <= LARGEST_MANTISSA).all():
            return exponent
    return -1


def table_problems(table: ActivationTable, neurons: int) -> list[str]:
    """Problems of a table for so many neurons."""
    segments = table.start.shape[1] if table.start.ndim == 2 else 0
    shapes = {table.start.shape, table.multiplier.shape, table.offset.shape}
    if (
        shapes != {(neurons, segments)}
        or not 1 <= segments <= MAX_SEGMENTS
        or table.shift.shape != (neurons,)
        or table.error_bound.shape != (neurons,)
    ):
        return [
            f"activation table of shapes {sorted(shapes)} for {neurons} neurons and"
            f" 1..{MAX_SEGMENTS} segments"
        ]
    problems = []
    if (table.start[:, 0] != -(2**23)).any() or (
        np.diff(table.start.astype(np.int64), axis=1) < 0
    ).any():
        problems.append("table segments must start at -2^23 and ascend")
    if (np.abs(table.multiplier.astype(np.int64)) >= 2**15).any() or (
        (table.shift < 1) | (table.shift > 31)
    ).any():
        problems.append("table multipliers must be below 2^15 and shifts 1..31")
    if (np.abs(table.offset.astype(np.int64)) > STATE_LIMIT).any():
        problems.append("table offsets must fit 24 bits")
    return problems
